package protonconn

import (
	"encoding/json"
	"fmt"
	"slices"

	"portcullis/shared/policy"
)

// An observation can be kept as JSON and read back without loss, so that what was
// seen once can be judged again, under another policy.

type plainObservation Observation // without the methods

// UnmarshalJSON reads an observation of both sides. One that was neither listed nor
// could not be read would look like one without connections.
func (o *Observation) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, (*plainObservation)(o)); err != nil {
		return err
	}
	for _, side := range []Side{Management, Environment} {
		unread := slices.ContainsFunc(o.Unread, func(u Unread) bool { return u.Side == side })
		if o.Sides[side] == nil && !unread && o.Gone == nil {
			return fmt.Errorf("it has no %q", "sides."+string(side))
		}
	}
	return nil
}

// Complete tells whether both sides were read, and what uses them.
func (o Observation) Complete() bool { return len(o.Unread) == 0 && o.Gone == nil }

// IsGone tells whether Proton is not there any more, so that there is nothing to
// judge.
func (o Observation) IsGone() bool { return o.Gone != nil }

// Matches returns the places of the approvals and waivers that speak of any
// connection that was observed.
func (o Observation) Matches(p *policy.Policy) map[string]bool {
	places := map[string]bool{}
	note := func(a policy.Approval, c Connection) {
		if a.Names(c.EnvironmentAccount, c.ManagementAccount, c.Name) {
			places[a.Place] = true
		}
	}
	for _, side := range o.Sides {
		for _, c := range side {
			for _, a := range p.ProtonConnections.Approve {
				note(a, c)
			}
			for _, w := range p.ProtonConnections.Waivers {
				note(w.Approval, c)
			}
		}
	}
	return places
}
