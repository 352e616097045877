// Command bench measures what this program promises about its speed, its size and
// the calls that it makes. The real function binaries run under a local Lambda and
// talk over HTTP to the small AWS of package localaws; what they are held against, a
// bare function or a plain HTTP client, is measured in the same run.
//
// It prints one line for each measure: name, value, target, and ok or short, with
// tabs in between. It ends with status 0 only if no line is short.
// docs/performance.md has such a run, and what follows from it.
//
// measure.go is what a measure is, and the list of them. stage.go is the local AWS
// with the functions in it. Each of the other files has the measures of one kind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	only := flag.String("only", "", "measure only these, with commas in between")
	list := flag.Bool("list", false, "list the measures, and measure nothing")
	quick := flag.Bool("quick", false, "measure little of everything: it shows that the measures work, and says nothing of their targets")
	set := map[string]string{}
	flag.Func("set", "give `NAME=VALUE` to every process, in the place of what the template says, such as GOGC=100; may be repeated", func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("it must be NAME=VALUE")
		}
		set[name] = value
		return nil
	})
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: go run ./cmd/bench [-only NAMES] [-list] [-quick] [-set NAME=VALUE]\n\nMeasures what docs/performance.md tells, on this machine.\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if *list {
		for _, m := range measures() {
			fmt.Printf("%-14s%s\n", m.name, m.about)
		}
		return
	}
	chosen, err := choose(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(ctx, os.Stdout, os.Stderr, chosen, *quick, set)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if err != nil || !ok {
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

// choose finds the measures of these names, in the order of the list; all of them
// where none is named.
func choose(names string) ([]measure, error) {
	if names == "" {
		return measures(), nil
	}
	wanted := strings.Split(names, ",")
	var chosen []measure
	for _, m := range measures() {
		if i := slices.Index(wanted, m.name); i >= 0 {
			chosen = append(chosen, m)
			wanted = slices.Delete(wanted, i, i+1)
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("there is no measure %q; -list lists them", wanted[0])
	}
	return chosen, nil
}

// run makes the measures, prints their lines, and says whether none is short. What
// a measure says of itself on the way goes to progress.
func run(ctx context.Context, out, progress io.Writer, chosen []measure, quick bool, set map[string]string) (bool, error) {
	began := time.Now()
	b, err := newBench(ctx, progress, quick, set)
	if err != nil {
		return false, err
	}
	defer b.close()
	b.say("built the functions and what they are held against in %.1f s; Go's runtime gets %v", time.Since(began).Seconds(), b.runtime)
	all := true
	for _, m := range chosen {
		b.say("%s: %s", m.name, m.about)
		began := time.Now()
		lines, err := m.take(b)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			return false, fmt.Errorf("measuring %s: %w", m.name, err)
		}
		for _, l := range lines {
			fmt.Fprintln(out, l)
			all = all && !l.short
		}
		b.say("%s took %.0f s", m.name, time.Since(began).Seconds())
	}
	return all, nil
}
