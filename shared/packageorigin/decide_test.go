package packageorigin

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

const owner = "111122223333"

var scope = control.Scope{Account: owner, Region: "eu-west-1"}

const ui = "pkg:npm/%40acme/ui"

// origins reads guards as an operator writes them. Each is a line of keys beside
// the package.
func origins(t testing.TB, guards ...string) policy.PackageOrigins {
	t.Helper()
	text := "version: 1\nlimits: {count: 0, share: 0%}\npackage_origins:\n  guard:\n"
	for _, g := range guards {
		text += fmt.Sprintf("    - {package: %q, %s}\n", ui, g)
	}
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return *p.PackageOrigins
}

// set is a restriction that the group itself has.
func set(mode string, repositories ...string) Restriction {
	return Restriction{Mode: mode, From: "/npm/acme/*", Repositories: repositories}
}

// resolved is the package in corp, associated with its own group, whose
// restriction of publishing is the given one. The others are BLOCK.
func resolved(publish Restriction) Resolved {
	return Resolved{
		Domain: "corp", Package: policy.Package{URL: ui, Format: "npm", Namespace: "acme", Name: "ui"}, Group: "/npm/acme/*",
		Restrictions: map[string]Restriction{"PUBLISH": publish, "EXTERNAL_UPSTREAM": set(block), "INTERNAL_UPSTREAM": set(block)},
	}
}

func (r Resolved) weakly() Resolved { r.Weak = true; return r }

func (r Resolved) in(group string) Resolved { r.Group = group; return r }

func seen(packages ...Resolved) Observation {
	return Observation{Scope: scope, Domains: []string{"corp"}, Packages: packages}
}

// The rows are those of the table above Decide, in the same order.
func TestDecide(t *testing.T) {
	const (
		blocked = "domains: [corp], publish: block"
		only    = "domains: [corp], publish: [npm-internal, npm-store]"
		grouped = `domains: [corp], group: "/npm/acme/*"`
	)
	unreadable := Observation{Scope: scope, Unread: []Unread{{Resource: domainARN(scope, "corp"), Subject: ui, Class: awsio.Denied, Reason: "it could not be read"}}}
	for _, row := range []struct {
		name    string
		guard   string
		seen    Observation
		verdict control.Verdict
		code    string
	}{
		{"what could not be read is undetermined", blocked, unreadable, control.Undetermined, "access-denied"},
		{"a guard of no domain that there is, is undetermined", `domains: ["lab-*"], publish: block`, seen(), control.Undetermined, "no-domain"},
		{"BLOCK is as strict as anything", only, seen(resolved(set(block))), control.Compliant, "guarded"},
		{"a weak match is blocked, whatever the group says", blocked, seen(resolved(set(allow)).weakly()), control.Compliant, "guarded"},
		{"a list with nobody in it is as strict as BLOCK", blocked, seen(resolved(set(allowSpecific))), control.Compliant, "guarded"},
		{"a list with anybody in it is looser than BLOCK", blocked, seen(resolved(set(allowSpecific, "npm-internal"))), control.Violation, "looser"},
		{"a shorter list is stricter", only, seen(resolved(set(allowSpecific, "npm-store"))), control.Compliant, "guarded"},
		{"a list with another one in it is looser", only, seen(resolved(set(allowSpecific, "npm-store", "web"))), control.Violation, "looser"},
		{"ALLOW is looser than any list", only, seen(resolved(set(allow))), control.Violation, "looser"},
		{"the group that is asked for is right", grouped, seen(resolved(set(allow))), control.Compliant, "guarded"},
		{"another group is wrong, however strict it is", grouped, seen(resolved(set(block)).in("/npm/*")), control.Violation, "other-group"},

		// Beyond the table: the edges between its rows.
		{"the same list is as strict", only, seen(resolved(set(allowSpecific, "npm-internal", "npm-store"))), control.Compliant, "guarded"},
		{"a repository in other capitals is another one", only, seen(resolved(set(allowSpecific, "NPM-store"))), control.Violation, "looser"},
		{"ALLOW is looser than BLOCK", blocked, seen(resolved(set(allow))), control.Violation, "looser"},
		{"a mode that nobody knows is open", blocked, seen(resolved(set("NEW"))), control.Violation, "looser"},
		{"a restriction that nobody asks about may be anything", "domains: [corp], external_upstream: block", seen(resolved(set(allow))), control.Compliant, "guarded"},
		{"a weak match with another group is wrong", grouped, seen(resolved(set(block)).weakly().in("/npm/*")), control.Violation, "other-group"},
		{"looser goes before the other group", grouped + ", publish: block", seen(resolved(set(allow)).in("/*")), control.Violation, "looser"},
	} {
		t.Run(row.name, func(t *testing.T) {
			plan := Decide(row.seen, origins(t, row.guard))
			if len(plan.Findings) != 1 || len(plan.Actions) != 0 || plan.Looked != len(row.seen.Packages) {
				t.Fatalf("got %+v, want one finding and no action", plan)
			}
			if f := plan.Findings[0]; f.Verdict != row.verdict || f.Code != row.code || f.Reason == "" || f.Subject != ui {
				t.Errorf("got %s, %s of %s (%s), want %s, %s", f.Verdict, f.Code, f.Subject, f.Reason, row.verdict, row.code)
			}
		})
	}
}

// judged returns the one finding about the package.
func judged(t *testing.T, r Resolved, guards ...string) control.Finding {
	t.Helper()
	plan := Decide(seen(r), origins(t, guards...))
	if len(plan.Findings) != 1 {
		t.Fatalf("got %d findings, want 1: %+v", len(plan.Findings), plan.Findings)
	}
	return plan.Findings[0]
}

func TestTheReasonSaysEverythingThatDoesNotHold(t *testing.T) {
	r := resolved(Restriction{Mode: allow, From: "/npm/*"}).in("/npm/*")
	r.Restrictions["EXTERNAL_UPSTREAM"] = Restriction{Mode: allow, From: "/*"}
	r.Restrictions["INTERNAL_UPSTREAM"] = Restriction{Mode: allowSpecific, From: "/*", Repositories: []string{"a", "b", "c", "d", "e", "f", "npm-store"}}
	got := judged(t, r,
		`domains: [corp], group: "/npm/acme/*", publish: block, external_upstream: block, internal_upstream: [npm-store]`,
		"domains: [corp], publish: [npm-internal]",
		`domains: ["*"], group: "/npm/*"`,
	)
	want := control.Finding{
		ID: control.FindingID(Control, "arn:aws:codeartifact:eu-west-1:111122223333:domain/corp", ui), Control: Control,
		Account: owner, Region: "eu-west-1", Resource: "arn:aws:codeartifact:eu-west-1:111122223333:domain/corp", Subject: ui,
		Verdict: control.Violation, Code: "looser",
		Reason: ui + " in domain corp resolves to /npm/*" +
			"; package_origins.guard[0] asks for more: it must resolve to /npm/acme/*" +
			"; PUBLISH must be BLOCK, but is ALLOW, set on /npm/*" +
			"; EXTERNAL_UPSTREAM must be BLOCK, but is ALLOW, inherited from /*" +
			"; INTERNAL_UPSTREAM must be open to no more than npm-store, but is open to a, b, c, d, e and 1 more, inherited from /*" +
			"; package_origins.guard[1] asks for more: PUBLISH must be open to no more than npm-internal, but is ALLOW, set on /npm/*",
		Notes: []string{"only package groups are looked at; what is set on the package itself may be stricter"},
		Details: details{Domain: "corp", Owner: owner, Format: "npm", Namespace: "acme", Package: "ui",
			Group: "/npm/*", Association: "STRONG", Restrictions: r.Restrictions},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("finding (-want +got):\n%s", diff)
	}
}

func TestLooserGoesBeforeAnotherGroupInWhicheverOrderTheGuardsStand(t *testing.T) {
	loose, elsewhere := "domains: [corp], publish: block", `domains: [corp], group: "/npm/x/*"`
	for _, guards := range [][]string{{loose, elsewhere}, {elsewhere, loose}} {
		if f := judged(t, resolved(set(allow)), guards...); f.Code != "looser" {
			t.Errorf("code %s with guards %q", f.Code, guards)
		}
	}
}

func TestAGuardSaysNothingAboutAnotherPackage(t *testing.T) {
	core := resolved(set(allow))
	core.Package = policy.Package{URL: "pkg:pypi/acme-core", Format: "pypi", Name: "acme-core"}
	p := origins(t, "domains: [corp], publish: block", "domains: [corp], external_upstream: block")
	p.Guards[1].Package = core.Package
	plan := Decide(seen(resolved(set(block)), core), p)
	for _, f := range plan.Findings {
		if f.Verdict != control.Compliant {
			t.Errorf("%s: %s", f.Subject, f.Reason)
		}
	}
	if len(plan.Findings) != 2 {
		t.Errorf("%d findings, want 2", len(plan.Findings))
	}
}

func TestAPackageThatFellThroughToTheRootIsSaidToHaveLostItsGroup(t *testing.T) {
	f := judged(t, resolved(set(block)).in("/*"), `domains: [corp], group: "/npm/acme/*"`)
	if want := "it must resolve to /npm/acme/*, and the group that guarded it is gone or never existed"; !strings.Contains(f.Reason, want) {
		t.Errorf("reason %q does not say %q", f.Reason, want)
	}
}

func TestAWeakMatchIsSaidWithItsLikelyCause(t *testing.T) {
	f := judged(t, resolved(set(allow)).weakly(), "domains: [corp], publish: block")
	if want := []string{ui + " matches /npm/acme/* only as a look-alike, so CodeArtifact blocks it whatever the group says; most likely the policy spells it in another way than the package that is meant"}; !slices.Equal(f.Notes, want) {
		t.Errorf("notes %q, want %q", f.Notes, want)
	}
	if d := f.Details.(details); d.Association != "WEAK" {
		t.Errorf("association %q", d.Association)
	}
}

func TestAGuardOfOtherAccountsIsNotAboutThisOne(t *testing.T) {
	plan := Decide(seen(), origins(t, `domains: [lab], accounts: ["444455556666"], publish: block`))
	if len(plan.Findings) > 0 {
		t.Errorf("findings: %+v", plan.Findings)
	}
}

func TestThatNoDomainMatchesIsConcludedFromTheWholeListOnly(t *testing.T) {
	if plan := Decide(Observation{Scope: scope}, origins(t, "domains: [lab], publish: block")); len(plan.Findings) > 0 {
		t.Errorf("findings: %+v", plan.Findings)
	}
	empty := Observation{Scope: scope, Domains: []string{}}
	if plan := Decide(empty, origins(t, "domains: [lab], publish: block")); len(plan.Findings) != 1 {
		t.Errorf("without any domain there are %d findings, want 1", len(plan.Findings))
	}
}

func TestTwoGuardsOfOnePackageWithoutADomainAreOneFinding(t *testing.T) {
	plan := Decide(seen(), origins(t, "domains: [lab], publish: block", "domains: [x, y], publish: block"))
	if len(plan.Findings) != 1 {
		t.Fatalf("findings: %+v", plan.Findings)
	}
	for _, want := range []string{
		"package_origins.guard[0] guards " + ui + " in lab, and account 111122223333 owns no such domain in eu-west-1",
		"package_origins.guard[1] guards " + ui + " in x, y, and",
	} {
		if f := plan.Findings[0]; !strings.Contains(f.Reason, want) {
			t.Errorf("reason %q does not say %q", f.Reason, want)
		}
	}
}

func TestEveryGuardWithoutADomainIsFoundWhateverStandsBeforeIt(t *testing.T) {
	core := policy.Package{URL: "pkg:pypi/acme-core", Format: "pypi", Name: "acme-core"}
	p := origins(t, "domains: [corp], publish: block", "domains: [lab], publish: block", "domains: [x], publish: block", "domains: [y], publish: block")
	p.Guards[3].Package = core
	var got []string
	for _, f := range Decide(seen(), p).Findings {
		got = append(got, f.Subject+" "+f.Code)
	}
	if want := []string{ui + " no-domain", core.URL + " no-domain"}; !slices.Equal(got, want) {
		t.Errorf("findings of %q, want %q", got, want)
	}
}

func TestFiveRepositoriesAreNamedWithoutAnEnd(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	for n, want := range map[int]string{4: "open to a, b, c, d, set on", 5: "open to a, b, c, d, e, set on"} {
		if f := judged(t, resolved(set(allowSpecific, names[:n]...)), "domains: [corp], publish: block"); !strings.Contains(f.Reason, want) {
			t.Errorf("reason %q does not say %q", f.Reason, want)
		}
	}
}

func TestThePlanIsSorted(t *testing.T) {
	a, b := resolved(set(allow)), resolved(set(allow))
	a.Domain, b.Domain = "b-domain", "a-domain"
	o := seen(a, b)
	o.Unread = []Unread{{Resource: domainARN(scope, "a-domain"), Subject: "pkg:npm/a"}}
	var got []string
	for _, f := range Decide(o, origins(t, `domains: ["*"], publish: block`)).Findings {
		got = append(got, strings.TrimPrefix(f.Resource, domainARN(scope, ""))+" "+f.Subject)
	}
	if want := []string{"a-domain " + ui, "a-domain pkg:npm/a", "b-domain " + ui}; !slices.Equal(got, want) {
		t.Errorf("findings of %q, want %q", got, want)
	}
}

// world is the finite set of repositories of the properties below. None is in a
// list by the name "any": it stands for all the others.
func world() []string { return []string{"a", "b", "c", "any"} }

func kinds() []string { return []string{"PUBLISH", "EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM"} }

func some(t *rapid.T, label string) []string {
	return rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), rapid.ID).Draw(t, label)
}

func state(t *rapid.T) Resolved {
	r := resolved(Restriction{}).in(rapid.SampledFrom([]string{"/*", "/npm/*", "/npm/acme/*"}).Draw(t, "group"))
	r.Weak = rapid.IntRange(0, 4).Draw(t, "weak") == 0
	for _, kind := range kinds() {
		r.Restrictions[kind] = Restriction{
			Mode: rapid.SampledFrom([]string{block, allowSpecific, allow}).Draw(t, "mode of "+kind),
			From: "/*", Repositories: some(t, "list of "+kind),
		}
	}
	return r
}

func demands(t *rapid.T, r Resolved) policy.PackageOrigins {
	var p policy.PackageOrigins
	for i := range rapid.IntRange(1, 3).Draw(t, "guards") {
		g := policy.Guard{Place: fmt.Sprintf("guard[%d]", i), Package: r.Package, Domains: []string{"*"}}
		g.Group = rapid.SampledFrom([]string{"", "", r.Group, "/npm/other/*"}).Draw(t, "group asked for")
		for _, kind := range kinds() {
			if rapid.Bool().Draw(t, "asks for "+kind) {
				g.Require = append(g.Require, policy.Requirement{Restriction: kind, Only: some(t, "only")})
			}
		}
		p.Guards = append(p.Guards, g)
	}
	return p
}

// open is what a restriction lets in, worked out in another way than Decide does.
func open(r Resolved, kind string) map[string]bool {
	in := map[string]bool{}
	for _, name := range world() {
		switch x := r.Restrictions[kind]; {
		case r.Weak || x.Mode == block:
		case x.Mode == allow:
			in[name] = true
		default:
			in[name] = slices.Contains(x.Repositories, name)
		}
	}
	return in
}

func TestDecideProperties(t *testing.T) {
	verdict := func(r Resolved, p policy.PackageOrigins) control.Verdict {
		return Decide(seen(r), p).Findings[0].Verdict
	}

	t.Run("compliant is exactly what lets in nobody that some guard does not name", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			r := state(t)
			p := demands(t, r)
			want := control.Compliant
			for _, g := range p.Guards {
				if g.Group != "" && g.Group != r.Group {
					want = control.Violation
				}
				for _, q := range g.Require {
					for name, in := range open(r, q.Restriction) {
						if in && !slices.Contains(q.Only, name) {
							want = control.Violation
						}
					}
				}
			}
			if got := verdict(r, p); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	})

	t.Run("what is made stricter stays compliant", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			r := state(t)
			p := demands(t, r)
			stricter := r
			stricter.Weak = r.Weak || rapid.Bool().Draw(t, "becomes weak")
			stricter.Restrictions = maps.Clone(r.Restrictions)
			for kind, x := range r.Restrictions {
				switch rapid.IntRange(0, 2).Draw(t, "change of "+kind) {
				case 0:
					x.Mode = block
				case 1:
					switch x.Mode {
					case allow:
						x.Mode = allowSpecific
					case allowSpecific:
						x.Repositories = x.Repositories[:len(x.Repositories)/2]
					}
				}
				stricter.Restrictions[kind] = x
			}
			if verdict(r, p) == control.Compliant && verdict(stricter, p) != control.Compliant {
				t.Errorf("%+v is compliant, and %+v is not", r.Restrictions, stricter.Restrictions)
			}
		})
	})

	t.Run("every finding has its own id, and a decision leaves no trace in what it was made from", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			a, b := state(t), state(t)
			b.Domain = "lab"
			p := demands(t, a)
			o := Observation{Scope: scope, Packages: []Resolved{a, b}}
			first := Decide(o, p)
			if diff := cmp.Diff(first, Decide(o, p)); diff != "" {
				t.Errorf("deciding again (-first +again):\n%s", diff)
			}
			if first.Findings[0].ID == first.Findings[1].ID {
				t.Error("two findings have one id")
			}
		})
	})
}
