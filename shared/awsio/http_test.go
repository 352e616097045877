package awsio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/shared/control"
)

// large is a well-formed answer of a number of bytes.
func large(bytes int) string {
	head, tail := `{"padding":"`, `",`+repository[1:]
	return head + strings.Repeat("x", bytes-len(head)-len(tail)) + tail
}

func TestABodyMayHaveFourMebibytesAndNotAByteMore(t *testing.T) {
	const limit = 4 << 20
	for bytes, want := range map[int]Class{limit: "", limit + 1: Malformed, 2 * limit: Malformed} {
		// In a bubble, so that reading it on a slow machine does not use up the time of an attempt.
		synctest.Test(t, func(t *testing.T) {
			aws := serveInBubble(t, answer(200, large(bytes)))
			// Writes make one attempt, and in monitor mode they read.
			err := describe(t.Context(), aws.session(t, control.Monitor).Writes)
			if want == "" && err != nil {
				t.Errorf("%d bytes: error %v", bytes, err)
			}
			if want != "" && Classify(err) != want {
				t.Errorf("%d bytes: class %s, want %s; error %v", bytes, Classify(err), want, err)
			}
		})
	}
}

// A body that merely ended at the limit could look whole.
func TestABodyThatIsTooLargeDoesNotJustEnd(t *testing.T) {
	for text, want := range map[string]error{"abc": nil, "abcd": errTooLarge} {
		body := &cappedBody{ReadCloser: io.NopCloser(strings.NewReader(text)), left: 3}
		if _, err := io.ReadAll(body); !errors.Is(err, want) {
			t.Errorf("%q of 3 bytes: error %v, want %v", text, err, want)
		}
	}
}

// get makes one attempt, and hands over what came of it.
func (c httpClient) get(t *testing.T, url string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	return err
}

// Who cannot be connected to is given up sooner than who does not answer.
func TestAConnectionIsMadeInThreeSeconds(t *testing.T) {
	for name, dial := range map[string]dialer{
		"a machine that does not answer": func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"a handshake that does not begin": func(context.Context, string, string) (net.Conn, error) {
			ours, _ := net.Pipe()
			return ours, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := newHTTPClient(1, dial)
				client.transport.Proxy = nil
				start := time.Now()
				err := client.get(t, "https://example.com/")
				if took := time.Since(start); err == nil || took != 3*time.Second {
					t.Errorf("it took %v, want 3s; error %v", took, err)
				}
			})
		})
	}
}

// watched is a connection that tells when it is closed.
type watched struct {
	net.Conn
	closed *atomic.Int32
	once   sync.Once
}

func (w *watched) Close() error {
	w.once.Do(func() { w.closed.Add(1) })
	return w.Conn.Close()
}

// Connections are kept for the next call, but not to every host that was ever asked.
func TestIdleConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		web := &http.Server{Handler: works()}
		go func() { _ = web.Serve(wire) }()
		t.Cleanup(func() { _ = web.Close() })
		var dialed, closed atomic.Int32
		client := newHTTPClient(2, func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed.Add(1)
			conn, err := wire.dial(ctx, network, address)
			return &watched{Conn: conn, closed: &closed}, err
		})
		client.transport.Proxy = nil
		t.Cleanup(client.transport.CloseIdleConnections)
		for host := range 6 {
			if err := client.get(t, fmt.Sprintf("http://127.0.0.%d/", host+1)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if dialed.Load() != 6 || closed.Load() != 2 {
			t.Errorf("of %d connections %d were closed, want 2 of 6", dialed.Load(), closed.Load())
		}
	})
}

func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere := serve(t, works())
	for _, status := range []int{301, 302, 303, 307, 308} {
		aws := serve(t, answer(status, `{}`, "Location", elsewhere.url+"/v1/repository"))
		err := describe(t.Context(), aws.session(t, control.Monitor).Reads)
		if Classify(err) != Other || len(aws.requests()) != 1 {
			t.Errorf("%d: class %s after %d requests, want %s after 1; error %v", status, Classify(err), len(aws.requests()), Other, err)
		}
	}
	if got := elsewhere.requests(); got != nil {
		t.Errorf("requests %q went elsewhere", got)
	}
}

func TestPlainHTTPGoesToThisMachineOnly(t *testing.T) {
	errDialed := errors.New("dialed")
	client := newHTTPClient(1, func(context.Context, string, string) (net.Conn, error) { return nil, errDialed })
	client.transport.Proxy = nil
	for url, allowed := range map[string]bool{
		"http://127.0.0.1:8080/":         true,
		"http://127.1.2.3/":              true,
		"http://[::1]:8080/":             true,
		"http://localhost:8080/":         true,
		"https://example.com/":           true,
		"http://example.com/":            false,
		"http://192.0.2.1/":              false,
		"http://0.0.0.0/":                false,
		"http://[2001:db8::1]/":          false,
		"http://[::ffff:192.0.2.1]/":     false,
		"http://127.0.0.1.example.com/":  false,
		"http://localhost.example.com/":  false,
		"http://localhost@192.0.2.1/":    false,
		"http://169.254.169.254/latest/": false,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if resp != nil {
			_ = resp.Body.Close()
		}
		if dialed := errors.Is(err, errDialed); dialed != allowed {
			t.Errorf("%s was dialed: %t, want %t; error %v", url, dialed, allowed, err)
		}
		if !allowed && !mentions(err, "is not https") {
			t.Errorf("%s: error %v does not say why", url, err)
		}
	}
}
