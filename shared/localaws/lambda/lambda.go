// Package lambda runs a real function binary, as it is deployed, under the Lambda runtime API
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) with a [localaws.World] as its AWS.
//
// A function has one execution environment unless it asks for more: an invocation waits until one is free, and takes the
// one that was used last. The process of an environment starts with its first invocation, is killed at its deadline and
// with [Running.Kill], and starts anew when it is needed again, as on Lambda. Memory and CPU are the machine's own, whatever
// [Function.MemoryMB] says. What a process may write to is not restricted either.
//
// Closing the World ends the process. When the program that runs the World is itself killed, the process ends as soon as
// it asks for its next event; one that hangs stays.
//
// process.go is one process, measure.go what it took, runtimeapi.go what it talks to, async.go the retries of asynchronous invocation,
// output.go the logs. configuration.go is what one reads of functions by requests.
package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"portcullis/shared/localaws"
)

// A Function is what is deployed.
type Function struct {
	Name, Account, Region string
	Role                  string            // name of the role in the account that it acts as; empty for the account itself
	Binary                string            // path of the executable
	Env                   map[string]string // in addition to what Lambda and the World set
	Timeout               time.Duration     // of one invocation, in real time; 0 is a minute
	MemoryMB              int               // 0 is 128
	Concurrency           int               // so many execution environments at most; 0 is 1
	Retries               *int              // of an asynchronous invocation, 0 to 2; nil is 2
	Output                io.Writer         // gets a copy of stdout and stderr after every invocation, if not nil
}

// Running is a function that can be invoked.
type Running struct {
	function       Function
	world          *localaws.World
	role           localaws.Role // the one that there was when it was started; none without a name
	stdout, stderr *output

	turn chan struct{} // holds a token for each environment, which an invocation takes

	mu       sync.Mutex
	idle     []*process            // those that wait for an invocation, some of which may have ended
	busy     map[*process]struct{} // those that an invocation has
	closed   bool
	requests int
	failures []Failure
	async    int        // so many events are waiting or under way
	free     *sync.Cond // told when one is done
	peak     int64      // see PeakMemory
	inits    []time.Duration
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
	f.Concurrency = cmp.Or(f.Concurrency, 1)
	stdout, err := newOutput()
	if err != nil {
		return nil, fmt.Errorf("starting function %s: %w", f.Name, err)
	}
	stderr, err := newOutput()
	if err != nil {
		return nil, fmt.Errorf("starting function %s: %w", f.Name, err)
	}
	r := &Running{
		function: f, world: w, stdout: stdout, stderr: stderr,
		turn: make(chan struct{}, f.Concurrency), busy: map[*process]struct{}{},
	}
	r.free = sync.NewCond(&r.mu)
	if f.Role != "" {
		r.role = w.Role(f.Account, f.Role)
	}
	for range f.Concurrency {
		r.turn <- struct{}{}
	}
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
	p, err := r.take()
	if err != nil {
		return Result{}, fmt.Errorf("invoking %s: %w", r.function.Name, err)
	}
	defer r.putBack(p)
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

// Kill ends all processes at once, in the middle of whatever they do, as a crash of the machine would.
func (r *Running) Kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.idle {
		p.stop()
	}
	for p := range r.busy {
		p.stop()
	}
}

func (r *Running) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.Kill()
}

// take returns a process that lives and is now busy, and starts one if there is none.
func (r *Running) take() (*process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosed
	}
	r.idle = slices.DeleteFunc(r.idle, (*process).ended)
	if last := len(r.idle) - 1; last >= 0 {
		p := r.idle[last]
		r.idle = r.idle[:last]
		r.busy[p] = struct{}{}
		return p, nil
	}
	p, err := startProcess(r.function.Binary, r.environment(), r.stdout, r.stderr, r.ready)
	if err != nil {
		return nil, err
	}
	r.busy[p] = struct{}{}
	return p, nil
}

// putBack is what becomes of a process after its invocation, before the next one can take it.
func (r *Running) putBack(p *process) {
	peak := p.peakMemory()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peak = max(r.peak, peak)
	delete(r.busy, p)
	r.idle = append(r.idle, p)
}

// environment is all that a process sees. https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func (r *Running) environment() []string {
	env := r.world.Environment(r.function.Account, r.function.Region)
	if r.function.Role != "" {
		// As on Lambda, the session has the name of the function.
		env = r.role.Environment(r.function.Region, r.function.Name)
	}
	env = append(env,
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
