// Package eventbridge is the EventBridge of a [localaws.World]: event buses, rules, PutEvents and a few reads. What is put on a bus is
// kept and can be looked at, and handed to the targets of the rules that it matches.
//
// Every account and Region has the bus "default", where the events of AWS itself arrive. An event for a bus that does not
// exist is accepted and lost, as AWS does: https://github.com/aws/aws-cli/issues/9186. A bus takes what another account
// puts on it, or hands it by a rule, only if it was told to admit it.
//
// putevents.go is the operation, rules.go what happens to an event after it, reads.go what the API tells of buses and
// rules; template.go finds the pattern of a rule that is to be deployed.
package eventbridge

import (
	"cmp"
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
	admit map[bus]func(from string, e Event, byRule bool) bool

	policies map[bus]string // what is told of them

	fail  func(i int, e Event) (code string)
	queue *queue
}

type bus struct{ account, region, name string }

// An Event is one that EventBridge accepted. Its Detail is a JSON object.
type Event struct {
	ID, Account, Region, Bus string // the account is the one that the event is from
	Owner                    string // the account that has the bus; empty for the one that the event is from
	Source, DetailType       string
	Detail                   json.RawMessage
	Resources                []string
	Time                     time.Time // the entry's, or else that of the call
}

// New adds EventBridge to a World.
func New(w *localaws.World) *Service {
	s := &Service{
		world: w, buses: map[bus][]Event{}, rules: map[bus][]rule{}, queue: newQueue(),
		admit: map[bus]func(string, Event, bool) bool{}, policies: map[bus]string{},
	}
	w.Serve("events", localaws.JSON11, s.route)
	return s
}

// A Bus is a handle on an event bus.
type Bus struct {
	service *Service
	bus     bus
}

// AddBus makes an event bus, unless it exists.
func (s *Service) AddBus(account, region, name string) Bus {
	b := bus{account, region, name}
	s.world.Hold(func(time.Time) {
		if _, exists := s.buses[b]; !exists {
			s.buses[b] = nil
		}
	})
	return Bus{s, b}
}

// ARN is that of the bus.
func (b Bus) ARN() string { return b.bus.arn() }

func (b bus) arn() string {
	return fmt.Sprintf("arn:aws:events:%s:%s:event-bus/%s", b.region, b.account, b.name)
}

// Remove deletes the bus with its rules. What is put on it from now on is accepted and lost.
func (b Bus) Remove() {
	b.service.world.Hold(func(time.Time) {
		delete(b.service.buses, b.bus)
		delete(b.service.rules, b.bus)
	})
}

// SetPolicy sets what the API says of the policy of the bus, as JSON. What it lets in is said with [Bus.Admit].
func (b Bus) SetPolicy(document string) {
	b.service.world.Hold(func(time.Time) { b.service.policies[b.bus] = document })
}

// Admit has f be the policy of the bus: it says whether an event from another account may come in, and is told whether a
// rule of that account hands it over or somebody there puts it. Until it is said, and with nil, none may. f must not use
// the World.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html
func (b Bus) Admit(f func(from string, e Event, byRule bool) bool) {
	b.service.world.Hold(func(time.Time) { b.service.admit[b.bus] = f })
}

// admits says whether a bus takes an event from an account.
func (s *Service) admits(b bus, from string, ev Event, byRule bool) bool {
	return from == b.account || s.admit[b] != nil && s.admit[b](from, ev, byRule)
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
			s.put(ev, false)
		}
	})
}

// put says whether there is such a bus. What was handed over by a rule goes to no third bus.
func (s *Service) put(ev Event, handedOver bool) bool {
	b := bus{cmp.Or(ev.Owner, ev.Account), ev.Region, ev.Bus}
	if !s.exists(b) {
		return false
	}
	s.buses[b] = append(s.buses[b], ev)
	s.match(b, ev, handedOver)
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
		return s.routeReads(target, body)
	}
	op := localaws.Operation{Name: "PutEvents", Write: true, Conditions: map[string][]string{}}
	var in putEventsInput
	if err := decode(body, &op.Input, &in); err != nil {
		return op, &localaws.Error{Status: http.StatusBadRequest, Code: "SerializationException", Message: err.Error()}
	}
	for _, e := range in.Entries {
		op.Conditions["events:detail-type"] = append(op.Conditions["events:detail-type"], e.DetailType)
	}
	op.Run = func(c localaws.Caller) (any, bool, error) { return s.putEvents(c, in) }
	return op, nil
}
