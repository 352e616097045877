package packagegroup

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

// Whatever the groups, the policy and the time: exactly one trial settles what is
// told of a group, it leads to the verdict that the function would give, and each of
// the seven conditions and each keep rule is told of.
func TestTheTrialsLeadToTheVerdict(t *testing.T) {
	met := map[control.Verdict]int{}
	rapid.Check(t, func(t *rapid.T) {
		o := drawn(t)
		p := rules
		p.PruneParents, p.IgnoreLookalikes = rapid.Bool().Draw(t, "prune"), rapid.Bool().Draw(t, "ignore")
		if rapid.Bool().Draw(t, "keep") {
			p.Keep = []policy.KeepRule{{Place: "package_groups.keep[0]", Groups: []string{"/npm/g1/*"}}, {Place: "package_groups.keep[1]", Groups: []string{"/npm/g2**"}, Domains: []string{"lab"}}}
		}
		now := rapid.SampledFrom([]time.Time{noon, noon, noon, {}}).Draw(t, "now")
		whole := &policy.Policy{PackageGroups: &p}
		d := o.Domains[0].Tree.Domain
		for pattern := range o.Domains[0].Tree.Groups {
			plan, e, known := o.Explain(whole, now, d, pattern)
			if diff := cmp.Diff(o.Judge(whole, now), plan); !known || diff != "" {
				t.Fatalf("known: %v; the plan is another one (-judge +explain):\n%s", known, diff)
			}
			for _, f := range e.Findings {
				if f.Subject != "" {
					continue
				}
				met[f.Verdict]++
				var settled []control.Trial
				for _, trial := range f.Trials {
					if trial.Settles != "" {
						settled = append(settled, trial)
					}
				}
				if f.Verdict == control.Undetermined && len(settled) == 2 && settled[0].Settles == settled[1].Settles {
					settled = settled[:1] // a close look that failed leaves two conditions open
				}
				if len(settled) != 1 || settled[0].Settles != f.Verdict {
					t.Fatalf("%s is %s (%s: %s), and this settles it: %+v\nof %+v", pattern, f.Verdict, f.Code, f.Reason, settled, f.Trials)
				}
				if f.Verdict == control.Compliant && !strings.HasSuffix(f.Reason, settled[0].Why) {
					t.Errorf("%s because %s, and it is told to be settled by %s", pattern, f.Reason, settled[0].Why)
				}
				for number := 1; number <= 7; number++ {
					if !slices.ContainsFunc(f.Trials, func(t control.Trial) bool { return strings.HasPrefix(t.Rule, fmt.Sprintf("condition %d: ", number)) }) {
						t.Errorf("nothing is told of condition %d", number)
					}
				}
				for _, k := range p.Keep {
					i := slices.IndexFunc(f.Trials, func(t control.Trial) bool { return t.Rule == k.Place })
					if i < 0 || (f.Trials[i].Result == control.Matched) != k.Matches(d.Name, pattern) {
						t.Errorf("%s is told of as %d of %+v", k.Place, i, f.Trials)
					}
				}
			}
		}
	})
	for _, v := range []control.Verdict{control.Compliant, control.Violation, control.Undetermined} {
		if met[v] == 0 && !testing.Short() { // a fifth of the draws may not meet them all
			t.Errorf("no group was %s", v)
		}
	}
}

func TestEachMarkIsToldOf(t *testing.T) {
	for name, row := range map[string]struct {
		look   Close
		result control.Result
		why    string
	}{
		"none":    {tagged(), control.Fails, "it bears none"},
		"waiting": {marked(noon.AddDate(0, 0, -1), longAgo), control.Fails, "the grace time of 10 days is not over"},
		"ripe":    {marked(noon.AddDate(0, 0, -12), longAgo), control.Holds, "the mark is "},
		"void":    {marked(noon.AddDate(0, 0, -40), longAgo), control.Fails, "too long ago"},
	} {
		p := rules
		p.IgnoreLookalikes = true
		g := group("/npm/acme/*", Root)
		seen := Seen{Tree: tree(g), Close: map[string]Close{g.Pattern: row.look}}
		_, e, known := Observation{Scope: scope, Domains: []Seen{seen}}.Explain(&policy.Policy{PackageGroups: &p}, noon, seen.Tree.Domain, g.Pattern)
		if !known || len(e.Findings) != 1 {
			t.Fatalf("%s: %+v", name, e)
		}
		trials := e.Findings[0].Trials
		i := slices.IndexFunc(trials, func(t control.Trial) bool { return strings.HasPrefix(t.Rule, "condition 6") })
		if got := trials[i]; got.Result != row.result || !strings.Contains(got.Why, row.why) || got.Settles != control.Violation {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
