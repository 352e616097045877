package localaws

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxRequest is more than any request that AWS takes here.
const maxRequest = 16 << 20

// ServeHTTP answers one request in the order that the package comment gives.
func (w *World) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	defer w.serves()()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(w.ctx, cancel)()

	call, protocol, op, err := w.read(r)
	if err == nil {
		err = w.throttle.take(call, protocol)
	}
	var fault *Injected
	if err == nil {
		fault = w.faultFor(call)
	}
	stayed := fault.pause(ctx, Before)
	if !stayed || fault.replaces() {
		op.Run = nil
	}

	a := w.perform(&call, protocol, op, fault, err)
	w.tell(call)
	w.show(call, a)
	if !stayed || !fault.pause(ctx, After) || !sleep(ctx, time.Duration(w.latency.Load())) {
		abort(rw, r, nil)
		return
	}
	a.send(rw, r.WithContext(ctx), a)
}

// read finds out who calls and which operation.
func (w *World) read(r *http.Request) (Call, Protocol, Operation, error) {
	call := Call{UserAgent: r.UserAgent()}
	protocol := RESTJSON // until the service is known
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxRequest))
	if err != nil {
		return call, protocol, Operation{}, &Error{Status: http.StatusRequestEntityTooLarge,
			Code: "RequestEntityTooLargeException", Message: err.Error()}
	}
	key, region, name, err := signedBy(r)
	if err != nil {
		return call, protocol, Operation{}, err
	}
	w.mu.Lock()
	caller, known := w.keys[key]
	service, served := w.services[name]
	w.mu.Unlock()
	call.Account, call.Region, call.Service = caller.account, region, name
	if caller.role != nil {
		call.Principal, call.Session = caller.role.arn(), caller.session
	}
	if !served {
		return call, protocol, Operation{}, &Error{Status: http.StatusNotFound, Code: "UnknownOperationException",
			Message: fmt.Sprintf("no service %q in this World; a service joins it by being constructed", name)}
	}
	protocol = service.protocol
	if !known {
		return call, protocol, Operation{}, &Error{Status: protocol.clientError(http.StatusForbidden),
			Code: protocol.code("UnrecognizedClientException", "InvalidClientTokenId"), Message: "The security token included in the request is invalid."}
	}
	op, err := service.route(r, body)
	call.Operation, call.Write, call.Input = op.Name, op.Write, op.Input
	if run := op.Run; err == nil {
		op.Run = func(c Caller) (any, bool, error) {
			if !caller.role.may(name, op) {
				return nil, false, denied(&call, protocol, op)
			}
			return run(c)
		}
	}
	return call, protocol, op, err
}

// perform runs the operation, unless refused says why not or it has no Run, and records the call.
func (w *World) perform(call *Call, protocol Protocol, op Operation, fault *Injected, refused error) *answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	call.Time = w.now
	w.served++
	call.RequestID = fmt.Sprintf("00000000-0000-4000-8000-%012x", w.served)
	a := newAnswer(protocol, call)
	switch {
	case refused != nil:
		a.fail(refused)
	case op.Run != nil:
		call.Executed = true
		output, changed, err := op.Run(Caller{
			Account: call.Account, Region: call.Region, RequestID: call.RequestID,
			Principal: call.Principal, Session: call.Session, Now: w.now, world: w,
		})
		call.Changed = changed
		if err != nil {
			a.fail(err)
		} else {
			a.succeed(output)
			if call.Write {
				call.Output = a.body
			}
		}
		a.own = own{a.status, a.code, a.body}
	}
	fault.spoil(a)
	call.Status, call.ErrorCode = a.status, a.code
	w.record(*call)
	return a
}

// sleep waits for d of real time and says whether the request is still there.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
