package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"unicode"

	"portcullis/shared/control"
)

// version is what the build says of the source: a release, a commit, or neither.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "unreleased"
}

// isTerminal tells whether a stream is a terminal, as far as the system says.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// coloured tells whether what goes to a stream may have colours: only where a
// person sees it, and has not said otherwise (https://no-color.org).
func coloured(stream io.Writer) bool {
	return isTerminal(stream) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// paint colours a word by its verdict.
func paint(on bool, v control.Verdict, s string) string {
	colour, known := map[control.Verdict]int{
		control.Compliant: 32, control.Violation: 31, control.Waived: 36, control.Undetermined: 33,
	}[v]
	if !on || !known {
		return s
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colour, s)
}

// plain makes foreign text fit for a terminal: names and messages that come from
// AWS may hold characters that move the cursor or hide what follows.
func plain(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' {
			return ' '
		}
		if unicode.In(c, unicode.C, unicode.Zl, unicode.Zp) {
			return unicode.ReplacementChar
		}
		return c
	}, s)
}
