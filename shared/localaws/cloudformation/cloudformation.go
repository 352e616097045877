// Package cloudformation is the CloudFormation of a [localaws.World], as far as one reads from it what a stack deployed. It
// deploys nothing: a stack is set up in Go, and whoever does that sets up what it is made of in the other services.
package cloudformation

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"portcullis/shared/localaws"
)

// A Service is the CloudFormation of every account and Region of a World.
type Service struct {
	world    *localaws.World
	stacks   map[place]*stack
	pageSize int
}

type place struct{ account, region, name string }

type stack struct {
	Stack
	id      string
	created time.Time
}

// A Stack is one that was deployed.
type Stack struct {
	Name       string
	Status     string // CREATE_COMPLETE if empty
	Parameters []Parameter
	Resources  []Resource // in the order in which they are listed
}

// A Parameter is one of a stack. What is not to be echoed has the value ****.
type Parameter struct {
	Key   string `xml:"ParameterKey"`
	Value string `xml:"ParameterValue"`
}

// A Resource is one of a stack: what the template calls it, and what its own service calls it.
type Resource struct{ LogicalID, PhysicalID, Type string }

// New adds CloudFormation to a World, without a stack. A page of resources has 100 of them until set.
func New(w *localaws.World) *Service {
	s := &Service{world: w, stacks: map[place]*stack{}, pageSize: 100}
	w.Serve("cloudformation", localaws.Query, s.route)
	return s
}

// SetPageSize sets how many resources a page holds at most. AWS says only that there are pages.
func (s *Service) SetPageSize(n int) {
	s.world.Hold(func(time.Time) { s.pageSize = n })
}

// Set deploys a stack, in the place of the one that has its name.
func (s *Service) Set(account, region string, st Stack) {
	st.Status = cmp.Or(st.Status, "CREATE_COMPLETE")
	st.Parameters, st.Resources = slices.Clone(st.Parameters), slices.Clone(st.Resources)
	s.world.Hold(func(now time.Time) {
		id := fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/00000000-0000-4000-8000-000000000000", region, account, st.Name)
		s.stacks[place{account, region, st.Name}] = &stack{st, id, now}
	})
}

// Remove takes a stack away. It can then not be found by its name.
func (s *Service) Remove(account, region, name string) {
	s.world.Hold(func(time.Time) { delete(s.stacks, place{account, region, name}) })
}

const version = "2010-05-15"

func (s *Service) route(_ *http.Request, body []byte) (localaws.Operation, error) {
	op, form, err := localaws.ReadQuery(body, version)
	if err != nil {
		return op, err
	}
	switch op.Name {
	case "DescribeStacks":
		op.Run = func(c localaws.Caller) (any, bool, error) { return s.describe(c, form) }
	case "ListStackResources":
		op.Run = func(c localaws.Caller) (any, bool, error) { return s.list(c, form) }
	default:
		return op, localaws.UnknownAction(op.Name, version)
	}
	return op, nil
}

// find returns the stack that is named. Lists of all stacks are not played here.
func (s *Service) find(c localaws.Caller, form url.Values, other ...string) (*stack, error) {
	for name := range form {
		if !slices.Contains(append(other, "Action", "Version", "StackName"), name) {
			return nil, invalid("the parameter %s is not taken here", name)
		}
	}
	name := form.Get("StackName")
	if name == "" {
		return nil, invalid("1 validation error detected: StackName is required here")
	}
	st := s.stacks[place{c.Account, c.Region, name}]
	if st == nil {
		return nil, invalid("Stack with id %s does not exist", name)
	}
	return st, nil
}

type describeResult struct {
	XMLName xml.Name   `xml:"DescribeStacksResult"`
	Stacks  []describe `xml:"Stacks>member"`
}

type describe struct {
	StackID      string `xml:"StackId"`
	StackName    string
	CreationTime string
	StackStatus  string
	Parameters   []Parameter `xml:"Parameters>member"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
func (s *Service) describe(c localaws.Caller, form url.Values) (any, bool, error) {
	st, err := s.find(c, form)
	if err != nil {
		return nil, false, err
	}
	return describeResult{Stacks: []describe{{
		StackID: st.id, StackName: st.Name, CreationTime: st.created.UTC().Format(time.RFC3339), StackStatus: st.Status, Parameters: st.Parameters,
	}}}, false, nil
}

type listResult struct {
	XMLName   xml.Name  `xml:"ListStackResourcesResult"`
	Resources []summary `xml:"StackResourceSummaries>member"`
	NextToken string    `xml:",omitempty"`
}

type summary struct {
	LogicalResourceID    string `xml:"LogicalResourceId"`
	PhysicalResourceID   string `xml:"PhysicalResourceId"`
	ResourceType         string
	ResourceStatus       string
	LastUpdatedTimestamp string
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html
func (s *Service) list(c localaws.Caller, form url.Values) (any, bool, error) {
	st, err := s.find(c, form, "NextToken")
	if err != nil {
		return nil, false, err
	}
	start := 0
	if token := form.Get("NextToken"); token != "" {
		if start, err = strconv.Atoi(token); err != nil || start < 0 || start > len(st.Resources) {
			return nil, false, invalid("NextToken is not one of this list")
		}
	}
	end := min(len(st.Resources), start+s.pageSize)
	var out listResult
	for _, r := range st.Resources[start:end] {
		out.Resources = append(out.Resources, summary{
			LogicalResourceID: r.LogicalID, PhysicalResourceID: r.PhysicalID, ResourceType: r.Type,
			ResourceStatus: "CREATE_COMPLETE", LastUpdatedTimestamp: st.created.UTC().Format(time.RFC3339),
		})
	}
	if end < len(st.Resources) {
		out.NextToken = strconv.Itoa(end)
	}
	return out, false, nil
}

// A stack that does not exist is a mistake in the request, and no error of its own.
func invalid(format string, args ...any) error {
	return &localaws.Error{Status: http.StatusBadRequest, Code: "ValidationError", Message: fmt.Sprintf(format, args...)}
}
