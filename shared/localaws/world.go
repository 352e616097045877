package localaws

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A World is one AWS: its accounts, its clock and the services that joined it. It is an [http.Handler] and listens on
// loopback from the start. All methods may be called at any time and from any goroutine, but none from inside [World.Hold]
// or an operation.
type World struct {
	url    string
	server *http.Server
	ctx    context.Context // ends with Close, and lets go of every request that waits
	cancel context.CancelFunc

	mu          sync.Mutex // also guards the state of every service, see Hold
	now         time.Time
	keys        map[string]identity // by access key id
	roles       map[string]*role    // by ARN
	sessions    int                 // so many were opened
	services    map[string]service
	served      int        // requests so far
	serving     int        // requests that are being served
	idle        *sync.Cond // told when there is none any more
	calls       []Call
	counts      map[CallKind]int
	countOnly   bool
	subscribers []func(Call)
	readers     []func(Call, []byte)
	faults      []*Injected
	watchers    []func(now time.Time)
	closers     []func()

	throttle throttle
	latency  atomic.Int64
}

// New returns a World whose clock stands at start, listening on a free port of 127.0.0.1. Close it when done.
func New(start time.Time) (*World, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening on loopback: %w", err)
	}
	w := &World{
		url:      "http://" + listener.Addr().String(),
		now:      start,
		keys:     map[string]identity{},
		roles:    map[string]*role{},
		services: map[string]service{},
		counts:   map[CallKind]int{},
	}
	w.idle = sync.NewCond(&w.mu)
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.server = &http.Server{Handler: w, ReadHeaderTimeout: time.Minute}
	go func() { _ = w.server.Serve(listener) }() // returns when Close closes the listener
	return w, nil
}

// URL is the endpoint of every service, for AWS_ENDPOINT_URL.
func (w *World) URL() string { return w.url }

// Close ends every request that is being served, and everything that services started. It waits for no handler, so a
// client that hangs cannot hang a test.
func (w *World) Close() {
	w.cancel()
	_ = w.server.Close()
	w.mu.Lock()
	closers := w.closers
	w.closers = nil
	w.mu.Unlock()
	for _, f := range slices.Backward(closers) {
		f()
	}
}

// OnClose has f called by Close, last in first out. It is for services that start something.
func (w *World) OnClose(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closers = append(w.closers, f)
}

// Idle returns once no request is being served. A call takes effect although its client is gone, so who has ended a client,
// and then waits here, sees all that it did. A call that hangs in a [Fault] is being served.
func (w *World) Idle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.serving > 0 {
		w.idle.Wait()
	}
}

// serves counts a request until it is done.
func (w *World) serves() (done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serving++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.serving--; w.serving == 0 {
			w.idle.Broadcast()
		}
	}
}

// Now is the time by the World's clock. It is the Date of every answer and the creation time of every resource.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Advance moves the clock. Nothing else does.
func (w *World) Advance(d time.Duration) {
	w.mu.Lock()
	w.now = w.now.Add(d)
	now, watchers := w.now, w.watchers // copied on write
	w.mu.Unlock()
	for _, f := range watchers {
		f(now)
	}
}

// OnAdvance has f called by Advance with the new time, outside the lock, so that f may use the World. Advance waits for
// f. It is for services that do something at a certain time.
func (w *World) OnAdvance(f func(now time.Time)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watchers = append(slices.Clone(w.watchers), f)
}

// Hold runs f while no operation runs, at the World's time. Services set up and read their state in it.
func (w *World) Hold(f func(now time.Time)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w.now)
}

// SetLatency has every answer wait for d, in real time, after the operation is done.
func (w *World) SetLatency(d time.Duration) { w.latency.Store(int64(d)) }
