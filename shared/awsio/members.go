package awsio

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
)

// Members says which accounts a deployment reaches beside its own, and by which
// roles. The roles are those of member.yaml, and are named alike in every
// account: ROLES-read for every control, and ROLES-CONTROL-write where the
// account itself lets the control write.
type Members struct {
	Organization string   // id of the organization whose accounts are all members; empty for none
	Listed       []string // the members, where they are not those of an organization
	Excluded     []string // accounts of the organization that are not members

	roles, externalID string
}

// Without counts, which every start would pay for (see package trigger).
var (
	digits         = regexp.MustCompile(`^[0-9]+$`)
	organizationID = regexp.MustCompile(`^o-[a-z0-9]+$`)
)

func isAccount(id string) bool { return len(id) == 12 && digits.MatchString(id) }

// readMembers reads ORGANIZATION_ID, MEMBER_ACCOUNTS and EXCLUDED_ACCOUNTS (ids
// with commas in between), MEMBER_ROLES and EXTERNAL_ID.
func readMembers(getenv func(string) string) (Members, error) {
	m := Members{Organization: getenv("ORGANIZATION_ID"), roles: getenv("MEMBER_ROLES"), externalID: getenv("EXTERNAL_ID")}
	var err error
	if m.Listed, err = accounts(getenv, "MEMBER_ACCOUNTS"); err != nil {
		return Members{}, err
	}
	if m.Excluded, err = accounts(getenv, "EXCLUDED_ACCOUNTS"); err != nil {
		return Members{}, err
	}
	switch {
	case m.Organization != "" && !organizationID.MatchString(m.Organization):
		return Members{}, fmt.Errorf("ORGANIZATION_ID is %q, which is not the id of an organization, such as o-a1b2c3d4e5", m.Organization)
	case m.Organization != "" && m.Listed != nil:
		return Members{}, fmt.Errorf("ORGANIZATION_ID and MEMBER_ACCOUNTS are both set: leave one of them empty")
	case m.any() && (m.roles == "" || m.externalID == ""):
		return Members{}, fmt.Errorf("there are member accounts, but MEMBER_ROLES or EXTERNAL_ID is not set: template.yaml sets both")
	}
	return m, nil
}

func accounts(getenv func(string) string, name string) ([]string, error) {
	var ids []string
	for id := range strings.SplitSeq(getenv(name), ",") {
		switch id = strings.TrimSpace(id); {
		case id == "": // CloudFormation writes an empty list so
		case !isAccount(id):
			return nil, fmt.Errorf("%s has %q in it, which is not the id of an account: it takes ids of twelve digits with commas in between", name, id)
		default:
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (m Members) any() bool { return m.Organization != "" || m.Listed != nil }

// Admits tells whether an account may be a member. Of an organization's accounts
// nothing is known but those that are excluded; that the others are its own is
// for the policy of the bus and for the role to see to, which say so by its id.
func (m Members) Admits(account string) bool {
	if !isAccount(account) || m.Excludes(account) {
		return false
	}
	return m.Organization != "" || slices.Contains(m.Listed, account)
}

// Excludes tells whether an account was named as one that is left alone.
func (m Members) Excludes(account string) bool { return slices.Contains(m.Excluded, account) }

// Has tells whether an account is a member, and whether that is known. Of an
// organization's accounts it is not.
func (m Members) Has(account string) (member, known bool) {
	return m.Admits(account), m.Organization == "" || m.Excludes(account)
}

// Concerns tells whether something is about an account that the deployment looks
// at: about tells it for one account. Of an organization's accounts it is not known
// which there are, so there it is always so.
func (a *AWS) Concerns(about func(account string) bool) bool {
	return a.members.Organization != "" || about(a.home.Account) || slices.ContainsFunc(a.members.Listed, about)
}

func (m Members) readRole(account string) string {
	return fmt.Sprintf("arn:aws:iam::%s:role/%s-read", account, m.roles)
}

func (m Members) writeRole(account, name string) string {
	return fmt.Sprintf("arn:aws:iam::%s:role/%s-%s-write", account, m.roles, name)
}

const (
	// assumedFor is what AWS grants a role that assumes another at most.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
	assumedFor = time.Hour

	// assumedAhead is how long before their end credentials are given to no other run.
	// It is longer than a run can be, so none sees its credentials end.
	assumedAhead = 16 * time.Minute
)

// assume returns the credentials of a role, which are asked for when they are
// first needed, and shared by all runs of the process.
func (a *AWS) assume(role string) *aws.CredentialsCache {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.assumed[role]; p != nil {
		return p
	}
	provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(a.patient()), role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = "portcullis-" + a.control
		o.ExternalID = &a.members.externalID
		o.Duration = assumedFor
	})
	p := aws.NewCredentialsCache(provider, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = assumedAhead })
	a.assumed[role] = p
	return p
}

// renewing drops credentials that AWS does not accept any more, such as those of a
// role that was deleted and made anew, so that the next run asks for others.
func renewing(cache *aws.CredentialsCache) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Renewing", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleInitialize(ctx, in)
			if Classify(err) == Credentials {
				cache.Invalidate()
			}
			return out, metadata, err
		}), middleware.Before)
	}
}

// entered is what a run signs its calls in a member with: the credentials that it
// entered by, to its end. Credentials that were renewed on the way would hold up the
// call that needs them, and a write would be sent when what the second reading found
// is old.
type entered struct {
	role *aws.CredentialsCache
	with atomic.Pointer[aws.Credentials]
}

// Retrieve asks for credentials the first time, which is in [Session.Enter] or
// [Session.EnterToWrite].
func (e *entered) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if with := e.with.Load(); with != nil {
		return *with, nil
	}
	with, err := e.role.Retrieve(ctx)
	if err == nil {
		e.with.Store(&with)
	}
	return with, err
}

// Role is the ARN of the role that the account is read by.
func (s *Session) Role() string { return s.role }

// Enter makes sure that the account can be read: of a member, that its read role
// can be assumed. It is not assumed again in this session. There is nothing to do at
// home.
func (s *Session) Enter(ctx context.Context) error { return enter(ctx, s.Reads) }

// EnterToWrite makes sure that the account lets this control write. A member
// says so by having a write role, so an error of class Denied is its own mode. After
// it no write waits for a role to be assumed.
func (s *Session) EnterToWrite(ctx context.Context) error { return enter(ctx, s.Writes) }

func enter(ctx context.Context, c aws.Config) error {
	_, err := c.Credentials.Retrieve(ctx)
	return err
}
