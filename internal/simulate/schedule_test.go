package simulate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A schedule is what happens, one thing after the other.
type schedule struct {
	Seed     uint64
	Rules    *rules
	Controls []string // that are looked at; others would only take time
	Accounts []string
	Page     int // so many entries has a page of a list at most; 0 is no limit
	Moves    []move
	Broken   broken
}

// A move is one thing that happens. It means something whatever came before, so a
// schedule without some of its moves is a schedule.
type move struct {
	Kind    string // deed, wait, deploy, sweep, event or queue
	Step    step   // of a deed
	Hours   int    // of a wait
	Rules   *rules // of a deploy, or that are deployed just before a run that begins beside another one
	Control string // of a sweep
	Account string // of a sweep
	Event   int    // of an event: which of those that were told; it may be delivered late, twice, or never. Of a queue: how the batch is made up
	Faults  []fault
	Order   uint64        // in which order calls are served that are made side by side
	Time    time.Duration // until the deadline
	Undo    bool          // somebody undoes what the run did
}

func newSchedule(seed uint64) *schedule {
	r := rand.New(rand.NewPCG(seed, 1))
	s := &schedule{Seed: seed, Rules: newRules(r)}
	s.Controls = []string{pick([]string{connections, groups, groups, accounts}, r.IntN(4))}
	if r.IntN(4) == 0 {
		s.Controls = append(s.Controls, pick(controls, r.IntN(len(controls))))
		slices.Sort(s.Controls)
		s.Controls = slices.Compact(s.Controls)
	}
	if r.IntN(6) == 0 && !slices.Contains(s.Controls, origins) {
		s.Controls = append(s.Controls, origins)
	}
	s.Accounts = []string{pick(everybody, r.IntN(3))}
	if r.IntN(3) == 0 {
		s.Accounts = some(r, everybody)
	}
	s.Page = pick([]int{0, 0, 1, 2, 3}, r.IntN(5))
	deed := func() step {
		for {
			st := step{r.IntN(len(deeds)), r.IntN(60), r.IntN(60), r.IntN(60), r.IntN(60)}
			if of := about(st.What); slices.Contains(s.Controls, of) || of == groups && slices.Contains(s.Controls, origins) {
				st.A = slices.Index(everybody, pick(s.Accounts, st.A)) + 3*(st.A/3)
				return st
			}
		}
	}
	beside := func(of move) *move {
		m := &move{Kind: "sweep", Control: of.Control, Account: of.Account, Time: 15 * time.Minute}
		switch n := r.IntN(4); {
		case of.Kind == "queue":
			m.Control, m.Account = pick(s.Controls, r.IntN(4)), pick(s.Accounts, r.IntN(6))
		case n == 0 || of.Kind == "event" && n < 3:
			m.Kind, m.Event, m.Time = "event", r.IntN(20), time.Minute
		case n == 1 || of.Kind == "event":
			m.Control, m.Account = pick(s.Controls, r.IntN(4)), pick(s.Accounts, r.IntN(6))
		}
		if r.IntN(4) == 0 {
			m.Rules = s.latest().changed(r)
			m.Rules.writers = s.latest().writers // a role counts at once, also for the run that is under way
		}
		if r.IntN(3) == 0 {
			m.Faults = []fault{{At: 1 + r.IntN(20), Kind: r.IntN(len(kinds)), After: r.IntN(2) == 0, Step: deed()}}
			if r.IntN(2) == 0 {
				m.Faults[0].Among, m.Faults[0].At = aWrite, 1
			}
		}
		return m
	}
	for range 3 + r.IntN(6) {
		s.Moves = append(s.Moves, move{Kind: "deed", Step: deed()})
	}
	s.Moves = append(s.Moves, move{Kind: "wait", Hours: 1 + r.IntN(40)})
	// A group is marked by one sweep and deleted by another, which would seldom come about.
	if slices.Contains(s.Controls, groups) {
		account := pick(s.Accounts, r.IntN(6))
		s.Moves = append(s.Moves,
			move{Kind: "wait", Hours: 1 + int(s.Rules.minAge/time.Hour)},
			move{Kind: "sweep", Control: groups, Account: account, Time: 15 * time.Minute, Order: r.Uint64()},
			move{Kind: "wait", Hours: 1 + int(s.Rules.grace/time.Hour)},
		)
		if r.IntN(2) == 0 { // somebody guards the group in the last moment
			s.Moves = append(s.Moves, move{Kind: "sweep", Control: groups, Account: account, Time: 15 * time.Minute, Order: r.Uint64(), Faults: []fault{
				{At: 1 + r.IntN(2), Among: aWrite, Step: step{What: guarding, C: 3, D: 1 + 2*r.IntN(7)}},
			}})
			if last := &s.Moves[len(s.Moves)-1]; r.IntN(4) == 0 { // or between the two lists of groups of the second reading
				last.Faults[0].At, last.Faults[0].Among = 3+2*r.IntN(2), aTree
			} else if r.IntN(2) == 0 { // and nothing is heard of it
				last.Faults = append(last.Faults, fault{At: last.Faults[0].At, Among: aWrite, Kind: r.IntN(len(kinds)), After: r.IntN(2) == 0, Step: deed(), Beside: beside(*last), Ahead: 1000})
			}
		}
	}
	for range 5 + r.IntN(7) {
		m := move{Order: r.Uint64(), Time: 15 * time.Minute, Undo: r.IntN(4) == 0}
		switch n := r.IntN(20); {
		case n == 0:
			m = move{Kind: "deploy", Rules: s.latest().changed(r)}
		case n < 4:
			m = move{Kind: "deed", Step: deed()}
		case n < 8:
			m = move{Kind: "wait", Hours: pick([]int{1, 12, 200, 1 + int(s.Rules.minAge/time.Hour), 1 + int(s.Rules.grace/time.Hour), 1 + int(s.Rules.grace/time.Hour)}, r.IntN(6))}
		case n < 16:
			m.Kind, m.Control, m.Account = "sweep", pick(s.Controls, r.IntN(4)), pick(s.Accounts, r.IntN(6))
		default:
			m.Kind, m.Event, m.Time = "event", r.IntN(20), time.Minute
		}
		if (m.Kind == "event" || m.Kind == "sweep" && m.Control == origins) && slices.Contains(s.Controls, origins) && r.IntN(2) == 0 {
			m.Kind, m.Event, m.Time = "queue", r.IntN(60), time.Minute
		}
		if m.Kind == "sweep" || m.Kind == "event" || m.Kind == "queue" {
			if r.IntN(12) == 0 {
				m.Time = time.Duration(20+r.IntN(40)) * time.Second
			}
			for range pick([]int{0, 1, 1, 2, 3}, r.IntN(5)) {
				m.Faults = append(m.Faults, fault{
					At: 1 + r.IntN(pick([]int{6, 14, 30}, r.IntN(3))), Kind: r.IntN(len(kinds)), After: r.IntN(2) == 0,
					Lasts: pick([]lasting{once, once, once, operation, all}, r.IntN(5)), Step: deed(),
				})
				f := &m.Faults[len(m.Faults)-1]
				if kinds[f.Kind].sound {
					f.Lasts = once
				}
				switch n := r.IntN(8); {
				case n < 4:
					f.Among, f.At = aWrite, 1+r.IntN(2)
				case n < 6 && s.Page > 0:
					f.Among, f.At = aPage, 1+r.IntN(8)
					if n == 4 {
						f.Kind, f.Lasts = 0, once
					}
				}
				if kinds[f.Kind].late {
					f.Among, f.At, f.Lasts = aWrite, 1+r.IntN(2), once
				}
				if kinds[f.Kind].name == noDate { // any other answer would tell the time
					f.Among, f.At, f.Lasts = anyCall, 1, all
				}
				if r.IntN(8) == 0 {
					f.Kind, f.Lasts = kindOf(anotherRun), once
				}
				if kinds[f.Kind].name == anotherRun {
					f.Beside, f.Ahead = beside(m), pick([]int{0, 1000, 1 + r.IntN(20)}, r.IntN(3))
				}
			}
		}
		s.Moves = append(s.Moves, m)
	}
	return s
}

// latest is what is deployed after all moves so far.
func (s *schedule) latest() *rules {
	for _, m := range slices.Backward(s.Moves) {
		if m.Kind == "deploy" {
			return m.Rules
		}
	}
	return s.Rules
}

// about says which control a deed concerns.
func about(what int) string {
	switch {
	case what < 5:
		return connections
	case what < len(deeds)-7:
		return groups
	default:
		return accounts
	}
}

// shorten drops moves and faults for as long as the schedule still fails.
func (s *schedule) shorten(fails func(*schedule) bool) *schedule {
	best := s
	try := func(moves []move) bool {
		next := *best
		next.Moves = moves
		if !fails(&next) {
			return false
		}
		best = &next
		return true
	}
	for shorter := true; shorter; {
		shorter = false
		for i := len(best.Moves) - 1; i >= 0; i-- {
			if try(slices.Delete(slices.Clone(best.Moves), i, i+1)) {
				shorter = true
				continue
			}
			for j := len(best.Moves[i].Faults) - 1; j >= 0; j-- {
				moves := slices.Clone(best.Moves)
				moves[i].Faults = slices.Delete(slices.Clone(moves[i].Faults), j, j+1)
				shorter = try(moves) || shorter
			}
			for j, f := range best.Moves[i].Faults {
				if f.Beside == nil || f.Beside.Faults == nil && f.Beside.Rules == nil {
					continue
				}
				moves, plain := slices.Clone(best.Moves), *f.Beside
				plain.Faults, plain.Rules = nil, nil
				moves[i].Faults = slices.Clone(moves[i].Faults)
				moves[i].Faults[j].Beside = &plain
				shorter = try(moves) || shorter
			}
			if best.Moves[i].Undo {
				moves := slices.Clone(best.Moves)
				moves[i].Undo = false
				shorter = try(moves) || shorter
			}
		}
	}
	return best
}

func (f fault) String() string {
	when := map[bool]string{false: "before", true: "after"}[f.After]
	lasts := map[lasting]string{once: "", operation: " and at all others of its operation", all: " and at everything from then on"}[f.Lasts]
	what := []string{"call", "write", "further page", "list of groups"}[f.Among]
	return fmt.Sprintf("%s %s %d takes effect%s: %s", when, what, f.At, lasts, kinds[f.Kind].name)
}

func list[T fmt.Stringer](items []T) string {
	var texts []string
	for _, i := range items {
		texts = append(texts, i.String())
	}
	return strings.Join(texts, "; ")
}
