package present

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"portcullis/shared/control"
)

// order is that in which verdicts are told: what asks for something first.
func order() []control.Verdict {
	return []control.Verdict{control.Violation, control.Undetermined, control.Waived, control.Compliant}
}

func sorted(findings []Finding) []Finding {
	return slices.SortedStableFunc(slices.Values(findings), func(a, b Finding) int {
		return cmp.Compare(slices.Index(order(), a.Verdict), slices.Index(order(), b.Verdict))
	})
}

// Text writes a result for a person. What is compliant is counted, and listed only
// where all is asked for.
func (r Result) Text(w io.Writer, colour, all bool) error {
	var b strings.Builder
	for _, p := range r.Parts {
		fmt.Fprintf(&b, "%s in account %s, %s%s\n", p.Control, p.Scope.Account, p.Scope.Region, p.counts())
		for _, f := range sorted(p.Shown) {
			if f.Verdict == control.Compliant && !all {
				continue
			}
			what := Name(f.Finding)
			if f.Subject != "" {
				what += "  " + f.Subject
			}
			fmt.Fprintf(&b, "  %s  %s\n", paint(colour, f.Verdict, fmt.Sprintf("%-12s", f.Verdict)), Plain(what))
			for _, line := range f.lines() {
				fmt.Fprintf(&b, "                %s\n", Plain(line))
			}
		}
		if p.limited() {
			fmt.Fprintf(&b, "  the limit: %s wanted here, and one run may make %d, so it would make none\n", count(p.Gate.Wanted, "write"), p.Gate.Allowed)
		}
		b.WriteString("\n")
	}
	b.WriteString(r.Summary(colour) + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (p Part) counts() string {
	if p.IsGone() {
		return ": the service is gone"
	}
	s := fmt.Sprintf(": %d looked at", p.Looked)
	compliant := 0
	for _, f := range p.Shown {
		if f.Verdict == control.Compliant {
			compliant++
		}
	}
	if compliant > 0 {
		s += fmt.Sprintf(", %d found compliant", compliant)
	}
	if p.Left > 0 {
		s += fmt.Sprintf(", %d not asked for", p.Left)
	}
	return s
}

// lines are the sentences below a finding.
func (f Finding) lines() []string {
	lines := append([]string{f.Reason}, f.Notes...)
	if s := f.enforcement(); s != "" {
		lines = append(lines, s)
	}
	return lines
}

// enforcement says what would be done about a finding.
func (f Finding) enforcement() string {
	switch {
	case f.Action == nil && f.Verdict == control.Violation:
		return "enforcement does nothing about it"
	case f.Action == nil:
		return ""
	case f.Withheld != "":
		return fmt.Sprintf("enforcement would not call %s: %s", f.Action.Call.Operation, f.Withheld)
	case f.Effect != "":
		return fmt.Sprintf("enforcement would call %s: %s", f.Action.Call.Operation, f.Effect)
	default:
		return fmt.Sprintf("enforcement would call %s", f.Action.Call.Operation)
	}
}

// Summary is everything in one line.
func (r Result) Summary(colour bool) string {
	n := r.Verdicts()
	var parts []string
	for _, v := range order() {
		if n[v] > 0 || v == control.Violation {
			word := string(v)
			if v == control.Violation && n[v] != 1 {
				word = "violations"
			}
			parts = append(parts, paint(colour && n[v] > 0, v, fmt.Sprintf("%d %s", n[v], word)))
		}
	}
	gone := len(r.Parts) - len(r.judged())
	writes := 0
	for _, p := range r.Parts {
		for _, f := range p.Shown {
			if f.Action != nil && f.Withheld == "" {
				writes++
			}
		}
	}
	s := strings.Join(parts, ", ")
	switch writes {
	case 0:
		s += "; enforcement would write nothing"
	case 1:
		s += "; enforcement would make 1 write"
	default:
		s += fmt.Sprintf("; enforcement would make %d writes", writes)
	}
	if gone > 0 {
		s += "; what is gone is not counted"
	}
	if at := r.at(); !at.IsZero() {
		s += "; as of " + at.UTC().Format(time.DateTime) + " UTC"
	}
	return s
}

func (r Result) at() time.Time {
	var at time.Time
	for _, p := range r.Parts {
		if p.At.After(at) {
			at = p.At
		}
	}
	return at
}
