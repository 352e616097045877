package awsio

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portcullis/shared/control"
)

// ForPerson is the way into one account and Region for somebody at a terminal,
// with the credentials of that person. Everything else is as in a function: the
// HTTP client, the retries, the time limits, the pace and the clock. The endpoint is empty
// but for tests and private endpoints.
//
// Finding the credentials is the caller's: what runs in Lambda must not bring along
// the search for them.
func ForPerson(credentials aws.CredentialsProvider, home control.Scope, endpoint string, mode control.Mode) *AWS {
	a := &AWS{
		mode: mode, home: home, credentials: credentials, http: newHTTPClient(Workers, (&net.Dialer{}).DialContext),
		pacers: &pacers{reads: defaultReads, writes: defaultWrites, by: map[lane]*pacer{}},
	}
	if endpoint != "" {
		a.endpoint = &endpoint
	}
	return a
}

// ByHand returns a context in which failures are explained to somebody at a
// terminal, who has no function to redeploy and no next sweep to wait for.
func ByHand(ctx context.Context) context.Context { return context.WithValue(ctx, byHand{}, true) }

type byHand struct{}

// Counting returns a context in which every answer of AWS adds one to n, whatever it
// says, for somebody who waits.
func Counting(ctx context.Context, n *atomic.Int64) context.Context {
	return context.WithValue(ctx, counting{}, n)
}

type counting struct{}

func count(ctx context.Context) {
	if n, waits := ctx.Value(counting{}).(*atomic.Int64); waits {
		n.Add(1)
	}
}

// nextStepByHand is what a person can do about a class of failure.
func nextStepByHand(c Class) string {
	switch c {
	case Denied:
		return "these credentials lack the right; docs/cli.md lists those that each command needs, and a service control policy or resource policy may deny it, too"
	case Credentials:
		return "sign in again, and see that it is the right profile"
	case Throttled:
		return "the account's request quota is used up; try again later"
	case Unavailable, Timeout:
		return "AWS or the network had trouble; try again"
	case Unreachable:
		return "the service has no endpoint in this Region, or its name cannot be resolved from here"
	case Malformed:
		return "something between here and AWS may be answering in its place"
	case Deadline:
		return "the run was ended before this was read"
	default:
		return ""
	}
}
