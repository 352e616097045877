package control

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Summary is the account that a run gives of itself. Function invocations return
// it, and it is the detail of the Run Summary event.
type Summary struct {
	Run      string `json:"run"`
	Control  string `json:"control"`
	Scope           // account and region
	Cause    string `json:"cause"`
	Event    string `json:"event,omitempty"` // id of the event that woke the run, where it has one
	Round    string `json:"round,omitempty"` // id of the round of sweeps that the run is a part of, where it is
	Mode     Mode   `json:"mode"`
	Policy   string `json:"policy"`          // hash of the policy that the run was made under
	Build    string `json:"build,omitempty"` // commit that the function was built from, where the build knew it
	Complete bool   `json:"complete"`        // everything in scope was read
	Gone     bool   `json:"gone,omitempty"`  // the service is not there any more, so nothing was read; that is told, and rings no alarm
	Looked   int    `json:"looked"`

	Verdicts map[Verdict]int `json:"verdicts"` // findings, by verdict; see [Plan.Findings] for what has none
	Outcomes map[Status]int  `json:"outcomes"` // actions, by what became of them

	Wanted  int `json:"wanted"`  // writes that the policy asks for where enforce_on reaches, in any mode
	Allowed int `json:"allowed"` // writes that the limit lets one run make

	// Details holds what is particular to the control. It must marshal to a JSON
	// object.
	Details any `json:"details,omitempty"`

	LimitExceeded bool       `json:"limitExceeded"`
	Undelivered   int        `json:"undelivered"` // events that the bus did not take
	Ignored       string     `json:"ignored,omitempty"`
	At            *time.Time `json:"at,omitempty"` // by AWS's clock; absent if no answer carried a date

	// Changes is how many writes this run made, or may have made; see [Outcome.Done].
	Changes int `json:"-"`

	unrecorded int // actions withheld because their intent could not be recorded
}

// NewSummary returns the summary of a run that has not looked at anything yet.
func NewSummary(control string, scope Scope, mode Mode, policy string) Summary {
	return Summary{
		Control: control, Scope: scope, Mode: mode, Policy: policy,
		Verdicts: map[Verdict]int{Compliant: 0, Violation: 0, Waived: 0, Undetermined: 0},
		Outcomes: map[Status]int{Applied: 0, Withheld: 0, AlreadyDone: 0, Failed: 0, RestoreNeeded: 0},
	}
}

// String is the summary in one line, for people.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in %s %s (%s): looked at %d", s.Control, s.Account, s.Region, s.Mode, s.Looked)
	for _, v := range []Verdict{Violation, Waived, Undetermined} {
		if n := s.Verdicts[v]; n > 0 {
			fmt.Fprintf(&b, ", %d %s", n, v)
		}
	}
	for _, st := range []Status{Applied, Withheld, AlreadyDone, Failed, RestoreNeeded} {
		if n := s.Outcomes[st]; n > 0 {
			fmt.Fprintf(&b, ", %d %s", n, st)
		}
	}
	if !s.Complete {
		b.WriteString(", incomplete")
	}
	return b.String()
}

// Add counts a plan, what the gate made of it, and the outcomes. Complete says
// that everything in scope was read; a second reading that settled nothing, or
// that there was no time for, leaves the run incomplete as well.
func (s *Summary) Add(p Plan, complete bool, g Gated, outcomes []Outcome) {
	s.Looked = p.Looked
	s.Complete = complete
	for _, o := range outcomes {
		if o.Status == Withheld && (o.Code == "undetermined" || o.Code == "deadline") {
			s.Complete = false
		}
		if o.Code == "not-recorded" {
			s.unrecorded++
		}
	}
	s.Wanted, s.Allowed, s.LimitExceeded = g.Wanted, g.Allowed, g.Exceeded
	for _, f := range p.Findings {
		s.Verdicts[f.Verdict]++
	}
	for _, list := range [][]Outcome{g.Withheld, outcomes} {
		for _, o := range list {
			s.Outcomes[o.Status]++
			if done, _ := o.Done(); done && o.Status != AlreadyDone { // which is somebody else's, most likely
				s.Changes++
			}
		}
	}
}

// Err is what a person has to look at, or nil. A violation is not an error, and
// neither is a sweep that is incomplete: it told of both, and the next one comes
// soon. The run for an event that could not read what the event names is one, so
// that the event is tried again.
func (s Summary) Err() error {
	var errs []error
	if s.Cause == "event" && !s.Complete && !s.Gone && s.Ignored == "" {
		errs = append(errs, errors.New("what the event is about could not be judged; the findings say why"))
	}
	if s.unrecorded > 0 {
		errs = append(errs, fmt.Errorf("%d writes were not made because their intent could not be recorded", s.unrecorded))
	}
	if s.LimitExceeded {
		errs = append(errs, fmt.Errorf("limit exceeded: the plan has %d writes, one run may make %d, and none was made", s.Wanted, s.Allowed))
	}
	if n := s.Outcomes[Failed]; n > 0 {
		errs = append(errs, fmt.Errorf("%d actions failed; their outcomes say why", n))
	}
	if n := s.Outcomes[RestoreNeeded]; n > 0 {
		errs = append(errs, fmt.Errorf("%d actions removed something that was changed in the last moment; their outcomes say how to restore it", n))
	}
	return errors.Join(errs...)
}
