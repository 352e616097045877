package awsio

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"portcullis/shared/control"
)

// Every test of what is tried again is made twice: the SDK's own retries change
// with this variable, and ours must not.
func underBothRetrySettings(t *testing.T, test func(t *testing.T)) {
	for _, value := range []string{"false", "true"} {
		t.Run("AWS_NEW_RETRIES_2026="+value, func(t *testing.T) {
			t.Setenv("AWS_NEW_RETRIES_2026", value)
			test(t)
		})
	}
}

func TestReadsAreTriedAgainUntilTheyWork(t *testing.T) {
	const many = 12 // more than anybody's default
	rows := []struct {
		name    string
		failing http.HandlerFunc
		times   int
	}{
		{"after a server error", fault(500, "InternalServerException"), many},
		{"after a server error that is a page", answer(502, page), many},
		{"after a server error without a body", answer(503, ""), many},
		{"after throttling", fault(429, "ThrottlingException"), many},
		{"after throttling in a 400", fault(400, "ThrottlingException"), many},
		{"after throttling without a code", answer(429, `{"message":"slow down"}`), many},
		{"after throttling that is a page", answer(429, page), many},
		{"after throttling without a body", answer(429, ""), many},
		{"after a closed connection", closed, many},
		{"after half an answer, twice", truncated, 2},
		{"after a page in place of an answer, twice", answer(200, page), 2},
		{"after an answer of another shape, twice", answer(200, `{"repository":[]}`), 2},
		{"after no answer in time, twice", hang, 2},
		{"after an answer that stalls, twice", stall, 2},
	}
	underBothRetrySettings(t, func(t *testing.T) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					aws := serveInBubble(t, times(row.times, row.failing, works()))
					if err := describe(t.Context(), aws.session(t, control.Monitor).Reads); err != nil {
						t.Errorf("error %v", err)
					}
					if got := len(aws.requests()); got != row.times+1 {
						t.Errorf("%d requests, want %d", got, row.times+1)
					}
				})
			})
		}
	})
}

func TestReadsAreTriedAgainAfterAReset(t *testing.T) {
	aws := serve(t, times(2, closed, works()))
	if err := describe(t.Context(), aws.session(t, control.Monitor).Reads); err != nil {
		t.Errorf("error %v", err)
	}
	if got := len(aws.requests()); got != 3 {
		t.Errorf("%d requests, want 3", got)
	}
}

func TestReadsGiveUpAfterThreeAttempts(t *testing.T) {
	rows := []struct {
		name    string
		failing http.HandlerFunc
		class   Class
		atLeast time.Duration
	}{
		{"on a server that hangs", hang, Timeout, 15 * time.Second},
		{"on an answer that stalls", stall, Timeout, 15 * time.Second},
		{"on a page in place of an answer", answer(200, page), Malformed, 0},
		{"on half an answer", truncated, Malformed, 0},
		{"on an answer that is too large", answer(200, large(5<<20)), Malformed, 0},
	}
	underBothRetrySettings(t, func(t *testing.T) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					aws := serveInBubble(t, row.failing)
					start := time.Now()
					err := describe(t.Context(), aws.session(t, control.Monitor).Reads)
					if got := Classify(err); got != row.class || !mentions(err, "given up after meeting this 3 times") {
						t.Errorf("class %s, want %s; error %v", got, row.class, err)
					}
					if got := len(aws.requests()); got != 3 {
						t.Errorf("%d requests, want 3", got)
					}
					if took := time.Since(start); took < row.atLeast || took > row.atLeast+time.Second {
						t.Errorf("it took %v, want %v and the delays", took, row.atLeast)
					}
				})
			})
		}
	})
}

func TestEachCallHasItsOwnPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := answer(200, page)
		aws := serveInBubble(t, inTurn(bad, bad, works(), bad, bad, works()))
		reads := aws.session(t, control.Monitor).Reads
		for range 2 {
			if err := describe(t.Context(), reads); err != nil {
				t.Errorf("error %v", err)
			}
		}
	})
}

// What passes does not use up the patience for what may not.
func TestPatienceCountsOnlyWhatMayNotPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad, busy := answer(200, page), fault(429, "ThrottlingException")
		aws := serveInBubble(t, inTurn(busy, bad, busy, busy, bad, busy, works()))
		if err := describe(t.Context(), aws.session(t, control.Monitor).Reads); err != nil {
			t.Errorf("error %v", err)
		}
	})
}

// A part of AWS that stays broken costs one call 45 seconds, and no run its end.
// What is said of it is what kept happening, not that a time was up.
func TestReadsGiveUpAfter45Seconds(t *testing.T) {
	rows := []struct {
		name    string
		failing http.HandlerFunc
		class   Class
	}{
		{"on a server error", fault(500, "InternalServerException"), Unavailable},
		{"on a server error that is a page", answer(503, page), Unavailable},
		{"on a closed connection", closed, Unavailable},
		{"on throttling", fault(429, "ThrottlingException"), Throttled},
		{"on throttling without a code", answer(429, `{"message":"slow down"}`), Throttled},
		{"on being told to wait for an hour", answer(429, `{}`, "Retry-After", "3600"), Throttled},
		{"on what came last", inTurn(fault(500, "InternalServerException"), fault(429, "ThrottlingException")), Throttled},
	}
	underBothRetrySettings(t, func(t *testing.T) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					reads := serveInBubble(t, row.failing).session(t, control.Monitor).Reads
					run, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
					defer cancel()
					for range 2 { // each call has its own time
						start := time.Now()
						err := describe(run, reads)
						if got := Classify(err); got != row.class || !mentions(err, "given up after 45s: ") {
							t.Errorf("class %s, want %s; error %v", got, row.class, err)
						}
						if took := time.Since(start); took != 45*time.Second {
							t.Errorf("it took %v, want 45s", took)
						}
					}
				})
			})
		}
	})
}

func TestReadsStopWhenTheContextEnds(t *testing.T) {
	rows := map[string]http.HandlerFunc{
		"between attempts":           fault(500, "InternalServerException"),
		"while waiting as told":      answer(429, `{}`, "Retry-After", "3600"),
		"while waiting for a word":   hang,
		"in the middle of an answer": stall,
	}
	underBothRetrySettings(t, func(t *testing.T) {
		for name, failing := range rows {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const limit = 4 * time.Second
					aws := serveInBubble(t, failing)
					ctx, cancel := context.WithTimeout(t.Context(), limit)
					defer cancel()
					start := time.Now()
					err := describe(ctx, aws.session(t, control.Monitor).Reads)
					if got := Classify(err); got != Deadline {
						t.Errorf("class %s, want %s; error %v", got, Deadline, err)
					}
					if took := time.Since(start); took != limit {
						t.Errorf("it took %v, want %v", took, limit)
					}
				})
			})
		}
	})
}

func TestNothingIsSentAfterTheContextEnded(t *testing.T) {
	aws := serve(t, works())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := describe(ctx, aws.session(t, control.Monitor).Reads); Classify(err) != Deadline {
		t.Errorf("class %s, want %s; error %v", Classify(err), Deadline, err)
	}
	if got := aws.requests(); got != nil {
		t.Errorf("requests %q", got)
	}
}

func TestReadsWaitAsLongAsTheyAreTold(t *testing.T) {
	underBothRetrySettings(t, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			aws := serveInBubble(t, inTurn(answer(429, `{}`, "Retry-After", "3"), works()))
			start := time.Now()
			if err := describe(t.Context(), aws.session(t, control.Monitor).Reads); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != 3*time.Second {
				t.Errorf("it took %v, want 3s", took)
			}
		})
	})
}

func TestCallsThatCannotWorkAreMadeOnce(t *testing.T) {
	rows := []struct {
		name    string
		failing http.HandlerFunc
		class   Class
	}{
		{"access denied", fault(403, "AccessDeniedException"), Denied},
		{"access denied without a code", answer(403, `{"message":"no"}`), Denied},
		{"expired credentials", fault(403, "ExpiredTokenException"), Credentials},
		{"not found", fault(404, "ResourceNotFoundException"), NotFound},
		{"not found without a code", answer(404, `{"message":"no"}`), Other},
		{"conflict", fault(409, "ConflictException"), Conflict},
		{"a request that AWS finds wrong", fault(400, "ValidationException"), Invalid},
		{"a quota", fault(402, "ServiceQuotaExceededException"), Invalid},
	}
	underBothRetrySettings(t, func(t *testing.T) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				aws := serve(t, row.failing)
				err := describe(t.Context(), aws.session(t, control.Monitor).Reads)
				if got := Classify(err); got != row.class {
					t.Errorf("class %s, want %s; error %v", got, row.class, err)
				}
				if got := len(aws.requests()); got != 1 {
					t.Errorf("%d requests, want 1", got)
				}
			})
		}
	})
}

func TestAHostThatDoesNotExistIsAskedForOnce(t *testing.T) {
	aws := serve(t, works())
	dials := 0
	aws.http.transport.DialContext = func(_ context.Context, network, _ string) (net.Conn, error) {
		dials++
		return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}}
	}
	err := describe(t.Context(), aws.session(t, control.Monitor).Reads)
	if got := Classify(err); got != Unreachable || dials != 1 {
		t.Errorf("class %s after %d dials, want %s after 1; error %v", got, dials, Unreachable, err)
	}
}

// AWS refuses a signature whose time is off. The SDK learns the time from that
// answer, so the second attempt works.
func TestReadsAreTriedAgainWhereTheClockIsWrong(t *testing.T) {
	underBothRetrySettings(t, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			late := time.Now().Add(2 * time.Hour).UTC().Format(http.TimeFormat)
			refusal := answer(403, `{}`, "X-Amzn-ErrorType", "InvalidSignatureException", "Date", late)
			aws := serveInBubble(t, inTurn(refusal, works()))
			if err := describe(t.Context(), aws.session(t, control.Monitor).Reads); err != nil {
				t.Errorf("error %v", err)
			}
			if got := len(aws.requests()); got != 2 {
				t.Errorf("%d requests, want 2", got)
			}
		})
	})
}

func TestWritesAreMadeOnce(t *testing.T) {
	rows := []struct {
		name    string
		failing http.HandlerFunc
		class   Class
		answer  control.Answer
	}{
		{"after a server error", fault(500, "InternalServerException"), Unavailable, control.Lost},
		{"after a server error without a code", answer(503, ""), Unavailable, control.Lost},
		{"after a reset", closed, Unavailable, control.Lost},
		{"after throttling", fault(429, "ThrottlingException"), Throttled, control.Refused},
		{"after half an answer", truncated, Malformed, control.Lost},
		{"after a page in place of an answer", answer(200, page), Malformed, control.Lost},
		{"after access was denied", fault(403, "AccessDeniedException"), Denied, control.Refused},
		{"after a conflict", fault(409, "ConflictException"), Conflict, control.Objected},
		{"and work", works(), Other, control.Accepted},
	}
	underBothRetrySettings(t, func(t *testing.T) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				// The connection is an old one, which Go's client would replace by itself for a read.
				aws := serve(t, inTurn(works(), row.failing))
				session := aws.session(t, control.Enforce)
				if err := describe(t.Context(), session.Reads); err != nil {
					t.Fatal(err)
				}
				err := disconnect(t.Context(), session.Writes)
				if got := Classify(err); got != row.class || Answer(err) != row.answer {
					t.Errorf("class %s, answer %d, want %s, %d; error %v", got, Answer(err), row.class, row.answer, err)
				}
				if got := aws.requests(); len(got) != 2 || got[1] != "DELETE /v1/repository/external-connection" {
					t.Errorf("requests %q, want one DELETE after the GET", got)
				}
			})
		}
	})
}

func TestAWriteWithoutAnAnswerEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aws := serveInBubble(t, hang)
		start := time.Now()
		err := disconnect(t.Context(), aws.session(t, control.Enforce).Writes)
		if Classify(err) != Timeout || Answer(err) != control.Lost || len(aws.requests()) != 1 {
			t.Errorf("class %s, answer %d, %d requests; want %s, %d, 1; error %v", Classify(err), Answer(err), len(aws.requests()), Timeout, control.Lost, err)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("it took %v, want 5s", took)
		}
	})
}

// Package report sends again what the bus did not take, within a time that it knows.
func TestEventsHaveOneAttempt(t *testing.T) {
	aws := serve(t, inTurn(fault(500, "InternalServerException"), works()))
	if err := disconnect(t.Context(), aws.Events()); err == nil { // any operation will do
		t.Error("it was tried again")
	}
}

func TestRetryDelay(t *testing.T) {
	t.Run("is between nothing and a bound that doubles", func(t *testing.T) {
		for attempt := -2; attempt < 100; attempt++ {
			bound := 5 * time.Second
			if attempt >= 0 && attempt <= 5 {
				bound = []time.Duration{100, 200, 400, 800, 1600, 3200}[attempt] * time.Millisecond
			}
			for range 50 {
				if got, err := (patient{}).RetryDelay(attempt, errors.New("x")); err != nil || got < 0 || got >= bound {
					t.Fatalf("attempt %d: delay %v, error %v, want less than %v", attempt, got, err, bound)
				}
			}
		}
	})
	t.Run("is spread over the whole range", func(t *testing.T) {
		low, high := false, false
		for range 200 { // all on one side: a chance of 2 in 2 to the 200th
			d, _ := patient{}.RetryDelay(3, errors.New("x"))
			low, high = low || d < 400*time.Millisecond, high || d >= 400*time.Millisecond
		}
		if !low || !high {
			t.Errorf("of 200 delays, some are short: %t, some are long: %t", low, high)
		}
	})
	for _, test := range []struct {
		name, header  string
		atLeast, most time.Duration
	}{
		{"is what AWS asked for", "1", time.Second, time.Second},
		{"is at most five seconds, whatever AWS asked for", "60", 5 * time.Second, 5 * time.Second},
		{"passes over a header that is empty", "", 0, 100 * time.Millisecond},
		{"passes over a header of zero", "0", 0, 100 * time.Millisecond},
		{"passes over a header below zero", "-5", 0, 100 * time.Millisecond},
		{"passes over a header that is a date", "Wed, 21 Oct 2026 07:28:00 GMT", 0, 100 * time.Millisecond},
		{"passes over a header that is a word", "soon", 0, 100 * time.Millisecond},
		{"is at most five seconds after an hour, too", "3601", 5 * time.Second, 5 * time.Second},
		{"is at most five seconds after three centuries, too", "9223372037", 5 * time.Second, 5 * time.Second},
		{"passes over a header that is no number of this machine's", "99999999999999999999", 0, 100 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := answered(429, errors.New("slow down"))
			var response *smithyhttp.ResponseError
			errors.As(err, &response)
			response.Response.Header.Set("Retry-After", test.header)
			if got, err := (patient{}).RetryDelay(0, err); err != nil || got < test.atLeast || got > test.most {
				t.Errorf("delay %v, error %v, want %v to %v", got, err, test.atLeast, test.most)
			}
		})
	}
	t.Run("is short after an answer that has no response", func(t *testing.T) {
		for _, err := range []error{nil, &smithyhttp.ResponseError{}, &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{}}} {
			if got, _ := (patient{}).RetryDelay(0, err); got > 100*time.Millisecond {
				t.Errorf("delay %v after %#v", got, err)
			}
		}
	})
}
