package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// initTimeout is how long a process may take to ask for its first event. Lambda gives it ten seconds, but on a machine of its
// own: the processor of this one may be wanted by many.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
const initTimeout = time.Minute

var (
	errClosed = errors.New("the World is closed")
	errInit   = errors.New("the process ended before it asked for an event")
)

// A process is one execution environment: a child process and a runtime API of its own, so that what a dead process
// still has under way cannot reach its successor.
type process struct {
	cmd    *exec.Cmd
	server *http.Server
	warm   bool // it has asked for an event, and waits; only its invoker uses this

	started time.Time
	asked   sync.Once // has ready called
	ready   func(after time.Duration)

	asks    chan struct{}   // the process asks for the next event
	events  chan invocation // and gets it
	answers chan reply      // of the event under way; holds one
	exited  chan struct{}   // closed when the process is gone, after which exit may be read
	exit    error

	mu      sync.Mutex
	current string // request id of the event under way
}

type invocation struct {
	requestID, arn string
	payload        []byte
	timeout        time.Duration
	deadline       time.Time
}

// A reply is what a process made of an event.
type reply struct {
	payload []byte
	failed  bool
}

// startProcess has ready called when the process asks for its first event.
func startProcess(binary string, env []string, stdout, stderr *output, ready func(after time.Duration)) (*process, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the runtime API: %w", err)
	}
	p := &process{
		ready:   ready,
		asks:    make(chan struct{}),
		events:  make(chan invocation),
		answers: make(chan reply, 1),
		exited:  make(chan struct{}),
	}
	p.cmd = &exec.Cmd{Path: binary, Env: append(env, "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String()),
		Stdout: stdout.file, Stderr: stderr.file}
	p.server = &http.Server{Handler: p.runtimeAPI(), ReadHeaderTimeout: time.Minute}
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("starting %s: %w", binary, err)
	}
	go func() { _ = p.server.Serve(listener) }() // returns when the process is gone
	go func() {
		p.exit = p.cmd.Wait()
		close(p.exited)
		_ = p.server.Close()
	}()
	return p, nil
}

// stop kills the process and waits until it is gone.
func (p *process) stop() {
	_ = p.cmd.Process.Kill() // an error says that it is gone already
	<-p.exited
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// invoke hands the process one event and waits until it is done: it has answered and asked for the next one, or it is
// gone. It returns errInit for a process that did not come up.
func (p *process) invoke(ctx context.Context, inv invocation) (reply, error) {
	if !p.warm {
		select {
		case <-p.asks:
		case <-p.exited:
			return reply{}, errInit
		case <-time.After(initTimeout):
			p.stop()
			return reply{}, errInit
		case <-ctx.Done():
			p.stop()
			return reply{}, ctx.Err()
		}
	}
	p.warm = false
	inv.deadline = time.Now().Add(inv.timeout)
	timer := time.NewTimer(inv.timeout)
	defer timer.Stop()
	var otherwise reply // if it does not answer
	for otherwise.payload == nil {
		select {
		case p.events <- inv: // once, because the process asks before it takes another
		case <-p.asks:
			p.warm = true
			otherwise = failure("Runtime.NoResponse", inv.requestID, "the process asked for the next event without an answer")
		case <-p.exited:
			otherwise = p.exitError(inv.requestID, "")
		case <-timer.C:
			p.stop()
			otherwise = failure("Sandbox.Timedout", inv.requestID,
				fmt.Sprintf("Task timed out after %.2f seconds", inv.timeout.Seconds()))
		case <-ctx.Done():
			p.stop()
			return reply{}, ctx.Err()
		}
	}
	select {
	case a := <-p.answers:
		return a, nil
	default:
		return otherwise, nil
	}
}

func (p *process) exitError(requestID, detail string) reply {
	message := "Runtime exited without providing a reason"
	if p.exit != nil {
		message = "Runtime exited with error: " + p.exit.Error()
	}
	return failure("Runtime.ExitError", requestID, strings.TrimSpace(message+" "+detail))
}

// failure is the document with which Lambda reports what is not the function's own error.
func failure(errorType, requestID, message string) reply {
	document, _ := json.Marshal(FunctionError{errorType, "RequestId: " + requestID + " Error: " + message}) // strings always encode
	return reply{document, true}
}
