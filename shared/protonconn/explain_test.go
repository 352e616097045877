package protonconn

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// conclusion is what the trials lead to: the verdict of the one that settles it, or
// else doubt where anything is not known, or else a violation.
func conclusion(trials []control.Trial) control.Verdict {
	for _, t := range trials {
		if t.Settles != "" {
			return t.Settles
		}
	}
	if slices.ContainsFunc(trials, func(t control.Trial) bool { return t.Result == control.Unknown }) {
		return control.Undetermined
	}
	return control.Violation
}

// Whatever the policy and the connection: what is told of the trials leads to the
// verdict that the function would give, and every approval and waiver is told of.
func TestTheTrialsLeadToTheVerdict(t *testing.T) {
	tried := 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		var places []string
		for i := range p.Approve {
			p.Approve[i].Place = fmt.Sprintf("proton_connections.approve[%d]", i)
			places = append(places, p.Approve[i].Place)
		}
		for i := range p.Waivers {
			p.Waivers[i].Place = fmt.Sprintf("proton_connections.waivers[%d]", i)
			places = append(places, p.Waivers[i].Place)
		}
		o, now := drawObservation(t), drawNow(t)
		whole := Decide(o, p, now)
		for side, list := range o.Sides {
			for _, c := range list {
				plan, seen, explained := o.Explain(&policy.Policy{ProtonConnections: &p}, now, c.ID)
				if diff := cmp.Diff(whole, plan); diff != "" {
					t.Fatalf("the plan is another one (-decide +explain):\n%s", diff)
				}
				if len(seen) != 1 || seen[0].Side != side || len(explained) != 1 {
					t.Fatalf("%d sides see it, and %d findings are explained", len(seen), len(explained))
				}
				e := explained[0]
				if len(e.Trials) == 0 {
					if e.Verdict != control.Undetermined && len(places) > 0 {
						t.Errorf("nothing was tried, and it is %s: %s", e.Verdict, e.Reason)
					}
					continue
				}
				tried++
				if got := conclusion(e.Trials); got != e.Verdict {
					t.Errorf("it is %s (%s), and the trials lead to %s: %+v", e.Verdict, e.Reason, got, e.Trials)
				}
				for _, place := range places {
					if !slices.ContainsFunc(e.Trials, func(t control.Trial) bool { return t.Rule == place }) {
						t.Errorf("nothing is told of %s", place)
					}
				}
			}
		}
	})
	if tried == 0 {
		t.Error("nothing was ever tried")
	}
}

func TestTheTrialsOfTheEnvironmentSideSayWhoIsNamed(t *testing.T) {
	p := parse(t, strings.Replace(rules, `management_accounts: ["111111111111"]`, `management_accounts: ["333333333333"]`, 1))
	c := request(connected, "web")
	_, _, explained := seen(Environment, c).Explain(&policy.Policy{ProtonConnections: &p}, noon, c.ID)
	want := []control.Trial{
		{Rule: "proton_connections.approve[0]", Result: control.NotMatched, Why: "management_accounts: 111111111111 is not among 333333333333"},
		{Rule: "proton_connections.approve[1]", Result: control.Matched, Why: "it names that management account"},
	}
	if diff := cmp.Diff(want, explained[0].Trials[:2]); diff != "" {
		t.Errorf("trials (-want +got):\n%s", diff)
	}
}

// Of a connection that is in the list twice nobody knows which entry is right, so
// there is nothing to tell of trials.
func TestNothingWasTriedOfWhatIsListedTwice(t *testing.T) {
	c := numbered(1, Connection{EnvironmentAccount: environment, ManagementAccount: management, Name: "web", Status: pending, Requested: noon, Modified: noon})
	o := Observation{Scope: control.Scope{Account: management, Region: region}, Sides: map[Side][]Connection{Management: {c, c}}}
	_, seen, explained := o.Explain(&policy.Policy{ProtonConnections: &policy.ProtonConnections{}}, noon, c.ID)
	if len(seen) != 2 || len(explained) != 2 {
		t.Fatalf("%d are seen, %d explained", len(seen), len(explained))
	}
	for _, e := range explained {
		if e.Verdict != control.Undetermined || len(e.Trials) != 0 {
			t.Errorf("%+v", e)
		}
	}
}

// A waiver that may cover a connection, or may not, is told of as not known, and why.
func TestAWaiverOfWhichSomethingIsNotKnownIsToldOf(t *testing.T) {
	waiver := func(roles ...string) policy.ConnectionWaiver {
		return policy.ConnectionWaiver{
			Approval: policy.Approval{Place: "proton_connections.waivers[0]", EnvironmentAccounts: []string{environment}, ManagementAccounts: []string{management},
				Environments: []string{"*"}, CodebuildRoles: roles},
			Term: policy.Term{ID: "trial", Owner: "team-web", Expires: noon.Add(day)},
		}
	}
	for name, test := range map[string]struct {
		waiver policy.ConnectionWaiver
		now    time.Time
		why    string
	}{
		"the time":       {waiver(), time.Time{}, "what time it is, is not known"},
		"a role of it":   {waiver(role("build")), noon, "it constrains a role of it that the list does not show"},
		"the time first": {waiver(role("build")), time.Time{}, "what time it is, is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			c := request(pending, "web")
			p := &policy.Policy{ProtonConnections: &policy.ProtonConnections{Waivers: []policy.ConnectionWaiver{test.waiver}}}
			_, _, explained := seen(Management, c).Explain(p, test.now, c.ID)
			if len(explained) != 1 || explained[0].Verdict != control.Undetermined || len(explained[0].Trials) != 1 {
				t.Fatalf("%+v", explained)
			}
			want := control.Trial{Rule: test.waiver.Place, Result: control.Unknown, Why: test.waiver.Span() + "; " + test.why}
			if diff := cmp.Diff(want, explained[0].Trials[0]); diff != "" {
				t.Errorf("trial (-want +got):\n%s", diff)
			}
		})
	}
}

// An approval is told of with why it matched, did not, or may have.
func TestAnApprovalIsToldOfWithItsReason(t *testing.T) {
	approval := policy.Approval{
		Place: "proton_connections.approve[0]", EnvironmentAccounts: []string{environment}, ManagementAccounts: []string{management},
		Environments: []string{"web"}, Reason: "Because we asked for it.",
	}
	with := func(change func(*policy.Approval)) policy.Approval {
		a := approval
		change(&a)
		return a
	}
	for name, test := range map[string]struct {
		approval policy.Approval
		verdict  control.Verdict
		want     control.Trial
	}{
		"it matches": {approval, control.Compliant, control.Trial{Result: control.Matched, Settles: control.Compliant, Why: approval.Reason}},
		"another name": {with(func(a *policy.Approval) { a.Environments = []string{"shop"} }), control.Violation,
			control.Trial{Result: control.NotMatched, Why: "environments: web is not among shop"}},
		"another role": {with(func(a *policy.Approval) { a.Roles = []string{role("deploy")} }), control.Violation,
			control.Trial{Result: control.NotMatched, Why: "roles: " + role("proton-run") + " is not among " + role("deploy")}},
		"a role that is not shown": {with(func(a *policy.Approval) { a.CodebuildRoles = []string{role("build")} }), control.Undetermined,
			control.Trial{Result: control.Unknown, Why: "it constrains a role of it that the list does not show"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := request(pending, "web")
			p := &policy.Policy{ProtonConnections: &policy.ProtonConnections{Approve: []policy.Approval{test.approval}}}
			_, _, explained := seen(Management, c).Explain(p, noon, c.ID)
			if len(explained) != 1 || explained[0].Verdict != test.verdict {
				t.Fatalf("%+v", explained)
			}
			test.want.Rule = test.approval.Place
			if diff := cmp.Diff([]control.Trial{test.want}, explained[0].Trials); diff != "" {
				t.Errorf("trials (-want +got):\n%s", diff)
			}
		})
	}
}

// What the status or the age of a connection settles is told of with the setting that it is about.
func TestStatusAndAgeAreToldOf(t *testing.T) {
	p := parse(t, rules)
	for name, test := range map[string]struct {
		side   Side
		status string
		now    time.Time
		want   control.Trial
	}{
		"a rejection, as it was asked": {Management, rejected, noon,
			control.Trial{Rule: "its status", Result: control.Matched, Settles: control.Compliant, Why: "a rejection is final"}},
		"a rejection of which the time is not known": {Environment, rejected, time.Time{},
			control.Trial{Rule: "proton_connections.rejected_after", Result: control.Unknown, Settles: control.Undetermined, Why: "its last known change was on 2026-11-19 12:00:00; what time it is, is not known"}},
		"a request of which the time is not known": {Environment, pending, time.Time{},
			control.Trial{Rule: "proton_connections.pending_after", Result: control.Unknown, Settles: control.Undetermined, Why: "its last known change was on 2026-11-19 12:00:00; what time it is, is not known"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := request(test.status, "web")
			_, _, explained := seen(test.side, c).Explain(&policy.Policy{ProtonConnections: &p}, test.now, c.ID)
			if len(explained) != 1 {
				t.Fatalf("%+v", explained)
			}
			i := slices.IndexFunc(explained[0].Trials, func(t control.Trial) bool { return t.Settles != "" })
			if i < 0 {
				t.Fatalf("nothing settles it: %+v", explained[0].Trials)
			}
			if diff := cmp.Diff(test.want, explained[0].Trials[i]); diff != "" {
				t.Errorf("what settles it (-want +got):\n%s", diff)
			}
		})
	}
}
