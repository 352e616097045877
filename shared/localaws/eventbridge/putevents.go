package eventbridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"portcullis/shared/localaws"
)

// The bounds of a request. https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
const (
	maxEntries    = 10
	maxTotalSize  = 1 << 20 // the page says "less than 1MB"; it was 256 KB before 2026
	maxDetailType = 128
)

type putEventsInput struct {
	Entries    []entry
	EndpointID *string // global endpoints are not there; the name is taken and left alone
}

type entry struct {
	Time         *float64 // seconds since 1970
	Source       string
	Resources    []string
	DetailType   string
	Detail       string
	EventBusName string // or its ARN
	TraceHeader  string
}

type result struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

type putEventsOutput struct {
	FailedEntryCount int
	Entries          []result
}

// decode reads a body twice, into the journal's form and into the input, and refuses members that the API does not have.
func decode(body []byte, journal *map[string]any, in *putEventsInput) error {
	if err := json.Unmarshal(body, journal); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(in)
}

// putEvents judges the request as a whole and then every entry alone. A 200 does not mean that anything was accepted.
func (s *Service) putEvents(c localaws.Caller, in putEventsInput) (any, bool, error) {
	if n := len(in.Entries); n < 1 || n > maxEntries {
		return nil, false, invalid("there are %d entries, not 1 to %d", n, maxEntries)
	}
	size, incomplete := 0, 0
	for _, e := range in.Entries {
		size += e.size()
		if e.missing() != "" {
			incomplete++
		}
	}
	if size >= maxTotalSize {
		return nil, false, invalid("the entries have %d bytes, not less than %d", size, maxTotalSize)
	}
	if incomplete == len(in.Entries) {
		return nil, false, invalid("no entry has Source, DetailType and Detail")
	}
	var out putEventsOutput
	changed := false
	for i, e := range in.Entries {
		ev, code, message := s.accept(c, i, e)
		if code != "" {
			out.FailedEntryCount++
			out.Entries = append(out.Entries, result{ErrorCode: code, ErrorMessage: message})
			continue
		}
		out.Entries = append(out.Entries, result{EventID: ev.ID})
		// A bus of another Region is as good as none: only rules and global endpoints cross over.
		if ev.Region == c.Region && s.put(ev, false) {
			changed = true
		}
	}
	return out, changed, nil
}

// accept turns an entry into an event, or says why not.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
func (s *Service) accept(c localaws.Caller, i int, e entry) (ev Event, code, message string) {
	if name := e.missing(); name != "" {
		return ev, "InvalidArgument", fmt.Sprintf("Parameter %s is not valid. Reason: %s is a required argument.", name, name)
	}
	if len(e.DetailType) > maxDetailType {
		return ev, "InvalidArgument", fmt.Sprintf("DetailType is longer than %d characters", maxDetailType)
	}
	var object map[string]any
	if json.Unmarshal([]byte(e.Detail), &object) != nil || object == nil {
		return ev, "MalformedDetail", "Detail is malformed."
	}
	if strings.HasPrefix(e.Source, "aws.") {
		return ev, "NotAuthorizedForSourceException", "Not authorized for the source."
	}
	ev = Event{
		ID:      fmt.Sprintf("%s-%d", c.RequestID, i),
		Account: c.Account, Region: c.Region, Bus: "default",
		Source: e.Source, DetailType: e.DetailType, Detail: json.RawMessage(e.Detail), Resources: e.Resources,
		Time: c.Now,
	}
	if e.Time != nil {
		ev.Time = time.UnixMilli(int64(*e.Time * 1000)).UTC()
	}
	if e.EventBusName != "" {
		ev.Bus = e.EventBusName
	}
	// arn:aws:events:REGION:ACCOUNT:event-bus/NAME
	if arn := strings.SplitN(e.EventBusName, ":", 6); len(arn) == 6 {
		ev.Region, ev.Bus = arn[3], strings.TrimPrefix(arn[5], "event-bus/")
		if arn[4] != c.Account {
			ev.Owner = arn[4]
		}
	}
	if ev.Owner != "" && !s.admits(bus{ev.Owner, ev.Region, ev.Bus}, c.Account, ev, false) {
		return ev, "AccessDeniedException", "no policy lets another account use the bus " + e.EventBusName
	}
	if s.fail != nil {
		if code := s.fail(i, ev); code != "" {
			return ev, code, "failed on demand"
		}
	}
	return ev, "", ""
}

func (e entry) missing() string {
	switch {
	case e.Source == "":
		return "Source"
	case e.DetailType == "":
		return "DetailType"
	case e.Detail == "":
		return "Detail"
	}
	return ""
}

// size counts as AWS does. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size
func (e entry) size() int {
	size := len(e.Source) + len(e.DetailType) + len(e.Detail)
	if e.Time != nil {
		size += 14
	}
	for _, r := range e.Resources {
		size += len(r)
	}
	return size
}

func invalid(format string, args ...any) error {
	return &localaws.Error{Status: http.StatusBadRequest, Code: "ValidationException", Message: fmt.Sprintf(format, args...)}
}
