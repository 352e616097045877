// Package eventbridge is the EventBridge of a [localaws.World]: event buses, rules and PutEvents. What is put on a bus is
// kept and can be looked at, and handed to the targets of the rules that it matches.
//
// Every account and Region has the bus "default", where the events of AWS itself arrive. An event for a bus that does not
// exist is accepted and lost, as AWS does: https://github.com/aws/aws-cli/issues/9186.
//
// putevents.go is the operation, rules.go what happens to an event after it; template.go finds the pattern of a rule that
// is to be deployed.
package eventbridge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"portcullis/shared/localaws"
)

// A Service is the EventBridge of every account and Region of a World.
type Service struct {
	world *localaws.World
	buses map[bus][]Event
	rules map[bus][]rule
	fail  func(i int, e Event) (code string)
	queue *queue
}

type bus struct{ account, region, name string }

// An Event is one that EventBridge accepted. Its Detail is a JSON object.
type Event struct {
	ID, Account, Region, Bus string
	Source, DetailType       string
	Detail                   json.RawMessage
	Resources                []string
	Time                     time.Time // the entry's, or else that of the call
}

// New adds EventBridge to a World.
func New(w *localaws.World) *Service {
	s := &Service{world: w, buses: map[bus][]Event{}, rules: map[bus][]rule{}, queue: newQueue()}
	w.Serve("events", localaws.JSON11, s.route)
	return s
}

// AddBus makes an event bus, unless it exists.
func (s *Service) AddBus(account, region, name string) {
	s.world.Hold(func(time.Time) {
		b := bus{account, region, name}
		if _, exists := s.buses[b]; !exists {
			s.buses[b] = nil
		}
	})
}

// Events returns what was put on a bus, in order.
func (s *Service) Events(account, region, name string) []Event {
	var events []Event
	s.world.Hold(func(time.Time) { events = slices.Clone(s.buses[bus{account, region, name}]) })
	return events
}

// Put puts events on their buses, in order and as they are, which is how the services of AWS do it. It is not in the
// journal.
func (s *Service) Put(events ...Event) {
	s.world.Hold(func(time.Time) {
		for _, ev := range events {
			s.put(ev)
		}
	})
}

// put says whether there is such a bus.
func (s *Service) put(ev Event) bool {
	b := bus{ev.Account, ev.Region, ev.Bus}
	if !s.exists(b) {
		return false
	}
	s.buses[b] = append(s.buses[b], ev)
	s.match(b, ev)
	return true
}

func (s *Service) exists(b bus) bool {
	_, added := s.buses[b]
	return added || b.name == "default"
}

// FailEntries has f judge every entry that would be accepted, by its place in the request: a code, such as
// "ThrottlingException" or "InternalFailure", fails that entry alone. f must not use the World. nil fails none.
func (s *Service) FailEntries(f func(i int, e Event) (code string)) {
	s.world.Hold(func(time.Time) { s.fail = f })
}

func (s *Service) route(r *http.Request, body []byte) (localaws.Operation, error) {
	if target := r.Header.Get("X-Amz-Target"); target != "AWSEvents.PutEvents" {
		return localaws.Operation{}, &localaws.Error{Status: http.StatusBadRequest, Code: "UnknownOperationException",
			Message: fmt.Sprintf("no operation %q", target)}
	}
	op := localaws.Operation{Name: "PutEvents", Write: true}
	var in putEventsInput
	if err := decode(body, &op.Input, &in); err != nil {
		return op, &localaws.Error{Status: http.StatusBadRequest, Code: "SerializationException", Message: err.Error()}
	}
	op.Run = func(c localaws.Caller) (any, bool, error) { return s.putEvents(c, in) }
	return op, nil
}
