package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"go.yaml.in/yaml/v3"
)

const day = 24 * time.Hour

// queue is what stands between the rule on package groups and package-origins. It
// holds every event for a while, on the World's clock.
type queue struct {
	delay   time.Duration
	waiting []message
}

type message struct {
	due  time.Time
	body string
}

// delayIn reads for how long the queue that is deployed holds events.
func delayIn(template []byte) (time.Duration, error) {
	var t struct {
		Parameters struct {
			ConsistencyDelaySeconds struct {
				Default *int `yaml:"Default"`
			} `yaml:"ConsistencyDelaySeconds"`
		} `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal(template, &t); err != nil {
		return 0, fmt.Errorf("reading template: %w", err)
	}
	seconds := t.Parameters.ConsistencyDelaySeconds.Default
	if seconds == nil {
		return 0, errors.New("reading template: ConsistencyDelaySeconds has no default")
	}
	return time.Duration(*seconds) * time.Second, nil
}

func (s *stage) enqueue(event []byte) {
	s.queue.waiting = append(s.queue.waiting, message{s.world.Now().Add(s.queue.delay), string(event)})
}

// later lets time pass, and the queue hand over in one batch what is due.
func (s *stage) later(d time.Duration) error {
	s.events.Idle()
	s.world.Advance(d)
	now := s.world.Now()
	s.say("clock", "%s later: %s", span(d), now.Format("2006-01-02 15:04"))
	var batch events.SQSEvent
	var waiting []message
	for i, m := range s.queue.waiting {
		if m.due.After(now) {
			waiting = append(waiting, m)
			continue
		}
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: fmt.Sprintf("message-%d", i), EventSource: "aws:sqs", Body: m.body})
	}
	s.queue.waiting = waiting
	if batch.Records == nil {
		return nil
	}
	return s.wakeOrigins(batch)
}

// wakeOrigins hands package-origins a batch, which it must take whole.
func (s *stage) wakeOrigins(batch events.SQSEvent) error {
	s.say("queue", "hands %d to package-origins", len(batch.Records))
	payload, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	result, err := s.deployed[origins].Invoke(s.ctx, payload)
	if err != nil {
		return err
	}
	var answer events.SQSEventResponse
	if err := json.Unmarshal(result.Payload, &answer); err != nil {
		return fmt.Errorf("reading the answer to a batch: %w", err)
	}
	if n := len(answer.BatchItemFailures); n > 0 {
		return fmt.Errorf("package-origins sent back %d of %d messages", n, len(batch.Records))
	}
	return nil
}

// span writes a duration in days, hours or seconds.
func span(d time.Duration) string {
	if d == time.Hour {
		return "1 hour"
	}
	if d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// milliseconds writes a duration in them, or in seconds on a machine that takes so long.
func milliseconds(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
