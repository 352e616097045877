package protonconn

import (
	"context"
	"slices"
	"time"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// LookAt reads what a sweep would, for a look at one connection.
func LookAt(ctx context.Context, s *awsio.Session, scope control.Scope, p *policy.Policy, id string) Observation {
	o, _ := lookAt(ctx, newClient(s.Reads), s.Clock, scope, p, id)
	return o
}

// Seen is a connection as one side sees it.
type Seen struct {
	Connection
	Side   Side     `json:"side"`
	UsedBy []string `json:"usedBy"` // environments of the management account; null where that is not known
}

// Explain says what the policy makes of one connection, as each side sees it, and
// how; and what could not be read and may hold it.
func (o Observation) Explain(p *policy.Policy, now time.Time, id string) (plan control.Plan, seen []Seen, explained []control.Explained) {
	rules := *p.ProtonConnections
	plan = o.Judge(p, now)
	traces := map[string]*control.Trace{} // by the ID of the finding
	whole := map[string]bool{}
	for side, list := range o.Sides {
		for _, c := range list {
			if c.ID != id {
				continue
			}
			trace := &control.Trace{}
			f := judge(o, side, c, rules, now, trace)
			if len(trace.Trials) > 0 {
				for _, a := range rules.Approve {
					trace.Rest(a.Place)
				}
				for _, w := range rules.Waivers {
					trace.Rest(w.Place)
				}
			}
			if whole[f.ID] {
				trace = nil // it is in the list more than once, and nobody knows which entry is right
			}
			traces[f.ID], whole[f.ID] = trace, true
			s := Seen{Connection: c, Side: side}
			if side == Management && o.Users != nil {
				s.UsedBy = append([]string{}, o.Users[id]...)
			}
			seen = append(seen, s)
		}
	}
	slices.SortFunc(seen, func(a, b Seen) int { return -slices.Compare([]string{string(a.Side)}, []string{string(b.Side)}) })
	unread := slices.Clone(o.Unread)
	if o.Gone != nil {
		unread = append(unread, *o.Gone)
	}
	for _, f := range plan.Findings {
		trace, ours := traces[f.ID]
		e := control.Explained{Finding: f}
		if trace != nil {
			e.Trials = trace.Trials
		}
		if ours || slices.ContainsFunc(unread, func(u Unread) bool { return control.FindingID(Control, u.Resource, string(u.Side)) == f.ID }) {
			explained = append(explained, e)
		}
	}
	return plan, seen, explained
}
