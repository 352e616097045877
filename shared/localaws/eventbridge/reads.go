package eventbridge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"portcullis/shared/localaws"
)

// A readInput has what is taken here of the inputs of the reads.
type readInput struct {
	Name         string // of the bus, or of the rule
	Rule         string
	EventBusName string // of the rule; "default" if empty
	NextToken    string
}

func (s *Service) routeReads(target string, body []byte) (localaws.Operation, error) {
	name, _ := strings.CutPrefix(target, "AWSEvents.")
	run := map[string]func(localaws.Caller, readInput) (any, error){
		"DescribeEventBus": s.describeBus, "DescribeRule": s.describeRule, "ListTargetsByRule": s.listTargets,
	}[name]
	if run == nil {
		return localaws.Operation{}, &localaws.Error{Status: http.StatusBadRequest, Code: "UnknownOperationException",
			Message: fmt.Sprintf("no operation %q", target)}
	}
	op := localaws.Operation{Name: name}
	var in readInput
	err := json.Unmarshal(body, &op.Input)
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		return op, &localaws.Error{Status: http.StatusBadRequest, Code: "SerializationException", Message: err.Error()}
	}
	op.Run = func(c localaws.Caller) (any, bool, error) {
		out, err := run(c, in)
		return out, false, err
	}
	return op, nil
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeEventBus.html
func (s *Service) describeBus(c localaws.Caller, in readInput) (any, error) {
	b := bus{c.Account, c.Region, cmp.Or(in.Name, "default")}
	if !s.exists(b) {
		return nil, notFound("Event bus %s does not exist.", b.name)
	}
	out := map[string]any{"Name": b.name, "Arn": b.arn()}
	if policy := s.policies[b]; policy != "" {
		out["Policy"] = policy
	}
	return out, nil
}

func (s *Service) find(c localaws.Caller, busName, name string) (rule, error) {
	b := bus{c.Account, c.Region, cmp.Or(busName, "default")}
	for _, r := range s.rules[b] {
		if r.name == name {
			return r, nil
		}
	}
	if !s.exists(b) {
		return rule{}, notFound("Event bus %s does not exist.", b.name)
	}
	return rule{}, notFound("Rule %s does not exist on EventBus %s.", name, b.name)
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeRule.html
func (s *Service) describeRule(c localaws.Caller, in readInput) (any, error) {
	r, err := s.find(c, in.EventBusName, in.Name)
	if err != nil {
		return nil, err
	}
	state := "ENABLED"
	if r.disabled {
		state = "DISABLED"
	}
	return map[string]any{
		"Name": r.name, "EventBusName": cmp.Or(in.EventBusName, "default"), "State": state, "EventPattern": r.text,
	}, nil
}

// listTargets answers all targets on one page: a rule has five at most.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListTargetsByRule.html
func (s *Service) listTargets(c localaws.Caller, in readInput) (any, error) {
	r, err := s.find(c, in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}
	targets := []any{}
	if r.arn != "" {
		targets = append(targets, map[string]any{"Id": "target", "Arn": r.arn})
	}
	return map[string]any{"Targets": targets}, nil
}

func notFound(format string, args ...any) error {
	return &localaws.Error{Status: http.StatusBadRequest, Code: "ResourceNotFoundException", Message: fmt.Sprintf(format, args...)}
}
