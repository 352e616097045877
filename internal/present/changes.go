package present

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"portcullis/internal/estate"
)

// Changes writes what another policy would change about an estate.
func Changes(w io.Writer, e estate.Estate, comparison estate.Comparison, colour bool) error {
	var b strings.Builder
	above := ""
	for _, c := range comparison.Changes {
		f := c.Either()
		if head := fmt.Sprintf("%s in account %s, %s\n", f.Control, f.Account, f.Region); head != above {
			b.WriteString(head)
			above = head
		}
		what := Name(f)
		if f.Subject != "" {
			what += "  " + f.Subject
		}
		verdicts := shown(colour, c.Old)
		if c.New.Verdict != c.Old.Verdict {
			verdicts += " → " + shown(colour, c.New)
		}
		fmt.Fprintf(&b, "  %s: %s\n", Plain(what), verdicts)
		fmt.Fprintf(&b, "      %s\n", Plain(cmp.Or(c.New.Reason, "the new policy says nothing of it")))
		if c.Enforced() {
			fmt.Fprintf(&b, "      before: %s\n", Plain(enforced(c.Old)))
			fmt.Fprintf(&b, "      after:  %s\n", Plain(enforced(c.New)))
		}
	}
	b.WriteString(changed(e, comparison) + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// changed is everything in one line.
func changed(e estate.Estate, c estate.Comparison) string {
	s := "nothing changes"
	switch len(c.Changes) {
	case 0:
	case 1:
		s = "1 conclusion changes"
	default:
		s = fmt.Sprintf("%d conclusions change", len(c.Changes))
	}
	if at := e.At(); !at.IsZero() {
		s += fmt.Sprintf(", in what was seen until %s UTC", at.UTC().Format(time.DateTime))
	}
	if c.OldWrites == c.NewWrites {
		return s + fmt.Sprintf("; enforcement would make %s, as before", count(c.NewWrites, "write"))
	}
	return s + fmt.Sprintf("; writes that enforcement would make: %d → %d", c.OldWrites, c.NewWrites)
}

func shown(colour bool, c estate.Conclusion) string {
	if c.ID == "" {
		return "not judged"
	}
	return paint(colour, c.Verdict, string(c.Verdict))
}

// enforced says what enforcement would do under one policy, as a plan says it.
func enforced(c estate.Conclusion) string {
	return cmp.Or(Finding(c).enforcement(), "enforcement would do nothing")
}
