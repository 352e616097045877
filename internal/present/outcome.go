package present

import (
	"fmt"
	"io"
	"strings"

	"portcullis/shared/control"
)

// About is what a person calls that which an action is about.
func About(a control.Action) string {
	what := Name(control.Finding{Account: a.Account, Resource: a.Resource})
	if a.Subject != "" {
		what += "  " + a.Subject
	}
	return what
}

// Outcome writes what became of one action.
func Outcome(w io.Writer, o control.Outcome, colour bool) {
	said := Status(o)
	verdict := map[control.Status]control.Verdict{
		control.Applied: control.Compliant, control.AlreadyDone: control.Compliant,
		control.Failed: control.Violation, control.RestoreNeeded: control.Violation,
	}[o.Status]
	fmt.Fprintf(w, "  %s  %s\n", paint(colour, verdict, fmt.Sprintf("%-14s", said)), Plain(About(o.Action)))
	fmt.Fprintf(w, "                  %s: %s\n", o.Call.Operation, Plain(o.Detail))
}

// Status is what became of an action, in a word. What there was no time for was kept
// back by nobody.
func Status(o control.Outcome) string {
	if o.Code == "deadline" {
		return "not done"
	}
	return string(o.Status)
}

// Tally counts outcomes by their status.
func Tally(outcomes []control.Outcome) string {
	n := map[string]int{}
	for _, o := range outcomes {
		n[Status(o)]++
	}
	parts := []string{fmt.Sprintf("%d applied", n[string(control.Applied)])}
	for _, s := range []string{string(control.AlreadyDone), string(control.RestoreNeeded), string(control.Failed), string(control.Withheld), "not done"} {
		if n[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	return strings.Join(parts, ", ")
}
