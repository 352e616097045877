package proton_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/proton"

	"portcullis/shared/localaws/proton"
)

// calls are some of each kind.
func (p party) calls(id string) map[string]func() error {
	return map[string]func() error{
		"list": func() error {
			out, err := p.list(sdk.ListEnvironmentAccountConnectionsInput{RequestedBy: "MANAGEMENT_ACCOUNT"})
			if err == nil && out.EnvironmentAccountConnections == nil {
				return errNothing
			}
			return err
		},
		"reject": func() error {
			out, err := p.reject(id)
			if err == nil && out == nil {
				return errNothing
			}
			return err
		},
		"environments": func() error {
			out, err := p.environments(sdk.ListEnvironmentsInput{})
			if err == nil && out.Environments == nil {
				return errNothing
			}
			return err
		},
	}
}

var errNothing = errors.New("a success with nothing in it")

func TestARetiredServiceAnswersEveryCallAlike(t *testing.T) {
	for retirement, want := range map[proton.Retirement]string{
		proton.AccessDenied:     "AccessDeniedException: AWS Proton no longer accepts new customers.",
		proton.Forbidden:        "api error ForbiddenException: AWS Proton is only available to existing customers.",
		proton.Invalid:          "ValidationException: AWS Proton takes no new customers, so this command is no longer supported.",
		proton.Throttled:        "ThrottlingException: Support for AWS Proton has ended.",
		proton.UnknownOperation: "api error UnknownOperationException",
		proton.WebPage:          "invalid character '<'",
		proton.EmptyObject:      "a success with nothing in it",
		proton.EmptyBody:        "a success with nothing in it",
	} {
		t.Run(retirement.String(), func(t *testing.T) {
			s := newStage(t)
			c := s.add(proton.Pending)
			ended := s.proton.Retire(retirement)
			for name, call := range s.as(management).calls(c.ID) {
				if err := call(); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: got %v", name, err)
				}
			}
			if c.Status() != proton.Pending || ended.Count() != 3 {
				t.Errorf("the connection is %s after %d calls", c.Status(), ended.Count())
			}
			ended.Remove()
			for name, call := range s.as(management).calls(c.ID) {
				if err := call(); err != nil {
					t.Errorf("%s, when the service is back: %v", name, err)
				}
			}
		})
	}
	if n := len(proton.Retirements()); n != 8 {
		t.Errorf("there are %d retirements, and 8 are tested", n)
	}
	if got := proton.Retirement(8).String(); got != "Retirement(8)" {
		t.Errorf("got %s", got)
	}
}

func TestAnEndpointThatIsNotThere(t *testing.T) {
	s := newStage(t)
	endpoint := func(url string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return url
	}
	// What comes about may take its time on a busy machine. What never does is waited for a little.
	const long, little = time.Minute, 200 * time.Millisecond
	connected := func(url string, limit time.Duration) bool {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}
	var unknown *net.DNSError
	for _, test := range []struct {
		name, url string
		connects  bool
		limit     time.Duration
		is        func(error) bool
	}{
		{"has no name", proton.NoSuchHost, false, long, func(err error) bool { return errors.As(err, &unknown) }},
		{"refuses", endpoint(s.proton.Refusing()), false, long, func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }},
		{"is silent", endpoint(s.proton.Silent()), true, little, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{"is deaf", endpoint(s.proton.Deaf()), false, little, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			patience := test.limit
			if test.connects {
				patience = long
			}
			if url := test.url; url != proton.NoSuchHost && connected(url, patience) != test.connects {
				t.Errorf("a connection comes about: %t", !test.connects)
			}
			p := newParty(t, s.world, management, test.url)
			var cancel context.CancelFunc
			p.ctx, cancel = context.WithTimeout(t.Context(), test.limit)
			defer cancel()
			_, err := p.list(sdk.ListEnvironmentAccountConnectionsInput{RequestedBy: "MANAGEMENT_ACCOUNT"})
			if !test.is(err) {
				t.Errorf("got %v", err)
			}
		})
	}
	if n := len(s.world.Calls()); n != 0 {
		t.Errorf("%d calls reached the World", n)
	}
}
