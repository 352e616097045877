package present

import (
	"fmt"
	"io"
	"strings"

	"portcullis/internal/policytest"
	"portcullis/shared/control"
)

// Cases writes what came of the cases beside a policy: those that fail, or all of
// them, and how many there are.
func Cases(w io.Writer, file string, results []policytest.Result, colour, all bool) error {
	var b strings.Builder
	failed := 0
	for _, r := range results {
		if !r.OK() {
			failed++
		} else if !all {
			continue
		}
		word := paint(colour, control.Compliant, "pass")
		if !r.OK() {
			word = paint(colour, control.Violation, "FAIL")
		}
		about := r.About
		if r.Case.Name != "" {
			about = r.Case.Name + " (" + about + ")"
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s: %s\n", file, r.Case.Line, r.Case.Column, word, Plain(about))
		if !r.OK() {
			fmt.Fprintf(&b, "  - expected: %s\n", Plain(verdict(r.Case.Expect, r.Case.Code)))
			fmt.Fprintf(&b, "  + got:      %s: %s\n", Plain(verdict(string(r.Verdict), r.Code)), Plain(r.Reason))
		}
	}
	if failed > 0 {
		fmt.Fprintf(&b, "%d of %d cases failed\n", failed, len(results))
	} else {
		fmt.Fprintf(&b, "%s passed\n", count(len(results), "case"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func verdict(v, code string) string {
	switch {
	case v == "":
		return "no verdict"
	case code == "":
		return v
	default:
		return v + " (" + code + ")"
	}
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
