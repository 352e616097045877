// Command smoke tries Portcullis in a sandbox account of AWS, and asks there what no document settles. `make smoke` runs it;
// docs/fidelity.md says what it does, and has the questions.
//
// It refuses every account but the one that is named, and to begin in a Region where there is a CodeArtifact domain that it
// did not make. All that it makes is in a domain of its own, which it removes again, also when it fails or is interrupted.
//
// It was tried against the small AWS of package localaws only.
//
// sandbox.go is what it may work in, play.go lets the controls run, questions.go asks, leave.go removes what was made.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"portcullis/internal/present"
	"portcullis/internal/signin"
	"portcullis/shared/awsio"
)

// The exit status.
const (
	asAssumed = 0
	failed    = 1
	misused   = 2
	differs   = 3 // AWS answered something else than is assumed
)

const (
	longest = 40 * time.Minute // of a run
	leaving = 10 * time.Minute // of removing what was made, at most
)

type options struct {
	sandbox string
	cleanup bool
	record  string
	signin  signin.Options
	patient time.Duration // how long a package group may take to show
	again   time.Duration // how long something is tried again that may pass
	pause   time.Duration // before it is tried again
}

func main() {
	o := options{patient: 10 * time.Minute, again: 2 * time.Minute, pause: 5 * time.Second}
	region := ""
	flag.StringVar(&o.sandbox, "yes-this-is-a-sandbox", "", "the `ACCOUNT` of the credentials, in which nobody keeps packages")
	flag.BoolVar(&o.cleanup, "cleanup", false, "only remove what a run that was killed has left: the domain of any run, also of one that is not over")
	flag.StringVar(&o.record, "record", recordOf(time.Now()), "`FILE` for what is made and done, which must not be there yet")
	flag.StringVar(&o.signin.Profile, "profile", "", "`NAME` of the profile with the credentials, in ~/.aws/config")
	flag.StringVar(&region, "region", "", "`NAME` of the Region")
	flag.StringVar(&o.signin.Endpoint, "endpoint-url", "", "`URL` where AWS is, for tests")
	flag.Parse()
	if flag.NArg() > 0 || o.sandbox == "" {
		fmt.Fprintln(os.Stderr, "smoke: write -yes-this-is-a-sandbox ACCOUNT, if it is one; docs/fidelity.md says what is done there")
		os.Exit(misused)
	}
	if region != "" {
		o.signin.Regions = []string{region}
	}
	// A terminal that is closed and a reader that is gone end the run too, and not the removing.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	status, err := run(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "smoke:", err)
	}
	os.Exit(status)
}

// recordOf is the name of the file of a run. Git ignores it.
func recordOf(began time.Time) string {
	return "portcullis-smoke-" + began.UTC().Format("20060102T150405Z") + ".jsonl"
}

// run does it all. Once something may have been made it is removed, whatever happens.
func run(ctx context.Context, o options, out io.Writer) (status int, err error) {
	ctx, cancel := context.WithTimeout(awsio.ByHand(ctx), longest)
	defer cancel()
	s, err := enter(ctx, o, out)
	if err != nil {
		return failed, err
	}
	if o.cleanup {
		return s.cleanup(ctx)
	}
	if err := s.guard(ctx); err != nil {
		return failed, err
	}
	if err := s.open(o.record); err != nil {
		return failed, err
	}
	defer func() { _ = s.record.Close() }() // every line is on the disk
	made, err := s.create(ctx)
	if !made {
		return failed, err
	}
	defer func() {
		if left := s.leave(ctx); left != nil {
			status, err = failed, errors.Join(err, left)
		}
	}()
	if err != nil {
		return failed, err
	}
	if err := s.build(ctx); err != nil {
		return failed, err
	}
	played := s.play(ctx)
	if ctx.Err() != nil {
		return failed, errors.Join(played, ctx.Err())
	}
	// What kept a control from its work may be the very thing that is asked.
	status, err = s.ask(ctx)
	if played != nil {
		return failed, errors.Join(played, err)
	}
	return status, err
}

// ask asks all questions, and prints what is assumed beside what was answered.
func (s *sandbox) ask(ctx context.Context) (int, error) {
	status, unknown := asAssumed, false
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(s.out, "\n")
	fmt.Fprintln(w, "\tQUESTION\tASSUMED\tANSWERED\t")
	for _, q := range questions() {
		a, err := q.ask(ctx, s)
		if ctx.Err() != nil {
			_ = w.Flush()
			return failed, ctx.Err()
		}
		verdict := "as assumed"
		switch {
		case err != nil:
			a.answered, verdict = strings.ReplaceAll(err.Error(), "\n", "; "), "not known"
			unknown = true
		case a.assumed == "":
			verdict = "measured"
		case a.assumed != a.answered:
			verdict, status = "differs", differs
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", q.id, q.text, a.assumed, present.Plain(a.answered), verdict)
	}
	if err := w.Flush(); err != nil {
		return failed, err
	}
	if unknown {
		return failed, errors.New("some questions have no answer")
	}
	return status, nil
}
