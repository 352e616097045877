package packageorigin

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// Whatever the guards and what is in effect: what is told of the trials leads to the
// verdict that the function would give, every guard of the package is told of in its
// order, and what is asked and does not hold is among the settings.
func TestTheTrialsLeadToTheVerdict(t *testing.T) {
	met := map[control.Verdict]int{}
	rapid.Check(t, func(t *rapid.T) {
		one := func(what string, words ...string) string { return rapid.SampledFrom(words).Draw(t, what) }
		r := resolved(Restriction{Mode: one("publish", block, allow), From: one("from", "/npm/acme/*", "/*")})
		r.Group, r.Weak = one("group", "/npm/acme/*", "/*"), rapid.IntRange(0, 4).Draw(t, "weak") == 0
		r.Restrictions["EXTERNAL_UPSTREAM"] = Restriction{Mode: allowSpecific, From: r.Group, Repositories: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a1", "b1"}), 0, 2, rapid.ID[string]).Draw(t, "repositories")}
		var p policy.PackageOrigins
		var places []string
		for i := range rapid.IntRange(0, 4).Draw(t, "guards") {
			g := policy.Guard{Place: fmt.Sprintf("package_origins.guard[%d]", i), Package: r.Package, Domains: []string{one("domains", "corp", "lab", "*")}}
			switch one("kind", "other package", "other spelling", "group", "publish", "external", "external") {
			case "other package":
				g.Package = policy.Package{URL: "pkg:npm/other", Format: "npm", Name: "other"}
			case "other spelling":
				g.Package.URL = "pkg:npm/@acme/ui"
			case "group":
				g.Group = "/npm/acme/*"
			case "publish":
				g.Require = []policy.Requirement{{Restriction: "PUBLISH"}}
			case "external":
				g.Require = []policy.Requirement{{Restriction: "EXTERNAL_UPSTREAM", Only: []string{"a1"}}}
			}
			p.Guards = append(p.Guards, g)
			if g.Package.Same(r.Package) {
				places = append(places, g.Place)
			}
		}
		o := seen(r)
		_, e := o.Explain(&policy.Policy{PackageOrigins: &p}, r.Package)
		whole := map[string]control.Finding{}
		for _, f := range Decide(o.under(p), p).Findings {
			whole[f.ID] = f
		}
		for _, f := range e.Findings {
			if diff := cmp.Diff(whole[f.ID], f.Finding); diff != "" {
				t.Fatalf("the finding is another one (-decide +explain):\n%s", diff)
			}
			met[f.Verdict]++
			if f.Read == nil {
				continue
			}
			want := control.Compliant
			var told []string
			for _, trial := range f.Trials {
				told = append(told, trial.Rule)
				if trial.Settles != "" {
					want = trial.Settles
				}
			}
			if want != f.Verdict {
				t.Errorf("it is %s (%s), and the trials lead to %s: %+v", f.Verdict, f.Reason, want, f.Trials)
			}
			if diff := cmp.Diff(places, told); diff != "" {
				t.Errorf("guards that were told of (-want +got):\n%s", diff)
			}
			looser := slices.ContainsFunc(f.Settings, func(s Setting) bool { return !s.Holds })
			if looser != (f.Code == "looser") {
				t.Errorf("it is %s, and the settings are %+v", f.Code, f.Settings)
			}
		}
	})
	for _, v := range []control.Verdict{control.Compliant, control.Violation, control.Undetermined} {
		if met[v] == 0 && !testing.Short() { // a fifth of the draws may not meet them all
			t.Errorf("no package was %s", v)
		}
	}
}

// Guards may write one package in several ways. What they ask for is told in one
// place, and a list that only one of them had read counts for that one alone.
func TestSettingsOfAllSpellingsAreToldTogether(t *testing.T) {
	r := resolved(set(allow))
	other := resolved(set(allow))
	other.Package.URL = "pkg:npm/@acme/ui"
	p := policy.PackageOrigins{Guards: []policy.Guard{
		{Place: "one", Package: r.Package, Domains: []string{"corp"}, Require: []policy.Requirement{{Restriction: "PUBLISH"}}},
		{Place: "two", Package: other.Package, Domains: []string{"corp"}, Require: []policy.Requirement{{Restriction: "INTERNAL_UPSTREAM"}}},
	}}
	_, e := seen(r, other).Explain(&policy.Policy{PackageOrigins: &p}, r.Package)
	if len(e.Findings) != 2 {
		t.Fatalf("%+v", e.Findings)
	}
	var asked [][]string
	for _, f := range e.Findings {
		for _, s := range f.Settings {
			asked = append(asked, s.Required)
		}
	}
	if diff := cmp.Diff([][]string{{"BLOCK (one)"}, {}, {"BLOCK (two)"}}, asked); diff != "" {
		t.Errorf("what is asked for (-want +got):\n%s", diff)
	}
}
