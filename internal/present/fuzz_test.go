package present

import (
	"strings"
	"testing"
	"unicode/utf8"

	"portcullis/shared/control"
)

// FuzzPattern: a pattern is refused, which only what is no text may be, or it is kept
// as it was written and matches what a plain reading of it does: * is any characters,
// ? is one, and all else is itself. A pattern of which nothing is a wildcard matches
// nothing but itself.
func FuzzPattern(f *testing.F) {
	for _, pattern := range []string{"corp/npm-store", "*npm*", "corp/*", "corp/npm-stor?", "", "*", "?", "**?", "corp/[n]pm", `\*`, `\Qx`, "a|b", "(?i)a", "\xff", "\xc3*", "é?", "\n"} {
		f.Add(pattern, "corp/npm-store")
		f.Add(pattern, pattern)
	}
	f.Add("?", "é")
	f.Fuzz(func(t *testing.T, written, name string) {
		if len(written) > 200 || len(name) > 200 {
			return // the plain reading takes its time
		}
		p, err := ParsePattern(written)
		if err != nil {
			if utf8.ValidString(written) || p != (Pattern{}) || !utf8.ValidString(err.Error()) {
				t.Errorf("%q: %+v beside error %q", written, p, err)
			}
			return
		}
		if p.String() != written {
			t.Errorf("%q is kept as %q", written, p)
		}
		// What stands for a name here has no slash and no percent sign, so that the ARN
		// is told as it is.
		if name = strings.NewReplacer("/", ".", "%", ".").Replace(name); !utf8.ValidString(name) || name == "" {
			return
		}
		want := plainly([]rune(written), []rune(name))
		if got := p.Matches(control.Finding{Resource: name}); got != want {
			t.Errorf("%q matches the resource %q: %v, want %v", written, name, got, want)
		}
		if got := p.Matches(control.Finding{Resource: "\x00", Subject: name}); got != (want || plainly([]rune(written), []rune("\x00"))) {
			t.Errorf("%q matches the subject %q: %v, want %v", written, name, got, want)
		}
		if !strings.ContainsAny(written, "*?") && want != (name == written) {
			t.Errorf("%q matches %q: %v", written, name, want)
		}
	})
}

// plainly matches as a person would, without a regular expression: row by row, which
// beginnings of the name the beginnings of the pattern match.
func plainly(pattern, name []rune) bool {
	matches := make([]bool, len(name)+1)
	matches[0] = true
	for _, p := range pattern {
		next := make([]bool, len(name)+1)
		for i := range next {
			switch {
			case p == '*':
				next[i] = matches[i] || i > 0 && next[i-1]
			case i > 0:
				next[i] = matches[i-1] && (p == '?' || p == name[i-1])
			}
		}
		matches = next
	}
	return matches[len(name)]
}
