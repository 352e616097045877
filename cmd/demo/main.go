// Command demo plays what Portcullis does, on this machine and without an AWS
// account: the real function binaries run under a local Lambda in the account of a
// hub, which has three members, and talk over HTTP to the small AWS of package
// localaws. What was written is told by that server's own journal.
//
// It ends with status 0 only if every scene went as it should.
//
// connections.go, groups.go and proton.go are the acts in the hub's own account,
// organization.go the one in all of them. stage.go is the local AWS with the functions
// in it, queue.go the time that passes, report.go what is printed.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	verbose := flag.Bool("v", false, "print the functions' own logs as well")
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

// scene does something, and says what was expected and what was seen.
type scene struct {
	title string
	play  func(*stage) (row, error)
}

// row is one line of the table at the end.
type row struct {
	scene, expected, seen string
	ok                    bool
}

// play plays all acts and says whether each scene went as it should.
func play(ctx context.Context, out io.Writer, verbose bool) (bool, error) {
	fmt.Fprint(out, "Portcullis against a small AWS on this machine; no AWS account is used.\n\n")
	began := time.Now()
	s, err := newStage(ctx, out, verbose)
	if err != nil {
		return false, err
	}
	defer s.close()
	s.say("built", "%s in %.1f s", strings.Join(functions(), ", "), time.Since(began).Seconds())
	s.say("estate", "the hub %s, %s, domain corp: %d repositories, %d package groups", account, region, len(s.corp.Repositories()), len(s.corp.PackageGroups()))
	s.say("", "three members with roles of member.yaml and a domain each: %s shop, %s data, %s tools", shop, data, tools)
	s.say("", "the functions may use all of CodeArtifact's quota, which no build shares here; the default is a tenth")
	s.say("policy", "each npm-store may have public:npmjs, pypi-store public:pypi; one waiver until 2026-11-30; a package group may go when it has been dead for 14 days; @acme/ui must not come from outside; account %s may be connected for environments shop-*; one run may make two writes", shop)
	s.say("woken by", "hand, the requests of the planner, which the schedule wakes, and the events of CloudTrail and Proton in every account, through the rules of both templates: Forward; %s, %s, %s, %s", connectionRule, groupRule, statusRule, callRule)

	var rows []row
	for _, act := range []struct {
		title  string
		scenes []scene
	}{
		{"external connections", connectionScenes()},
		{"package groups", groupScenes()},
		{"Proton's connections", protonScenes()},
		{"an organization", organizationScenes()},
	} {
		fmt.Fprintf(out, "\n== %s ==\n", act.title)
		for _, scene := range act.scenes {
			fmt.Fprintf(out, "\n%d. %s\n", len(rows)+1, scene.title)
			r, err := scene.play(s)
			if err != nil {
				return false, fmt.Errorf("scene %d, %s: %w", len(rows)+1, scene.title, err)
			}
			r.scene = scene.title
			rows = append(rows, r)
		}
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
		fmt.Fprintln(out, "\nAll as expected. To put it into an account, in monitor mode as in scene 1: \"Deploy and operate\" in README.md.")
	} else {
		fmt.Fprintln(out, "\nNot as expected: this is a bug in Portcullis. Run it again with -v and report the output.")
	}
	return all
}
