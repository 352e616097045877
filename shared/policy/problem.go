package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with the file, or probably not meant, and what to write instead.
type Problem struct {
	File         string
	Line, Column int // from 1
	What, Fix    string
}

// String gives one line, such as: policy.yaml:12:3: unknown key "alow"; write "allow"
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s; %s", p.File, p.Line, p.Column, p.What, p.Fix)
}

// Problems is all that is wrong with a file, in the order of the file. It is the error of Parse.
type Problems []Problem

// Error gives one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// instead says what to write for s: the name most like it, or else all names.
func instead(s string, names []string) string {
	s = strings.ToLower(s)
	best, least := "", 3 // more changes than two make another word
	for _, name := range names {
		if len(s) > 2 && strings.Contains(name, s) {
			return fmt.Sprintf("write %q", name)
		}
		if d := distance(s, name); d < least {
			best, least = name, d
		}
	}
	if best != "" {
		return fmt.Sprintf("write %q", best)
	}
	return "the names here are " + quoted(names)
}

func quoted(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }

// distance counts the letters to insert, delete or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
