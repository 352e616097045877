package eventbridge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"portcullis/shared/localaws/pattern"
)

// A Rule hands the events of one bus that match a pattern to a target.
type Rule struct {
	Name    string
	Pattern []byte // JSON; package pattern says what it may hold
	// Target gets the event as EventBridge sends it, as JSON. Nobody waits for it but the next event and [Service.Idle].
	Target func(event []byte)
	// Bus is the ARN of another bus in the same Region, which gets the event in the place of a Target, if it admits it. The
	// event keeps its id, account, time, source and resources. It is on that bus as soon as it is on its own.
	Bus string
	// ARN is what the API says of a Target; nothing is looked up by it.
	ARN string
	// Disabled has the rule match nothing until it is enabled.
	Disabled bool
}

type rule struct {
	name     string
	text     string // of the pattern
	pattern  pattern.Pattern
	target   func(event []byte) // nil after the targets were removed
	bus      *bus
	arn      string // of the target, whichever it is
	disabled bool
}

// AddRule adds a rule to a bus, for what is put on it from now on. The error is non-nil for a pattern that package
// pattern refuses, for a bus that does not exist, and for a target that is none. Whether the other bus exists and admits
// anything is seen only when an event comes, as on AWS; what it does not take is lost. An event that came from another bus
// goes to no third one: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html.
//
// AWS delivers at least once and in no order. Here an event comes once to each rule that it matches, and all targets of
// the service are called one after the other, in the order of the events and then of the rules; what else AWS may do, a
// test does by putting the events as it likes. A target is not called again, whatever becomes of the event there.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rules.html
func (s *Service) AddRule(account, region, busName string, r Rule) error {
	compiled, err := pattern.Compile(r.Pattern)
	if err != nil {
		return fmt.Errorf("adding rule %s: %w", r.Name, err)
	}
	added := rule{name: r.Name, text: string(r.Pattern), pattern: compiled, target: r.Target, arn: cmp.Or(r.Bus, r.ARN), disabled: r.Disabled}
	if r.Bus != "" {
		if added.bus, err = busOf(r.Bus, region); err != nil {
			return fmt.Errorf("adding rule %s: %w", r.Name, err)
		}
	}
	s.world.Hold(func(time.Time) {
		b := bus{account, region, busName}
		if !s.exists(b) {
			err = fmt.Errorf("adding rule %s: there is no bus %q in %s, %s", r.Name, busName, account, region)
			return
		}
		if (r.Target == nil) == (r.Bus == "") {
			err = fmt.Errorf("adding rule %s: it must have either a target or a bus", r.Name)
			return
		}
		s.rules[b] = append(s.rules[b], added)
	})
	return err
}

// SetEnabled turns all rules of a bus that have a name on or off.
func (s *Service) SetEnabled(account, region, busName, name string, enabled bool) {
	s.change(bus{account, region, busName}, name, func(r *rule) { r.disabled = !enabled })
}

// RemoveTargets takes their targets from all rules of a bus that have a name.
func (s *Service) RemoveTargets(account, region, busName, name string) {
	s.change(bus{account, region, busName}, name, func(r *rule) { r.target, r.bus, r.arn = nil, nil, "" })
}

// RemoveRule deletes all rules of a bus that have a name.
func (s *Service) RemoveRule(account, region, busName, name string) {
	s.world.Hold(func(time.Time) {
		b := bus{account, region, busName}
		s.rules[b] = slices.DeleteFunc(s.rules[b], func(r rule) bool { return r.name == name })
	})
}

func (s *Service) change(b bus, name string, change func(*rule)) {
	s.world.Hold(func(time.Time) {
		for i := range s.rules[b] {
			if s.rules[b][i].name == name {
				change(&s.rules[b][i])
			}
		}
	})
}

// Idle returns once no target has an event to take or under way. An event is there for it as soon as the call that put it
// has been answered; so who has made a call, and then waits here, sees all that came of it. No target may call it.
func (s *Service) Idle() { s.queue.wait() }

// busOf finds the bus that has an ARN. Rules can reach other Regions on AWS; here they do not.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html
func busOf(arn, region string) (*bus, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[2] != "events" || !strings.HasPrefix(parts[5], "event-bus/") {
		return nil, fmt.Errorf("%q is not the ARN of a bus", arn)
	}
	if parts[3] != region {
		return nil, fmt.Errorf("the bus %s is in another Region than the rule", arn)
	}
	return &bus{parts[4], parts[3], strings.TrimPrefix(parts[5], "event-bus/")}, nil
}

// match queues an event for the targets of the rules that it matches, and hands it over to other buses.
func (s *Service) match(b bus, ev Event, handedOver bool) {
	if len(s.rules[b]) == 0 {
		return
	}
	event, err := json.Marshal(newEnvelope(ev))
	if err != nil {
		return // its detail is no JSON, and there is nothing in it to match
	}
	for _, r := range s.rules[b] {
		ok, err := r.pattern.Match(event)
		switch {
		case !ok || err != nil || r.disabled:
		case r.bus == nil && r.target == nil:
		case r.bus == nil:
			s.queue.add(func() { r.target(event) })
		case !handedOver:
			s.handOver(*r.bus, b.account, ev)
		}
	}
}

// handOver puts an event on another bus, as a rule of an account does.
func (s *Service) handOver(to bus, from string, ev Event) {
	ev.Bus, ev.Owner = to.name, ""
	if to.account != ev.Account {
		ev.Owner = to.account
	}
	if s.admits(to, from, ev, true) {
		s.put(ev, true)
	}
}

// An envelope is an event as a target gets it.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
type envelope struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

func newEnvelope(ev Event) envelope {
	return envelope{
		Version: "0", ID: ev.ID, DetailType: ev.DetailType, Source: ev.Source, Account: ev.Account,
		Time: ev.Time.UTC().Format(time.RFC3339), Region: ev.Region,
		Resources: append([]string{}, ev.Resources...), // [] and not null
		Detail:    ev.Detail,
	}
}

// A queue runs functions one after the other, apart from whoever adds them. Its goroutine lives while there is something
// to run.
type queue struct {
	mu      sync.Mutex
	idle    *sync.Cond
	waiting []func()
	running bool
}

func newQueue() *queue {
	q := &queue{}
	q.idle = sync.NewCond(&q.mu)
	return q
}

func (q *queue) add(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, f)
	if !q.running {
		q.running = true
		go q.run()
	}
}

func (q *queue) run() {
	for f := q.next(); f != nil; f = q.next() {
		f()
	}
}

// next takes the first function off the queue, or returns nil and lets those go who wait for that.
func (q *queue) next() func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.running = false
		q.idle.Broadcast()
		return nil
	}
	f := q.waiting[0]
	q.waiting = q.waiting[1:]
	return f
}

func (q *queue) wait() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.running {
		q.idle.Wait()
	}
}
