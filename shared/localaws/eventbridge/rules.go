package eventbridge

import (
	"encoding/json"
	"fmt"
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
}

type rule struct {
	pattern pattern.Pattern
	target  func(event []byte)
}

// AddRule adds a rule to a bus, for what is put on it from now on. The error is non-nil for a pattern that package
// pattern refuses, and for a bus that does not exist.
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
	s.world.Hold(func(time.Time) {
		b := bus{account, region, busName}
		if !s.exists(b) {
			err = fmt.Errorf("adding rule %s: there is no bus %q in %s, %s", r.Name, busName, account, region)
			return
		}
		s.rules[b] = append(s.rules[b], rule{compiled, r.Target})
	})
	return err
}

// Idle returns once no target has an event to take or under way. An event is there for it as soon as the call that put it
// has been answered; so who has made a call, and then waits here, sees all that came of it. No target may call it.
func (s *Service) Idle() { s.queue.wait() }

// match queues an event for the targets of the rules that it matches.
func (s *Service) match(b bus, ev Event) {
	if len(s.rules[b]) == 0 {
		return
	}
	event, err := json.Marshal(newEnvelope(ev))
	if err != nil {
		return // its detail is no JSON, and there is nothing in it to match
	}
	for _, r := range s.rules[b] {
		if ok, err := r.pattern.Match(event); ok && err == nil {
			s.queue.add(func() { r.target(event) })
		}
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
