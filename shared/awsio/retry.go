package awsio

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/aws/smithy-go/middleware"
)

const (
	firstDelay = 100 * time.Millisecond
	maxDelay   = 5 * time.Second

	// callTime bounds one read with all its attempts. It outlasts a burst of
	// trouble, and a part of AWS that stays broken does not use up the run.
	callTime = 45 * time.Second

	// patience is how often a failure is met that is not known to pass: a hung
	// server, or an answer that cannot be understood. Each costs up to an
	// attempt's time, and the other work of the run is waiting.
	patience = 3
)

// patient is the retryer for reads. Throttling, server errors and broken
// connections pass, so they are tried again for as long as [callTime]; there is no
// retry quota that workers could use up for one another. Timeouts and answers
// that make no sense are tried [patience] times in all.
//
// It takes the place of the SDK's retryers, whose quotas lose calls under many
// workers, and whose behaviour depends on AWS_NEW_RETRIES_2026
// (docs/decisions/0004-own-retries.md). Under that variable the SDK counts the
// attempts from zero and heeds one more header that asks for a delay. Both move
// the delays, and neither moves what is tried again.
type patient struct{}

func (patient) MaxAttempts() int { return 0 } // no limit but the context

func (patient) IsErrorRetryable(err error) bool {
	// The SDK corrects its own clock when AWS refuses a signature for its time.
	var skew interface{ RetryableError() bool }
	if errors.As(err, &skew) && skew.RetryableError() {
		return true
	}
	switch Classify(err) {
	case Throttled, Unavailable, Timeout, Malformed:
		return true
	default:
		return false
	}
}

// RetryDelay is random between nothing and a bound that doubles, so that workers
// which failed together do not come back together. What AWS asked for in
// Retry-After is heeded up to that bound's greatest value.
func (patient) RetryDelay(attempt int, err error) (time.Duration, error) {
	bound := maxDelay
	if attempt >= 0 && attempt < 6 {
		bound = firstDelay << attempt
	}
	return max(rand.N(bound), retryAfter(err)), nil //nolint:gosec // G404: a delay is no secret
}

// GetRetryToken is where patience ends.
func (patient) GetRetryToken(ctx context.Context, err error) (func(error) error, error) {
	met := ctx.Value(failures{}).(*failures)
	met.last = err
	if class := Classify(err); class != Throttled && class != Unavailable {
		met.count++
		if met.count >= patience {
			return nil, fmt.Errorf("given up after meeting this %d times", patience)
		}
	}
	return released, nil
}

func (patient) GetInitialToken() func(error) error                         { return released }
func (patient) GetAttemptToken(context.Context) (func(error) error, error) { return released, nil }

func released(error) error { return nil }

// WithBudget returns a context in which a read has this time, with all its
// attempts, in place of 45 seconds.
func WithBudget(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, budgetKey{}, d)
}

type budgetKey struct{}

// failures is what one call has met so far, and its own key in the context of
// the call. One call is made by one goroutine, so it needs no lock.
type failures struct {
	count int // of those that patience counts
	last  error
}

// budget gives each call its time, and a place for [patient] to count in. The
// error of a call whose time is up is the last failure that it met, or that it was
// waiting in front of a pacer: that the time was up says nothing to anybody.
func budget(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Budget", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		met, limit := &failures{}, callTime
		if d, ok := ctx.Value(budgetKey{}).(time.Duration); ok {
			limit = d
		}
		call, cancel := context.WithTimeout(context.WithValue(ctx, failures{}, met), limit)
		defer cancel()
		out, metadata, err := next.HandleInitialize(call, in)
		if err != nil && call.Err() != nil && ctx.Err() == nil {
			switch {
			case met.last != nil:
				err = fmt.Errorf("given up after %s: %w", limit, met.last)
			case errors.As(err, &inLine{}):
				err = fmt.Errorf("given up after %s: %w", limit, errOwnPace)
			}
		}
		return out, metadata, err
	}), middleware.Before)
}

// retryAfter returns what AWS asked for in the Retry-After header, in seconds as
// CodeArtifact sends it, or zero; at most maxDelay. The SDK does not heed it.
func retryAfter(err error) time.Duration {
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &answer) || answer.Response == nil {
		return 0
	}
	seconds, err := strconv.Atoi(answer.Response.Header.Get("Retry-After"))
	if err != nil {
		return 0
	}
	// Bounded first: what is asked for may be more than a time can hold.
	return time.Duration(min(max(seconds, 0), int(maxDelay/time.Second))) * time.Second
}
