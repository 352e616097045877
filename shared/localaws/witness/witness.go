// Package witness holds what a [localaws.World] answers against the models of AWS's own SDK: no member that the model does
// not know, none missing that it calls required, every value of the kind and every enumerated one among those that it
// lists, every error code one that the service has.
//
// The SDK's modules have no model as such in them. What they have is generated from it, and that is read here as source:
// the structs of the outputs with the comment "This member is required.", the constants of the enumerations, and the
// deserializers (or, in newer modules, the schemas), which say how a member is called on the wire.
//
// It says nothing of what the model leaves open: which members that are not required are really there, and what is in
// them. docs/fidelity.md lists that. It is for tests only.
package witness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"portcullis/shared/localaws"
)

// modules are those of the SDK, by the name that clients sign for.
var modules = map[string]string{
	"cloudformation": "cloudformation",
	"cloudtrail":     "cloudtrail",
	"codeartifact":   "codeartifact",
	"events":         "eventbridge",
	"iam":            "iam",
	"lambda":         "lambda",
	"logs":           "cloudwatchlogs",
	"organizations":  "organizations",
	"proton":         "proton",
	"scheduler":      "scheduler",
	"sqs":            "sqs",
	"sts":            "sts",
}

// A Witness is one that has been told to look at a World. It takes down every answer and looks at them when it is asked: a
// client waits for its answer, and to read the model of a service may take a busy machine longer than a client waits.
type Witness struct {
	mu       sync.Mutex
	heard    []answer        // and not looked at yet
	answers  int             // so many were
	problems map[string]bool // in them
}

type answer struct {
	call localaws.Call
	body []byte
}

// Of looks at every answer of the World from now on.
func Of(w *localaws.World) *Witness {
	s := &Witness{problems: map[string]bool{}}
	w.OnAnswer(s.hear)
	return s
}

// Watch has the test fail at its end, if the World gave an answer that the models do not allow.
func Watch(t testing.TB, w *localaws.World) {
	t.Helper()
	s := Of(w)
	t.Cleanup(func() {
		for _, p := range s.Problems() {
			t.Error(p)
		}
		t.Logf("%d answers agree with the SDK's models", s.Answers())
	})
}

// Answers says how many were looked at.
func (s *Witness) Answers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers
}

// Problems looks at what there is so far, and returns what was wrong, each thing once.
func (s *Witness) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.heard {
		for _, p := range Check(a.call, a.body) {
			s.problems[p] = true
		}
	}
	s.answers, s.heard = s.answers+len(s.heard), nil
	return slices.Sorted(maps.Keys(s.problems))
}

func (s *Witness) hear(c localaws.Call, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, answer{c, body})
}

// Check returns what the model of the service does not allow in an answer.
func Check(c localaws.Call, body []byte) []string {
	what := c.Service + " " + c.Operation
	m, err := modelOf(c.Service)
	if err != nil {
		return []string{fmt.Sprintf("%s: no model: %v", what, err)}
	}
	check := checker{model: m}
	shape, where := c.Operation+"Output", c.Operation
	if c.Status >= 300 {
		shape, where = m.errors[c.ErrorCode], c.ErrorCode
		if shape == "" && !common[c.ErrorCode] {
			return []string{fmt.Sprintf("%s: there is no error %q", what, c.ErrorCode)}
		}
		check.failed = true
	} else if m.structs[shape] == nil {
		return []string{fmt.Sprintf("%s: there is no such operation", what)}
	}
	value, err := decode(c, body)
	switch {
	case err != nil:
		check.add(where, "%v", err)
	case shape != "":
		check.shape(where, shape, value)
	}
	for i := range check.found {
		check.found[i] = what + ": " + check.found[i]
	}
	return check.found
}

// common are the errors that any operation may give, and that the models therefore do not have.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/CommonErrors.html
// https://docs.aws.amazon.com/proton/latest/APIReference/CommonErrors.html
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
var common = map[string]bool{
	"AccessDenied": true, "AccessDeniedException": true, "ThrottlingException": true, "Throttling": true,
	"ValidationError": true, "ValidationException": true, "MissingParameter": true, "SerializationException": true,
	"UnknownOperationException": true, "InvalidParameterValue": true,
}

// decode reads a body into what encoding/json makes of JSON. Of XML it takes the result of the operation, or the error.
func decode(c localaws.Call, body []byte) (any, error) {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) {
		return decodeXML(c, body)
	}
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, fmt.Errorf("the body is no JSON: %w", err)
	}
	return v, nil
}
