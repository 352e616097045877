package awsio

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

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
		aws := serve(t, answer(200, large(bytes)))
		// Writes make one attempt, and in monitor mode they read.
		err := describe(t.Context(), aws.session(t, control.Monitor).Writes)
		if want == "" && err != nil {
			t.Errorf("%d bytes: error %v", bytes, err)
		}
		if want != "" && Classify(err) != want {
			t.Errorf("%d bytes: class %s, want %s; error %v", bytes, Classify(err), want, err)
		}
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
	client := newHTTPClient(1)
	client.transport.Proxy = nil
	client.transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errDialed }
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
