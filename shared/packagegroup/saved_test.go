package packagegroup

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

func reload(t rapid.TB, o Observation) Observation {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var loaded Observation
	if err := json.Unmarshal(data, &loaded); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return loaded
}

// drawn draws a domain of groups that stand below each other, some of them looked
// at closely.
func drawn(t *rapid.T) Observation {
	o := Observation{Scope: scope}
	patterns := []string{Root}
	var groups []Group
	seen := Seen{Close: map[string]Close{}, Claims: map[string]string{}}
	for i := range rapid.IntRange(0, 6).Draw(t, "groups") {
		g := group(fmt.Sprintf("/npm/g%d/*", i), rapid.SampledFrom(patterns).Draw(t, "parent"))
		patterns = append(patterns, g.Pattern)
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			g = set(g, Block, restrictions[0])
		case 1:
			g = blocked(g)
		case 2:
			g = created(g, noon.Add(-time.Duration(rapid.IntRange(0, 1e10).Draw(t, "age"))*time.Millisecond))
		}
		g.Contact, g.Description = rapid.String().Draw(t, "contact"), rapid.String().Draw(t, "description")
		groups = append(groups, g)
		switch rapid.IntRange(0, 5).Draw(t, "look") {
		case 0:
			seen.Close[g.Pattern] = Close{Unread: &Unread{g.ARN, awsio.Denied, "no right"}}
		case 1:
			seen.Close[g.Pattern] = Close{Package: "npm//x", Tags: map[string]string{}}
		case 2:
			seen.Close[g.Pattern] = tagged("team:owned", rapid.String().Draw(t, "value"))
		case 3:
			seen.Close[g.Pattern] = marked(noon.AddDate(0, 0, -rapid.IntRange(0, 20).Draw(t, "marked")), g.Created)
		case 4:
			seen.Close[g.Pattern] = Close{Claim: "pkg:npm/x", Tags: map[string]string{}}
			seen.Claims["pkg:npm/x"] = g.Pattern
		}
	}
	seen.Tree = tree(groups...)
	seen.Tree.Adopt()
	o.Domains = append(o.Domains, seen)
	if rapid.Bool().Draw(t, "unread") {
		o.Unread = append(o.Unread, Unread{"arn:x", awsio.Timeout, "no answer"})
	}
	return o
}

func TestWhatIsKeptIsJudgedTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawn(t)
		loaded := reload(t, o)
		if diff := cmp.Diff(o, loaded, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("-seen +kept:\n%s", diff)
		}
		p := rules
		p.IgnoreLookalikes = rapid.Bool().Draw(t, "lookalikes: ignore")
		p.PruneParents = rapid.Bool().Draw(t, "children: prune")
		for _, now := range []time.Time{noon, {}} {
			if diff := cmp.Diff(Decide(o, p, now), Decide(loaded, p, now)); diff != "" {
				t.Fatalf("plan (-seen +kept):\n%s", diff)
			}
		}
	})
}

func TestATreeThatDoesNotHoldTogetherIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(Tree)
		want   string
	}{
		"no root":                        {func(t Tree) { delete(t.Groups, Root) }, "has no group /*"},
		"a parent that is not":           {func(t Tree) { t.Groups["/npm/*"] = group("/npm/*", "/x/*") }, `the parent "/x/*"`},
		"a group of another name":        {func(t Tree) { t.Groups["/npm/*"] = group("/pypi/*", Root) }, `has the pattern "/pypi/*"`},
		"a group without PUBLISH":        {func(t Tree) { delete(t.Groups["/npm/*"].Controls, "PUBLISH") }, `group "/npm/*" has no PUBLISH`},
		"a root without what it lets in": {func(t Tree) { delete(t.Groups[Root].Controls, "EXTERNAL_UPSTREAM") }, `group "/*" has no EXTERNAL_UPSTREAM`},
	} {
		broken := tree(group("/npm/*", Root))
		reload(t, Observation{Domains: []Seen{{Tree: broken}}})
		test.change(broken)
		data, err := json.Marshal(broken)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, new(Tree)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %s", name, err, test.want)
		}
	}
}

// A policy that lets more go than the one under which was looked must not judge
// what nobody looked at.
func TestAnotherPolicyFindsWhatNobodyLookedAtUndetermined(t *testing.T) {
	const ui, core = "pkg:npm/%40acme/ui", "pkg:npm/%40acme/core"
	guard := func(url, name string) policy.Guard {
		return policy.Guard{Package: policy.Package{URL: url, Format: "npm", Namespace: "acme", Name: name}, Domains: []string{"corp"}, Require: []policy.Requirement{{Restriction: "PUBLISH"}}}
	}
	lookalike := group("/npm/acme/*", Root)
	for _, test := range []struct {
		name   string
		group  Group
		look   *Close
		claims map[string]string
		policy policy.PackageGroups
		guards []policy.Guard
		want   string
	}{
		{"kept by both policies, it is kept", lookalike, nil, nil, rules, nil, "lookalikes"},
		{"not looked at, as the old policy kept it", lookalike, nil, nil, policy.PackageGroups{MinAge: rules.MinAge, Grace: rules.Grace, IgnoreLookalikes: true}, nil, notObserved},
		{"looked at", dead, &Close{}, nil, rules, nil, "dead"},
		{"claimed by a guard that was known", dead, &Close{}, map[string]string{ui: "/npm/*"}, rules, []policy.Guard{guard(ui, "ui")}, "claimed"},
		{"claimed by a guard that is gone", dead, &Close{Claim: ui}, map[string]string{ui: "/npm/*"}, rules, nil, "dead"},
		{"perhaps claimed by a guard that is new", dead, &Close{}, map[string]string{ui: "/*"}, rules, []policy.Guard{guard(core, "core")}, notObserved},
		{"in use, whatever a new guard says", dead, &Close{Package: "npm//x"}, nil, rules, []policy.Guard{guard(core, "core")}, "in-use"},
		{"kept by the group that a new guard names", dead, &Close{}, nil, rules, []policy.Guard{{Package: policy.Package{URL: core}, Domains: []string{"corp"}, Group: "/npm/*"}}, "keep-rule"},
		{"not read then, and not known now", dead, &Close{Unread: &Unread{dead.ARN, awsio.Denied, "no right"}}, nil, rules, nil, string(awsio.Denied)},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := Observation{Scope: scope, Domains: []Seen{{Tree: tree(test.group), Close: map[string]Close{}, Claims: test.claims}}}
			if test.look != nil {
				o.Domains[0].Close[test.group.Pattern] = *test.look
			}
			before := reload(t, o)
			plan := o.Judge(&policy.Policy{PackageGroups: &test.policy, PackageOrigins: &policy.PackageOrigins{Guards: test.guards}}, noon)
			for _, f := range plan.Findings {
				if f.Resource == test.group.ARN && (f.Code != test.want || test.want == notObserved && f.Verdict != control.Undetermined) {
					t.Errorf("%s: %s (%s), want %s", f.Verdict, f.Code, f.Reason, test.want)
				}
			}
			if diff := cmp.Diff(before, o, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("judging changed the observation (-before +after):\n%s", diff)
			}
		})
	}
}
