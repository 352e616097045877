package awsio

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"

	"portcullis/shared/control"
)

// Requests per second to one service in one account and Region, where the
// deployment does not say: a tenth of what CodeArtifact grants an account, which
// its builds share:
// https://docs.aws.amazon.com/codeartifact/latest/ug/service-limits.html
const (
	defaultReads  = 80
	defaultWrites = 10
)

const (
	pacerMemory = 500 * time.Millisecond // how far back successes are counted, and the least time between two decreases
	pacerStep   = 100 * time.Millisecond // the least time between two increases
	pacerRaise  = 2                      // what one increase adds, in requests per second
	pacerLower  = 0.9                    // what one decrease leaves of the rate that worked
	pacerFloor  = 1                      // requests per second; below it a run would stand still
)

// pacers has one [pacer] for each account, Region, service and kind of request.
// All sessions of a process share it, and with them all their workers
// (docs/decisions/0015-pacer.md).
type pacers struct {
	reads, writes rate.Limit // the caps

	mu sync.Mutex
	by map[lane]*pacer
}

// lane is what has a quota of its own.
type lane struct {
	scope   control.Scope
	service string
	reads   bool
}

// newPacers reads READS_PER_SECOND and WRITES_PER_SECOND, the caps.
func newPacers(getenv func(string) string) (*pacers, error) {
	reads, errReads := parseCap("READS_PER_SECOND", getenv("READS_PER_SECOND"), defaultReads)
	writes, errWrites := parseCap("WRITES_PER_SECOND", getenv("WRITES_PER_SECOND"), defaultWrites)
	return &pacers{reads: reads, writes: writes, by: map[lane]*pacer{}}, errors.Join(errReads, errWrites)
}

func parseCap(name, value string, unset rate.Limit) (rate.Limit, error) {
	if value == "" {
		return unset, nil
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%s is %q: it must be a whole number of requests per second, or 0 for no cap; template.yaml sets it from its parameter", name, value)
	}
	if n == 0 {
		return rate.Inf, nil
	}
	return rate.Limit(n), nil
}

func (p *pacers) of(l lane) *pacer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by[l] == nil {
		limit := p.writes
		if l.reads {
			limit = p.reads
		}
		p.by[l] = newPacer(limit)
	}
	return p.by[l]
}

// pace lets every attempt of every call wait for its turn: it stands behind the
// SDK's retry loop. The time of an attempt begins after that, in the HTTP client.
func (p *pacers) pace(scope control.Scope) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("Pacer", func(
			ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
		) (middleware.FinalizeOutput, middleware.Metadata, error) {
			pacer := p.of(lane{scope, awsmiddleware.GetServiceID(ctx), isRead(awsmiddleware.GetOperationName(ctx))})
			if err := pacer.wait(ctx); err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, err
			}
			sent := time.Now()
			out, metadata, err := next.HandleFinalize(ctx, in)
			pacer.heard(sent, err)
			return out, metadata, err
		}), "Retry", middleware.After)
	}
}

// pacer keeps requests at the rate that AWS takes, and never above a cap. What is
// refused lowers it below the rate at which requests were taken just before, and
// what is taken raises it again, so that it stays close to a limit that nobody
// told it and that others use, too.
type pacer struct {
	cap     rate.Limit
	limiter *rate.Limiter
	turn    chan struct{} // held by the one that waits for the limiter

	mu      sync.Mutex
	taken   []time.Time // requests that AWS took within pacerMemory, oldest first
	raised  time.Time
	lowered time.Time
}

// newPacer returns a pacer that begins at its cap. It saves up no more than one
// request, so that after a pause there is no burst.
func newPacer(limit rate.Limit) *pacer {
	return &pacer{cap: limit, limiter: rate.NewLimiter(limit, 1), turn: make(chan struct{}, 1)}
}

// wait returns when it is the caller's turn. Only the first in the line has a
// place in the limiter's future. The others come after it at the rate of that
// moment, and not at the one of the moment when they came.
func (p *pacer) wait(ctx context.Context) error {
	if ctx.Err() != nil {
		return inLine{ctx.Err()}
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return inLine{ctx.Err()}
	}
	// Not the limiter's own Wait, which gives up at once where the time will not do.
	// Every call behind it would, too, and a run would end in a storm of failures.
	place := p.limiter.Reserve()
	delay := place.Delay()
	if delay == 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		place.Cancel()
		return inLine{ctx.Err()}
	}
}

// heard takes account of how a request ended that was sent at the given time.
func (p *pacer) heard(sent time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	switch class := Classify(err); {
	case err == nil, class == NotFound, class == Conflict, class == Invalid, class == Denied:
		p.forget(now)
		p.taken = append(p.taken, now)
		p.raise(now)
	case class == Throttled:
		p.forget(now)
		p.lower(now, sent)
	}
	// Whatever else went wrong says nothing about the quota.
}

// raise is one step towards the cap.
func (p *pacer) raise(now time.Time) {
	if limit := p.limiter.Limit(); limit < p.cap && now.Sub(p.raised) >= pacerStep {
		p.raised = now
		p.limiter.SetLimitAt(now, min(p.cap, limit+pacerRaise))
	}
}

// lower follows from one refusal of many: those that come close together, and
// those of requests that were sent before the rate was lowered, tell nothing new.
func (p *pacer) lower(now, sent time.Time) {
	if now.Sub(p.lowered) < pacerMemory || sent.Before(p.lowered) {
		return
	}
	worked := rate.Limit(float64(len(p.taken)) / pacerMemory.Seconds())
	p.lowered, p.raised = now, now
	p.limiter.SetLimitAt(now, max(pacerFloor, pacerLower*min(p.limiter.Limit(), worked)))
}

// forget drops what is too long ago to count.
func (p *pacer) forget(now time.Time) {
	old := 0
	for old < len(p.taken) && now.Sub(p.taken[old]) >= pacerMemory {
		old++
	}
	p.taken = p.taken[old:]
}

// inLine is the error of a request whose context ended while it waited for its
// turn. It was not sent.
type inLine struct{ err error }

func (e inLine) Error() string { return "not sent, it was waiting for its turn: " + e.err.Error() }
func (e inLine) Unwrap() error { return e.err }

// errOwnPace is the error of a call whose time went by in front of a pacer. It is
// of class Throttled, although AWS refused nothing: there were too many requests.
var errOwnPace = errors.New("the call was still waiting for its turn at the rate of this function, which READS_PER_SECOND and WRITES_PER_SECOND cap and throttling lowers")

// isRead tells by an operation's name whether it is a read.
func isRead(operation string) bool {
	for _, verb := range []string{"List", "Describe", "Get", "Filter"} {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}
