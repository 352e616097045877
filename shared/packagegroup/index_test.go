package packagegroup

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The index finds what a look at each of the patterns would.
func TestTheIndexFindsWhatALookAtEachWould(t *testing.T) {
	like := func(a, b string) bool {
		fa, exactA := fold(a)
		fb, exactB := fold(b)
		return !exactA || !exactB || strings.HasPrefix(fa, fb) || strings.HasPrefix(fb, fa)
	}
	met := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.StringMatching(`/npm/([aA.lI1_-]|rn|m){0,4}(/[aA.lI1_é-]{0,3})?[*~$]`)
		patterns := rapid.SliceOfN(drawn, 0, 12).Draw(t, "patterns")
		others := rapid.SliceOfN(rapid.SampledFrom([]bool{true, true, false}), len(patterns), len(patterns)).Draw(t, "count")
		counted := map[string]bool{}
		for i, p := range patterns {
			counted[p] = others[i]
		}
		counts := func(p string) bool { return counted[p] }
		pattern := drawn.Draw(t, "pattern")
		want, found := "", false
		if i := slices.IndexFunc(patterns, func(p string) bool { return counts(p) && like(p, pattern) }); i >= 0 {
			want, found = patterns[i], true
		}
		met[found]++
		if got, ok := indexed(patterns).first(pattern, counts); got != want || ok != found {
			t.Errorf("got %q (%v), want %q (%v)", got, ok, want, found)
		}
	})
	if (met[true] == 0 || met[false] == 0) && !testing.Short() {
		t.Errorf("found and not found: %v", met)
	}
}

// crowd is a domain of so many groups under a root that blocks. Every other one lets
// everything in.
func crowd(groups int, pattern func(i int, open bool) string) Observation {
	var list []Group
	for i := range groups / 2 {
		list = append(list, blocked(group(pattern(i, false), Root)), set(group(pattern(i, true), Root), Allow))
	}
	t := tree(list...)
	t.Groups[Root] = set(t.Groups[Root], Block)
	t.Adopt()
	return Observation{Scope: scope, Domains: []Seen{{Tree: t, Close: map[string]Close{}}}}
}

// crowds are names of groups that an index might look at all of for each of them.
var crowds = []struct {
	name    string
	pattern func(i int, open bool) string
}{
	{"names apart", func(i int, open bool) string { return fmt.Sprintf("/npm/%t-%d/*", open, i) }},
	{"pairs of look-alikes", func(i int, open bool) string {
		if open {
			return fmt.Sprintf("/npm/acme_ui_%d/*", i)
		}
		return fmt.Sprintf("/npm/acme-ui-%d/*", i)
	}},
	{"unknown letters", func(i int, open bool) string { return fmt.Sprintf("/npm/åcme-%d-%t~", i, open) }},
	{"names that level to one text", func(i int, open bool) string { return "/npm/" + alike(2*i+map[bool]int{true: 1}[open]) + "~" }},
	{"names that level to how many others begin", func(i int, open bool) string {
		if open {
			return fmt.Sprintf("/npm/%s/%d~", alike(i), i)
		}
		return "/npm/" + alike(i) + "*"
	}},
	{"names that begin as many others level to", func(i int, open bool) string {
		if open {
			return "/npm/" + alike(i) + "*"
		}
		return fmt.Sprintf("/npm/%s/%d~", alike(i), i)
	}},
}

// alike returns a name for each number. All of them level to one text.
func alike(i int) string { return strings.NewReplacer("0", "l").Replace(fmt.Sprintf("%014b", i)) }

// What it takes to ask for the look-alikes of every group must not grow with the square
// of the groups, because nothing stops a decision before the time of the run is up. A
// search grows with the logarithm, so eight times as many groups may take up to twice
// eight times as many looks, where each with each takes 64 times as many.
func TestTheIndexDoesNotGrowWithTheSquareOfTheGroups(t *testing.T) {
	const few, times, most = 500, 8, 2
	for _, row := range crowds {
		t.Run(row.name, func(t *testing.T) {
			looks := func(groups int) (n int) {
				d := crowd(groups, row.pattern).Domains[0].Tree
				if len(d.Groups) != groups+1 {
					t.Fatalf("there are %d groups, want %d and the root", len(d.Groups), groups)
				}
				l := listingOf(d)
				at := l.open.at
				l.open.at = func(i int) levelled {
					n++
					return at(i)
				}
				for _, g := range d.Groups {
					l.open.first(g.Pattern, func(p string) bool {
						n++
						return !l.ancestor(p, g.Pattern) && !l.ancestor(g.Pattern, p)
					})
				}
				return n
			}
			if small, large := looks(few), looks(few*times); large > most*times*small {
				t.Errorf("%d groups take %d looks and %d take %d, want at most %d times as many", few, small, few*times, large, most*times)
			}
		})
	}
}

// The same holds for the time that a decision and a tally take. The floor is measured in
// turn with it: 8 domains of 1,000 groups. One of 8,000 takes up to twice as long, and not
// 8 times.
func BenchmarkGrowth(b *testing.B) {
	const few, times, most = 1000, 8, 4.0
	for _, row := range crowds {
		b.Run(row.name, func(b *testing.B) {
			took := func(o Observation, times int) float64 {
				start := time.Now()
				for range times {
					tally(Decide(o, rules, noon), o, rules, noon)
				}
				return time.Since(start).Seconds()
			}
			small, large := crowd(few, row.pattern), crowd(few*times, row.pattern)
			floor, one := math.Inf(1), math.Inf(1)
			for b.Loop() {
				floor, one = min(floor, took(small, times)), min(one, took(large, 1))
			}
			b.ReportMetric(one/floor, "floors")
			if one/floor > most {
				b.Errorf("%d groups take %.1f times as long as %d times %d, want at most %.0f times", few*times, one/floor, times, few, most)
			}
		})
	}
}
