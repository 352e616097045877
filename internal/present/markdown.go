package present

import (
	"fmt"
	"io"
	"strings"

	"portcullis/shared/control"
)

// Markdown writes a result for a comment on a change, or a ticket.
func (r Result) Markdown(w io.Writer, all bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n", r.Summary(false))
	for _, p := range r.Parts {
		fmt.Fprintf(&b, "\n### %s in account %s, %s\n\n%s\n", p.Control, p.Scope.Account, p.Scope.Region, strings.TrimPrefix(p.counts(), ": "))
		if p.limited() {
			fmt.Fprintf(&b, "\nThe limit: %s wanted here, and one run may make %d, so it would make none.\n", count(p.Gate.Wanted, "write"), p.Gate.Allowed)
		}
		head := "\n| verdict | resource | reason | enforcement |\n| --- | --- | --- | --- |\n"
		for _, f := range sorted(p.Shown) {
			if f.Verdict == control.Compliant && !all {
				continue
			}
			what := code(Name(f.Finding))
			if f.Subject != "" {
				what += " " + code(f.Subject)
			}
			fmt.Fprintf(&b, "%s| %s | %s | %s | %s |\n", head, f.Verdict, what, cell(strings.Join(append([]string{f.Reason}, f.Notes...), "; ")), cell(f.enforcement()))
			head = ""
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell is text in a table. Names come from elsewhere, so nothing in it may be
// taken for a link, a tag or the end of the cell.
func cell(s string) string {
	var b strings.Builder
	for _, c := range Plain(s) {
		switch {
		case strings.ContainsRune("\\`*_[]|~#@<>&", c):
			fmt.Fprintf(&b, "&#%d;", c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func code(s string) string { return "<code>" + cell(s) + "</code>" }
