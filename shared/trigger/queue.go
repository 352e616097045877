package trigger

import (
	"encoding/json"
	"fmt"
)

// A Message is one message of a batch that Lambda took from an SQS queue.
type Message struct {
	ID      string // what SQS calls it: the name under which it can be sent back
	Trigger Trigger
	Err     error // why the message cannot be read, which says nothing about the others
}

// ParseGroupChanges reads the payload of an invocation that is about package
// groups. These are known:
//
//   - a batch from an SQS queue, whose messages are CloudTrail's calls that create,
//     change or delete a package group of aws.codeartifact, one each;
//   - the sweeps that [Parse] knows.
//
// A batch has the cause Event, and its messages are to be looked at one by one.
// Anything else has no messages. An error means that nothing of the payload can
// be read.
func ParseGroupChanges(payload []byte) (Trigger, []Message, error) {
	var batch struct {
		Records []struct {
			ID     string `json:"messageId"`
			Source string `json:"eventSource"`
			Body   string `json:"body"` // the event, as text
		}
	}
	if err := json.Unmarshal(payload, &batch); err != nil {
		return Trigger{}, nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if batch.Records == nil {
		t, err := parse(payload, sweep, artifactCalls())
		return t, nil, err
	}
	messages := make([]Message, 0, len(batch.Records))
	for _, r := range batch.Records {
		if r.Source != "aws:sqs" || r.ID == "" {
			// A message without an id cannot be sent back on its own.
			return Trigger{}, nil, fmt.Errorf("%w: a record of source %q with id %q is no message of a queue", ErrUnreadable, r.Source, r.ID)
		}
		m := Message{ID: r.ID}
		m.Trigger, m.Err = parse([]byte(r.Body), sweep, artifactCalls("CreatePackageGroup", "DeletePackageGroup", "UpdatePackageGroup", "UpdatePackageGroupOriginConfiguration"))
		if m.Err == nil && (m.Trigger.Cause == Sweep || m.Trigger.Cause == Hand) {
			m = Message{ID: r.ID, Err: fmt.Errorf("%w: a sweep is not asked for through a queue", ErrUnreadable)}
		}
		messages = append(messages, m)
	}
	return Trigger{Cause: Event}, messages, nil
}
