package simulate

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing/synctest"
	"time"
)

// direct is a transport that hands a request to a handler in the goroutine of the
// caller, and makes of a broken answer what a network would make of it.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body == nil {
		req.Body = http.NoBody
	}
	rec := &recorder{header: http.Header{}}
	func() {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // it is that value
				panic(p)
			}
		}()
		d.handler.ServeHTTP(rec, req)
	}()
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if rec.status == 0 {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	body := io.Reader(&rec.body)
	promised, err := strconv.Atoi(rec.header.Get("Content-Length"))
	if rec.closed || err == nil && promised > rec.body.Len() {
		body = io.MultiReader(body, cutOff{})
	}
	length := int64(-1)
	if err == nil {
		length = int64(promised)
	}
	return &http.Response{
		Status: http.StatusText(rec.status), StatusCode: rec.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: rec.header, Body: io.NopCloser(body), ContentLength: length, Request: req,
	}, nil
}

// cutOff is the end of a body that was to be longer.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// recorder takes down an answer, and lets itself be closed like a connection.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	closed bool
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

func (r *recorder) Flush() {}

// Hijack hands out the connection, which can only be closed.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return hijacked{recorder: r}, nil, nil
}

type hijacked struct {
	net.Conn
	recorder *recorder
}

func (h hijacked) Close() error { h.recorder.closed = true; return nil }

// line is where the calls of a run wait for their turn. One is let go when nothing
// else in the bubble can go on, and the next one when that is so again. So calls
// that are made side by side come in an order that the seed chooses.
type line struct {
	rand    *rand.Rand
	arrived chan struct{}
	closed  chan struct{}
	ended   chan struct{}

	mu      sync.Mutex
	waiting []*turn
	first   string // the run whose calls go before those of the others
	ahead   int    // for so many more calls
}

type turn struct {
	run   string
	key   string // what is asked for; equal calls of a run are all the same
	again bool   // it was tried before
	mine  chan struct{}
}

func newLine(seed uint64) *line {
	l := &line{rand: rand.New(rand.NewPCG(seed, 2)), arrived: make(chan struct{}, 1), closed: make(chan struct{}), ended: make(chan struct{})}
	go l.serve()
	return l
}

// close ends the line, to which nobody comes any more. Only one in a bubble can watch
// the others, so the next line begins when this one is at its end.
func (l *line) close() {
	close(l.closed)
	<-l.ended
}

// wait returns when it is the caller's turn, or its time is up.
func (l *line) wait(ctx context.Context, run, key string, again bool) error {
	t := &turn{run: run, key: key, again: again, mine: make(chan struct{})}
	l.mu.Lock()
	l.waiting = append(l.waiting, t)
	l.mu.Unlock()
	select {
	case l.arrived <- struct{}{}:
	default:
	}
	select {
	case <-t.mine:
		return nil
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		l.waiting = slices.DeleteFunc(l.waiting, func(o *turn) bool { return o == t })
		return ctx.Err()
	}
}

// prefer lets so many calls of a run go first.
func (l *line) prefer(run string, calls int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first, l.ahead = run, calls
}

// rest ends a turn. The line knows of that without being told; the race detector does not.
func (l *line) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
}

func (l *line) serve() {
	defer close(l.ended)
	for {
		select {
		case <-l.arrived:
		case <-l.closed:
			return
		}
		synctest.Wait()
		if l.anyAgain() {
			// How long a call waits before it is tried again is random, and not by the seed.
			// Those that wait at the same time are let come together.
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
			synctest.Wait()
		}
		for t := l.next(); t != nil; t = l.next() {
			close(t.mine)
			synctest.Wait()
		}
	}
}

func (l *line) anyAgain() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.waiting, func(t *turn) bool { return t.again })
}

func (l *line) next() *turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return nil
	}
	slices.SortStableFunc(l.waiting, func(a, b *turn) int { return cmp.Or(strings.Compare(a.run, b.run), strings.Compare(a.key, b.key)) })
	may := l.waiting
	if of := slices.DeleteFunc(slices.Clone(may), func(t *turn) bool { return t.run != l.first }); l.ahead > 0 && len(of) > 0 {
		l.ahead--
		may = of
	}
	t := may[l.rand.IntN(len(may))]
	l.waiting = slices.DeleteFunc(l.waiting, func(o *turn) bool { return o == t })
	return t
}

// What a call is met by, beside the faults that localaws itself knows.
var (
	errKilled = errors.New("the process is not there any more, or stands still")
	errHung   = errors.New("the server hangs")
)

// keyOf is a call without its signature.
func keyOf(req *http.Request) (key string, again bool, err error) {
	var body []byte
	if req.Body != nil {
		if body, err = io.ReadAll(req.Body); err != nil {
			return "", false, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	attempt := req.Header.Get("Amz-Sdk-Request")
	again = attempt != "" && !strings.HasPrefix(attempt, "attempt=1")
	return req.Method + " " + req.URL.RequestURI() + " " + req.Header.Get("X-Amz-Target") + " " + string(body), again, nil
}
