package codeartifact

import (
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A pattern says which packages a package group holds, by the beginning of their paths. The path of a package is
// /FORMAT/NAMESPACE/NAME, with nothing between two slashes where there is no namespace.
//
//	suffix  the path                                                      as in
//	$       is the literal                                                /npm/space/foo$
//	~       begins with the literal, which ends where a word of it ends   /npm/space/foo~ holds foo-bar, and not food
//	*       begins with the literal, which ends in no word                /npm/space/* and /npm/space/foo-*
//
// So two patterns are nested or have nothing in common, and of the patterns that hold a path, the longest is within all
// the others.
// https://docs.aws.amazon.com/codeartifact/latest/ug/package-group-definition-syntax-matching-behavior.html
type pattern struct {
	literal string
	suffix  byte // 0 holds nothing
}

// rootPattern is that of the group that every domain has.
func rootPattern() pattern { return pattern{"/", '*'} }

// String is the pattern as the API has it.
func (p pattern) String() string {
	if p.suffix == 0 {
		return p.literal
	}
	return p.literal + string(p.suffix)
}

// parsePattern refuses what the page above does not allow, with a pattern that holds nothing. Where the page leaves a
// form open, these are accepted: "*" after any character that is not of a word, as the console's "Starts with prefix"
// needs it; a name that is not normalized, which then matches weakly at most; and "$", "~" or "*" in the middle, where
// they mean themselves. For Python the page prints a path as /python//requests, but the API knows the format as pypi:
// here a pattern has pypi.
func parsePattern(text string) (pattern, error) {
	nothing := pattern{literal: text}
	refuse := func(format string, args ...any) (pattern, error) {
		return nothing, fmt.Errorf("package group %q "+format, append([]any{text}, args...)...)
	}
	if text == "" || !strings.ContainsRune("$~*", rune(text[len(text)-1])) {
		return refuse("does not end in $, ~ or *")
	}
	p := pattern{text[:len(text)-1], text[len(text)-1]}
	if p == rootPattern() {
		return p, nil
	}
	parts := strings.Split(p.literal, "/") // "", format, namespace and perhaps name
	if parts[0] != "" || len(parts) < 3 || len(parts) > 4 {
		return refuse("is not /*, /FORMAT/NAMESPACE or /FORMAT/NAMESPACE/NAME")
	}
	format, namespace, hasName := parts[1], parts[2], len(parts) == 4
	allowed, required, known := namespaceOf(format)
	switch {
	case !known:
		return refuse("has no package format %q", format)
	case !allowed && namespace != "":
		return refuse("has a namespace, which %s packages do not have", format)
	case required && hasName && namespace == "":
		return refuse("has no namespace, which %s packages have", format)
	case strings.Contains(p.literal, "#"):
		return refuse("has a #, which no package has")
	case p.suffix == '$' && (!hasName || parts[3] == ""):
		return refuse("ends in $ but has no name")
	case p.suffix == '~' && !endsInWord(p.literal):
		return refuse("has ~ after what is not a word")
	case p.suffix == '*' && endsInWord(p.literal):
		return refuse("has * after a word")
	}
	return p, nil
}

// holds says whether a path is in the pattern, as it is written.
func (p pattern) holds(path string) bool {
	rest, found := strings.CutPrefix(path, p.literal)
	switch p.suffix {
	case '$':
		return found && rest == ""
	case '~':
		return found && !goesOn(rest)
	case '*':
		return found
	}
	return false
}

// holders are all patterns that hold a path, the most specific first.
func holders(path string) iter.Seq[pattern] {
	return func(yield func(pattern) bool) {
		if !yield(pattern{path, '$'}) {
			return
		}
		for end := len(path); end > 0; {
			if !goesOn(path[end:]) && !yield(pattern{path[:end], '~'}) {
				return
			}
			if !yield(pattern{path[:end], '*'}) {
				return
			}
			_, size := utf8.DecodeLastRuneInString(path[:end])
			end -= size
		}
	}
}

// A word is [\p{L}\p{N}][\p{L}\p{N}\p{M}]*, as on the page above.

// endsInWord says whether the end of s is the end of a word.
func endsInWord(s string) bool {
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRightFunc(s, unicode.IsMark))
	return unicode.IsLetter(last) || unicode.IsNumber(last)
}

// goesOn says whether a word before s goes on in it.
func goesOn(s string) bool {
	next, _ := utf8.DecodeRuneInString(s)
	return unicode.In(next, unicode.L, unicode.N, unicode.M)
}
