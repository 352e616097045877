package externalconn

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The graph is compared with the plain way to find what draws from what.
func TestTheGraphKnowsWhatDrawsFromItsRoots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{1, 5, 40, 300}).Draw(t, "size")
		name := func(i int) string { return fmt.Sprintf("team-%d", i) }
		one := rapid.Map(rapid.IntRange(0, size-1), name)

		e, draws := &edges{}, map[string][]string{}
		for i := range rapid.IntRange(0, size).Draw(t, "listed") {
			if got := e.number(name(i)); int(got) != i {
				t.Fatalf("%s has the number %d", name(i), got)
			}
		}
		for range rapid.IntRange(0, 2*size).Draw(t, "descriptions") {
			repo, upstreams := one.Draw(t, "repo"), rapid.SliceOfN(one, 0, 3).Draw(t, "upstreams")
			e.add(repo, upstreams)
			for _, u := range upstreams {
				draws[u] = append(draws[u], repo)
			}
		}
		roots := rapid.SliceOfNDistinct(one, 1, min(5, size), rapid.ID[string]).Draw(t, "roots")
		g := e.graph(roots)

		for n := range roots {
			from := rapid.Permutation(roots).Draw(t, "order")[:n+1]
			want := map[string]bool{}
			for queue := slices.Clone(from); len(queue) > 0; queue = queue[1:] {
				if !want[queue[0]] {
					want[queue[0]] = true
					queue = append(queue, draws[queue[0]]...)
				}
			}
			got := map[string]bool{}
			for id, reached := range g.reached(from...) {
				if reached {
					got[string(g.name(uint32(id)))] = true
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("what draws from %q (-want +got):\n%s", from, diff)
			}
		}
	})
}
