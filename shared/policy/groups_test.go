package policy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/policy"
)

const groupsHead = "version: 1\nlimits: {count: 10, share: 10%}\npackage_groups:\n"

func TestReadsTheSectionOnPackageGroups(t *testing.T) {
	p, err := parseAndHold(t, groupsHead+`  min_age: 14d
  grace: 36h
  keep:
    - groups: ["/npm/acme/*", "/maven/com.acme**"]
      domains: ["corp*"]
      reason: "reserved"
  keep_tag: "team:owned"
  children: prune
  lookalikes: ignore
`)
	if err != nil {
		t.Fatal(err)
	}
	want := &policy.PackageGroups{
		MinAge: 14 * 24 * time.Hour, Grace: 36 * time.Hour, KeepTag: "team:owned", PruneParents: true, IgnoreLookalikes: true,
		Keep: []policy.KeepRule{{Place: "package_groups.keep[0]", Line: 7, Column: 7, Reason: "reserved", Domains: []string{"corp*"}, Groups: []string{"/npm/acme/*", "/maven/com.acme**"}}},
	}
	if diff := cmp.Diff(want, p.PackageGroups); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPackageGroupsAreKeptUnlessThePolicySaysOtherwise(t *testing.T) {
	p, err := parseAndHold(t, groupsHead+"  min_age: 1h\n  grace: 1h\n")
	if err != nil {
		t.Fatal(err)
	}
	if g := p.PackageGroups; g.PruneParents || g.IgnoreLookalikes || g.KeepTag != "" || g.Keep != nil {
		t.Errorf("got %+v", g)
	}
}

func TestRefusesASectionOnPackageGroupsWith(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no min_age", "  grace: 14d\n", `4:3: package_groups lacks "min_age"; add min_age: 14d (days, or hours as in 36h; at least 1h)`},
		{"no grace", "  min_age: 14d\n", `4:3: package_groups lacks "grace"; add grace: 14d (days, or hours as in 36h; at least 1h)`},
		{"a grace of nothing", "  min_age: 14d\n  grace: 0d\n", `5:10: package_groups.grace "0d" is not a number of days or hours from 1 to 10000; write grace: 14d (days, or hours as in 36h; at least 1h)`},
		{"a grace in minutes", "  min_age: 14d\n  grace: 90m\n", `5:10: package_groups.grace "90m" is not a number of days or hours from 1 to 10000; write grace: 14d (days, or hours as in 36h; at least 1h)`},
		{"a grace without a unit", "  min_age: 14d\n  grace: 14\n", `5:10: package_groups.grace is a number; write grace: 14d (days, or hours as in 36h; at least 1h)`},
		{"a grace below nothing", "  min_age: 14d\n  grace: \"-1d\"\n", `5:10: package_groups.grace "-1d" is not a number of days or hours from 1 to 10000; write grace: 14d (days, or hours as in 36h; at least 1h)`},
		{"a grace of letters", "  min_age: 14d\n  grace: d\n", `5:10: package_groups.grace "d" is not a number of days or hours from 1 to 10000; write grace: 14d (days, or hours as in 36h; at least 1h)`},
		{"an age beyond reason", "  min_age: 10001d\n  grace: 1d\n", `4:12: package_groups.min_age "10001d" is not a number of days or hours from 1 to 10000; write min_age: 14d (days, or hours as in 36h; at least 1h)`},
		{"children that are neither kept nor pruned", "  min_age: 1d\n  grace: 1d\n  children: drop\n", `6:13: package_groups.children is "drop"; write children: keep, or children: prune`},
		{"lookalikes that are true", "  min_age: 1d\n  grace: 1d\n  lookalikes: true\n", `6:15: package_groups.lookalikes is true or false; write lookalikes: keep, or lookalikes: ignore`},
		{"a group without its slash", "  min_age: 1d\n  grace: 1d\n  keep: [{groups: [\"npm/acme/*\"]}]\n", `6:20: group "npm/acme/*" does not begin with a slash; write the group's whole pattern, like "/npm/acme/*"`},
		{"a group with ** inside", "  min_age: 1d\n  grace: 1d\n  keep: [{groups: [\"/npm/**/x\"]}]\n", `6:20: ** inside group "/npm/**/x"; write ** only at the end, where it stands for anything that follows`},
		{"a group with a space", "  min_age: 1d\n  grace: 1d\n  keep: [{groups: [\"/npm/a b\"]}]\n", `6:20: group "/npm/a b" holds a space; write the pattern as CodeArtifact shows it`},
		{"a keep rule for nothing", "  min_age: 1d\n  grace: 1d\n  keep: [{domains: [\"corp\"]}]\n", `6:10: package_groups.keep[0] lacks "groups"; add groups: ["/npm/acme/*"]`},
		{"a tag of AWS's own", "  min_age: 1d\n  grace: 1d\n  keep_tag: \"aws:x\"\n", `6:13: package_groups.keep_tag "aws:x" is not the key of a tag that people set; write keep_tag: "team:owned"`},
		{"our own mark as the tag that keeps", "  min_age: 1d\n  grace: 1d\n  keep_tag: \"portcullis:empty-since\"\n", `6:13: package_groups.keep_tag "portcullis:empty-since" is not the key of a tag that people set; write keep_tag: "team:owned"`},
		{"a group that ends in none of CodeArtifact's signs", "  min_age: 1d\n  grace: 1d\n  keep: [{groups: [\"/npm/acme\"]}]\n", `6:20: group "/npm/acme" is not the pattern of a package group; let it end as CodeArtifact shows it, in *, ~ or $; or in **, which stands for anything that follows`},
		{"a group that ends in a slash", "  min_age: 1d\n  grace: 1d\n  keep: [{groups: [\"/npm/acme/\"]}]\n", `6:20: group "/npm/acme/" is not the pattern of a package group; let it end as CodeArtifact shows it, in *, ~ or $; or in **, which stands for anything that follows`},
		{"a scope with its @", "  min_age: 1d\n  grace: 1d\n  keep: [{groups: [\"/npm/@acme/*\"]}]\n", `6:20: group "/npm/@acme/*" can hold no package; write the scope without @, like /npm/acme/*`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseAndHold(t, groupsHead+test.text)
			var problems policy.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v", err)
			}
			if got := strings.TrimPrefix(problems.Error(), "policy.yaml:"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestAKeepRuleTakesEveryEndingOfAPattern(t *testing.T) {
	for _, group := range []string{"/*", "/**", "/npm/*", "/npm/acme~", "/npm/acme**", "/npm//ui$", "/maven/com.acme/billing-*", "/pypi//@x*"} {
		p, err := parseAndHold(t, groupsHead+"  min_age: 1d\n  grace: 1d\n  keep: [{groups: [\""+group+"\"]}]\n")
		if err != nil || len(p.Warnings) > 0 {
			t.Errorf("%s: %v, %+v", group, err, p)
		}
	}
}

func TestAKeepRuleComparesPatternsLetterForLetter(t *testing.T) {
	for _, row := range []struct {
		groups, domains []string
		domain, pattern string
		want            bool
	}{
		{[]string{"/npm/acme/*"}, nil, "corp", "/npm/acme/*", true},
		{[]string{"/npm/acme/*"}, nil, "corp", "/npm/acme/ui~", false}, // * is no wildcard here
		{[]string{"/npm/*"}, nil, "corp", "/npm/acme/*", false},
		{[]string{"/npm/acme**"}, nil, "corp", "/npm/acme/ui~", true},
		{[]string{"/npm/acme**"}, nil, "corp", "/npm/acme~", true},
		{[]string{"/npm/acme**"}, nil, "corp", "/npm/acm", false},
		{[]string{"/**"}, nil, "corp", "/*", true},
		{[]string{"/npm/[a]*"}, nil, "corp", "/npm/a*", false},
		{[]string{"/npm/*"}, []string{"dev-*"}, "corp", "/npm/*", false},
		{[]string{"/npm/*"}, []string{"dev-*"}, "dev-web", "/npm/*", true},
	} {
		k := policy.KeepRule{Groups: row.groups, Domains: row.domains}
		if got := k.Matches(row.domain, row.pattern); got != row.want {
			t.Errorf("%v in %v, of %s %s: %v", row.groups, row.domains, row.domain, row.pattern, got)
		}
	}
}
