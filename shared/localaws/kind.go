package localaws

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"
)

// A Kind is what goes wrong in a [Fault]. The kinds that spoil the service's own answer, or only delay it, let the
// operation run even [Before] it.
type Kind struct {
	passes bool // the operation runs, and its own answer is the start
	pause  func(ctx context.Context, removed <-chan struct{}) bool
	spoil  func(*answer)
}

// Fail answers with an error of AWS. With an empty code the error is untyped: a status and a message, as a proxy in
// between would send.
func Fail(status int, code, message string) Kind {
	return Kind{spoil: func(a *answer) { a.fail(&Error{Status: status, Code: code, Message: message}) }}
}

// Body answers with these bytes as the service's content type, such as "", "{}" or "null".
func Body(status int, body string) Kind {
	return Kind{spoil: func(a *answer) { a.replace(status, string(a.protocol), body) }}
}

// HTML answers with a page that is no AWS answer at all.
func HTML(status int) Kind {
	return Kind{spoil: func(a *answer) {
		a.replace(status, "text/html", "<html><body><h1>"+http.StatusText(status)+"</h1></body></html>")
	}}
}

// Redirect answers with a 307 to url.
func Redirect(url string) Kind {
	return Kind{spoil: func(a *answer) {
		a.replace(http.StatusTemporaryRedirect, string(a.protocol), "")
		a.header.Set("Location", url)
	}}
}

// Reset resets the connection instead of answering.
func Reset() Kind {
	return Kind{spoil: func(a *answer) { a.status, a.code, a.send = 0, "", abort }}
}

// Hang holds the call until its client goes, or until the fault is removed; then the call goes on as if nothing had
// been.
func Hang() Kind {
	return Kind{passes: true, pause: func(ctx context.Context, removed <-chan struct{}) bool {
		select {
		case <-removed:
			return true
		case <-ctx.Done():
			return false
		}
	}}
}

// Meanwhile runs f before the operation or after it, and then lets the call go on: it is how somebody else changes
// something between two requests.
func Meanwhile(f func()) Kind {
	return Kind{passes: true, pause: func(context.Context, <-chan struct{}) bool {
		f()
		return true
	}}
}

// Truncate sends half of the answer under the Content-Length of the whole, and closes the connection cleanly.
func Truncate() Kind { return cut(func(size int) int { return size / 2 }) }

// Cut is Truncate after so many bytes; an answer that is not longer arrives whole.
func Cut(bytes int) Kind { return cut(func(size int) int { return min(bytes, size) }) }

func cut(at func(size int) int) Kind {
	return spoilSend(func(rw http.ResponseWriter, _ *http.Request, a *answer) {
		a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
		a.writeHeader(rw)
		write(rw, a.body[:at(len(a.body))]) // net/http closes a connection that was promised more
	})
}

// TruncateChunked sends half of the answer as a chunk, and closes the connection cleanly without the last chunk.
func TruncateChunked() Kind {
	return spoilSend(func(rw http.ResponseWriter, _ *http.Request, a *answer) {
		a.writeHeader(rw)
		write(rw, a.body[:len(a.body)/2])
		c := http.NewResponseController(rw)
		_ = c.Flush()
		if conn, _, err := c.Hijack(); err == nil {
			_ = conn.Close()
		}
	})
}

// Drip sends the answer byte by byte, one every interval of real time.
func Drip(interval time.Duration) Kind {
	return spoilSend(func(rw http.ResponseWriter, r *http.Request, a *answer) {
		a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
		a.writeHeader(rw)
		c := http.NewResponseController(rw)
		for i := range a.body {
			if !sleep(r.Context(), interval) || !write(rw, a.body[i:i+1]) {
				abort(rw, r, a)
				return
			}
			_ = c.Flush()
		}
	})
}

// Pad sends the answer after so many MiB of white space: valid JSON, but far too much of it.
func Pad(mib int) Kind {
	return spoilSend(func(rw http.ResponseWriter, _ *http.Request, a *answer) {
		a.header.Set("Content-Length", strconv.Itoa(mib<<20+len(a.body)))
		a.writeHeader(rw)
		blank := bytes.Repeat([]byte{' '}, 1<<20)
		for range mib {
			if !write(rw, blank) {
				return
			}
		}
		write(rw, a.body)
	})
}

// Date sends the answer with this Date header, whatever it holds.
func Date(value string) Kind {
	return Kind{passes: true, spoil: func(a *answer) { a.header["Date"] = []string{value} }}
}

// NoDate sends the answer without a Date header.
func NoDate() Kind {
	return Kind{passes: true, spoil: func(a *answer) { a.header["Date"] = nil }} // nil keeps net/http from adding one
}

func spoilSend(send func(http.ResponseWriter, *http.Request, *answer)) Kind {
	return Kind{passes: true, spoil: func(a *answer) { a.send = send }}
}
