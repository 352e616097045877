package protonconn

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// Control is the name of this control in findings, metrics and the policy.
const Control = "proton-connections"

// The statuses of a connection. AWS says that there may be more; one that is not
// known is never acted on.
const (
	pending   = "PENDING"
	connected = "CONNECTED"
	rejected  = "REJECTED"
)

// details is what findings of this control say beyond the common fields.
type details struct {
	ID                 string   `json:"connection"`
	EnvironmentAccount string   `json:"environmentAccount"`
	ManagementAccount  string   `json:"managementAccount"`
	Environment        string   `json:"environment"`
	Status             string   `json:"status"`
	UsedBy             []string `json:"usedBy,omitempty"` // environments of the management account
}

// Decide concludes what the policy says about every connection that was observed,
// once for each side that it was seen from. Now is the time as AWS told it; zero
// means that it is not known.
//
// In the management account:
//
//	status    | approved                         | verdict      | code             | action
//	----------+----------------------------------+--------------+------------------+-------
//	PENDING   | yes                              | compliant    | approved         | –
//	PENDING   | as far as its roles can be seen  | undetermined | role-unseen      | –
//	PENDING   | no; a waiver is in force         | waived       | waived           | –
//	PENDING   | no; a waiver, time not known     | undetermined | time-unknown     | –
//	PENDING   | no                               | violation    | not-approved     | reject
//	CONNECTED | as above, but                    |              |                  |
//	CONNECTED | no                               | violation    | not-approved     | –: the environments that use it must go first
//	REJECTED  |                                  | compliant    | rejected         | –
//	any other |                                  | undetermined | unknown-status   | –
//
// In the environment account, which cannot see whether a connection is used:
//
//	status    | management account named | age                     | verdict      | code         | action
//	----------+--------------------------+-------------------------+--------------+--------------+-------
//	REJECTED  |                          | over rejected_after     | violation    | stale        | delete
//	REJECTED  |                          | not over it             | compliant    | rejected     | –
//	PENDING   | no                       |                         | violation    | not-named    | delete
//	PENDING   | yes                      | over pending_after      | violation    | stale        | delete
//	PENDING   | yes                      | not over it             | compliant    | pending      | –
//	CONNECTED | yes                      |                         | compliant    | named        | –
//	CONNECTED | no                       |                         | violation    | not-named    | delete, if the policy says connected: delete
//	any other |                          |                         | undetermined | unknown-status | –
//
// There, too, a waiver in force waives what is not named, and an age that cannot be
// judged is undetermined. On both sides a connection is undetermined that lacks a
// field, cannot be of that list or is in it more than once, and one that only a
// waiver covers that constrains a role which the list does not show. The plan is sorted by resource and side.
func Decide(o Observation, p policy.ProtonConnections, now time.Time) control.Plan {
	var plan control.Plan
	if o.Gone != nil {
		o.Unread = append(slices.Clone(o.Unread), *o.Gone)
	}
	for _, u := range o.Unread {
		plan.Findings = append(plan.Findings, control.Finding{
			ID: control.FindingID(Control, u.Resource, string(u.Side)), Control: Control, Account: o.Scope.Account, Region: o.Scope.Region,
			Resource: u.Resource, Subject: string(u.Side), Verdict: control.Undetermined, Code: u.Code, Reason: u.Reason,
		})
	}
	for _, side := range []Side{Management, Environment} {
		times := map[string]int{}
		for _, c := range o.Sides[side] {
			times[c.ID]++
		}
		for _, c := range o.Sides[side] {
			if o.Only != "" && o.Only != c.ID {
				continue
			}
			f := judge(o, side, c, p, now, nil)
			if times[c.ID] > 1 {
				// It changed while the list was read, and nobody knows which entry is right.
				f.Verdict, f.Code, f.Effect, f.Waiver, f.Notes = control.Undetermined, "malformed", "", "", nil
				f.Reason = fmt.Sprintf("connection %s is in the list more than once", c.ID)
			}
			if f.Verdict != control.Undetermined {
				plan.Looked++
			}
			plan.Findings = append(plan.Findings, f)
			if a, ok := action(f, side, c, p); ok {
				plan.Actions = append(plan.Actions, a)
			}
		}
	}
	slices.SortStableFunc(plan.Findings, func(a, b control.Finding) int {
		return cmp.Or(strings.Compare(a.Resource, b.Resource), strings.Compare(a.Subject, b.Subject))
	})
	slices.SortStableFunc(plan.Actions, func(a, b control.Action) int {
		return cmp.Or(strings.Compare(a.Resource, b.Resource), strings.Compare(a.Subject, b.Subject))
	})
	return plan
}

// belongs says whether the ARN is that of this connection. It carries the
// environment account, on both sides.
func belongs(c Connection, region string) bool {
	parts := strings.SplitN(c.ARN, ":", 6)
	return len(parts) == 6 && parts[0] == "arn" && parts[2] == "proton" && parts[3] == region && parts[4] == c.EnvironmentAccount &&
		parts[5] == "environment-account-connection/"+c.ID
}

// judge concludes about one connection, as one side sees it. The trace, which may be
// nil, takes down how.
func judge(o Observation, side Side, c Connection, p policy.ProtonConnections, now time.Time, trace *control.Trace) control.Finding {
	resource := c.ARN
	if resource == "" {
		resource = arn(o.Scope, "environment-account-connection/"+c.ID)
	}
	f := control.Finding{
		ID: control.FindingID(Control, resource, string(side)), Control: Control, Account: o.Scope.Account, Region: o.Scope.Region,
		Resource: resource, Subject: string(side),
	}
	d := details{ID: c.ID, EnvironmentAccount: c.EnvironmentAccount, ManagementAccount: c.ManagementAccount, Environment: c.Name, Status: c.Status}
	what := fmt.Sprintf("connection %s of account %s to %s for environment %s is %s", c.ID, c.EnvironmentAccount, c.ManagementAccount, c.Name, c.Status)
	say := func(v control.Verdict, code, reason string) {
		f.Verdict, f.Code, f.Reason = v, code, what+": "+reason
	}
	switch {
	case c.ID == "" || c.ARN == "" || c.EnvironmentAccount == "" || c.ManagementAccount == "" || c.Name == "" || c.Requested.IsZero() || c.Modified.IsZero():
		say(control.Undetermined, "malformed", "the list leaves out what it must have")
	case !belongs(c, o.Scope.Region),
		side == Management && c.ManagementAccount != o.Scope.Account, side == Environment && c.EnvironmentAccount != o.Scope.Account:
		say(control.Undetermined, "malformed", "what the list says of it does not fit together")
	case c.Status != pending && c.Status != connected && c.Status != rejected:
		say(control.Undetermined, "unknown-status", "nobody has heard of that status")
	case side == Management:
		judgeRequest(&f, c, p, now, trace, say)
		if c.Status == connected && f.Verdict == control.Violation {
			d.UsedBy = o.Users[c.ID]
			f.Reason += "; " + inUse(o.Users, c.ID)
		}
		for _, other := range o.Sides[Management] {
			if c.Status == pending && other.Status == rejected && sameRequest(c, other) && other.Requested.Before(c.Requested) {
				f.Notes = append(f.Notes, "the same was asked for before, and rejected: "+other.ID)
			}
		}
		slices.Sort(f.Notes) // the list has no order of its own
	default:
		judgeOwn(&f, c, p, now, trace, say)
	}
	f.Details = d
	return f
}

// judgeRequest concludes about a connection as its management account sees it.
func judgeRequest(f *control.Finding, c Connection, p policy.ProtonConnections, now time.Time, trace *control.Trace, say func(control.Verdict, string, string)) {
	if c.Status == rejected {
		trace.Add("its status", control.Matched, control.Compliant, func() string { return "a rejection is final" })
		say(control.Compliant, "rejected", "a rejection is final")
		return
	}
	why, unseen := "no approval of the policy speaks of it", ""
	for _, a := range p.Approve {
		switch {
		case !a.Names(c.EnvironmentAccount, c.ManagementAccount, c.Name):
			trace.Add(a.Place, control.NotMatched, "", c.why(a))
		case !a.CoversRoles(c.Role, c.ComponentRole):
			trace.Add(a.Place, control.NotMatched, "", c.why(a))
			why = fmt.Sprintf("%s speaks of it, but not of all its roles (%s)", a.Place, strings.TrimRight(c.Role+" "+c.ComponentRole, " "))
		case hidden(a, c):
			trace.Add(a.Place, control.Unknown, "", func() string { return "it constrains a role of it that the list does not show" })
			unseen = a.Place
		default:
			trace.Add(a.Place, control.Matched, control.Compliant, func() string { return a.Reason })
			say(control.Compliant, "approved", a.Place+" approves it")
			return
		}
	}
	if waived(f, c, p, now, trace, say) {
		return
	}
	if unseen != "" {
		say(control.Undetermined, "role-unseen", unseen+" constrains a role of it that the list does not show")
		return
	}
	say(control.Violation, "not-approved", why)
	if c.Status == pending {
		f.Effect = "a rejection is final: the environment account has to ask again"
	}
}

// judgeOwn concludes about a connection as its environment account sees it.
func judgeOwn(f *control.Finding, c Connection, p policy.ProtonConnections, now time.Time, trace *control.Trace, say func(control.Verdict, string, string)) {
	named := p.NamesManagement(c.ManagementAccount)
	for _, a := range p.Approve {
		if why := a.WhyManagement(c.ManagementAccount); why != "" {
			trace.Add(a.Place, control.NotMatched, "", func() string { return why })
		} else {
			trace.Add(a.Place, control.Matched, "", func() string { return "it names that management account" })
		}
	}
	if c.Status != rejected && !named {
		if waived(f, c, p, now, trace, say) {
			return
		}
		say(control.Violation, "not-named", "no approval of the policy names that management account")
		switch {
		case c.Status == pending:
			f.Effect = "the request is withdrawn"
		case p.DeleteConnected:
			f.Effect = "that account cannot provision here any more; what it has provisioned stays, and is yours to clean up"
		default:
			f.Reason += "; connected ones are only reported, as this account cannot see whether they are used: `connected: delete` would end it"
		}
		return
	}
	// AWS does not say that a rejection moves the date of the last change, so this
	// may be the age of the request. It is dead either way.
	since, limit, key := c.Requested, p.PendingAfter, "proton_connections.pending_after"
	if c.Status == rejected {
		limit, key = p.RejectedAfter, "proton_connections.rejected_after"
		if c.Modified.After(since) {
			since = c.Modified
		}
	}
	age := func() string {
		return fmt.Sprintf("its last known change was on %s", since.UTC().Format(time.DateTime))
	}
	switch {
	case c.Status == connected:
		trace.Add("its status", control.Matched, control.Compliant, func() string { return "a connected one does not grow stale" })
		say(control.Compliant, "named", "the policy names that management account")
	case now.IsZero():
		trace.Add(key, control.Unknown, control.Undetermined, func() string { return age() + "; what time it is, is not known" })
		say(control.Undetermined, "time-unknown", "no answer of AWS said what time it is, so its age is not known")
	case now.Sub(since) > limit:
		trace.Add(key, control.Fails, control.Violation, age)
		say(control.Violation, "stale", fmt.Sprintf("nothing is known to have changed about it since %s", since.UTC().Format(time.DateTime)))
		f.Effect = "the record is deleted; nothing hangs on it"
	default:
		trace.Add(key, control.Holds, control.Compliant, age)
		say(control.Compliant, strings.ToLower(c.Status), fmt.Sprintf("it changed last on %s, which is not long enough ago", since.UTC().Format(time.DateTime)))
	}
}

// why says why an approval does not speak of a connection, or not of all its roles.
func (c Connection) why(a policy.Approval) func() string {
	return func() string {
		return a.Why(c.EnvironmentAccount, c.ManagementAccount, c.Name, c.Role, c.ComponentRole)
	}
}

// hidden says whether the approval constrains a role that the list does not show:
// that for CodeBuild, which no list shows, or the role itself where it is left out.
func hidden(a policy.Approval, c Connection) bool {
	return len(a.CodebuildRoles) > 0 || len(a.Roles) > 0 && c.Role == ""
}

// waived looks for a waiver in force, and says what it found. One that settles it
// comes before one that does not. It is false where the connection is to be judged
// as if there were none.
func waived(f *control.Finding, c Connection, p policy.ProtonConnections, now time.Time, trace *control.Trace, say func(control.Verdict, string, string)) bool {
	doubt := func() bool { return false }
	for _, w := range p.Waivers {
		if !w.Names(c.EnvironmentAccount, c.ManagementAccount, c.Name) || !w.CoversRoles(c.Role, c.ComponentRole) {
			trace.Add(w.Place, control.NotMatched, "", c.why(w.Approval))
			continue
		}
		switch {
		case now.IsZero():
			trace.Add(w.Place, control.Unknown, "", func() string { return w.Span() + "; what time it is, is not known" })
			doubt = func() bool {
				f.Waiver = w.ID
				say(control.Undetermined, "time-unknown", fmt.Sprintf("waiver %s may be in force, but no answer of AWS said what time it is", w.ID))
				return true
			}
		case w.InForce(now) && hidden(w.Approval, c):
			trace.Add(w.Place, control.Unknown, "", func() string { return w.Span() + "; it constrains a role of it that the list does not show" })
			doubt = func() bool {
				f.Waiver = w.ID
				say(control.Undetermined, "role-unseen", fmt.Sprintf("waiver %s constrains a role of it that the list does not show", w.ID))
				return true
			}
		case w.InForce(now):
			trace.Add(w.Place, control.Matched, control.Waived, w.Span)
			f.Waiver = w.ID
			say(control.Waived, "waived", fmt.Sprintf("waiver %s of %s holds (%s)", w.ID, w.Owner, w.Reason))
			if w.EndsSoon(now) {
				f.Notes = append(f.Notes, fmt.Sprintf("waiver %s ends on %s", w.ID, w.LastDay()))
			}
			return true
		default:
			trace.Add(w.Place, control.RanOut, "", w.Span)
			f.Waiver = w.ID
			f.Notes = append(f.Notes, fmt.Sprintf("waiver %s of %s ran out on %s", w.ID, w.Owner, w.LastDay()))
		}
	}
	return doubt()
}

func inUse(users map[string][]string, id string) string {
	switch {
	case users == nil:
		return "which environments use it could not be read, so nothing is done"
	case len(users[id]) == 0:
		return "no environment is listed that uses it; AWS rejects only pending ones for certain, so a person has to end it"
	default:
		return fmt.Sprintf("these environments use it and must go first: %s", strings.Join(users[id], ", "))
	}
}

// sameRequest says that two connections ask for the same.
func sameRequest(a, b Connection) bool {
	return a.EnvironmentAccount == b.EnvironmentAccount && a.ManagementAccount == b.ManagementAccount && a.Name == b.Name &&
		a.Role == b.Role && a.ComponentRole == b.ComponentRole
}

// action is what ends a violation, where anything may.
func action(f control.Finding, side Side, c Connection, p policy.ProtonConnections) (control.Action, bool) {
	var operation string
	switch {
	case f.Verdict != control.Violation:
		return control.Action{}, false
	case side == Management && c.Status == pending:
		operation = "RejectEnvironmentAccountConnection"
	case side == Environment && (c.Status != connected || p.DeleteConnected):
		operation = "DeleteEnvironmentAccountConnection"
	default:
		return control.Action{}, false
	}
	return control.Action{
		ID: f.ID, Control: Control, Account: f.Account, Region: f.Region, Resource: f.Resource, Subject: f.Subject,
		Owner: c.EnvironmentAccount, Reason: f.Reason, Before: c,
		Call: control.Call{Service: "proton", Operation: operation, Input: map[string]string{"id": c.ID}},
		Undo: []control.Call{}, // there is none: the environment account has to ask again
	}, true
}
