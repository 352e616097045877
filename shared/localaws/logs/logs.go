// Package logs is the CloudWatch Logs of a [localaws.World], as far as one searches it with FilterLogEvents. A log group is
// set up in Go, and filled by [Group.Take], which is made to be the target of a rule.
//
// filter.go is the operation.
package logs

import (
	"fmt"
	"slices"
	"time"

	"portcullis/shared/localaws"
)

// A Service is the CloudWatch Logs of every account and Region of a World.
type Service struct {
	world      *localaws.World
	groups     map[place]*group
	pageSize   int
	emptyPages int
	delay      time.Duration
}

type place struct{ account, region, name string }

type group struct{ events []written }

// written is an event with the time at which it came, as the one of this number.
type written struct {
	Event
	at     time.Time
	number int
}

// An Event is one in a log.
type Event struct {
	Time    time.Time // to the millisecond
	Message string
}

// New adds CloudWatch Logs to a World, without a group.
func New(w *localaws.World) *Service {
	s := &Service{world: w, groups: map[place]*group{}, pageSize: maxLimit}
	w.Serve("logs", localaws.JSON11, s.route)
	return s
}

// SetPageSize sets how many events a page holds at most, also if the request asks for more. It is 10,000 until set, which
// is AWS's maximum. A page ends also at 1 MB; AWS ends one when it has searched for long enough, too.
func (s *Service) SetPageSize(n int) {
	s.world.Hold(func(time.Time) { s.pageSize = n })
}

// SetEmptyPages has so many pages without any event, but with a token, come before every page. AWS says that it may do so.
func (s *Service) SetEmptyPages(n int) {
	s.world.Hold(func(time.Time) { s.emptyPages = n })
}

// SetDelay sets for how long, by the World's clock, a search does not find what was written. AWS does not say how long it
// takes; it is 0 here until set.
func (s *Service) SetDelay(d time.Duration) {
	s.world.Hold(func(time.Time) { s.delay = d })
}

// A Group is a handle on a log group.
type Group struct {
	world *localaws.World
	of    *group
}

// AddGroup makes a log group, unless it exists.
func (s *Service) AddGroup(account, region, name string) Group {
	g := Group{world: s.world}
	s.world.Hold(func(time.Time) {
		p := place{account, region, name}
		if s.groups[p] == nil {
			s.groups[p] = &group{}
		}
		g.of = s.groups[p]
	})
	return g
}

// RemoveGroup deletes a log group with all that is in it.
func (s *Service) RemoveGroup(account, region, name string) {
	s.world.Hold(func(time.Time) { delete(s.groups, place{account, region, name}) })
}

// Take writes an event of a bus, as the target of a rule gets it, at the World's time. The whole event is the message.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
func (g Group) Take(event []byte) {
	g.world.Hold(func(now time.Time) { g.of.add(Event{now, string(event)}, now) })
}

// Put writes events of any time.
func (g Group) Put(events ...Event) {
	g.world.Hold(func(now time.Time) {
		for _, e := range events {
			g.of.add(e, now)
		}
	})
}

// Events returns what is in the log, in the order of time, and of what is of one time, as it came.
func (g Group) Events() []Event {
	var events []Event
	g.world.Hold(func(time.Time) {
		for _, e := range g.of.events {
			events = append(events, e.Event)
		}
	})
	return events
}

func (g *group) add(e Event, now time.Time) {
	e.Time = e.Time.UTC().Truncate(time.Millisecond)
	i := len(g.events)
	for i > 0 && g.events[i-1].Time.After(e.Time) {
		i--
	}
	g.events = slices.Insert(g.events, i, written{e, now, len(g.events) + 1})
}

func groupARN(p place) string {
	return fmt.Sprintf("arn:aws:logs:%s:%s:log-group:%s", p.region, p.account, p.name)
}
