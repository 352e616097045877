package awsio

import (
	"context"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// Clock tells the time as AWS's answers told it. Waivers and ages are judged by
// it and not by the machine's clock, which nobody in this program can vouch for.
// The zero Clock has not heard the time yet.
type Clock struct {
	mu               sync.Mutex
	earliest, latest time.Time
}

// Now returns the earliest date that an answer carried, with a resolution of one
// second, or the zero time if none did. A run is short, so it is late by minutes
// at most. Dates that lie more than an hour apart contradict each other, and then
// the time is not known: neither a date ahead of the others can end a waiver, nor
// one behind them make a mark older than it is.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.latest.Sub(c.earliest) > time.Hour {
		return time.Time{}
	}
	return c.earliest
}

// listen sets the clock by the Date header of answers that the SDK understood and
// that bear a request id, as all of AWS's do. A page that something between us and
// AWS put in the way does not set it.
func (c *Clock) listen(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Clock", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		at, dated := awsmiddleware.GetServerTime(metadata)
		id, _ := awsmiddleware.GetRequestIDMetadata(metadata)
		if err == nil && dated && id != "" {
			c.hear(at)
		}
		return out, metadata, err
	}), middleware.Before)
}

func (c *Clock) hear(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at = at.UTC()
	if c.earliest.IsZero() || at.Before(c.earliest) {
		c.earliest = at
	}
	if c.latest.IsZero() || at.After(c.latest) { // a date may lie before the zero time
		c.latest = at
	}
}
