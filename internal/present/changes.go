package present

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"portcullis/internal/estate"
)

// Comparison is what another policy would change about an estate, and the policies.
type Comparison struct {
	estate.Comparison
	At time.Time // until when it was seen; zero where that is not known

	OldFile, OldHash string
	NewFile, NewHash string
}

// Text writes a comparison for a person.
func (c Comparison) Text(w io.Writer, colour bool) error {
	var b strings.Builder
	above := ""
	for _, change := range c.Changes {
		if head := place(change); head != above {
			b.WriteString(head + "\n")
			above = head
		}
		f := change.Either()
		what := Name(f)
		if f.Subject != "" {
			what += "  " + f.Subject
		}
		fmt.Fprintf(&b, "  %s: %s\n", Plain(what), verdicts(change, colour))
		fmt.Fprintf(&b, "      %s\n", Plain(reason(change)))
		if change.Enforced() {
			fmt.Fprintf(&b, "      before: %s\n", Plain(enforced(change.Old)))
			fmt.Fprintf(&b, "      after:  %s\n", Plain(enforced(change.New)))
		}
	}
	b.WriteString(c.summary() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Markdown writes a comparison for a comment on the change of the policy.
func (c Comparison) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n", c.summary())
	above := ""
	for _, change := range c.Changes {
		if head := place(change); head != above {
			fmt.Fprintf(&b, "\n### %s\n\n| resource | verdict | reason | before | after |\n| --- | --- | --- | --- | --- |\n", head)
			above = head
		}
		f := change.Either()
		what := code(Name(f))
		if f.Subject != "" {
			what += " " + code(f.Subject)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", what, verdicts(change, false), cell(reason(change)), cell(enforced(change.Old)), cell(enforced(change.New)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// JSON writes a comparison for a program. As with a plan, keys are added within a
// version, and none is taken away or changes its meaning.
func (c Comparison) JSON(w io.Writer) error {
	type change struct {
		Before *documentFinding `json:"before"` // null where the policy says nothing of it
		After  *documentFinding `json:"after"`
	}
	d := struct {
		Format  string         `json:"format"` // "portcullis-test"
		Version int            `json:"version"`
		Before  documentPolicy `json:"before"`
		After   documentPolicy `json:"after"`
		At      *time.Time     `json:"at"` // by AWS's clock; null where it is not known
		Writes  struct {
			Before int `json:"before"`
			After  int `json:"after"`
		} `json:"writes"`
		Changes []change `json:"changes"`
	}{Format: "portcullis-test", Version: 1, Before: documentPolicy{c.OldFile, c.OldHash}, After: documentPolicy{c.NewFile, c.NewHash}, Changes: []change{}}
	d.Writes.Before, d.Writes.After = c.OldWrites, c.NewWrites
	if !c.At.IsZero() {
		d.At = &c.At
	}
	side := func(c estate.Conclusion) *documentFinding {
		if c.ID == "" {
			return nil
		}
		f := documented(Finding(c))
		return &f
	}
	for _, one := range c.Changes {
		d.Changes = append(d.Changes, change{side(one.Old), side(one.New)})
	}
	return encode(w, d)
}

// summary is everything in one line.
func (c Comparison) summary() string {
	s := "nothing changes"
	switch len(c.Changes) {
	case 0:
	case 1:
		s = "1 conclusion changes"
	default:
		s = fmt.Sprintf("%d conclusions change", len(c.Changes))
	}
	if !c.At.IsZero() {
		s += fmt.Sprintf(", in what was seen until %s UTC", c.At.UTC().Format(time.DateTime))
	}
	if c.OldWrites == c.NewWrites {
		return s + fmt.Sprintf("; enforcement would make %s, as before", count(c.NewWrites, "write"))
	}
	return s + fmt.Sprintf("; writes that enforcement would make: %d → %d", c.OldWrites, c.NewWrites)
}

// place is whose conclusion changes, and where.
func place(c estate.Change) string {
	f := c.Either()
	return fmt.Sprintf("%s in account %s, %s", f.Control, f.Account, f.Region)
}

func verdicts(c estate.Change, colour bool) string {
	if c.Old.Verdict == c.New.Verdict {
		return shown(colour, c.New)
	}
	return shown(colour, c.Old) + " → " + shown(colour, c.New)
}

func shown(colour bool, c estate.Conclusion) string {
	if c.ID == "" {
		return "not judged"
	}
	return paint(colour, c.Verdict, string(c.Verdict))
}

func reason(c estate.Change) string {
	return cmp.Or(c.New.Reason, "the new policy says nothing of it")
}

// enforced says what enforcement would do under one policy, as a plan says it.
func enforced(c estate.Conclusion) string {
	return cmp.Or(Finding(c).enforcement(), "enforcement would do nothing")
}
