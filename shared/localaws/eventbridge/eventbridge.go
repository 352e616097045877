// Package eventbridge is the EventBridge of a [localaws.World]: event buses and PutEvents. What is put on a bus is kept
// and can be looked at; there are no rules and no targets.
//
// Every account and Region has the bus "default". An event for a bus that does not exist is accepted and lost, as AWS
// does: https://github.com/aws/aws-cli/issues/9186. putevents.go is the operation itself.
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
	fail  func(i int, e Event) (code string)
}

type bus struct{ account, region, name string }

// An Event is one that EventBridge accepted.
type Event struct {
	ID, Account, Region, Bus string
	Source, DetailType       string
	Detail                   json.RawMessage
	Resources                []string
	Time                     time.Time // the entry's, or else that of the call
}

// New adds EventBridge to a World.
func New(w *localaws.World) *Service {
	s := &Service{world: w, buses: map[bus][]Event{}}
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
