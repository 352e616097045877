package awsio

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/shared/control"
)

func noon() time.Time { return time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC) }

func dated(at time.Time, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", at.Format(http.TimeFormat))
		w.Header().Set("X-Amzn-RequestId", "r-1")
		h(w, r)
	}
}

func dateless(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		h(w, r)
	}
}

func TestTheClock(t *testing.T) {
	sooner, later := noon().Add(-time.Hour), noon().Add(time.Hour)
	for _, test := range []struct {
		name    string
		answers []http.HandlerFunc
		want    time.Time
	}{
		{"is not set before the first answer", nil, time.Time{}},
		{"is set by an answer", []http.HandlerFunc{dated(noon(), works())}, noon()},
		{"is not set by an answer without a date", []http.HandlerFunc{dateless(works())}, time.Time{}},
		{"keeps its time after an answer without a date", []http.HandlerFunc{dated(noon(), works()), dateless(works())}, noon()},
		{"is not set by a date that is none", []http.HandlerFunc{answer(200, repository, "Date", "noon")}, time.Time{}},
		{"is not moved by an answer that is dated later", []http.HandlerFunc{dated(noon(), works()), dated(later, works())}, noon()},
		{"goes back to an answer that is dated earlier", []http.HandlerFunc{dated(noon(), works()), dated(sooner, works())}, sooner},
		{"keeps the earliest of many", []http.HandlerFunc{dated(noon(), works()), dated(sooner, works()), dated(noon(), works())}, sooner},
		{"is not known where dates lie more than an hour apart", []http.HandlerFunc{dated(noon(), works()), dated(sooner, works()), dated(later, works())}, time.Time{}},
		{"is not set by a page that was put in the way", []http.HandlerFunc{dated(later, answer(200, page))}, time.Time{}},
		{"is not set by half an answer", []http.HandlerFunc{dated(later, truncated)}, time.Time{}},
		{"is not set by an answer that AWS gave no id", []http.HandlerFunc{answer(200, "", "Date", later.Format(http.TimeFormat))}, time.Time{}},
		{"is not set by an error", []http.HandlerFunc{dated(later, fault(404, "ResourceNotFoundException"))}, time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			aws := serve(t, inTurn(append(test.answers, works())...))
			session := aws.session(t, control.Monitor)
			for range test.answers {
				_ = describe(t.Context(), session.Writes) // one attempt each; the clock is what counts
			}
			if got := session.Clock.Now(); !got.Equal(test.want) || got.Location() != time.UTC {
				t.Errorf("it says %v, want %v", got, test.want)
			}
		})
	}
}

func TestTheClockHearsTheAnswerAndNotTheFailuresBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aws := serveInBubble(t, inTurn(dated(noon().Add(time.Hour), answer(200, page)), dated(noon(), works())))
		session := aws.session(t, control.Monitor)
		if err := describe(t.Context(), session.Reads); err != nil {
			t.Fatal(err)
		}
		if got := session.Clock.Now(); !got.Equal(noon()) {
			t.Errorf("it says %v, want %v", got, noon())
		}
	})
}

func TestEverySessionHasItsOwnClock(t *testing.T) {
	aws := serve(t, dated(noon(), works()))
	one, another := aws.session(t, control.Monitor), aws.session(t, control.Monitor)
	if err := describe(t.Context(), one.Reads); err != nil {
		t.Fatal(err)
	}
	if got := another.Clock.Now(); !got.IsZero() {
		t.Errorf("the clock of another run says %v", got)
	}
}

func TestTheClockNeverSaysMoreThanItWasTold(t *testing.T) {
	var clock Clock
	var ticks atomic.Int64 // so short that all of them lie within the hour of which the clock believes an answer
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 500_000 {
				told := noon().Add(-time.Duration(ticks.Add(1)) * time.Microsecond)
				clock.hear(told)
				if said := clock.Now(); said.IsZero() || said.After(told) {
					t.Errorf("it was told %v, and says %v", told, said)
					return
				}
			}
		})
	}
	all.Wait()
}
