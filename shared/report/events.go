package report

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
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
	bytes int
	lost  func(types.PutEventsRequestEntry, error) // told of every event that was not delivered
}

// add queues an event, and sends what is queued when a batch is full.
func (b *bus) add(ctx context.Context, detailType, resource string, detail any) error {
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
	size := len(body) + len(Source) + len(detailType) + len(resource)
	if len(b.queue) == batchEntries || b.bytes+size > batchBytes && len(b.queue) > 0 {
		b.flush(ctx)
	}
	b.queue = append(b.queue, entry)
	b.bytes += size
	return nil
}

// flush sends what is queued. PutEvents answers 200 even where it took only some
// of the entries, so the rest is sent again, and what the bus never takes is
// handed to lost.
func (b *bus) flush(ctx context.Context) {
	left := b.queue
	b.queue, b.bytes = nil, 0
	var why error
	for try := 0; try < sends && len(left) > 0; try++ {
		if try > 0 {
			select {
			case <-time.After(time.Duration(try) * 200 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		left, why = b.send(ctx, left)
	}
	for _, entry := range left {
		b.lost(entry, why)
	}
}

// send makes one call and returns the entries that were not taken, and why.
func (b *bus) send(ctx context.Context, entries []types.PutEventsRequestEntry) ([]types.PutEventsRequestEntry, error) {
	out, err := b.api.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
	if err != nil {
		return entries, err
	}
	if len(out.Entries) != len(entries) {
		return entries, fmt.Errorf("the bus answered for %d of %d events", len(out.Entries), len(entries))
	}
	var left []types.PutEventsRequestEntry
	for i, result := range out.Entries {
		if result.ErrorCode != nil || result.EventId == nil {
			left = append(left, entries[i])
			err = fmt.Errorf("the bus refused the event: %s %s", aws.ToString(result.ErrorCode), aws.ToString(result.ErrorMessage))
		}
	}
	return left, err
}
