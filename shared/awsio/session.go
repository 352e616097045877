package awsio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"portcullis/shared/control"
)

// Workers is how many reads of one run are in flight at the same time at most, and
// how many idle connections are kept for them. It is more than the pacer's cap
// keeps busy at any ordinary latency, so that the cap is what bounds a run
// (docs/performance.md).
const Workers = 64

// AWS holds what all runs of one process share: the credentials of the function
// and its HTTP connections.
type AWS struct {
	control     string
	mode        control.Mode
	home        control.Scope
	role        string // ARN of the function's own; empty if it is not known
	members     Members
	credentials aws.CredentialsProvider
	endpoint    *string
	http        httpClient
	pacers      *pacers

	mu      sync.Mutex
	assumed map[string]*aws.CredentialsCache // by the ARN of the role
}

// FromEnvironment reads what the Lambda service sets for a function. It stands
// in for the SDK's config package, which also looks for profiles, sign-on caches
// and instance metadata; a function has none of them and would pay for them at
// every start (docs/decisions/0003-no-config-package.md).
//
// It uses AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
// AWS_SESSION_TOKEN and, for tests and private endpoints, AWS_ENDPOINT_URL; and
// ACCOUNT_ID, ROLE_ARN, READS_PER_SECOND, WRITES_PER_SECOND and what [Members] is
// read from, which the template sets. The control and its mode are settled here,
// once for the process, so that no run can open a way that the deployment does not
// want.
func FromEnvironment(name string, getenv func(string) string, mode control.Mode) (*AWS, error) {
	var missing []string
	need := func(name string) string {
		v := getenv(name)
		if v == "" {
			missing = append(missing, name)
		}
		return v
	}
	members, err := readMembers(getenv)
	if err != nil {
		return nil, err
	}
	pacers, err := newPacers(getenv)
	if err != nil {
		return nil, err
	}
	a := &AWS{
		control: name,
		mode:    mode,
		home:    control.Scope{Account: need("ACCOUNT_ID"), Region: need("AWS_REGION")},
		role:    getenv("ROLE_ARN"),
		members: members,
		http:    newHTTPClient(Workers, (&net.Dialer{}).DialContext),
		pacers:  pacers,
		assumed: map[string]*aws.CredentialsCache{},
	}
	if members.Excludes(a.home.Account) {
		return nil, fmt.Errorf("EXCLUDED_ACCOUNTS has %s in it, which is the account of this deployment: to leave it alone, turn the controls off", a.home.Account)
	}
	creds := aws.Credentials{
		AccessKeyID:     need("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: need("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    getenv("AWS_SESSION_TOKEN"),
		Source:          "environment",
	}
	if missing != nil {
		return nil, fmt.Errorf("environment lacks %s: Lambda sets the AWS_ variables, template.yaml the others", strings.Join(missing, ", "))
	}
	// Lambda gives a sandbox credentials that outlive it, so they never expire here.
	a.credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return creds, nil })
	if url := getenv("AWS_ENDPOINT_URL"); url != "" {
		a.endpoint = &url
	}
	return a, nil
}

// Home returns the account and Region that the function is deployed in.
func (a *AWS) Home() control.Scope { return a.home }

// Members returns the accounts that the deployment reaches beside its own.
func (a *AWS) Members() Members { return a.members }

// Session is the way into one account and Region for one run. Its clock is set
// by the answers of this run alone.
type Session struct {
	// Reads is the configuration for clients that read. What fails for a moment is
	// tried again, for 45 seconds at most. It sends nothing but reads.
	Reads aws.Config

	// Writes is the configuration for clients that write. A write is attempted
	// once: whether it is attempted again is decided on a fresh look, never by a
	// retry loop. In any mode but Enforce it sends nothing but reads, like Reads.
	Writes aws.Config

	Clock *Clock

	role string // ARN of the role that reads
}

// Session opens the way into an account and Region: home, or a member in the
// Region of home. It makes no call; see [Session.Enter].
func (a *AWS) Session(scope control.Scope) (*Session, error) {
	s := &Session{Clock: &Clock{}, role: a.role}
	s.Reads = a.config(scope, a.credentials)
	s.Reads.APIOptions = []func(*middleware.Stack) error{s.Clock.listen, a.pacers.pace(scope)}
	s.Writes = s.Reads.Copy()
	if scope != a.home {
		if scope.Region != a.home.Region || !a.members.Admits(scope.Account) {
			return nil, fmt.Errorf("there is no way into account %s, Region %s: this deployment reaches %s and its members, in %s only",
				scope.Account, scope.Region, a.home.Account, a.home.Region)
		}
		s.role = a.members.readRole(scope.Account)
		reads := a.assume(s.role)
		writes := reads
		if a.mode == control.Enforce {
			writes = a.assume(a.members.writeRole(scope.Account, a.control))
		}
		s.Reads.Credentials, s.Writes.Credentials = &entered{role: reads}, &entered{role: writes}
		s.Reads.APIOptions = append(s.Reads.APIOptions, renewing(reads))
		s.Writes.APIOptions = append(s.Writes.APIOptions, renewing(writes))
	}

	s.Reads.Retryer = func() aws.Retryer { return patient{} }
	s.Reads.APIOptions = append(s.Reads.APIOptions, budget, readsOnly)
	if a.mode != control.Enforce {
		s.Writes.APIOptions = append(s.Writes.APIOptions, readsOnly)
	}
	return s, nil
}

// Events returns the configuration for the client that reports to the event bus
// of the stack. It tries once: package report sends again what was not taken, and
// knows how long it may.
func (a *AWS) Events() aws.Config { return a.config(a.home, a.credentials) }

// patient returns a configuration for calls at home that are safe to make twice.
func (a *AWS) patient() aws.Config {
	c := a.config(a.home, a.credentials)
	c.Retryer = func() aws.Retryer { return patient{} }
	c.APIOptions = []func(*middleware.Stack) error{budget}
	return c
}

// config returns a configuration that makes one attempt.
func (a *AWS) config(scope control.Scope, credentials aws.CredentialsProvider) aws.Config {
	return aws.Config{
		Region:       scope.Region,
		Credentials:  credentials,
		BaseEndpoint: a.endpoint,
		HTTPClient:   a.http,
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} },
	}
}

// ErrReadOnly is the error of a call that would have written through a
// configuration that may only read. The call was not sent.
var ErrReadOnly = errors.New("this client may only read; the call was not sent")

// readsOnly refuses every operation that is not a read by its name, before
// anything is sent. It is the second of three walls in monitor mode: the gate
// withholds the actions, this client cannot send them, and the role may not do
// them.
func readsOnly(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("ReadsOnly", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		operation := awsmiddleware.GetOperationName(ctx)
		if isRead(operation) {
			return next.HandleInitialize(ctx, in)
		}
		return middleware.InitializeOutput{}, middleware.Metadata{}, fmt.Errorf("calling %s: %w", operation, ErrReadOnly)
	}), middleware.After)
}
