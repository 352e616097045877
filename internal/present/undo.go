package present

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"portcullis/internal/undo"
	"portcullis/shared/control"
)

// Undo is what a person is shown before anything is restored.
type Undo struct {
	Restorations []*undo.Restoration
	None         []undo.Outcome // those that nothing can undo
	Others       int            // outcomes that another one of the same resource stands before
}

// Refused counts what is not restored, on purpose.
func (u Undo) Refused() int {
	n := len(u.None)
	for _, r := range u.Restorations {
		if r.Standing.Refused != "" {
			n++
		}
	}
	return n
}

// Unsettled counts that of which nothing is known, or not yet what became of it.
func (u Undo) Unsettled() int {
	n := 0
	for _, r := range u.Restorations {
		if r.Standing.Unread != "" || r.Standing.Open != "" {
			n++
		}
	}
	return n
}

// Text writes what would be restored, with the calls as data and the state before.
func (u Undo) Text(w io.Writer, colour bool) error {
	var b strings.Builder
	n := map[string]int{}
	for _, r := range u.Restorations {
		word, verdict := "restore", control.Waived
		lines := []string{}
		s := r.Standing
		switch {
		case s.Unread != "":
			word, verdict, lines = "not known", control.Undetermined, []string{s.Unread}
		case s.Refused != "":
			word, verdict, lines = "refused", control.Violation, []string{s.Refused}
		case s.Open != "" && len(s.Left) == 0:
			word, verdict, lines = "not known", control.Undetermined, append([]string{s.Open}, s.Differs...)
		case s.Open != "":
			lines = []string{s.Open}
			n["not known even then"]++
		case len(s.Left) == 0:
			word, verdict, lines = "as it was", control.Compliant, append([]string{"nothing is left to restore"}, s.Differs...)
		}
		n[word]++
		u.entry(&b, r.Outcome, word, verdict, colour)
		if word == "restore" {
			for _, c := range s.Left {
				input, err := json.Marshal(c.Input)
				if err != nil {
					return fmt.Errorf("showing a call: %w", err)
				}
				lines = append(lines, fmt.Sprintf("calls %s %s", c.Operation, input))
			}
			lines = append(lines, "as it was before: "+string(r.Outcome.Before))
			for _, note := range s.Notes {
				lines = append(lines, "note: "+note)
			}
		}
		for _, line := range lines {
			fmt.Fprintf(&b, "             %s\n", Plain(line))
		}
	}
	for _, o := range u.None {
		n["refused"]++
		u.entry(&b, o, "refused", control.Violation, colour)
		line := "nothing can undo it"
		if o.Call.Service == "proton" {
			line += ": the environment account has to ask again, for what the state before says: " + string(o.Before)
		}
		fmt.Fprintf(&b, "             %s\n", Plain(line))
	}
	parts := []string{fmt.Sprintf("%d to restore", n["restore"])}
	for _, word := range []string{"as it was", "refused", "not known", "not known even then"} {
		if n[word] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[word], word))
		}
	}
	fmt.Fprintf(&b, "\n%s", strings.Join(parts, ", "))
	if u.Others > 0 {
		fmt.Fprintf(&b, "; other outcomes of the same resources: %d", u.Others)
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// entry writes what an outcome is about, and what it was.
func (u Undo) entry(b *strings.Builder, o undo.Outcome, word string, verdict control.Verdict, colour bool) {
	what := About(control.Action{Account: o.Account, Resource: o.Resource, Subject: o.Subject})
	fmt.Fprintf(b, "  %s  %s\n", paint(colour, verdict, fmt.Sprintf("%-9s", word)), Plain(what))
	when := ""
	if !o.At.IsZero() {
		when = o.At.Format(" on " + time.DateTime + " UTC")
	}
	fmt.Fprintf(b, "             %s\n", Plain(fmt.Sprintf("%s in account %s, %s%s, by run %s: %s", o.Call.Operation, o.Account, o.Region, when, o.Run, o.Reason)))
	if o.Status == control.RestoreNeeded {
		fmt.Fprintf(b, "             %s\n", Plain(o.Detail))
	}
	if _, unsure := o.Done(); unsure != "" {
		fmt.Fprintf(b, "             %s\n", Plain(unsure))
	}
}
