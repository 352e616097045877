// Package lambda runs a real function binary, as it is deployed, under the Lambda runtime API
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) with a [localaws.World] as its AWS.
//
// A function has one execution environment: invocations wait for each other. The process starts with the first one, is
// killed at its deadline and with [Running.Kill], and starts anew with the next invocation, as on Lambda. Memory and CPU
// are the machine's own, whatever [Function.MemoryMB] says. What a process may write to is not restricted either.
//
// Closing the World ends the process. When the program that runs the World is itself killed, the process ends as soon as
// it asks for its next event; one that hangs stays.
//
// process.go is one process, runtimeapi.go what it talks to, async.go the retries of asynchronous invocation,
// output.go the logs.
package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"portcullis/shared/localaws"
)

// A Function is what is deployed.
type Function struct {
	Name, Account, Region string
	Binary                string            // path of the executable
	Env                   map[string]string // in addition to what Lambda and the World set
	Timeout               time.Duration     // of one invocation, in real time; 0 is a minute
	MemoryMB              int               // 0 is 128
	Retries               *int              // of an asynchronous invocation, 0 to 2; nil is 2
	Output                io.Writer         // gets a copy of stdout and stderr after every invocation, if not nil
}

// Running is a function that can be invoked.
type Running struct {
	function       Function
	world          *localaws.World
	stdout, stderr *output

	turn chan struct{} // holds one token, which an invocation takes

	mu       sync.Mutex
	process  *process // the last one started, or nil
	closed   bool
	requests int
	failures []Failure
}

// A Result is the answer of an invocation.
type Result struct {
	RequestID string
	Payload   json.RawMessage // what the function returned, or the document of its error
}

// A FunctionError is an invocation that failed in the function or its runtime. Lambda answers the caller of such an
// invocation with 200 and a header: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.
type FunctionError struct {
	// Type is that of the function's own error, or "Runtime.ExitError" for a process that ended, "Sandbox.Timedout" for
	// one that was killed at its deadline.
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// Start makes a function ready. Its process, if there is one, ends with the World.
func Start(w *localaws.World, f Function) (*Running, error) {
	f.Timeout = cmp.Or(f.Timeout, time.Minute)
	f.MemoryMB = cmp.Or(f.MemoryMB, 128)
	stdout, err := newOutput()
	if err != nil {
		return nil, fmt.Errorf("starting function %s: %w", f.Name, err)
	}
	stderr, err := newOutput()
	if err != nil {
		return nil, fmt.Errorf("starting function %s: %w", f.Name, err)
	}
	r := &Running{function: f, world: w, stdout: stdout, stderr: stderr, turn: make(chan struct{}, 1)}
	r.turn <- struct{}{}
	w.OnClose(r.close)
	return r, nil
}

// ARN is the function's ARN.
func (r *Running) ARN() string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", r.function.Region, r.function.Account, r.function.Name)
}

// Invoke hands the function one event, as JSON, and waits until it is done with it. A failure of the function is a
// *[FunctionError], and then Payload is its document. Who gives up waiting, by ctx, ends the process.
func (r *Running) Invoke(ctx context.Context, payload []byte) (Result, error) {
	return r.invoke(ctx, r.newRequestID(), payload)
}

func (r *Running) invoke(ctx context.Context, requestID string, payload []byte) (Result, error) {
	select {
	case <-r.turn:
		defer func() { r.turn <- struct{}{} }()
	case <-ctx.Done():
		return Result{}, fmt.Errorf("invoking %s: %w", r.function.Name, ctx.Err())
	}
	defer r.tee()
	p, err := r.running()
	if err != nil {
		return Result{}, fmt.Errorf("invoking %s: %w", r.function.Name, err)
	}
	result := Result{RequestID: requestID}
	a, err := p.invoke(ctx, invocation{
		requestID: requestID, payload: payload, arn: r.ARN(), timeout: r.function.Timeout,
	})
	if errors.Is(err, errInit) {
		a = p.exitError(requestID, "before it asked for the first event; its last output: "+r.tail())
	} else if err != nil {
		return Result{}, fmt.Errorf("invoking %s: %w", r.function.Name, err)
	}
	result.Payload = a.payload
	if !a.failed {
		return result, nil
	}
	failure := &FunctionError{}
	if err := json.Unmarshal(a.payload, failure); err != nil {
		failure = &FunctionError{Type: "Runtime.Unknown", Message: string(a.payload)}
	}
	return result, failure
}

// Kill ends the process at once, in the middle of whatever it does, as a crash of the machine would.
func (r *Running) Kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.process != nil {
		r.process.stop()
	}
}

func (r *Running) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.Kill()
}

// running returns a process that lives, and starts one if there is none.
func (r *Running) running() (*process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosed
	}
	if r.process != nil && !r.process.ended() {
		return r.process, nil
	}
	p, err := startProcess(r.function.Binary, r.environment(), r.stdout, r.stderr)
	if err != nil {
		return nil, err
	}
	r.process = p
	return p, nil
}

// environment is all that the process sees. https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func (r *Running) environment() []string {
	env := append(r.world.Environment(r.function.Account, r.function.Region),
		"AWS_LAMBDA_FUNCTION_NAME="+r.function.Name,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE="+strconv.Itoa(r.function.MemoryMB),
		"AWS_LAMBDA_LOG_FORMAT=JSON",
		"TZ=:UTC",
	)
	for name, value := range r.function.Env {
		env = append(env, name+"="+value) // the last one wins
	}
	return env
}

func (r *Running) newRequestID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	return fmt.Sprintf("00000000-0000-4000-9000-%012x", r.requests)
}
