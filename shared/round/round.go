package round

import (
	"cmp"
	"time"

	"portcullis/shared/control"
)

// The detail-types of the planner's events.
const (
	PlannedEvent = "Round Planned"
	RequestEvent = "Sweep Requested"
	SummaryEvent = "Round Summary"
)

// Version is the version of the events' details. It changes only when a field is
// taken away or means something else.
const Version = 1

// Planned says which sweeps make a round: each control in each account. It is the
// detail of the event of that name.
type Planned struct {
	Version  int        `json:"version"`
	Round    string     `json:"round"`
	At       *time.Time `json:"at,omitempty"` // by AWS's clock; absent if no answer carried a date
	Controls []string   `json:"controls"`
	Accounts []string   `json:"accounts"`

	// Unknown says why there may be more accounts than these.
	Unknown string `json:"unknown,omitempty"`
}

// Request asks for one sweep. It is the detail of the event of that name; what it
// means to a sweep is told in package trigger.
type Request struct {
	Version int    `json:"version"`
	By      string `json:"by"`
	Round   string `json:"round"`
	Control string `json:"control"`
	Account string `json:"account"`
	Region  string `json:"region"`

	// Accounts are all of the round; none if there may be more.
	Accounts []string `json:"accounts,omitempty"`
}

// Requests are the sweeps of a round.
func (p Planned) Requests(by, region string) []Request {
	var list []Request
	all := p.Accounts
	if p.Unknown != "" {
		all = nil
	}
	for _, account := range p.Accounts {
		for _, name := range p.Controls {
			list = append(list, Request{
				Version: Version, By: by, Round: p.Round, Control: name, Account: account, Region: region, Accounts: all,
			})
		}
	}
	return list
}

// Summary is what became of a round. It is the detail of the event of that name.
type Summary struct {
	Version  int        `json:"version"`
	Round    string     `json:"round"`
	At       *time.Time `json:"at,omitempty"` // by AWS's clock
	Complete bool       `json:"complete"`     // every account was known and swept, and everything in it was read
	Unknown  string     `json:"unknown,omitempty"`
	Controls []Result   `json:"controls"`
}

// Result is what became of one control in a round. What is counted is counted once
// for each account.
type Result struct {
	Control    string   `json:"control"`
	Expected   int      `json:"expected"`   // accounts
	Swept      int      `json:"swept"`      // accounts of which a summary came
	Missing    []string `json:"missing"`    // accounts of which none came
	Incomplete []string `json:"incomplete"` // accounts in which something could not be read
	Gone       int      `json:"gone"`       // accounts in which the service is not there any more

	Looked   int                     `json:"looked"`
	Wanted   int                     `json:"wanted"`
	Verdicts map[control.Verdict]int `json:"verdicts"`
	Outcomes map[control.Status]int  `json:"outcomes"`
}

// PutTogether holds the summaries of runs against the plan of a round. Those of
// other rounds, those that nobody asked for, and those that looked at nothing do not
// count. Of several from one
// account the most complete one counts, because an event may arrive twice and a
// request as well.
func PutTogether(p Planned, runs []control.Summary) Summary {
	type key struct{ control, account string }
	best := map[key]control.Summary{}
	for _, r := range runs {
		if r.Round != p.Round || r.Ignored != "" {
			continue
		}
		k := key{r.Control, r.Account}
		if was, seen := best[k]; !seen || rank(r) > rank(was) {
			best[k] = r
		}
	}

	s := Summary{Version: Version, Round: p.Round, Complete: p.Unknown == "", Unknown: p.Unknown, Controls: []Result{}}
	for _, name := range p.Controls {
		empty := control.NewSummary(name, control.Scope{}, "", "")
		result := Result{
			Control: name, Expected: len(p.Accounts), Missing: []string{}, Incomplete: []string{},
			Verdicts: empty.Verdicts, Outcomes: empty.Outcomes,
		}
		for _, account := range p.Accounts {
			r, came := best[key{name, account}]
			switch {
			case !came:
				result.Missing = append(result.Missing, account)
				continue
			case r.Gone:
				result.Gone++
			case !r.Complete:
				result.Incomplete = append(result.Incomplete, account)
			}
			result.add(r)
		}
		s.Complete = s.Complete && len(result.Missing)+len(result.Incomplete) == 0
		s.Controls = append(s.Controls, result)
	}
	return s
}

func (r *Result) add(run control.Summary) {
	r.Swept++
	r.Looked += run.Looked
	r.Wanted += run.Wanted
	for v, n := range run.Verdicts {
		r.Verdicts[v] += n
	}
	for o, n := range run.Outcomes {
		r.Outcomes[o] += n
	}
}

// rank orders the summaries of one sweep that was made twice. The second one finds
// done what the first did, so the one that did more says more.
func rank(s control.Summary) int {
	n := s.Outcomes[control.Applied]
	if s.Complete {
		n += 1 << 20
	}
	return n
}

// over tells whether all sweeps of a round have ended by now: those that were
// still waiting to be started when their time was up are not run any more.
func (p Planned) over(now time.Time) bool {
	return p.At != nil && !now.IsZero() && now.Sub(*p.At) >= Longest
}

// Longest is the time from a request until its sweep must have reported: half an
// hour of waiting to be started and a quarter of an hour to run, as template.yaml
// has them, and some for the way there and back.
const Longest = 50 * time.Minute

// oldest first, so that they are told in order.
func byTime(a, b Planned) int { return cmp.Or(a.At.Compare(*b.At), cmp.Compare(a.Round, b.Round)) }
