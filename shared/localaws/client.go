package localaws

import (
	"bytes"
	"io"
	"net/http"
)

// A Client is what the clients of an SDK send their requests with.
//
// The SDK for Go closes the body of a request as soon as an answer begins. If net/http is then not quite done with the body,
// it drops the connection under the answer. It happens only to answers as fast as these, and seldom, but then a call fails,
// or is made twice. A Client sends a body of its own, which nobody closes.
// https://github.com/aws/aws-sdk-go-v2/issues/2737
type Client struct{ http http.Client }

// Client returns a client with connections of its own, which end with the World. It asks no proxy, whatever the environment
// says: all that it may reach is on this machine.
func (w *World) Client() *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	w.OnClose(transport.CloseIdleConnections)
	return &Client{http.Client{Transport: transport}}
}

// Do makes one request.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return c.http.Do(r) //nolint:gosec // G704: whoever has a World says where it goes
}
