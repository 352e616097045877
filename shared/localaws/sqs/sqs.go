// Package sqs is the SQS of a [localaws.World], as far as one asks a queue how much is in it. Queues are set up and filled
// in Go; nothing takes from them.
package sqs

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"portcullis/shared/localaws"
)

// A Service is the SQS of every account and Region of a World.
type Service struct {
	world  *localaws.World
	queues map[string]*queue // by URL
}

type queue struct {
	arn      string
	messages int
}

// New adds SQS to a World.
func New(w *localaws.World) *Service {
	s := &Service{world: w, queues: map[string]*queue{}}
	w.Serve("sqs", localaws.JSON10, s.route)
	return s
}

// A Queue is a handle on a queue.
type Queue struct {
	URL, ARN string
	service  *Service
}

// AddQueue makes an empty queue, unless it exists.
func (s *Service) AddQueue(account, region, name string) Queue {
	q := Queue{
		URL:     fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/%s", region, account, name),
		ARN:     fmt.Sprintf("arn:aws:sqs:%s:%s:%s", region, account, name),
		service: s,
	}
	s.world.Hold(func(time.Time) {
		if s.queues[q.URL] == nil {
			s.queues[q.URL] = &queue{arn: q.ARN}
		}
	})
	return q
}

// Send puts so many messages into the queue, whatever they say.
func (q Queue) Send(n int) {
	q.service.world.Hold(func(time.Time) { q.service.queues[q.URL].messages += n })
}

// Remove deletes the queue.
func (q Queue) Remove() {
	q.service.world.Hold(func(time.Time) { delete(q.service.queues, q.URL) })
}

type input struct {
	QueueURL       string `json:"QueueUrl"`
	AttributeNames []string
}

func (s *Service) route(r *http.Request, body []byte) (localaws.Operation, error) {
	if target := r.Header.Get("X-Amz-Target"); target != "AmazonSQS.GetQueueAttributes" {
		return localaws.Operation{}, failed("InvalidAction", "no operation %q", target)
	}
	op := localaws.Operation{Name: "GetQueueAttributes"}
	var in input
	err := json.Unmarshal(body, &op.Input)
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		return op, failed("SerializationException", "%v", err)
	}
	op.Run = func(localaws.Caller) (any, bool, error) { return s.attributes(in) }
	return op, nil
}

// attributes answers those that were asked for, all of them text, and none where none was. All messages are visible here:
// nobody receives them, and none is delayed.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
func (s *Service) attributes(in input) (any, bool, error) {
	q := s.queues[in.QueueURL]
	if q == nil {
		return nil, false, failed("QueueDoesNotExist", "The specified queue does not exist.")
	}
	attributes := map[string]string{}
	for name, value := range map[string]string{
		"QueueArn":                              q.arn,
		"ApproximateNumberOfMessages":           strconv.Itoa(q.messages),
		"ApproximateNumberOfMessagesNotVisible": "0",
		"ApproximateNumberOfMessagesDelayed":    "0",
	} {
		if slices.Contains(in.AttributeNames, name) || slices.Contains(in.AttributeNames, "All") {
			attributes[name] = value
		}
	}
	return map[string]any{"Attributes": attributes}, false, nil
}

func failed(code, format string, args ...any) error {
	return &localaws.Error{Status: http.StatusBadRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}
