package packagegroup

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

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

// What a decision and a tally of 8,000 groups take that all look alike, or all apart.
// The floor is to hold the text of each group against that of each open one, which is
// all that grows with their square.
func BenchmarkManyGroups(b *testing.B) {
	const groups = 8000
	for name, pattern := range map[string]func(i int, open bool) string{
		"that look apart": func(i int, open bool) string { return fmt.Sprintf("/npm/%t-%d/*", open, i) },
		"that look alike": func(i int, open bool) string {
			return "/npm/" + strings.NewReplacer("0", "l").Replace(fmt.Sprintf("%014b", 2*i+map[bool]int{true: 1}[open])) + "~"
		},
		"of which nobody knows": func(i int, open bool) string { return fmt.Sprintf("/npm/åcme-%d-%t~", i, open) },
	} {
		b.Run(name, func(b *testing.B) {
			o := crowd(groups, pattern)
			all := slices.Sorted(maps.Keys(o.Domains[0].Tree.Groups))
			floor, took := math.Inf(1), math.Inf(1)
			for b.Loop() {
				start := time.Now()
				for _, p := range all {
					for _, other := range all[:groups/2] {
						if strings.HasPrefix(p, other) && strings.HasPrefix(other, p) && p != other {
							b.Fatal("two groups of one name")
						}
					}
				}
				floor = min(floor, time.Since(start).Seconds())
				start = time.Now()
				tally(Decide(o, rules, noon), o, rules, noon)
				took = min(took, time.Since(start).Seconds())
			}
			b.ReportMetric(took/floor, "floors")
			b.ReportMetric(took*1000, "ms")
		})
	}
}
