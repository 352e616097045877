package present

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"golang.org/x/term"

	"portcullis/shared/control"
)

// IsTerminal tells whether a stream is a terminal, as far as the system says. There are
// other devices that are none, such as /dev/null.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) //nolint:gosec // a file's number is a small one
}

// Coloured tells whether what goes to a stream may have colours: only where a
// person sees it, and has not said otherwise (https://no-color.org).
func Coloured(stream io.Writer) bool {
	return IsTerminal(stream) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// paint colours a word by a verdict.
func paint(on bool, v control.Verdict, word string) string {
	colour, known := map[control.Verdict]int{
		control.Compliant: 32, control.Violation: 31, control.Waived: 36, control.Undetermined: 33,
	}[v]
	if !on || !known {
		return word
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colour, word)
}

// Plain makes foreign text fit for a terminal: names and messages that come from
// AWS may hold characters that move the cursor or hide what follows.
func Plain(s string) string {
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

// Progress is one line on a terminal that is written over until the work is done.
// Where there is no terminal it is not shown.
type Progress struct {
	w    io.Writer
	show bool
}

// NewProgress returns the progress line of a stream.
func NewProgress(w io.Writer) Progress {
	return Progress{w, IsTerminal(w) && os.Getenv("TERM") != "dumb"}
}

// Say writes the line anew.
func (p Progress) Say(format string, args ...any) {
	if p.show {
		fmt.Fprintf(p.w, "\r\x1b[K%s", fit(Plain(fmt.Sprintf(format, args...)), p.width()))
	}
}

// Count writes a line with a number behind it, and anew as the number grows, until it is
// stopped. Then the line is gone.
func (p Progress) Count(n *atomic.Int64, of, format string, args ...any) (stop func()) {
	line := fmt.Sprintf(format, args...)
	p.Say("%s", line)
	if !p.show {
		return p.Done
	}
	var saying sync.WaitGroup
	stopped := make(chan struct{})
	saying.Go(func() {
		tick := time.NewTicker(countTime)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.Say("%s (%d %s)", line, n.Load(), of)
			case <-stopped:
				return
			}
		}
	})
	return func() {
		close(stopped)
		saying.Wait()
		p.Done()
	}
}

// countTime is how long a number stays that a person reads.
const countTime = 250 * time.Millisecond

// width is how many columns the terminal has at this moment; 0 where it does not say.
func (p Progress) width() int {
	if f, ok := p.w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil { //nolint:gosec // a file's number is a small one
			return columns
		}
	}
	return 0
}

// fit cuts a line to what a terminal shows in one row: what goes on in the next one
// would stay when the line is written anew.
func fit(line string, width int) string {
	if r := []rune(line); width > 0 && len(r) >= width {
		return string(r[:width-1])
	}
	return line
}

// Tell writes a line that stays, in the place of this one, to any stream.
func (p Progress) Tell(format string, args ...any) {
	p.Done()
	fmt.Fprintln(p.w, Plain(fmt.Sprintf(format, args...)))
}

// Done takes the line away.
func (p Progress) Done() {
	if p.show {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
