package awsio

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	attemptTime = 5 * time.Second // for one attempt, from dialling to the last byte received
	connectTime = 3 * time.Second // of that, for a connection, and as much for its handshake
	maxBody     = 4 << 20         // bytes in one answer; a page of 1,000 entries stays below 1 MiB
)

var (
	errTooLarge = errors.New("answer is larger than 4 MiB")
	errInsecure = errors.New("endpoint is not https: credentials are sent in the clear to this machine only")
)

// httpClient is one that cannot hang, cannot be sent elsewhere and cannot be
// flooded. The SDK's own client has no time limit for an answer, follows a redirect
// to any host and reads a body of any size.
//
// It is no [http.Client], which would start a goroutine for each request to keep its
// time, because it does not know what is wrapped around the transport.
type httpClient struct{ transport *http.Transport }

// dialer connects to an address, as [net.Dialer] does.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

func newHTTPClient(connections int, dial dialer) httpClient {
	return httpClient{&http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, connectTime)
			defer cancel()
			return dial(ctx, network, address)
		},
		TLSHandshakeTimeout: connectTime,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		MaxIdleConns:        2 * connections,
		MaxIdleConnsPerHost: connections, // the default of two costs a handshake for nearly every short answer
		IdleConnTimeout:     time.Minute,
		// HTTP/2 is left out: one connection for all workers was measured to be slower.
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}}
}

// Do makes one attempt. It refuses plain HTTP to anything but this machine, caps the
// body and bounds the time, and leaves an answer that redirects as it is: AWS's APIs
// do not redirect, so the answer itself becomes the error.
func (c httpClient) Do(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		// The SDK closes its body as soon as an answer begins, and net/http then may
		// close the connection under it. A copy has nothing to close; requests are small.
		var err error
		body, err = io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	if req.URL.Scheme != "https" && !IsLoopback(req.URL.Hostname()) {
		return nil, fmt.Errorf("%s: %w", req.URL.Host, errInsecure)
	}
	ctx, cancel := context.WithTimeout(req.Context(), attemptTime)
	req = req.WithContext(ctx)
	if req.Body != nil {
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Host, err)
	}
	count(ctx)
	resp.Body = &cappedBody{ReadCloser: resp.Body, left: maxBody, cancel: cancel}
	return resp, nil
}

// IsLoopback tells whether a host is this machine, to which plain HTTP may go.
func IsLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// cappedBody fails past its limit, unlike [io.LimitedReader], which ends: an
// answer cut off at a convenient place can still be well-formed.
type cappedBody struct {
	io.ReadCloser
	left   int64
	cancel context.CancelFunc // ends the time of the attempt
}

func (b *cappedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

func (b *cappedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
