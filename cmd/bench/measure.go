package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A measure takes some figures of the same kind.
type measure struct {
	name, about string
	take        func(*bench) ([]line, error)
}

func measures() []measure {
	return []measure{
		{"init", "from the start of each function's process to its first question for an event", initTimes},
		{"dependencies", "what each dependency adds to that", dependencyTimes},
		{"size", "the binaries as they are deployed", sizes},
		{"warm", "from an event to its outcome, in a process that is warm", warm},
		{"calls", "how many calls a sweep of repositories makes", repositoryCalls},
		{"groups", "how many calls a sweep of package groups makes", groupCalls},
		{"sweep", "how fast a sweep of repositories is with the cap lifted", sweepRate},
		{"pace", "how close sweeps stay to a limit, one of the server and their own", pace},
		{"memory", "what a sweep of very many repositories takes in memory", memory},
		{"burst", "what becomes of very many events at once", burst},
		{"organization", "how long a round over many accounts takes", organization},
	}
}

// A line is one figure, and what it should be.
type line struct {
	name, value, target string
	short               bool
}

func (l line) String() string {
	verdict := "ok"
	if l.short {
		verdict = "short"
	}
	return strings.Join([]string{l.name, l.value, l.target, verdict}, "\t")
}

// remark is a line without a target.
func remark(name, format string, args ...any) line {
	return line{name: name, value: fmt.Sprintf(format, args...), target: "-"}
}

// atMost holds a figure against a bound. The unit is written behind both, and
// behind the figure where it comes from.
func atMost(name string, value, bound float64, unit, from string) line {
	return line{name, figure(value, unit, from), fmt.Sprintf("<= %g%s", bound, unit), !(value <= bound)} // NaN is short
}

//nolint:unparam // both targets of this kind are 0.95 so far
func atLeast(name string, value, bound float64, unit, from string) line {
	return line{name, figure(value, unit, from), fmt.Sprintf(">= %g%s", bound, unit), !(value >= bound)}
}

func figure(value float64, unit, from string) string {
	if from != "" {
		from = " (" + from + ")"
	}
	return fmt.Sprintf("%.2f%s%s", value, unit, from)
}

// exactly holds a number against the one that it must be.
func exactly(name string, value, want int, from string) line {
	if from != "" {
		from = " (" + from + ")"
	}
	return line{name, fmt.Sprintf("%d%s", value, from), fmt.Sprintf("= %d", want), value != want}
}

// median returns the middle one of the values, which must not be empty.
func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// shuffled calls f once for each number below n, in an order of its own each time,
// so that what disturbs the machine does not always meet the same one.
func shuffled(n int, f func(i int) error) error {
	for _, i := range rand.Perm(n) { //nolint:gosec // G404: an order is no secret
		if err := f(i); err != nil {
			return err
		}
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
