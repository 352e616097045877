package present

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"portcullis/internal/estate"
	"portcullis/shared/control"
)

// Changes writes what another policy would change about an estate.
func Changes(w io.Writer, e estate.Estate, changes []estate.Change, colour bool) error {
	var b strings.Builder
	above := ""
	for _, c := range changes {
		f := c.Either()
		if head := fmt.Sprintf("%s in account %s, %s\n", f.Control, f.Account, f.Region); head != above {
			b.WriteString(head)
			above = head
		}
		what := Name(f)
		if f.Subject != "" {
			what += "  " + f.Subject
		}
		fmt.Fprintf(&b, "  %s: %s → %s\n", Plain(what), shown(colour, c.Old), shown(colour, c.New))
		fmt.Fprintf(&b, "      %s\n", Plain(cmp.Or(c.New.Reason, "the new policy says nothing of it")))
		if c.OldAction != c.NewAction {
			fmt.Fprintf(&b, "      enforcement: %s → %s\n", cmp.Or(c.OldAction, "nothing"), cmp.Or(c.NewAction, "nothing"))
		}
	}
	switch len(changes) {
	case 0:
		b.WriteString("no verdict changes")
	case 1:
		b.WriteString("1 conclusion changes")
	default:
		fmt.Fprintf(&b, "%d conclusions change", len(changes))
	}
	if at := e.At(); !at.IsZero() {
		fmt.Fprintf(&b, ", in what was seen until %s UTC", at.UTC().Format(time.DateTime))
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func shown(colour bool, f control.Finding) string {
	if f.ID == "" {
		return "not judged"
	}
	return paint(colour, f.Verdict, string(f.Verdict))
}
