package simulate

import (
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	seeds = flag.Int("seeds", 0, "play so many schedules; by default as many as take some seconds")
	only  = flag.Uint64("seed", 0, "play this schedule alone, and tell its story")
)

// TestSchedules plays schedules, and fails with the shortest story of the first that
// goes wrong.
func TestSchedules(t *testing.T) {
	if *only != 0 {
		s := newSchedule(*only)
		res := play(t, s)
		t.Logf("the policy:\n%s\nthe story:\n%s", s.Rules.yaml(), strings.Join(res.Story, "\n"))
		if res.Bad != nil {
			fail(t, s, res)
		}
		return
	}
	n := *seeds
	if n == 0 {
		n = 2000
		if testing.Short() {
			n = 100
		}
	}
	total, failed := many(t, n, newSchedule)
	t.Log(total.String())
	if failed != nil {
		fail(t, failed, play(t, failed))
	}
}

// many plays n schedules, and returns the first that goes wrong.
func many(t *testing.T, n int, of func(seed uint64) *schedule) (total figures, failed *schedule) {
	var mu sync.Mutex
	var next atomic.Uint64
	t.Run("seeds", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) + 2 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for seed := next.Add(1); seed <= uint64(n); seed = next.Add(1) {
					s := of(seed)
					res := play(t, s)
					mu.Lock()
					total.add(res.Figures)
					if res.Bad != nil && (failed == nil || s.Seed < failed.Seed) {
						failed = s
					}
					stop := failed != nil
					mu.Unlock()
					if stop {
						return
					}
				}
			})
		}
	})
	return total, failed
}

// fail tells the shortest story that shows what is wrong.
func fail(t *testing.T, s *schedule, res result) {
	t.Helper()
	kind := gist(res.Bad[0])
	short := s.shorten(func(s *schedule) bool {
		return slices.ContainsFunc(play(t, s).Bad, func(b string) bool { return gist(b) == kind })
	})
	t.Fatalf("seed %d: %s\n\nthe policy:\n%s\nthe shortest story:\n%s\n\nagain: make simulate SEED=%d",
		s.Seed, res.Bad[0], s.Rules.yaml(), strings.Join(play(t, short).Story, "\n"), s.Seed)
}

// gist is what a complaint is about, without its names.
func gist(complaint string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(complaint), func(w string) bool { return strings.ContainsAny(w, ":/0123456789") }), " ")
}

func (f figures) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d seeds, %d runs, %d calls, %d writes; %d runs killed, %d over the limit, %d undone\n", f.Seeds, f.Runs, f.Calls, f.Writes, f.Killed, f.Refused, f.Undone)
	fmt.Fprintf(&b, "runs in which another run changed something: %d; changes of the policy: %d; messages taken off the queue: %d, sent back: %d\n", f.Crossed, f.Deployed, f.Taken, f.Back)
	fmt.Fprintf(&b, "writes that nothing asked for any more at the instant they took effect: %d\n", f.LastMoment)
	fmt.Fprintf(&b, "restrictions set in the last moment that went with a deletion: %d; said and restored: %d, said to be not comparable: %d, killed before it could say: %d\n", f.Loosened, f.Restored, f.Uncompared, f.Unsaid)
	for i, counts := range []map[string]int{f.By, f.Faults} {
		b.WriteString([]string{"writes:", "faults:"}[i])
		for _, k := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&b, " %s %d;", k, counts[k])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// How often a call is tried again depends on delays that are random, and nothing else
// does.
func TestASeedGivesTheSameStoryTwice(t *testing.T) {
	for seed := uint64(1); seed <= 40; seed++ {
		a, b := play(t, newSchedule(seed)), play(t, newSchedule(seed))
		if diff := cmp.Diff(a.Journal, b.Journal); diff != "" {
			t.Fatalf("seed %d (-first +second):\n%s", seed, diff)
		}
		a.Figures.Calls, a.Figures.Faults, b.Figures.Calls, b.Figures.Faults = 0, nil, 0, nil
		if diff := cmp.Diff(a.Figures, b.Figures); diff != "" {
			t.Fatalf("seed %d: figures (-first +second):\n%s", seed, diff)
		}
	}
}
