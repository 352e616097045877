package policy

import (
	"path"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestWarnsOfShadowedRules(t *testing.T) {
	const head = "version: 1\nlimits: {count: 10, share: 10%}\n"
	const term = "      reason: r\n      owner: o\n"
	rule := func(repositories, connections, accounts string) string {
		s := "    - repositories: " + repositories + "\n      connections: " + connections + "\n"
		if accounts != "" {
			s += "      accounts: " + accounts + "\n"
		}
		return s
	}
	approval := func(environments, rest string) string {
		return "    - environment_accounts: [\"222222222222\"]\n      management_accounts: [\"111111111111\"]\n      environments: " + environments + "\n" + rest
	}
	const proton = head + "proton_connections:\n  rejected_after: 7d\n  pending_after: 30d\n  approve:\n"
	const roles = "      roles: [\"arn:aws:iam::222222222222:role/proton-*\"]\n"
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"a rule that an earlier one covers": {head + "external_connections:\n  allow:\n" + rule("[corp/*]", `["public:*"]`, "") + rule(`[corp/npm-store, "corp/a?"]`, "[public:npmjs]", `["111122223333"]`), []string{
			"policy.yaml:7:7: external_connections.allow[1] is shadowed: external_connections.allow[0] on line 5 covers all of it; remove it, or narrow the other one",
		}},
		"no rule that a later one covers": {head + "external_connections:\n  allow:\n" + rule("[corp/npm-store]", "[public:npmjs]", "") + rule("[corp/*]", `["public:*"]`, ""), nil},
		"no rule of more accounts":        {head + "external_connections:\n  allow:\n" + rule("[corp/*]", "[public:npmjs]", `["111122223333"]`) + rule("[corp/x]", "[public:npmjs]", ""), nil},
		"no rule of one more repository":  {head + "external_connections:\n  allow:\n" + rule("[corp/*]", "[public:npmjs]", "") + rule("[corp/x, dev/x]", "[public:npmjs]", ""), nil},
		"a waiver for what is allowed anyway": {head + "external_connections:\n  allow:\n" + rule("[corp/*]", "[public:npmjs]", "") + "  waivers:\n" + rule("[corp/x]", "[public:npmjs]", "") + term + "      expires: 2027-01-31\n", []string{
			"policy.yaml:8:7: external_connections.waivers[0] is not needed: external_connections.allow[0] on line 5 permits all of it for good; remove it, or narrow the other one",
		}},
		"a waiver that ends before an earlier one": {head + "external_connections:\n  allow: []\n  waivers:\n" + rule("[corp/*]", "[public:npmjs]", "") + term + "      expires: 2027-01-31\n" + rule("[corp/x]", "[public:npmjs]", "") + term + "      expires: 2027-01-31\n", []string{
			"policy.yaml:11:7: external_connections.waivers[1] is shadowed: external_connections.waivers[0] on line 6 covers all of it; remove it, or narrow the other one",
		}},
		"a rule that two earlier ones cover, once": {head + "external_connections:\n  allow:\n" + rule("[corp/*]", "[public:npmjs]", "") + rule(`["corp/?"]`, "[public:npmjs]", "") + rule("[corp/x]", "[public:npmjs]", ""), []string{
			"policy.yaml:7:7: external_connections.allow[1] is shadowed: external_connections.allow[0] on line 5 covers all of it; remove it, or narrow the other one",
			"policy.yaml:9:7: external_connections.allow[2] is shadowed: external_connections.allow[0] on line 5 covers all of it; remove it, or narrow the other one",
		}},
		"each waiver for what is allowed anyway": {head + "external_connections:\n  allow:\n" + rule("[corp/*]", "[public:npmjs]", "") + "  waivers:\n" + rule("[corp/x]", "[public:npmjs]", "") + term + "      expires: 2027-01-31\n" + rule("[corp/y]", "[public:npmjs]", "") + term + "      expires: 2027-01-31\n", []string{
			"policy.yaml:8:7: external_connections.waivers[0] is not needed: external_connections.allow[0] on line 5 permits all of it for good; remove it, or narrow the other one",
			"policy.yaml:13:7: external_connections.waivers[1] is not needed: external_connections.allow[0] on line 5 permits all of it for good; remove it, or narrow the other one",
		}},
		"a waiver that two earlier ones cover, once": {head + "external_connections:\n  allow: []\n  waivers:\n" + rule("[corp/x]", "[public:npmjs]", "") + term + "      expires: 2027-01-31\n" + rule(`["corp/?"]`, "[public:npmjs]", "") + term + "      expires: 2027-01-31\n" + rule("[corp/x]", "[public:npmjs]", "") + term + "      expires: 2027-01-31\n", []string{
			"policy.yaml:16:7: external_connections.waivers[2] is shadowed: external_connections.waivers[0] on line 6 covers all of it; remove it, or narrow the other one",
		}},
		"no waiver that ends after an earlier one": {head + "external_connections:\n  allow: []\n  waivers:\n" + rule("[corp/*]", "[public:npmjs]", "") + term + "      expires: 2027-01-31\n" + rule("[corp/x]", "[public:npmjs]", "") + term + "      expires: 2027-02-01\n", nil},
		"a keep rule": {head + "package_groups:\n  min_age: 1d\n  grace: 1d\n  keep:\n    - groups: [/npm/a**]\n    - groups: [/npm/acme/*, /npm/ab**]\n      domains: [corp]\n    - groups: [/npm/**]\n", []string{
			"policy.yaml:8:7: package_groups.keep[1] is shadowed: package_groups.keep[0] on line 7 covers all of it; remove it, or narrow the other one",
		}},
		"a keep rule that two earlier ones cover, once": {head + "package_groups:\n  min_age: 1d\n  grace: 1d\n  keep:\n    - groups: [/npm/ab**]\n    - groups: [/npm/a**]\n    - groups: [/npm/abc*]\n", []string{
			"policy.yaml:9:7: package_groups.keep[2] is shadowed: package_groups.keep[0] on line 7 covers all of it; remove it, or narrow the other one",
		}},
		"no keep rule of more domains": {head + "package_groups:\n  min_age: 1d\n  grace: 1d\n  keep:\n    - groups: [/npm/a**]\n      domains: [corp]\n    - groups: [/npm/ab**]\n", nil},
		"an approval": {proton + approval("[\"*\"]", "") + approval("[prod]", roles), []string{
			"policy.yaml:10:7: proton_connections.approve[1] is shadowed: proton_connections.approve[0] on line 7 covers all of it; remove it, or narrow the other one",
		}},
		"an approval that two earlier ones cover, once": {proton + approval("[prod]", "") + approval("[\"*\"]", "") + approval("[prod]", ""), []string{
			"policy.yaml:13:7: proton_connections.approve[2] is shadowed: proton_connections.approve[0] on line 7 covers all of it; remove it, or narrow the other one",
		}},
		"each waiver for what is approved anyway": {proton + approval("[\"*\"]", "") + "  waivers:\n" + approval("[prod]", term+"      expires: 2027-01-31\n") + approval("[dev]", term+"      expires: 2027-01-31\n"), []string{
			"policy.yaml:11:7: proton_connections.waivers[0] is not needed: proton_connections.approve[0] on line 7 permits all of it for good; remove it, or narrow the other one",
			"policy.yaml:17:7: proton_connections.waivers[1] is not needed: proton_connections.approve[0] on line 7 permits all of it for good; remove it, or narrow the other one",
		}},
		"a waiver of a connection that two earlier ones cover, once": {proton[:len(proton)-1] + " []\n  waivers:\n" + approval("[prod]", term+"      expires: 2027-01-31\n") + approval("[prod]", term+"      expires: 2027-02-28\n") + approval("[prod]", term+"      expires: 2027-01-31\n") + approval("[dev]", term+"      expires: 2027-01-31\n"), []string{
			"policy.yaml:20:7: proton_connections.waivers[2] is shadowed: proton_connections.waivers[0] on line 8 covers all of it; remove it, or narrow the other one",
		}},
		"no approval of any role after one of some": {proton + approval("[\"*\"]", roles) + approval("[prod]", ""), nil},
		"a waiver for what is approved anyway": {proton + approval("[\"*\"]", "") + "  waivers:\n" + approval("[prod]", term+"      expires: 2027-01-31\n"), []string{
			"policy.yaml:11:7: proton_connections.waivers[0] is not needed: proton_connections.approve[0] on line 7 permits all of it for good; remove it, or narrow the other one",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Parse("policy.yaml", []byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range p.Warnings {
				got = append(got, w.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestCoverGlob(t *testing.T) {
	for _, test := range []struct {
		glob, other string
		want        bool
	}{
		{"*", "*", true}, {"*", "a*b?", true}, {"a*", "ab*", true}, {"a*", "*", false}, {"a?c", "abc", true}, {"a?c", "a?c", true},
		{"a?", "a*", false}, {"*a*b", "xaxbxb", true}, {"a*", "a[bc]", false}, {"a[bc]*", "a[bc]d", true}, {"a[bc]", "ab", false},
		{"*/*", "corp/x", true}, {"*", "corp/x", false}, {"corp/*", "corp/a*", true}, {`a\*`, "a*", false}, {"*", `a\b`, true}, {"**", "", true},
	} {
		if got := coverGlob(test.glob, test.other); got != test.want {
			t.Errorf("%s covers %s: %v, want %v", test.glob, test.other, got, test.want)
		}
	}
}

func TestSymbolsTakeAGlobApart(t *testing.T) {
	for glob, want := range map[string][]string{
		`a[b\]c]*\d\*?`: {"a", `[b\]c]`, "*", "d", `\*`, "?"},
		"[ab][cd]":      {"[ab]", "[cd]"},
		"[ab":           {"[ab"},    // which no policy has
		`a\`:            {"a", `\`}, // nor this
	} {
		if diff := cmp.Diff(want, symbols(glob)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", glob, diff)
		}
	}
}

func TestAKeepRuleCoversNoMoreThanItsDomains(t *testing.T) {
	all := func(domains ...string) KeepRule { return KeepRule{Groups: []string{"/**"}, Domains: domains} }
	for _, test := range []struct {
		rule, other KeepRule
		want        bool
	}{
		{all("corp"), all("corp"), true}, {all("c*"), all("corp", "core"), true}, {all(), all("corp"), true},
		{all("corp"), all("lab"), false}, {all("corp"), all("corp", "lab"), false}, {all("corp"), all(), false},
	} {
		if got := test.rule.covers(test.other); got != test.want {
			t.Errorf("%v covers %v: %t", test.rule.Domains, test.other.Domains, got)
		}
	}
}

func TestAnApprovalCoversNoMoreThanItsFields(t *testing.T) {
	whole := Approval{EnvironmentAccounts: []string{"2"}, ManagementAccounts: []string{"1"}, Environments: []string{"prod"}, Roles: []string{"r"}}
	if !whole.covers(whole) {
		t.Error("an approval does not cover itself")
	}
	for field, change := range map[string]func(*Approval){
		"environment accounts": func(a *Approval) { a.EnvironmentAccounts = []string{"3"} },
		"management accounts":  func(a *Approval) { a.ManagementAccounts = []string{"3"} },
		"environments":         func(a *Approval) { a.Environments = []string{"dev"} },
		"roles":                func(a *Approval) { a.Roles = []string{"s"} },
	} {
		other := whole
		if change(&other); whole.covers(other) || other.covers(whole) {
			t.Errorf("approvals of other %s cover each other", field)
		}
	}
	hidden := whole
	hidden.CodebuildRoles = []string{"b"}
	if hidden.covers(whole) || !whole.covers(hidden) {
		t.Error("what constrains a role that nobody sees covers something")
	}
}

func TestARuleForNothingIsNotShadowed(t *testing.T) {
	if (KeepRule{Groups: []string{"/**"}}).covers(KeepRule{}) {
		t.Error("a rule without groups is covered")
	}
}

// Whoever heeds the warning and removes a shadowed rule must not change any verdict.
func TestWhatCoversMatchesAllThatTheOtherMatches(t *testing.T) {
	glob := rapid.StringMatching(`([ab*?]|\[ab\]|\[\^a\]|\\[ab*]){0,4}(/[ab*?]{0,3})?`)
	name := rapid.StringMatching(`[ab*]{0,5}(/[ab]{0,3})?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, n := glob.Draw(t, "glob"), glob.Draw(t, "other"), name.Draw(t, "name")
		inA, errA := path.Match(a, n)
		inB, errB := path.Match(b, n)
		if errA == nil && errB == nil && coverGlob(a, b) && inB && !inA {
			t.Errorf("%s covers %s, but does not match %s", a, b, n)
		}
	})
}
