package cloudtrail

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"portcullis/shared/localaws"
)

// Trails tells by requests which trails there are. They are set up in Go, apart from what a [Trail] tells of: that there
// is none here keeps no event from a bus.
type Trails struct {
	world *localaws.World
	all   []Configuration
}

// A Configuration is that of a trail.
type Configuration struct {
	Name, Account, Region string // where it was created
	MultiRegion           bool
	Members               []string // accounts in which there is a shadow of it, if it is that of an organization
	Stopped               bool

	// Selectors or Advanced say what it logs; neither stands for what a new trail has, which is all management events.
	Selectors []Selector
	Advanced  []Advanced
}

// A Selector is a basic event selector.
type Selector struct {
	ReadWriteType                 string // All, ReadOnly or WriteOnly
	IncludeManagementEvents       bool
	ExcludeManagementEventSources []string
}

// An Advanced is an advanced event selector.
type Advanced struct{ FieldSelectors []Field }

// A Field is a condition of an [Advanced]; some of these there are beside more that are not played here.
type Field struct {
	Field     string
	Equals    []string `json:",omitempty"`
	NotEquals []string `json:",omitempty"`
}

// ServeTrails adds the API of CloudTrail to a World, without a trail.
func ServeTrails(w *localaws.World) *Trails {
	t := &Trails{world: w}
	w.Serve("cloudtrail", localaws.JSON11, t.route)
	return t
}

// Set makes a trail, or changes the one of the same name, account and Region.
func (t *Trails) Set(c Configuration) {
	t.world.Hold(func(time.Time) {
		t.all = slices.DeleteFunc(t.all, func(o Configuration) bool { return o.arn() == c.arn() })
		t.all = append(t.all, c)
	})
}

// Remove deletes all trails.
func (t *Trails) Remove() {
	t.world.Hold(func(time.Time) { t.all = nil })
}

func (c Configuration) arn() string {
	return fmt.Sprintf("arn:aws:cloudtrail:%s:%s:trail/%s", c.Region, c.Account, c.Name)
}

// seen tells whether the trail, or a shadow of it, is in an account and Region.
func (c Configuration) seen(by localaws.Caller) bool {
	return (c.Account == by.Account || slices.Contains(c.Members, by.Account)) && (c.Region == by.Region || c.MultiRegion)
}

func (t *Trails) route(r *http.Request, body []byte) (localaws.Operation, error) {
	// The AWS CLI writes the namespace of the service in front, which the Go SDK leaves out.
	target := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "com.amazonaws.cloudtrail.v20131101.")
	name, _ := strings.CutPrefix(target, "CloudTrail_20131101.")
	op := localaws.Operation{Name: name}
	var in struct{ Name, TrailName string }
	err := json.Unmarshal(body, &op.Input)
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		return op, refused("SerializationException", "%v", err)
	}
	switch name {
	case "DescribeTrails":
		op.Run = func(c localaws.Caller) (any, bool, error) { return t.describe(c), false, nil }
	case "GetTrailStatus":
		op.Run = func(c localaws.Caller) (any, bool, error) { return t.status(c, in.Name) }
	case "GetEventSelectors":
		op.Run = func(c localaws.Caller) (any, bool, error) { return t.selectors(c, in.TrailName) }
	default:
		return op, refused("UnknownOperationException", "no operation %q", name)
	}
	return op, nil
}

// describe answers all trails of the Region, and the shadows of those that were created elsewhere, which is what AWS does
// unless it is told otherwise.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html
func (t *Trails) describe(c localaws.Caller) any {
	list := []any{}
	for _, trail := range t.all {
		if trail.seen(c) {
			list = append(list, map[string]any{
				"Name": trail.Name, "TrailARN": trail.arn(), "HomeRegion": trail.Region,
				"IsMultiRegionTrail": trail.MultiRegion, "IsOrganizationTrail": trail.Members != nil,
			})
		}
	}
	return map[string]any{"trailList": list}
}

// find finds a trail by its ARN. By its name AWS finds only those that are no shadow; that is not played here.
func (t *Trails) find(c localaws.Caller, arn string) (Configuration, error) {
	i := slices.IndexFunc(t.all, func(trail Configuration) bool { return trail.arn() == arn && trail.seen(c) })
	if i < 0 {
		return Configuration{}, refused("TrailNotFoundException", "Unknown trail: %s for the user: %s", arn, c.Account)
	}
	return t.all[i], nil
}

// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrailStatus.html
func (t *Trails) status(c localaws.Caller, arn string) (any, bool, error) {
	trail, err := t.find(c, arn)
	return map[string]any{"IsLogging": !trail.Stopped}, false, err
}

// selectors answers the basic ones or the advanced ones: a trail has never both.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetEventSelectors.html
func (t *Trails) selectors(c localaws.Caller, arn string) (any, bool, error) {
	trail, err := t.find(c, arn)
	if trail.Advanced != nil {
		return map[string]any{"TrailARN": arn, "AdvancedEventSelectors": trail.Advanced}, false, err
	}
	if trail.Selectors == nil {
		trail.Selectors = []Selector{{ReadWriteType: "All", IncludeManagementEvents: true}}
	}
	selectors := slices.Clone(trail.Selectors)
	for i := range selectors {
		if selectors[i].ExcludeManagementEventSources == nil {
			selectors[i].ExcludeManagementEventSources = []string{} // AWS's samples have the list, also when it is empty
		}
	}
	return map[string]any{"TrailARN": arn, "EventSelectors": selectors}, false, err
}

func refused(code, format string, args ...any) error {
	return &localaws.Error{Status: http.StatusBadRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}
