package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
)

// A Failure is the record that Lambda sends to the destination of a failed asynchronous invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
type Failure struct {
	Version         string          `json:"version"`
	Timestamp       string          `json:"timestamp"` // by the World's clock
	RequestContext  RequestContext  `json:"requestContext"`
	RequestPayload  json.RawMessage `json:"requestPayload"`
	ResponseContext ResponseContext `json:"responseContext"`
	ResponsePayload json.RawMessage `json:"responsePayload"`
}

// A RequestContext says which invocation failed, and why it is not tried again.
type RequestContext struct {
	RequestID              string `json:"requestId"`
	FunctionARN            string `json:"functionArn"`
	Condition              string `json:"condition"` // always "RetriesExhausted" here
	ApproximateInvokeCount int    `json:"approximateInvokeCount"`
}

// A ResponseContext describes the answer of the last attempt.
type ResponseContext struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError"`
}

// InvokeAsync hands the function one event, as JSON, and does not wait; what it returns is closed when Lambda is done
// with the event. An attempt that fails is followed by up to two more with the same request id, and then by a
// [Failure]. Lambda waits one minute before the second attempt and two before the third
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html); here they follow at once, and
// the World's clock does not move.
func (r *Running) InvokeAsync(payload []byte) (done <-chan struct{}) {
	ended := make(chan struct{})
	requestID := r.newRequestID()
	r.mu.Lock()
	r.async++
	r.mu.Unlock()
	payload = slices.Clone(payload)
	go func() {
		r.attempt(requestID, payload)
		r.mu.Lock()
		r.async--
		r.free.Broadcast()
		r.mu.Unlock()
		close(ended)
	}()
	return ended
}

// Idle returns once Lambda is done with every event that the function was handed asynchronously. What the function itself
// has set going elsewhere may still hand it others.
func (r *Running) Idle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.async > 0 {
		r.free.Wait()
	}
}

func (r *Running) attempt(requestID string, payload []byte) {
	attempts := 3
	if r.function.Retries != nil {
		attempts = 1 + *r.function.Retries
	}
	var result Result
	for range attempts {
		var err error
		result, err = r.invoke(context.Background(), requestID, payload)
		if err == nil || errors.Is(err, errClosed) {
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, Failure{
		Version:   "1.0",
		Timestamp: r.world.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		RequestContext: RequestContext{
			RequestID: requestID, FunctionARN: r.ARN() + ":$LATEST",
			Condition: "RetriesExhausted", ApproximateInvokeCount: attempts,
		},
		RequestPayload:  payload,
		ResponseContext: ResponseContext{StatusCode: 200, ExecutedVersion: "$LATEST", FunctionError: "Unhandled"},
		ResponsePayload: result.Payload,
	})
}

// Failures returns what reached the failure destination, in order.
func (r *Running) Failures() []Failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.failures)
}
