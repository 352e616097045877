package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
)

// Source is the source of all events of this program.
const Source = "portcullis"

// The detail-types of the events.
const (
	FindingEvent = "Finding"
	OutcomeEvent = "Action Outcome"
	SummaryEvent = "Run Summary"
)

// Version is the version of the events' details. It changes only when a field is
// taken away or means something else.
const Version = 1

const (
	batchEntries = 10        // most entries in one PutEvents call
	batchBytes   = 250 << 10 // AWS takes 1 MiB since 2026; the older 256 KiB is safe everywhere
	sends        = 3         // how often an entry is offered to the bus

	// flushTime bounds the sending of one batch, re-sends included.
	flushTime = 6 * time.Second
)

// API is the part of EventBridge that reporting uses.
type API interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// bus sends events in batches. It belongs to one run.
type bus struct {
	api   API
	name  string
	queue []types.PutEventsRequestEntry
	lost  func(types.PutEventsRequestEntry, error) // told of every event that was not delivered

	// down is why the bus could not be reached for a whole batch. The rest of the
	// run does not wait for it again.
	down error
}

// add queues an event.
func (b *bus) add(detailType, resource string, detail any) error {
	body, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("writing a %s event: %w", detailType, err)
	}
	entry := types.PutEventsRequestEntry{
		EventBusName: aws.String(b.name),
		Source:       aws.String(Source),
		DetailType:   aws.String(detailType),
		Detail:       aws.String(string(body)),
	}
	if resource != "" {
		entry.Resources = []string{resource}
	}
	b.queue = append(b.queue, entry)
	return nil
}

// flush sends what is queued.
func (b *bus) flush(ctx context.Context) {
	queue := b.queue
	b.queue = nil
	for len(queue) > 0 {
		n, bytes := 0, 0
		for n < len(queue) && n < batchEntries {
			bytes += size(queue[n])
			if n > 0 && bytes > batchBytes {
				break
			}
			n++
		}
		b.deliver(ctx, queue[:n])
		queue = queue[n:]
	}
}

// size is what an entry counts towards the limit of a call:
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
func size(e types.PutEventsRequestEntry) int {
	n := len(aws.ToString(e.Source)) + len(aws.ToString(e.DetailType)) + len(aws.ToString(e.Detail))
	for _, r := range e.Resources {
		n += len(r)
	}
	return n
}

// deliver sends one batch. PutEvents answers 200 even where it took only some
// of the entries, so the rest is sent again, and what the bus never takes is
// handed to lost.
func (b *bus) deliver(ctx context.Context, left []types.PutEventsRequestEntry) {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	why, reached := b.down, false
	for try := 0; try < sends && len(left) > 0 && b.down == nil; try++ {
		if try > 0 {
			select {
			case <-time.After(time.Duration(try) * 200 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		var answered bool
		left, answered, why = b.send(ctx, left)
		reached = reached || answered
	}
	if !reached {
		b.down = why
	}
	for _, entry := range left {
		b.lost(entry, why)
	}
}

// send makes one call and returns the entries that were not taken, whether the bus
// answered at all, and why the entries were not taken.
func (b *bus) send(ctx context.Context, entries []types.PutEventsRequestEntry) (left []types.PutEventsRequestEntry, answered bool, err error) {
	out, err := b.api.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
	if err != nil {
		var refused smithy.APIError
		return entries, errors.As(err, &refused), err
	}
	if len(out.Entries) != len(entries) {
		return entries, true, fmt.Errorf("the bus answered for %d of %d events", len(out.Entries), len(entries))
	}
	for i, result := range out.Entries {
		if result.ErrorCode != nil || result.EventId == nil {
			left = append(left, entries[i])
			err = fmt.Errorf("the bus refused the event: %s %s", aws.ToString(result.ErrorCode), aws.ToString(result.ErrorMessage))
		}
	}
	return left, true, err
}
