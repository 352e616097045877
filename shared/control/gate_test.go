package control_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portcullis/shared/control"
)

func TestTheLimitAllows(t *testing.T) {
	for _, test := range []struct {
		name   string
		limit  control.Limit
		looked int
		want   int
	}{
		{"the count where it is smaller", control.Limit{Count: 2, Share: 0.5}, 10, 2},
		{"the share where it is smaller", control.Limit{Count: 9, Share: 0.5}, 10, 5},
		{"a share rounded up", control.Limit{Count: 9, Share: 0.1}, 1, 1},
		{"a share of 0.1 × 30 without the hair that binary adds", control.Limit{Count: 99, Share: 0.1}, 30, 3},
		{"a share of 0.07 × 100 without the hair that binary adds", control.Limit{Count: 99, Share: 0.07}, 100, 7},
		{"one more as soon as the share passes a whole number", control.Limit{Count: 99, Share: 0.1}, 31, 4},
		{"everything at a share of one", control.Limit{Count: 99, Share: 1}, 30, 30},
		{"nothing at a count of zero", control.Limit{Count: 0, Share: 1}, 30, 0},
		{"nothing at a share of zero", control.Limit{Count: 9, Share: 0}, 30, 0},
		{"nothing where nothing was looked at", control.Limit{Count: 9, Share: 1}, 0, 0},
		{"nothing at a negative count", control.Limit{Count: -1, Share: 1}, 30, 0},
		{"nothing at a negative share", control.Limit{Count: 9, Share: -1}, 30, 0},
		{"the count in the largest estate", control.Limit{Count: 10, Share: 0.05}, 10_000_000, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.limit.Allowed(test.looked); got != test.want {
				t.Errorf("%+v allows %d of %d, want %d", test.limit, got, test.looked, test.want)
			}
		})
	}
}

// A share is written in a policy as a percentage, so the right answer can be had
// in whole numbers.
func TestTheLimitIsTheSmallerOfCountAndShareRoundedUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(0, 1000).Draw(t, "count")
		percent := rapid.IntRange(0, 100).Draw(t, "percent")
		looked := rapid.IntRange(0, 1_000_000).Draw(t, "looked")
		want := min(count, (percent*looked+99)/100)
		if got := (control.Limit{Count: count, Share: float64(percent) / 100}).Allowed(looked); got != want {
			t.Errorf("%d or %d %% of %d: got %d, want %d", count, percent, looked, got, want)
		}
	})
}

func everywhere(string, string) bool { return true }

// The rows of the table at Pass, in its order.
func TestTheGate(t *testing.T) {
	violation := control.Finding{ID: "a", Verdict: control.Violation}
	action := control.Action{ID: "a", Owner: "111122223333", Domain: "corp"}
	plan := func(findings ...control.Finding) control.Plan {
		return control.Plan{Looked: 10, Findings: findings, Actions: []control.Action{action}}
	}
	enforcing := control.Gate{Mode: control.Enforce, Limit: control.Limit{Count: 100, Share: 1}, Covers: everywhere}
	withMode := func(m control.Mode) control.Gate { g := enforcing; g.Mode = m; return g }
	withLimit := func(l control.Limit) control.Gate { g := enforcing; g.Limit = l; return g }
	barred := func(m control.Mode) control.Gate { g := withMode(m); g.Barred = "its own mode"; return g }
	withCovers := func(c func(string, string) bool) control.Gate { g := enforcing; g.Covers = c; return g }

	for _, test := range []struct {
		name string
		gate control.Gate
		plan control.Plan
		want string // the code it is withheld with; empty if it is let through
	}{
		{"withholds an action without a finding", enforcing, plan(), "no-violation"},
		{"withholds an action whose finding is compliant", enforcing, plan(control.Finding{ID: "a", Verdict: control.Compliant}), "no-violation"},
		{"withholds an action whose finding is waived", enforcing, plan(control.Finding{ID: "a", Verdict: control.Waived}), "no-violation"},
		{"withholds an action whose finding is undetermined", enforcing, plan(control.Finding{ID: "a", Verdict: control.Undetermined}), "no-violation"},
		{"withholds an action whose finding has no verdict", enforcing, plan(control.Finding{ID: "a"}), "no-violation"},
		{"withholds an action whose finding is a violation and then waived", enforcing, plan(violation, control.Finding{ID: "a", Verdict: control.Waived}), "no-violation"},
		{"withholds an action whose finding is undetermined and then a violation", enforcing, plan(control.Finding{ID: "a", Verdict: control.Undetermined}, violation), "no-violation"},
		{"withholds an action with one doubt between two violations", enforcing, plan(violation, control.Finding{ID: "a", Verdict: control.Compliant}, violation), "no-violation"},
		{"withholds an action beside the violation of something else", enforcing, plan(control.Finding{ID: "b", Verdict: control.Violation}), "no-violation"},

		{"withholds an action in another account", withCovers(func(owner, _ string) bool { return owner == "444455556666" }), plan(violation), "not-enforced-here"},
		{"withholds an action in another domain", withCovers(func(_, domain string) bool { return domain == "dev" }), plan(violation), "not-enforced-here"},
		{"withholds every action where it does not know what is covered", withCovers(nil), plan(violation), "not-enforced-here"},

		{"withholds an action in monitor mode", withMode(control.Monitor), plan(violation), "monitor"},
		{"withholds an action in off mode", withMode(control.Off), plan(violation), "monitor"},
		{"withholds an action in a mode that it does not know", withMode("Enforce"), plan(violation), "monitor"},
		{"withholds an action without a mode", withMode(""), plan(violation), "monitor"},

		{"withholds an action in an account that bars it", barred(control.Enforce), plan(violation), "barred"},
		{"withholds an action in monitor mode and in an account that bars it", barred(control.Monitor), plan(violation), "monitor"},

		{"withholds an action over the count", withLimit(control.Limit{Count: 0, Share: 1}), plan(violation), "limit-exceeded"},
		{"withholds an action over the share", withLimit(control.Limit{Count: 100, Share: 0}), plan(violation), "limit-exceeded"},

		{"lets through an action whose violation is found twice", enforcing, plan(violation, violation), ""},
		{"lets through anything else", enforcing, plan(violation), ""},
		{"lets through as many as the limit allows", withLimit(control.Limit{Count: 1, Share: 0.1}), plan(violation), ""},
		{"asks about the owner and the domain of the action", withCovers(func(owner, domain string) bool { return owner == "111122223333" && domain == "corp" }), plan(violation), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.gate.Pass(test.plan)
			if test.want == "" {
				if diff := cmp.Diff([]control.Action{action}, got.Actions); diff != "" || got.Withheld != nil {
					t.Errorf("withheld %v, actions (-want +got):\n%s", got.Withheld, diff)
				}
				return
			}
			if got.Actions != nil {
				t.Errorf("let through %v", got.Actions)
			}
			if len(got.Withheld) != 1 {
				t.Fatalf("withheld %v, want one", got.Withheld)
			}
			o := got.Withheld[0]
			if o.Status != control.Withheld || o.Code != test.want || o.Detail == "" {
				t.Errorf("outcome %s, %s, %q; want withheld, %s and a sentence", o.Status, o.Code, o.Detail, test.want)
			}
			if diff := cmp.Diff(action, o.Action); diff != "" {
				t.Errorf("action of the outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheGateCountsOnlyWhatEnforcementReaches(t *testing.T) {
	plan := control.Plan{Looked: 40}
	for _, domain := range []string{"dev", "prod", "dev", "prod", "dev"} {
		id := strconv.Itoa(len(plan.Actions))
		plan.Findings = append(plan.Findings, control.Finding{ID: id, Verdict: control.Violation})
		plan.Actions = append(plan.Actions, control.Action{ID: id, Domain: domain})
	}
	plan.Actions = append(plan.Actions, control.Action{ID: "unasked", Domain: "dev"})

	type numbers struct {
		Wanted, Allowed int
		Exceeded        bool
		Let, Held       int
	}
	for _, test := range []struct {
		name  string
		mode  control.Mode
		limit control.Limit
		want  numbers
	}{
		{"in enforce mode", control.Enforce, control.Limit{Count: 9, Share: 0.1}, numbers{Wanted: 3, Allowed: 4, Let: 3, Held: 3}},
		{"in enforce mode, over the limit", control.Enforce, control.Limit{Count: 2, Share: 1}, numbers{Wanted: 3, Allowed: 2, Exceeded: true, Held: 6}},
		{"in monitor mode, where a limit is not exceeded", control.Monitor, control.Limit{Count: 2, Share: 1}, numbers{Wanted: 3, Allowed: 2, Held: 6}},
	} {
		t.Run(test.name, func(t *testing.T) {
			gate := control.Gate{Mode: test.mode, Limit: test.limit, Covers: func(_, domain string) bool { return domain == "dev" }}
			got := gate.Pass(plan)
			if diff := cmp.Diff(test.want, numbers{got.Wanted, got.Allowed, got.Exceeded, len(got.Actions), len(got.Withheld)}); diff != "" {
				t.Errorf("numbers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheGateSaysWhatIsOverTheLimit(t *testing.T) {
	var plan control.Plan
	for _, want := range []string{"the plan has 1 write and one run may make 0", "the plan has 2 writes and one run may make 0"} {
		id := strconv.Itoa(len(plan.Actions))
		plan.Findings = append(plan.Findings, control.Finding{ID: id, Verdict: control.Violation})
		plan.Actions = append(plan.Actions, control.Action{ID: id})
		for _, held := range (control.Gate{Mode: control.Enforce, Covers: func(string, string) bool { return true }}).Pass(plan).Withheld {
			if held.Detail != want+", so none is made" {
				t.Errorf("%q, want %q", held.Detail, want)
			}
		}
	}
}

func TestTheGateOnlyTakesAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, gate := drawPlan(t), drawGate(t)
		got := gate.Pass(plan)

		// What comes out is what went in: each action once, unchanged.
		out := map[string]control.Action{}
		all := append([]control.Action{}, got.Actions...)
		for _, o := range got.Withheld {
			if o.Status != control.Withheld {
				t.Errorf("%s is withheld with status %s", o.ID, o.Status)
			}
			all = append(all, o.Action)
		}
		for _, a := range all {
			if _, twice := out[a.ID]; twice {
				t.Errorf("%s comes out twice", a.ID)
			}
			out[a.ID] = a
		}
		in := map[string]control.Action{}
		for _, a := range plan.Actions {
			in[a.ID] = a
		}
		if diff := cmp.Diff(in, out); diff != "" {
			t.Errorf("actions that came out (-want +got):\n%s", diff)
		}

		// What passes was asked for, covered, allowed and enforced.
		verdicts := map[string]control.Verdict{}
		for _, f := range plan.Findings {
			verdicts[f.ID] = f.Verdict
		}
		for i, a := range got.Actions {
			if verdicts[a.ID] != control.Violation {
				t.Errorf("%s passes, and its finding is %q", a.ID, verdicts[a.ID])
			}
			if gate.Covers == nil || !gate.Covers(a.Owner, a.Domain) {
				t.Errorf("%s passes, and is not covered", a.ID)
			}
			if i > 0 && position(plan, got.Actions[i-1]) > position(plan, a) {
				t.Errorf("%s passes out of order", a.ID)
			}
		}
		if gate.Mode != control.Enforce && len(got.Actions) > 0 {
			t.Errorf("%d actions pass in %q mode", len(got.Actions), gate.Mode)
		}
		allowed := gate.Limit.Allowed(plan.Looked)
		if got.Allowed != allowed || len(got.Actions) > allowed {
			t.Errorf("%d actions pass, said to be allowed are %d, want at most %d", len(got.Actions), got.Allowed, allowed)
		}
		if got.Wanted > allowed && len(got.Actions) > 0 {
			t.Errorf("%d of %d actions pass over the limit of %d", len(got.Actions), got.Wanted, allowed)
		}
		if want := gate.Mode == control.Enforce && got.Wanted > allowed; got.Exceeded != want {
			t.Errorf("limit exceeded is %t, want %t", got.Exceeded, want)
		}
	})
}

func drawPlan(t *rapid.T) control.Plan {
	verdicts := []control.Verdict{control.Compliant, control.Violation, control.Violation, control.Waived, control.Undetermined, ""}
	plan := control.Plan{Looked: rapid.IntRange(0, 30).Draw(t, "looked")}
	for i := range rapid.IntRange(0, 12).Draw(t, "resources") {
		id := fmt.Sprint("resource ", i)
		if v := rapid.SampledFrom(verdicts).Draw(t, "verdict"); v != "" {
			plan.Findings = append(plan.Findings, control.Finding{ID: id, Verdict: v})
		}
		if rapid.IntRange(0, 3).Draw(t, "action") > 0 {
			plan.Actions = append(plan.Actions, control.Action{ID: id,
				Owner:  rapid.SampledFrom([]string{"111122223333", "444455556666"}).Draw(t, "owner"),
				Domain: rapid.SampledFrom([]string{"dev", "prod"}).Draw(t, "domain")})
		}
	}
	return plan
}

func drawGate(t *rapid.T) control.Gate {
	return control.Gate{
		Mode: rapid.SampledFrom([]control.Mode{control.Off, control.Monitor, control.Enforce, control.Enforce, ""}).Draw(t, "mode"),
		Limit: control.Limit{
			Count: rapid.IntRange(0, 12).Draw(t, "count"),
			Share: rapid.SampledFrom([]float64{0, 0.1, 0.5, 1}).Draw(t, "share"),
		},
		Covers: rapid.SampledFrom([]func(string, string) bool{
			nil, everywhere, func(_, domain string) bool { return domain == "dev" },
		}).Draw(t, "covers"),
	}
}

func position(plan control.Plan, a control.Action) int {
	for i, b := range plan.Actions {
		if a.ID == b.ID {
			return i
		}
	}
	return -1
}
