package packagegroup

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

const owner = "111122223333"

var (
	scope   = control.Scope{Account: owner, Region: "eu-west-1"}
	noon    = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	longAgo = noon.AddDate(-1, 0, 0)
	rules   = policy.PackageGroups{MinAge: 14 * 24 * time.Hour, Grace: 10 * 24 * time.Hour}
)

// group makes a group that inherits everything; what it inherits is Allow.
func group(pattern, parent string) Group {
	g := Group{ARN: "arn:aws:codeartifact:eu-west-1:" + owner + ":package-group/corp" + pattern, Pattern: pattern, Parent: parent, Created: longAgo, Controls: map[string]Control{}}
	for _, r := range restrictions {
		g.Controls[r] = Control{Own: Inherit, Effective: Allow}
	}
	return g
}

func set(g Group, mode Mode, kinds ...string) Group {
	g.Controls = maps.Clone(g.Controls)
	for _, r := range restrictions {
		if len(kinds) == 0 || slices.Contains(kinds, r) {
			g.Controls[r] = Control{Own: mode, Effective: mode}
		}
	}
	return g
}

// blocked has a group inherit Block.
func blocked(g Group) Group {
	g.Controls = maps.Clone(g.Controls)
	for _, r := range restrictions {
		g.Controls[r] = Control{Own: g.Controls[r].Own, Effective: Block}
	}
	return g
}

func created(g Group, at time.Time) Group { g.Created = at; return g }

func tree(groups ...Group) Tree {
	t := Tree{Domain: Domain{Owner: owner, Name: "corp"}, Groups: map[string]Group{Root: set(group(Root, ""), Allow)}, Children: map[string][]string{}}
	for _, g := range groups {
		t.Groups[g.Pattern] = g
	}
	for _, g := range t.Groups {
		if g.Pattern != Root {
			t.Children[g.Parent] = append(t.Children[g.Parent], g.Pattern)
		}
	}
	return t
}

// tagged is a close look at an empty group with these tags.
func tagged(tags ...string) Close {
	c := Close{Tags: map[string]string{}}
	for pair := range slices.Chunk(tags, 2) {
		c.Tags[pair[0]] = pair[1]
	}
	return c
}

func marked(since time.Time, created time.Time) Close {
	return tagged(MarkTag, Mark{Since: since, Created: created}.String())
}

// dead is a group for whole formats: nothing about it needs look-alikes or children.
var dead = group("/npm/*", Root)

// The rows are those of the table above screen, in the same order, and then the
// edges of each.
func TestScreen(t *testing.T) {
	with := func(change func(*policy.PackageGroups)) policy.PackageGroups {
		p := rules
		change(&p)
		return p
	}
	acme := group("/npm/acme/*", "/npm/*")
	for _, row := range []struct {
		name    string
		tree    Tree
		pattern string
		policy  policy.PackageGroups
		now     time.Time
		code    string
	}{
		{"the root", tree(), Root, rules, noon, "root"},
		{"a group without a slash", tree(group("npm/acme/*", Root)), "npm/acme/*", rules, noon, "no-slash"},
		{"a group that sets one mode", tree(set(group("/npm/*", Root), Block, "PUBLISH")), "/npm/*", rules, noon, "own-control"},
		{"a group without a time to judge it by", tree(dead), "/npm/*", rules, time.Time{}, "time-unknown"},
		{"a young group", tree(created(group("/npm/*", Root), noon.Add(-13*24*time.Hour))), "/npm/*", rules, noon, "young"},
		{"a group with children", tree(dead, set(acme, Block)), "/npm/*", rules, noon, "children"},
		{"a group that the policy keeps", tree(dead), "/npm/*", with(func(p *policy.PackageGroups) {
			p.Keep = []policy.KeepRule{{Place: "package_groups.keep[0]", Groups: []string{"/npm/*"}}}
		}), noon, "keep-rule"},
		{"a group that blocks look-alikes", tree(dead, acme), "/npm/acme/*", rules, noon, "lookalikes"},
		{"none of these", tree(dead), "/npm/*", rules, noon, ""},

		{"any one of the three modes", tree(set(group("/npm/*", Root), Allow, "INTERNAL_UPSTREAM")), "/npm/*", rules, noon, "own-control"},
		{"a list of repositories of its own", tree(set(group("/npm/*", Root), Specific, "EXTERNAL_UPSTREAM")), "/npm/*", rules, noon, "own-control"},
		{"the root without a time", tree(), Root, rules, time.Time{}, "root"},
		{"a root that inherits like any other", tree(group(Root, "")), Root, rules, noon, "root"},
		{"a whole format without a slash", tree(group("npm/*", Root)), "npm/*", rules, noon, "no-slash"},
		{"of age to the second", tree(created(group("/npm/*", Root), noon.Add(-14*24*time.Hour))), "/npm/*", rules, noon, ""},
		{"from the future", tree(created(group("/npm/*", Root), noon.Add(time.Hour))), "/npm/*", rules, noon, "young"},
		{"children, where they may move up", tree(dead, set(acme, Block)), "/npm/*", with(func(p *policy.PackageGroups) { p.PruneParents = true }), noon, ""},
		{"look-alikes, where the policy ignores them", tree(dead, acme), "/npm/acme/*", with(func(p *policy.PackageGroups) { p.IgnoreLookalikes = true }), noon, ""},
		{"look-alikes that the parent blocks as well", tree(set(group("/npm/*", Root), Block), blocked(group("/npm/acme/*", "/npm/*"))), "/npm/acme/*", rules, noon, ""},
		{"look-alikes that the parent blocks in two of three ways", tree(set(set(group("/npm/*", Root), Block), Allow, "PUBLISH"), group("/npm/acme/*", "/npm/*")), "/npm/acme/*", rules, noon, "lookalikes"},
		{"look-alikes that the parent lets in from outside only", tree(set(set(group("/npm/*", Root), Block), Allow, "EXTERNAL_UPSTREAM"), group("/npm/acme/*", "/npm/*")), "/npm/acme/*", rules, noon, "lookalikes"},
		{"look-alikes that the parent lets in from upstreams only", tree(set(set(group("/npm/*", Root), Block), Allow, "INTERNAL_UPSTREAM"), group("/npm/acme/*", "/npm/*")), "/npm/acme/*", rules, noon, "lookalikes"},
		{"look-alikes that a group beside it would let in", tree(
			set(group("/npm/*", Root), Block), blocked(group("/npm/foo.bar/*", "/npm/*")), set(group("/npm/foo-bar~", "/npm/*"), Allow),
		), "/npm/foo.bar/*", rules, noon, "lookalikes"},
		{"look-alikes that a group beside it blocks too", tree(
			set(group("/npm/*", Root), Block), blocked(group("/npm/foo.bar/*", "/npm/*")), set(group("/npm/foo-bar~", "/npm/*"), Block),
		), "/npm/foo.bar/*", rules, noon, ""},
		{"a child of it that lets in, where children may move up", tree(
			set(group("/npm/*", Root), Block), blocked(group("/npm/acme/*", "/npm/*")), set(group("/npm/acme/ui~", "/npm/acme/*"), Allow),
		), "/npm/acme/*", with(func(p *policy.PackageGroups) { p.PruneParents = true }), noon, ""},
		{"a group beside it that looks like nothing of it", tree(
			set(group("/npm/*", Root), Block), blocked(group("/npm/foo.bar/*", "/npm/*")), set(group("/npm/other~", "/npm/*"), Allow),
		), "/npm/foo.bar/*", rules, noon, ""},
		{"a group beside it in letters that the table does not know", tree(
			set(group("/npm/*", Root), Block), blocked(group("/npm/foo/*", "/npm/*")), set(group("/npm/fоо~", "/npm/*"), Allow), // Cyrillic
		), "/npm/foo/*", rules, noon, "lookalikes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := screen(listingOf(row.tree), row.tree.Groups[row.pattern], row.policy, row.now)
			if got.code != row.code || (got.reason == "") != (row.code == "") {
				t.Errorf("got %q (%s), want %q", got.code, got.reason, row.code)
			}
		})
	}
}

func TestAKeptGroupSaysWhatWouldLetItGo(t *testing.T) {
	k := screen(listingOf(tree(dead, group("/npm/acme/*", "/npm/*"))), group("/npm/acme/*", "/npm/*"), rules, noon)
	if want := "kept: while it exists, look-alikes of `acme` are blocked, and /npm/* above it would let them in; `lookalikes: ignore` would let it go"; k.reason != want {
		t.Errorf("got  %s\nwant %s", k.reason, want)
	}
}

// The rows are those of the table above Decide, in the same order, and then the
// edges of each.
func TestDecide(t *testing.T) {
	package1 := Close{Package: "npm//lodash", Tags: map[string]string{}}
	claimed := tagged()
	claimed.Claim = "pkg:npm/lodash"
	old := marked(noon.Add(-11*24*time.Hour), longAgo)
	with := func(c Close, change func(*Close)) Close { change(&c); return c }
	for _, row := range []struct {
		name    string
		group   Group
		look    *Close
		now     time.Time
		verdict control.Verdict
		code    string
		writes  []string
	}{
		{"kept by the list", set(group("/npm/*", Root), Block), nil, noon, control.Compliant, "own-control", nil},
		{"time not known", dead, &old, time.Time{}, control.Undetermined, "time-unknown", nil},
		{"of age since it was passed over", dead, nil, noon, control.Compliant, "young", nil},
		{"not read", dead, &Close{Unread: &Unread{Class: awsio.Throttled, Reason: "throttled"}}, noon, control.Undetermined, "throttled", nil},
		{"a package in it", dead, &package1, noon, control.Compliant, "in-use", nil},
		{"a keep tag", dead, ptr(tagged(KeepTag, "")), noon, control.Compliant, "keep-tag", nil},
		{"a tag of CloudFormation", dead, ptr(tagged("aws:cloudformation:stack-name", "x")), noon, control.Compliant, "keep-tag", nil},
		{"claimed", dead, &claimed, noon, control.Compliant, "claimed", nil},
		{"in use and marked", dead, ptr(with(old, func(c *Close) { c.Package = "npm//lodash" })), noon, control.Compliant, "in-use", []string{"UntagResource"}},
		{"claimed and marked", dead, ptr(with(old, func(c *Close) { c.Claim = "pkg:npm/lodash" })), noon, control.Compliant, "claimed", []string{"UntagResource"}},
		{"dead and unmarked", dead, ptr(tagged("team", "web")), noon, control.Violation, "dead", []string{"TagResource"}},
		{"dead and marked too long ago", dead, ptr(marked(noon.Add(-18*24*time.Hour), longAgo)), noon, control.Violation, "dead", []string{"TagResource"}},
		{"dead and marked a while ago", dead, ptr(marked(noon.Add(-9*24*time.Hour), longAgo)), noon, control.Violation, "waiting", nil},
		{"dead and marked long enough ago", dead, &old, noon, control.Violation, "prune", []string{"DeletePackageGroup"}},

		{"marked to the second long enough ago", dead, ptr(marked(noon.Add(-10*24*time.Hour), longAgo)), noon, control.Violation, "prune", []string{"DeletePackageGroup"}},
		{"marked a second too late", dead, ptr(marked(noon.Add(-10*24*time.Hour+time.Second), longAgo)), noon, control.Violation, "waiting", nil},
		{"marked on the last second of its worth", dead, ptr(marked(noon.Add(-17*24*time.Hour), longAgo)), noon, control.Violation, "prune", []string{"DeletePackageGroup"}},
		{"marked in the future", dead, ptr(marked(noon.Add(time.Hour), longAgo)), noon, control.Violation, "dead", []string{"TagResource"}},
		{"marked on another creation", dead, ptr(marked(noon.Add(-11*24*time.Hour), longAgo.Add(time.Millisecond))), noon, control.Violation, "dead", []string{"TagResource"}},
		{"a mark that cannot be read", dead, ptr(tagged(MarkTag, "since long")), noon, control.Violation, "dead", []string{"TagResource"}},
		{"an empty mark", dead, ptr(tagged(MarkTag, "")), noon, control.Violation, "dead", []string{"TagResource"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			seen := Seen{Tree: tree(row.group), Close: map[string]Close{}}
			if row.look != nil {
				seen.Close[row.group.Pattern] = *row.look
			}
			plan := Decide(Observation{Scope: scope, Domains: []Seen{seen}, Only: row.group.Pattern}, rules, row.now)
			f := plan.Findings[0]
			if f.Verdict != row.verdict || f.Code != row.code {
				t.Errorf("got %s, %s (%s), want %s, %s", f.Verdict, f.Code, f.Reason, row.verdict, row.code)
			}
			var writes []string
			for _, a := range plan.Actions {
				writes = append(writes, a.Call.Operation)
			}
			if diff := cmp.Diff(row.writes, writes); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestOwnKeepTagKeeps(t *testing.T) {
	p := rules
	p.KeepTag = "team:owned"
	seen := Seen{Tree: tree(dead), Close: map[string]Close{"/npm/*": tagged("team:owned", "yes")}}
	f := Decide(Observation{Scope: scope, Domains: []Seen{seen}, Only: "/npm/*"}, p, noon).Findings[0]
	if f.Code != "keep-tag" {
		t.Errorf("got %s", f.Code)
	}
}

func TestAnOwnKeepTagKeepsNothingThatDoesNotBearIt(t *testing.T) {
	p := rules
	p.KeepTag = "team:owned"
	seen := Seen{Tree: tree(dead), Close: map[string]Close{"/npm/*": tagged("team", "web")}}
	f := Decide(Observation{Scope: scope, Domains: []Seen{seen}, Only: "/npm/*"}, p, noon).Findings[0]
	if f.Code != "dead" {
		t.Errorf("got %s", f.Code)
	}
}

func TestAKeepRuleIsToldWithItsReason(t *testing.T) {
	p := rules
	for reason, want := range map[string]string{"": "kept: package_groups.keep[0] says so", "It is ours.": "kept: package_groups.keep[0] says so (It is ours.)"} {
		p.Keep = []policy.KeepRule{{Place: "package_groups.keep[0]", Groups: []string{"/npm/*"}, Reason: reason}}
		if got := screen(listingOf(tree(dead)), dead, p, noon).reason; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestADeadGroupSaysWhyItIsMarkedAnewAndWhatGoesWithIt(t *testing.T) {
	p := rules
	p.PruneParents = true
	for _, row := range []struct {
		name, says, effect string
		tree               Tree
		look               Close
	}{
		{"unmarked", "it is marked first and goes after 10 days", "under /* and the very same controls", tree(dead), tagged()},
		{"with a mark that is void", "it is marked first and goes after 10 days (the mark is from the future)", "under /* and the very same controls",
			tree(dead), marked(noon.Add(time.Hour), longAgo)},
		{"with a child", "it is marked first and goes after 10 days", "under /* and the very same controls; its 1 child groups move up to /*",
			tree(dead, set(group("/npm/acme/*", "/npm/*"), Block)), tagged()},
	} {
		t.Run(row.name, func(t *testing.T) {
			seen := Seen{Tree: row.tree, Close: map[string]Close{"/npm/*": row.look}}
			f := Decide(Observation{Scope: scope, Domains: []Seen{seen}, Only: "/npm/*"}, p, noon).Findings[0]
			if !strings.HasSuffix(f.Reason, row.says) || !strings.HasSuffix(f.Effect, row.effect) {
				t.Errorf("got %q and %q, want the ends %q and %q", f.Reason, f.Effect, row.says, row.effect)
			}
		})
	}
}

// The share of the limit is a share of these.
func TestWhatWasJudgedIsCounted(t *testing.T) {
	maven, pypi := group("/maven/*", Root), group("/pypi/*", Root)
	seen := Seen{Tree: tree(dead, maven, pypi), Close: map[string]Close{
		"/npm/*": tagged(), "/maven/*": {Package: "maven/acme/ui", Tags: map[string]string{}}, "/pypi/*": {Unread: &Unread{Class: awsio.Throttled}},
	}}
	if got := Decide(Observation{Scope: scope, Domains: []Seen{seen}}, rules, noon).Looked; got != 3 { // with the root
		t.Errorf("%d were looked at, want 3", got)
	}
	if got := Decide(Observation{Scope: scope, Domains: []Seen{seen}}, rules, time.Time{}).Looked; got != 1 {
		t.Errorf("%d were looked at without a time, want the root only", got)
	}
}

// Leaves come first by their place in the tree. Patterns do not tell it: in byte
// order, * is before ~.
func TestLeavesAreMarkedFirst(t *testing.T) {
	p := rules
	p.PruneParents, p.IgnoreLookalikes = true, true
	seen := Seen{Close: map[string]Close{}, Tree: tree(
		dead, group("/npm/foo-*", "/npm/*"), group("/npm/foo-~", "/npm/foo-*"), group("/maven/com.acme-long~", Root),
	)}
	for pattern := range seen.Tree.Groups {
		seen.Close[pattern] = tagged()
	}
	var got []string
	for _, a := range Decide(Observation{Scope: scope, Domains: []Seen{seen}}, p, noon).Actions {
		got = append(got, a.Before.(snapshot).Pattern)
	}
	if diff := cmp.Diff([]string{"/npm/foo-~", "/npm/foo-*", "/maven/com.acme-long~", "/npm/*"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheSummarySaysWhatOneOptOutWouldFree(t *testing.T) {
	full := group("/npm/full/*", "/npm/*")
	both := group("/npm/both/*", "/npm/*") // has a child, and look-alikes: no single opt-out frees it
	seen := Observation{Scope: scope, Domains: []Seen{{Tree: tree(
		dead, group("/npm/acme/*", "/npm/*"), full, both, set(group("/npm/both/ui~", "/npm/both/*"), Block), created(group("/npm/young/*", "/npm/*"), noon),
	)}}}
	p := rules
	p.Keep = []policy.KeepRule{{Groups: []string{"/npm/full/*"}}}
	got := tally(Decide(seen, p, noon), seen, p, noon)
	want := counts{
		Kept:     map[string]int{"root": 1, "children": 2, "lookalikes": 1, "keep-rule": 1, "own-control": 1, "young": 1},
		Freeable: map[string]int{"children: prune": 1, "lookalikes: ignore": 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestResemble(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want bool
	}{
		{"/npm/acme/*", "/npm/acme/*", true},
		{"/npm/acme/*", "/npm/ACME/ui~", true}, // letter case
		{"/npm/Åcme/*", "/npm/other/*", true},
		{"/npm/acme-ui~", "/npm/acme_ui~", true}, // separators
		{"/npm/acme-ui~", "/npm/acme.-_ui~", true},
		{"/npm/acme-ui~", "/npm/acmeui~", false}, // none is not one
		{"/npm//c0re~", "/npm//core~", true},     // digits
		{"/npm//ui1~", "/npm//uil~", true},
		{"/npm//ui~", "/npm//ul~", true}, // i, l and 1
		{"/npm//u|~", "/npm//u1~", true},
		{"/npm//I~", "/npm//l~", true},
		{"/npm//form~", "/npm//forrn~", true}, // m and rn
		{"/npm//web~", "/npm//vveb~", true},   // w and vv
		{"/npm/аcme/*", "/npm/acme/*", true},
		{"/npm/acme/*", "/npm/аcme/*", true},
		{"/npm/acme/*", "/npm/acme/ui$", true}, // one begins like the other
		{"/npm/acme/ui$", "/npm/acme/*", true},
		{"/npm/acme/*", "/npm/acne/*", false},
		{"/npm/acme/ui~", "/npm/acme/core~", false},
		{"/npm/acme/*", "/maven/acme/*", false},
		{"/npm//ui2~", "/npm//uiz~", false},
	} {
		if got := lookOf(row.a).resembles(lookOf(row.b)); got != row.want {
			t.Errorf("%s and %s: %v", row.a, row.b, got)
		}
	}
}

func TestAPatternThatNothingCanMatchIsSaid(t *testing.T) {
	for pattern, want := range map[string]string{
		"/npm/@acme/*":   "/npm/acme/*",
		"npm/acme/*":     "slash",
		"/npm/acme/*":    "",
		"/npm//x-y~":     "",
		"/npm/acme/@x-y": "",
	} {
		seen := Seen{Tree: tree(group(pattern, Root)), Close: map[string]Close{}}
		said := ""
		for _, f := range Decide(Observation{Scope: scope, Domains: []Seen{seen}, Only: pattern}, rules, noon).Findings {
			if f.Code == "never-matches" {
				said = f.Reason
			}
		}
		if (said != "") != (want != "") || !strings.Contains(said, want) {
			t.Errorf("%s: got %q, want %q in it", pattern, said, want)
		}
	}
}

func TestThePrunedGroupCanBeMadeAgainAsItWas(t *testing.T) {
	g := group("/npm/*", Root)
	g.Contact, g.Description = "web@example.com", "of the web team"
	c := marked(noon.Add(-11*24*time.Hour), longAgo)
	c.Tags["team"] = "web"
	plan := Decide(Observation{Scope: scope, Only: "/npm/*", Domains: []Seen{{Tree: tree(g), Close: map[string]Close{"/npm/*": c}}}}, rules, noon)
	want := []control.Call{{Service: "codeartifact", Operation: "CreatePackageGroup", Input: map[string]any{
		"domain": "corp", "domainOwner": owner, "packageGroup": "/npm/*", "contactInfo": "web@example.com", "description": "of the web team",
		"tags": []map[string]string{{"key": "team", "value": "web"}},
	}}}
	if diff := cmp.Diff(want, plan.Actions[0].Undo); diff != "" {
		t.Errorf("undo (-want +got):\n%s", diff)
	}
}

func TestMark(t *testing.T) {
	m := Mark{Since: noon, Created: longAgo.Add(250 * time.Millisecond)}
	if got, err := ParseMark(m.String()); err != nil || !got.Since.Equal(m.Since) || !got.Created.Equal(m.Created) {
		t.Errorf("%s was read as %v, %v", m, got, err)
	}
	for _, bad := range []string{"", "/", "2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z/", "2026-11-20/1", "2026-11-20T12:00:00Z/1/1", "2026-11-20T12:00:00Z/ 1", "2026-11-20T12:00:00Z/01", "2026-11-20T13:00:00+01:00/1", "x/1"} {
		if _, err := ParseMark(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestTimesAreToldInDaysWhereTheyAreWholeOnes(t *testing.T) {
	for d, want := range map[time.Duration]string{14 * 24 * time.Hour: "14 days", 36 * time.Hour: "36 hours", 24 * time.Hour: "1 days"} {
		if got := span(d); got != want {
			t.Errorf("%s is told as %q", d, got)
		}
	}
}

func TestARN(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp/%2a":               "/*",
		"arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp/npm/%2a":           "/npm/*",
		"arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp/nuget//alpha%24":   "/nuget//alpha$",
		"arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp/npm/scope/ui~":     "/npm/scope/ui~",
		"arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp/generic/a+b/50%25": "/generic/a+b/50%",
	} {
		d, pattern, err := ParseARN(arn)
		if err != nil || d != (Domain{owner, "corp"}) || pattern != want {
			t.Errorf("%s: got %v %q, %v", arn, d, pattern, err)
		}
	}
	for _, bad := range []string{"", "arn:aws:codeartifact:eu-west-1:1:repository/corp/app", "arn:aws:codeartifact:eu-west-1:1:package-group/corp", "arn:aws:codeartifact:eu-west-1:1:package-group/corp/%zz"} {
		if _, _, err := ParseARN(bad); err == nil {
			t.Errorf("%q was read as the ARN of a package group", bad)
		}
	}
}
