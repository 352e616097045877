package present

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestALineFitsIntoOneRow(t *testing.T) {
	for _, test := range []struct {
		line  string
		width int
		want  string
	}{
		{"looking", 0, "looking"},
		{"looking", 8, "looking"},
		{"looking", 7, "lookin"}, // the cursor would be in the next row
		{"lööking", 4, "löö"},
		{"looking", 1, ""},
		{"", 1, ""},
	} {
		if got := fit(test.line, test.width); got != test.want {
			t.Errorf("%q in %d columns is %q, want %q", test.line, test.width, got, test.want)
		}
	}
}

// Whoever waits sees that something goes on, and when it is over, nothing of it.
func TestProgressCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		var n atomic.Int64
		stop := Progress{&out, true}.Count(&n, "answers", "looking: %s", "\x1b[2J")
		time.Sleep(countTime / 2) // between two numbers
		for range 3 {
			n.Add(7)
			time.Sleep(countTime)
		}
		synctest.Wait()
		stop()
		const anew = "\r\x1b[K"
		want := anew + "looking: �[2J" + anew + "looking: �[2J (7 answers)" + anew + "looking: �[2J (14 answers)" + anew + "looking: �[2J (21 answers)" + anew
		if out.String() != want {
			t.Errorf("it wrote %q, want %q", out.String(), want)
		}

		out.Reset()
		Progress{w: &out}.Count(&n, "answers", "looking")()
		if out.String() != "" {
			t.Errorf("where there is no terminal, it wrote %q", out.String())
		}
	})
}
