package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"portcullis/shared/control"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/lambda"
	rounds "portcullis/shared/round"
)

// report is what one run said, or all those of a round, and what the server saw of it.
type report struct {
	findings, outcomes []event
	runs               []control.Summary
	requests           []rounds.Request
	round              rounds.Summary // of an earlier round
	made               []localaws.Call
	writes             []string // writes to CodeArtifact and Proton that were executed: the operation, and on what
	err                *lambda.FunctionError
}

// count counts outcomes.
func (r report) count(status string) int {
	n := 0
	for _, o := range r.outcomes {
		if o.Status == status {
			n++
		}
	}
	return n
}

// outcome finds the outcome for a resource. Without one it has no status.
func (r report) outcome(name string) event {
	for _, o := range r.outcomes {
		if o.name() == name {
			return o
		}
	}
	return event{}
}

// wrote counts the writes by operation.
func (r report) wrote() string {
	if len(r.writes) == 0 {
		return "no write"
	}
	n := map[string]int{}
	var operations, counted []string
	for _, w := range r.writes {
		operation, _, _ := strings.Cut(w, " ")
		if n[operation]++; n[operation] == 1 {
			operations = append(operations, operation)
		}
	}
	for _, o := range operations {
		counted = append(counted, fmt.Sprintf("%d %s", n[o], o))
	}
	return strings.Join(counted, ", ")
}

// event has the fields of the events' details that the demo prints.
type event struct {
	ID, Account, Resource, Subject, Verdict, Code, Reason, Effect, Status, Detail string
	Details                                                                       struct{ UsedBy []string }
	Undo                                                                          []call
}

// call is one call of an undo.
type call struct {
	Operation string
	Input     json.RawMessage
}

func (e event) name() string { return name(e.Resource) }

// name is the short name of a resource: corp/npm-store, or corp/npm/acme/* for a
// package group, or the id of a connection. In an ARN the * is encoded.
func name(arn string) string {
	fields := strings.SplitN(arn, ":", 6)
	_, path, _ := strings.Cut(fields[len(fields)-1], "/")
	if decoded, err := url.PathUnescape(path); err == nil {
		return decoded
	}
	return path
}

// describe says what a call does.
func describe(c localaws.Call) string {
	in := func(member string) string { text, _ := c.Input[member].(string); return text }
	switch {
	case in("resourceArn") != "":
		return c.Operation + " " + name(in("resourceArn"))
	case in("packageGroup") != "":
		return c.Operation + " " + in("domain") + in("packageGroup")
	case in("environmentName") != "":
		return c.Operation + " " + in("environmentName") + ", by " + c.Account
	case in("id") != "":
		return c.Operation + " " + in("id")
	default:
		return fmt.Sprintf("%s %s/%s %s", c.Operation, in("domain"), in("repository"), in("externalConnection"))
	}
}

// collect takes what came since the last time, once everything that the events lead
// to has come.
func (s *stage) collect(failure *lambda.FunctionError) (report, error) {
	s.events.Idle()
	r := report{err: failure}
	events := s.events.Events(account, region, bus)
	for _, e := range events[s.seenEvents:] {
		var err error
		switch e.DetailType {
		case "Finding":
			r.findings, err = add(r.findings, e.Detail)
		case "Action Outcome":
			r.outcomes, err = add(r.outcomes, e.Detail)
		case "Run Summary":
			r.runs, err = add(r.runs, e.Detail)
		case rounds.RequestEvent:
			r.requests, err = add(r.requests, e.Detail)
		case rounds.SummaryEvent:
			err = json.Unmarshal(e.Detail, &r.round)
		}
		if err != nil {
			return r, fmt.Errorf("reading a %s event: %w", e.DetailType, err)
		}
	}
	s.seenEvents = len(events)
	writes := s.world.Writes()
	for _, c := range writes[s.seenWrites:] {
		if c.Service != "events" {
			r.made = append(r.made, c)
			r.writes = append(r.writes, describe(c))
		}
	}
	s.seenWrites = len(writes)
	return r, nil
}

func add[T any](list []T, detail json.RawMessage) ([]T, error) {
	var v T
	err := json.Unmarshal(detail, &v)
	return append(list, v), err
}

// report collects what came, and prints it.
func (s *stage) report(failure *lambda.FunctionError) (report, error) {
	r, err := s.collect(failure)
	if err != nil {
		return r, err
	}
	s.list(r.findings, func(e event) {
		s.say("finding", "%s: %s", e.Verdict, e.Reason)
		if e.Effect != "" {
			s.say("", "%s", e.Effect)
		}
	})
	s.list(r.outcomes, func(e event) {
		s.say("outcome", "%s %s: %s", e.Status, e.name(), e.Detail)
		if e.Status == "applied" || e.Status == "restore-needed" {
			for _, c := range e.Undo {
				s.line("undo", c.Operation+" "+string(c.Input))
			}
		}
	})
	if failure != nil {
		s.say("error", "%s", failure.Message)
	}

	for _, w := range r.writes {
		s.say("server", "%s", w)
	}
	if len(r.writes) == 0 {
		s.say("server", "no write")
	}
	return r, nil
}

// list prints the first few of a kind; a reader has the idea after three.
func (s *stage) list(events []event, line func(event)) {
	for _, e := range events[:min(3, len(events))] {
		line(e)
	}
	if n := len(events) - 3; n > 0 {
		s.say("", "... and %d more", n)
	}
}

// kept finds what a function last concluded in the hub's account about something that
// it leaves as it is. That makes no event, and is in its log.
func (s *stage) kept(function, name string) (event, error) {
	for _, text := range slices.Backward(s.deployed[function].Logs()) {
		var line struct {
			Message string
			Finding event
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			return event{}, fmt.Errorf("reading the log of %s: %w", function, err)
		}
		if f := line.Finding; line.Message == "finding" && f.Verdict == "compliant" && f.Account == account && f.name() == name {
			return f, nil
		}
	}
	return event{}, fmt.Errorf("the log of %s does not say that %s is kept", function, name)
}

// metrics are those that a function last wrote.
func (s *stage) metrics(function string) (map[string]any, error) {
	for _, text := range slices.Backward(s.deployed[function].Logs()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			return nil, fmt.Errorf("reading the log of %s: %w", function, err)
		}
		if line["_aws"] != nil {
			return line, nil
		}
	}
	return nil, fmt.Errorf("the log of %s has no metrics", function)
}

// margin is where texts begin, and width where they are wrapped.
const (
	margin = 13
	width  = 120
)

// say prints a sentence, on as many lines as it needs.
func (s *stage) say(what, format string, a ...any) {
	var b strings.Builder
	room := width - margin
	for i, word := range strings.Fields(fmt.Sprintf(format, a...)) {
		switch {
		case i == 0:
		case len(word)+1 > room:
			fmt.Fprintf(&b, "\n%*s", margin, "")
			room = width - margin
		default:
			b.WriteByte(' ')
			room--
		}
		b.WriteString(word)
		room -= len(word)
	}
	s.line(what, b.String())
}

// line prints a text as it is.
func (s *stage) line(what, text string) { fmt.Fprintf(s.out, "   %-9s %s\n", what, text) }
