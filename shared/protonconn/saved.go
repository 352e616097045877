package protonconn

import "portcullis/shared/policy"

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
