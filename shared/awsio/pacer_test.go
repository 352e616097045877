package awsio

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"golang.org/x/time/rate"

	"portcullis/shared/control"
)

// capped puts other caps in the place of the defaults.
func (s *server) capped(t *testing.T, reads, writes string) *server {
	t.Helper()
	p, err := newPacers(lookup(map[string]string{"READS_PER_SECOND": reads, "WRITES_PER_SECOND": writes}))
	if err != nil {
		t.Fatal(err)
	}
	s.pacers = p
	return s
}

// A log keeps when requests of each kind came.
type log struct {
	mu sync.Mutex
	at map[string][]time.Time // by method
}

func (l *log) keeping(handler http.HandlerFunc) http.HandlerFunc {
	l.at = map[string][]time.Time{}
	return func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.at[r.Method] = append(l.at[r.Method], time.Now())
		l.mu.Unlock()
		handler(w, r)
	}
}

// most returns the greatest number of requests that came within any span of a
// length, its end left out.
func most(at []time.Time, span time.Duration) int {
	most, first := 0, 0
	for i, t := range at {
		for t.Sub(at[first]) >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// crowd calls one function from many workers, times in all, and returns how many
// of the calls failed.
func crowd(workers, times int, call func() error) (failed int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	left := times
	for range workers {
		all.Go(func() {
			for {
				mu.Lock()
				left--
				done := left < 0
				mu.Unlock()
				if done {
					return
				}
				if call() != nil {
					mu.Lock()
					failed++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return failed
}

func describing(t *testing.T, cfg aws.Config) func() error {
	client := codeartifact.NewFromConfig(cfg)
	return func() error {
		_, err := client.DescribeRepository(t.Context(), &codeartifact.DescribeRepositoryInput{
			Domain: aws.String("corp"), DomainOwner: aws.String("111122223333"), Repository: aws.String("npm-store"),
		})
		return err
	}
}

func after(latency time.Duration, handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(latency)
		handler(w, r)
	}
}

func TestNoMoreRequestsThanTheCap(t *testing.T) {
	for _, test := range []struct {
		reads string // the setting; empty is the default
		cap   int
		times int
	}{{"", 80, 800}, {"30", 30, 300}, {"700", 700, 3500}, {"1", 1, 10}} {
		t.Run(fmt.Sprintf("%d a second", test.cap), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var came log
				aws := serveInBubble(t, came.keeping(after(20*time.Millisecond, works()))).capped(t, test.reads, "")
				start := time.Now()
				if failed := crowd(Workers, test.times, describing(t, aws.session(t, control.Monitor).Reads)); failed != 0 {
					t.Errorf("%d calls failed", failed)
				}
				took := time.Since(start).Seconds()
				for _, span := range []time.Duration{100 * time.Millisecond, time.Second, 3 * time.Second} {
					if got, allowed := most(came.at["GET"], span), int(float64(test.cap)*span.Seconds())+1; got > allowed {
						t.Errorf("%d requests within %v, want at most %d", got, span, allowed)
					}
				}
				if got := float64(test.times) / took / float64(test.cap); got < 0.95 && test.cap > 1 {
					t.Errorf("%.2f of the cap is made use of, want 0.95", got)
				}
			})
		})
	}
}

func TestAPauseIsNotMadeUpForByABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var came log
		aws := serveInBubble(t, came.keeping(works()))
		call := describing(t, aws.session(t, control.Monitor).Reads)
		crowd(1, 1, call)
		time.Sleep(time.Hour)
		crowd(Workers, 80, call)
		if got := most(came.at["GET"], time.Second); got > 80 {
			t.Errorf("%d requests in a second", got)
		}
	})
}

func TestEveryAttemptWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var came log
		aws := serveInBubble(t, came.keeping(times(9, fault(500, "InternalServerException"), works()))).capped(t, "1", "")
		if err := describe(t.Context(), aws.session(t, control.Monitor).Reads); err != nil {
			t.Fatal(err)
		}
		if got := len(came.at["GET"]); got != 10 {
			t.Errorf("%d attempts, want 10", got)
		}
		if got := most(came.at["GET"], 999*time.Millisecond); got != 1 {
			t.Errorf("%d attempts within a second, want 1", got)
		}
	})
}

func TestWhatSharesAQuotaSharesAPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var came log
		aws := serveInBubble(t, came.keeping(works())).capped(t, "40", "5")
		one, two := aws.session(t, control.Enforce), aws.session(t, control.Enforce)
		start := time.Now()
		var all sync.WaitGroup
		for _, s := range []*Session{one, two} {
			all.Go(func() { crowd(8, 40, describing(t, s.Reads)) })
			all.Go(func() { crowd(8, 10, describing(t, s.Writes)) }) // a read is a read, whoever makes it
			all.Go(func() { crowd(8, 10, func() error { return disconnect(t.Context(), s.Writes) }) })
		}
		all.Wait()
		if got := most(came.at["GET"], time.Second); got > 41 {
			t.Errorf("%d reads of both sessions within a second, want 40", got)
		}
		if got := most(came.at["DELETE"], time.Second); got > 6 {
			t.Errorf("%d writes of both sessions within a second, want 5", got)
		}
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("100 reads at 40 a second and 20 writes at 5 took %v: they wait for one another", took)
		}
	})
}

func TestWhatHasItsOwnQuotaHasItsOwnPacer(t *testing.T) {
	p, err := newPacers(lookup(nil))
	if err != nil {
		t.Fatal(err)
	}
	here := lane{control.Scope{Account: "111122223333", Region: "eu-west-1"}, "codeartifact", true}
	if one, again := p.of(here), p.of(here); one != again {
		t.Error("one account, Region, service and kind has two pacers")
	}
	others := map[string]lane{
		"another account": {control.Scope{Account: "444455556666", Region: "eu-west-1"}, "codeartifact", true},
		"another Region":  {control.Scope{Account: "111122223333", Region: "us-east-1"}, "codeartifact", true},
		"another service": {here.scope, "Proton", true},
		"writes":          {here.scope, "codeartifact", false},
	}
	for name, other := range others {
		if p.of(here) == p.of(other) {
			t.Errorf("%s: the same pacer", name)
		}
	}
	if r, w := p.of(here).limiter.Limit(), p.of(others["writes"]).limiter.Limit(); r != 80 || w != 10 {
		t.Errorf("%v reads and %v writes a second, want 80 and 10", r, w)
	}
}

func TestReportsAreNotPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := serveInBubble(t, answer(200, `{"FailedEntryCount":0,"Entries":[]}`)).capped(t, "1", "1")
		client := eventbridge.NewFromConfig(a.Events())
		start := time.Now()
		for range 5 {
			if _, err := client.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []ebtypes.PutEventsRequestEntry{{
				Source: aws.String("portcullis"), DetailType: aws.String("Finding"), Detail: aws.String("{}"),
			}}}); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("they took %v", took)
		}
	})
}

// throttled is AWS refusing a request in one of its ways.
func throttled() error { return answered(429, errors.New("slow down")) }

func TestThrottlingLowersTheRateBelowWhatWorked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(80)
		for range 20 { // 20 in half a second are 40 a second
			time.Sleep(20 * time.Millisecond)
			p.heard(time.Now(), nil)
		}
		p.heard(time.Now(), throttled())
		if got := p.limiter.Limit(); got != 0.9*40 {
			t.Errorf("%v a second, want 36", got)
		}
	})
}

func TestThrottlingOfEveryKindLowersTheRate(t *testing.T) {
	for name, refusal := range map[string]http.HandlerFunc{
		"typed": fault(429, "ThrottlingException"), "a typed 400": fault(400, "ThrottlingException"),
		"without a code": answer(429, `{"message":"slow down"}`), "a page": answer(429, page), "without a body": answer(429, ""),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				aws := serveInBubble(t, inTurn(refusal, works()))
				session := aws.session(t, control.Monitor)
				if err := describe(t.Context(), session.Reads); err != nil {
					t.Fatal(err)
				}
				if got := aws.pacers.of(lane{home(), codeartifact.ServiceID, true}).limiter.Limit(); got >= 10 {
					t.Errorf("%v a second after throttling", got)
				}
			})
		})
	}
}

func TestOneBurstOfThrottlingLowersTheRateOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(80)
		work := func() {
			for range 40 {
				time.Sleep(12500 * time.Microsecond)
				p.heard(time.Now(), nil)
			}
		}
		work()
		sent := time.Now()
		p.heard(sent, throttled())
		once := p.limiter.Limit()
		for range 50 {
			time.Sleep(9 * time.Millisecond)
			p.heard(time.Now(), throttled())
		}
		if got := p.limiter.Limit(); got != once || once != 72 {
			t.Errorf("%v a second after one refusal, and %v after 51 within half a second; want 72", once, got)
		}
		// Long after, and still about a request that was sent too fast.
		time.Sleep(time.Second)
		p.heard(sent.Add(-time.Millisecond), throttled())
		if got := p.limiter.Limit(); got != once {
			t.Errorf("%v a second after a late refusal, want %v", got, once)
		}
		work()
		p.heard(time.Now(), throttled())
		if got := p.limiter.Limit(); got != 72 { // it had come back to 80
			t.Errorf("%v a second after a refusal of its own, want 72", got)
		}
	})
}

func TestWhatThePacerWaitsForIsOverAtItsEnd(t *testing.T) {
	p, start := newPacer(80), time.Now()
	p.limiter.SetLimit(10)
	p.raised = start
	for _, at := range []struct {
		after time.Duration
		want  rate.Limit
	}{{pacerStep - 1, 10}, {pacerStep, 12}, {2*pacerStep - 1, 12}, {2 * pacerStep, 14}} {
		p.raise(start.Add(at.after))
		if got := p.limiter.Limit(); got != at.want {
			t.Errorf("%v a second %v after the last increase, want %v", got, at.after, at.want)
		}
	}

	p.lowered = start
	for range 4 {
		p.taken = append(p.taken, start)
	}
	p.forget(start.Add(pacerMemory - 1))
	if len(p.taken) != 4 {
		t.Errorf("%d of 4 requests are left before they are forgotten", len(p.taken))
	}
	p.lower(start.Add(pacerMemory-1), start.Add(1))
	if got := p.limiter.Limit(); got != 14 {
		t.Errorf("%v a second, although it was lowered just before", got)
	}
	p.lower(start.Add(pacerMemory), start.Add(1)) // 4 in half a second are 8 a second
	if got := p.limiter.Limit(); got != 0.9*8 {
		t.Errorf("%v a second after a refusal that counts again, want 7.2", got)
	}
	p.forget(start.Add(pacerMemory))
	if len(p.taken) != 0 {
		t.Errorf("%d requests are left that are too long ago", len(p.taken))
	}
}

func TestTheRateHasAFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(80)
		for range 100 {
			p.heard(time.Now(), throttled())
			time.Sleep(time.Second)
		}
		if got := p.limiter.Limit(); got != 1 {
			t.Errorf("%v a second after nothing but throttling, want 1", got)
		}
	})
}

func TestOnlyThrottlingLowersTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(80)
		for _, status := range []int{403, 404, 500, 503} {
			p.heard(time.Now(), answered(status, errors.New("no")))
			time.Sleep(time.Second)
		}
		p.heard(time.Now(), context.DeadlineExceeded)
		if got := p.limiter.Limit(); got != 80 {
			t.Errorf("%v a second, want 80", got)
		}
	})
}

func TestTheRateComesBackToTheCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(80)
		p.heard(time.Now(), throttled())
		start := time.Now()
		for i := 0; p.limiter.Limit() < 80; i++ {
			if i == 1000 {
				t.Fatalf("%v a second after %d requests", p.limiter.Limit(), i)
			}
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.heard(time.Now(), nil)
		}
		if took := time.Since(start); took < 3900*time.Millisecond {
			t.Errorf("from 1 to 80 a second in %v, want 2 in 100ms", took)
		}
		for range 200 {
			_ = p.wait(t.Context())
			p.heard(time.Now(), nil)
		}
		if got := p.limiter.Limit(); got != 80 {
			t.Errorf("%v a second, want the cap", got)
		}
	})
}

// Those in the line were waiting at a request per second. They are not held to it.
func TestWhoWaitsGoesAtTheRateOfTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(rate.Inf)
		p.heard(time.Now(), throttled())
		start := time.Now()
		crowd(64, 64, func() error {
			err := p.wait(t.Context())
			p.heard(time.Now(), err)
			return err
		})
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("64 waited %v for their turns", took)
		}
	})
}

// With the cap lifted, it finds the limit of a server that refuses what is too
// much. Another tenant takes half of it in the second case.
func TestTheRateFindsALimitThatNobodyTold(t *testing.T) {
	const perSecond, burst = 200, 200
	for _, tenant := range []bool{false, true} {
		for _, workers := range []int{16, 64} {
			t.Run(fmt.Sprintf("%d workers, another tenant: %t", workers, tenant), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					bucket := rate.NewLimiter(perSecond, burst)
					refused := 0
					var mu sync.Mutex
					aws := serveInBubble(t, after(5*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
						if bucket.Allow() {
							works()(w, r)
							return
						}
						mu.Lock()
						refused++
						n := refused
						mu.Unlock()
						[]http.HandlerFunc{fault(429, "ThrottlingException"), answer(429, page), answer(429, "{}")}[n%3](w, r)
					})).capped(t, "0", "0")

					number, taken := 3000, 0
					ctx, stop := context.WithCancel(t.Context())
					var theirs sync.WaitGroup
					if tenant {
						number = 1500
						theirs.Go(func() {
							for ctx.Err() == nil {
								time.Sleep(rand.N(time.Second * 4 / perSecond)) // half of the limit, on average
								if bucket.Allow() {
									taken++
								}
							}
						})
					}
					start := time.Now()
					failed := crowd(workers, number, describing(t, aws.session(t, control.Monitor).Reads))
					took := time.Since(start).Seconds()
					stop()
					theirs.Wait()
					ideal := float64(number+taken-burst) / perSecond // the bucket is never full
					t.Logf("figure of fault 17: %.2f of the ideal time, %d calls lost", took/ideal, failed)
					if failed != 0 || took > 1.05*ideal {
						t.Errorf("%d calls lost, %.3f of the ideal time; want none, at most 1.05", failed, took/ideal)
					}
				})
			})
		}
	}
}

// A call that is cut off in front of a pacer says whose time was up.
func TestTimeThatPassesInLineIsSaidToHavePassedThere(t *testing.T) {
	// slow returns a session that has made a read and a write, and may make the next
	// ones in a while.
	slow := func(t *testing.T, handler http.HandlerFunc, perSecond rate.Limit) (*server, *Session) {
		s := serveInBubble(t, handler)
		session := s.session(t, control.Enforce)
		if err := errors.Join(describe(t.Context(), session.Reads), disconnect(t.Context(), session.Writes)); err != nil {
			t.Fatal(err)
		}
		for _, reads := range []bool{true, false} {
			l := s.pacers.of(lane{home(), codeartifact.ServiceID, reads}).limiter
			l.SetLimit(perSecond)
			l.AllowN(time.Now(), 1)
		}
		return s, session
	}
	underBothRetrySettings(t, func(t *testing.T) {
		for name, waiting := range map[string]int{"first in line": 0, "in line": 1} {
			t.Run("the time of the call, "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, session := slow(t, works(), 0.01)
					run, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
					defer cancel()
					var others sync.WaitGroup
					for range waiting {
						others.Go(func() { _ = describe(WithBudget(run, time.Minute), session.Reads) })
						synctest.Wait()
					}
					start := time.Now()
					err := describe(run, session.Reads)
					if err == nil {
						t.Fatal("it did not wait")
					}
					class, reason := Failure(run, "the domains could not be listed", err)
					if class != Throttled || !mentions(errors.New(reason), "given up after 45s: the call was still waiting for its turn") ||
						!mentions(errors.New(reason), "READS_PER_SECOND") || !mentions(errors.New(reason), "raise the cap") {
						t.Errorf("class %s: %s", class, reason)
					}
					if took := time.Since(start); took != 45*time.Second {
						t.Errorf("it took %v, want 45s", took)
					}
					if got := len(s.requests()); got != 2 {
						t.Errorf("%d requests, want none after the first two", got)
					}
					others.Wait()
				})
			})
		}
		t.Run("the time of a call that had failed before", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failing := false
				_, session := slow(t, func(w http.ResponseWriter, r *http.Request) {
					if failing {
						answer(http.StatusServiceUnavailable, "{}")(w, r)
						return
					}
					works()(w, r)
				}, 0.03)
				failing = true
				if err := describe(t.Context(), session.Reads); Classify(err) != Unavailable {
					t.Errorf("error %v, want what AWS answered", err)
				}
			})
		})
		t.Run("the time of the run", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, session := slow(t, works(), 0.01)
				run, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				start := time.Now()
				err := describe(run, session.Reads)
				if err == nil {
					t.Fatal("it did not wait")
				}
				if class, reason := Failure(run, "x", err); class != Deadline || Classify(err) != Deadline || !mentions(err, "waiting for its turn") {
					t.Errorf("class %s, %s: %s", class, Classify(err), reason)
				}
				if took := time.Since(start); took != 20*time.Second {
					t.Errorf("it took %v, want 20s: a call that gives up at once makes way for the next to fail", took)
				}
			})
		})
		t.Run("a write", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, session := slow(t, works(), 0.01)
				run, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				err := disconnect(run, session.Writes)
				if Classify(err) != Deadline || Answer(err) != control.Refused || len(s.requests()) != 2 {
					t.Errorf("class %s, answer %d, %d requests; error %v: it was never sent", Classify(err), Answer(err), len(s.requests()), err)
				}
			})
		})
		t.Run("not the time of an attempt", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, session := slow(t, after(4*time.Second, works()), 1.0/30)
				start := time.Now()
				if err := describe(t.Context(), session.Reads); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took < 29*time.Second || len(s.requests()) != 3 {
					t.Errorf("it took %v and %d requests, want one of 4s after 30s in line", took, len(s.requests())-2)
				}
			})
		})
	})
}

func TestTheCapsAreSettings(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        rate.Limit
	}{
		{"READS_PER_SECOND", "", 80}, {"READS_PER_SECOND", "400", 400}, {"READS_PER_SECOND", "0", rate.Inf},
		{"WRITES_PER_SECOND", "", 10}, {"WRITES_PER_SECOND", "1", 1}, {"WRITES_PER_SECOND", "0", rate.Inf},
	} {
		env := environment()
		env[test.name] = test.value
		a, err := FromEnvironment("external-connections", lookup(env), control.Monitor)
		if err != nil {
			t.Errorf("%s=%q: %v", test.name, test.value, err)
			continue
		}
		if got := a.pacers.of(lane{home(), "codeartifact", test.name == "READS_PER_SECOND"}).cap; got != test.want {
			t.Errorf("%s=%q: the cap is %v, want %v", test.name, test.value, got, test.want)
		}
	}
	for _, name := range []string{"READS_PER_SECOND", "WRITES_PER_SECOND"} {
		for _, value := range []string{"-1", "many", "1.5", " 80", "99999999999", "NaN", "Inf", "0x10"} {
			env := environment()
			env[name] = value
			if _, err := FromEnvironment("external-connections", lookup(env), control.Monitor); !mentions(err, fmt.Sprintf("%s is %q: it must be a whole number", name, value)) {
				t.Errorf("%s=%q: error %v", name, value, err)
			}
		}
	}
}
