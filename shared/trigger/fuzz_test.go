package trigger_test

import (
	"errors"
	"strings"
	"testing"

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
