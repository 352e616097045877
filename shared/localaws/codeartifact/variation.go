package codeartifact

import "strings"

// variation is what a path has in common with all its variations: those that differ in letter case, in the runs of "-",
// "." and "_", or in characters that look alike.
// https://docs.aws.amazon.com/codeartifact/latest/ug/package-group-definition-syntax-matching-behavior.html#package-group-additional-variations
//
// AWS does not publish its table of look-alikes. Of Unicode's (https://www.unicode.org/reports/tr39/) the small letters
// of other alphabets that look like one Latin letter are taken here, and case folding is the simple one, so that a
// letter stays one letter. Digits are not taken for letters.
func variation(path string) string {
	return squeeze(strings.Map(latin, fold(path)), '.')
}

// squeeze puts one separator in the place of every run of "-", "." and "_".
func squeeze(s string, separator byte) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		switch inRun := strings.IndexByte("-._", s[i]) >= 0; {
		case !inRun:
			b.WriteByte(s[i])
		case i == 0 || strings.IndexByte("-._", s[i-1]) < 0:
			b.WriteByte(separator)
		}
	}
	return b.String()
}

// fold makes one of all letters that differ in case only. Some have three forms, such as k, K and the Kelvin sign, and no
// single step brings all of them together.
func fold(s string) string { return strings.ToLower(strings.ToUpper(strings.ToLower(s))) }

// latin returns the Latin letter that looks like a small letter of the Greek (03), Cyrillic (04) or Armenian (05)
// alphabet, or else the rune itself.
func latin(r rune) rune {
	switch r {
	case '\u03b1', '\u0430':
		return 'a'
	case '\u03f2', '\u0441':
		return 'c'
	case '\u0501':
		return 'd'
	case '\u0435':
		return 'e'
	case '\u0581':
		return 'g'
	case '\u04bb', '\u0570':
		return 'h'
	case '\u03b9', '\u0456':
		return 'i'
	case '\u03f3', '\u0458':
		return 'j'
	case '\u0578':
		return 'n'
	case '\u03bf', '\u03c3', '\u043e', '\u0585':
		return 'o'
	case '\u03c1', '\u0440':
		return 'p'
	case '\u051b', '\u0566':
		return 'q'
	case '\u0433':
		return 'r'
	case '\u0455':
		return 's'
	case '\u03c5', '\u057d':
		return 'u'
	case '\u03bd', '\u0475':
		return 'v'
	case '\u051d', '\u0461':
		return 'w'
	case '\u0445':
		return 'x'
	case '\u03b3', '\u0443':
		return 'y'
	}
	return r
}
