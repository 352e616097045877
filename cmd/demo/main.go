// Command demo plays what Portcullis does, on this machine and without an AWS
// account: the real function binary runs under a local Lambda and talks over
// HTTP to the small AWS of package localaws. What was written is told by that
// server's own journal.
//
// It ends with status 0 only if every scene went as it should.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"
)

func main() {
	verbose := flag.Bool("v", false, "print the function's own log as well")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: go run ./cmd/demo [-v]\n\nPlays what Portcullis does against a small AWS on this machine.\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := play(ctx, os.Stdout, *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
	if err != nil || !ok {
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

// row is one line of the table at the end.
type row struct {
	scene, expected, seen string
	ok                    bool
}

// play plays all scenes and says whether each went as it should.
func play(ctx context.Context, out io.Writer, verbose bool) (bool, error) {
	fmt.Fprint(out, "Portcullis against a small AWS on this machine; no AWS account is used.\n\n")
	began := time.Now()
	s, err := newStage(ctx, out, verbose)
	if err != nil {
		return false, err
	}
	defer s.close()
	fmt.Fprintf(out, "  built      functions/external-connections in %.1f s\n", time.Since(began).Seconds())
	fmt.Fprintf(out, "  estate     account %s, %s, domain corp: %d repositories\n", account, region, len(s.corp.Repositories()))
	fmt.Fprintf(out, "  policy     npm-store may have public:npmjs, pypi-store public:pypi; one waiver until 2026-11-30;\n")
	fmt.Fprintf(out, "             one run may write to a tenth of what it looked at\n")
	fmt.Fprintf(out, "  woken by   hand, and CloudTrail's events through %s, the rule of template.yaml\n", rule)

	var rows []row
	for i, scene := range scenes {
		fmt.Fprintf(out, "\n%d. %s\n", i+1, scene.title)
		r, err := scene.play(s)
		if err != nil {
			return false, fmt.Errorf("scene %d, %s: %w", i+1, scene.title, err)
		}
		r.scene = scene.title
		rows = append(rows, r)
	}
	return table(out, rows), nil
}

// table prints what was expected of every scene and what the server saw.
func table(out io.Writer, rows []row) bool {
	fmt.Fprintln(out)
	all := true
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SCENE\tEXPECTED\tSEEN\t")
	for _, r := range rows {
		verdict := "ok"
		if !r.ok {
			verdict, all = "NOT SO", false
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.scene, r.expected, r.seen, verdict)
	}
	_ = w.Flush()
	if all {
		fmt.Fprintln(out, "\nAll as expected. The same function, deployed in monitor mode, starts where scene 1 does: see README.md.")
	} else {
		fmt.Fprintln(out, "\nNot as expected: this is a bug in Portcullis. Run it again with -v and report the output.")
	}
	return all
}
