package trigger_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/trigger"
)

// The ids that AWS gives, in the one form that it has for them.
func uuid(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) != 5 || strings.Trim(s, "0123456789abcdef-") != "" {
		return false
	}
	for i, n := range []int{8, 4, 4, 4, 12} {
		if len(parts[i]) != n {
			return false
		}
	}
	return true
}

// FuzzParseConnectionChange holds what the control for Proton relies on, whatever
// arrives: it looks at one connection by its id, or at everything, or at nothing.
func FuzzParseConnectionChange(f *testing.F) {
	for _, payload := range samples(f) {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := trigger.ParseConnectionChange(payload)
		if err != nil {
			if !errors.Is(err, trigger.ErrUnreadable) || !cmp.Equal(got, trigger.Trigger{}) || len(err.Error()) > 4<<10+2*len(payload) {
				t.Errorf("beside error %v there is %+v", err, got)
			}
			return
		}
		switch got.Cause {
		case trigger.Event:
			if !uuid(got.Connection) || !digits(got.Account) || got.Region == "" || got.Ignored != "" {
				t.Errorf("event %+v", got)
			}
			got.Connection = ""
		case trigger.Sweep, trigger.Hand:
			if got.Ignored != "" {
				t.Errorf("sweep %+v", got)
			}
		case trigger.None:
			if !cmp.Equal(ignored(got.ID, got.Ignored), got) || got.Ignored == "" {
				t.Errorf("ignored %+v", got)
			}
		default:
			t.Errorf("cause %q", got.Cause)
		}
		if got.Connection != "" || got.Repository != (trigger.Repository{}) || got.Domain != (trigger.Domain{}) {
			t.Errorf("it says more than where to look: %+v", got)
		}
	})
}

// FuzzParseRound: a round is asked for whole, or not at all.
func FuzzParseRound(f *testing.F) {
	for _, payload := range samples(f) {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := trigger.ParseRound(payload)
		switch {
		case err != nil:
			if !errors.Is(err, trigger.ErrUnreadable) || !cmp.Equal(got, trigger.Trigger{}) {
				t.Errorf("beside error %v there is %+v", err, got)
			}
		case got.Cause == trigger.None:
			if !cmp.Equal(ignored(got.ID, got.Ignored), got) || got.Ignored == "" {
				t.Errorf("ignored %+v", got)
			}
		case got.Cause == trigger.Sweep || got.Cause == trigger.Hand:
			if want := (trigger.Trigger{Cause: got.Cause, ID: got.ID}); !cmp.Equal(want, got) {
				t.Errorf("a round is asked for with %+v", got)
			}
		default:
			t.Errorf("cause %q", got.Cause)
		}
	})
}

// An event of AWS's greatest size, and one that is nothing but nesting, take memory
// in proportion to their size, and no more.
func TestParseIsBounded(t *testing.T) {
	for name, payload := range map[string][]byte{
		"a megabyte in one word":   []byte(`{"source":"x","detail":"` + strings.Repeat("a", 1<<20) + `"}`),
		"a megabyte of parameters": edited(t, edit{parameters, parameters + `"padding": [` + strings.Repeat("1,", 1<<19) + `1],`}),
		"200,000 deep":             []byte(strings.Repeat(`{"detail":`, 200_000) + "1" + strings.Repeat("}", 200_000)),
		"200,000 deep in arrays":   []byte(`{"detail":` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + `}`),
		"a megabyte of keys":       []byte(`{` + strings.Repeat(`"a":0,`, 1<<17) + `"z":1}`),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		_, _ = trigger.Parse(payload)
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		used := float64(after.TotalAlloc-before.TotalAlloc) / (1 << 20)
		t.Logf("figure of fault 10: %s (%d KiB): %.1f MiB", name, len(payload)>>10, used)
		// The time is far above what it takes on a busy machine, and below what a reader would that goes back for each level.
		if used > 8 || took > 20*time.Second {
			t.Errorf("%s takes %.1f MiB and %s", name, used, took)
		}
	}
}
