// Package trigger reads why the program woke, and answers one question: where
// should it look?
//
// Parse is pure. It never decides anything about what the event reports: an
// event is a hint, may be late, doubled or forged, and the state that counts is
// read afterwards. Samples of every event are in testdata.
package trigger

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

// Cause is why a run was started.
type Cause string

// The causes.
const (
	Sweep Cause = "sweep" // the schedule: look at everything
	Hand  Cause = "hand"  // a person: look at everything
	Event Cause = "event" // something happened to one resource: look at that
	None  Cause = "none"  // nothing to look at; Trigger.Ignored says why
)

// Trigger says where to look.
type Trigger struct {
	Cause Cause
	ID    string // the event's id; empty where there is none

	// Account and Region are where the event is from. Both are empty for the
	// account and Region of the function itself.
	Account string
	Region  string

	// Caller is the ARN of the role that made the call, where there is one.
	Caller string

	// Repository is set for events about a CodeArtifact repository.
	Repository Repository

	// Ignored says why nothing is to be done, for Cause None.
	Ignored string
}

// Repository names a CodeArtifact repository by its whole identity.
type Repository struct{ Owner, Domain, Name string }

// ErrUnreadable is wrapped by the errors of [Parse]. Such an event belongs in
// the failure queue, where a person sees it; trying again cannot help.
var ErrUnreadable = errors.New("event cannot be read")

type envelope struct {
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Account    string          `json:"account"`
	Region     string          `json:"region"`
	Replay     string          `json:"replay-name"`
	Detail     json.RawMessage `json:"detail"`
}

// Parse reads an invocation's payload. These are known:
//
//   - an event of source portcullis and detail-type "Sweep Requested", as the
//     schedule and a person send it;
//   - an empty object, which a person sends who gives no payload: a sweep;
//   - CloudTrail's AssociateExternalConnection of aws.codeartifact.
//
// A known event that cannot be understood is an error. Anything else that is
// well-formed is ignored, and so are calls that failed and events replayed from
// an archive.
func Parse(payload []byte) (Trigger, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(payload, &fields); err != nil {
		return Trigger{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if fields == nil {
		return Trigger{}, fmt.Errorf("%w: it is null", ErrUnreadable)
	}
	if len(fields) == 0 {
		return Trigger{Cause: Hand}, nil
	}
	var e envelope
	if err := json.Unmarshal(payload, &e); err != nil {
		return Trigger{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	switch {
	case e.Replay != "":
		return ignore(e, "it is replayed from an archive"), nil
	case e.Source == "portcullis" && e.DetailType == "Sweep Requested":
		return parseSweep(e)
	case e.Source == "aws.codeartifact" && e.DetailType == "AWS API Call via CloudTrail":
		return parseCall(e)
	default:
		return ignore(e, fmt.Sprintf("no control looks at %q from %q", e.DetailType, e.Source)), nil
	}
}

func ignore(e envelope, why string) Trigger {
	return Trigger{Cause: None, ID: e.ID, Account: e.Account, Region: e.Region, Ignored: why}
}

func parseSweep(e envelope) (Trigger, error) {
	var detail struct {
		By string `json:"by"` // "schedule" or "hand"
	}
	if err := decode(e, &detail); err != nil {
		return Trigger{}, err
	}
	switch detail.By {
	case "schedule":
		return Trigger{Cause: Sweep, ID: e.ID}, nil
	case "hand":
		return Trigger{Cause: Hand, ID: e.ID}, nil
	default:
		return Trigger{}, fmt.Errorf(`%w: "by" is %q; a sweep is requested by "schedule" or by "hand"`, ErrUnreadable, detail.By)
	}
}

// call is the part of a CloudTrail record that is used. Nothing is taken from
// responseElements: it may be null, and the state is read anyway.
type call struct {
	EventID   string `json:"eventID"`
	SharedID  string `json:"sharedEventID"`
	Source    string `json:"eventSource"`
	Name      string `json:"eventName"`
	ErrorCode string `json:"errorCode"`
	Region    string `json:"awsRegion"`
	Identity  struct {
		Account string `json:"accountId"`
		Session struct {
			Issuer struct {
				ARN string `json:"arn"`
			} `json:"sessionIssuer"`
		} `json:"sessionContext"`
	} `json:"userIdentity"`
	Parameters map[string]any `json:"requestParameters"`
}

func parseCall(e envelope) (Trigger, error) {
	var c call
	if err := decode(e, &c); err != nil {
		return Trigger{}, err
	}
	switch {
	case c.Source == "" || c.Name == "":
		return Trigger{}, fmt.Errorf("%w: it has no eventSource or no eventName", ErrUnreadable)
	case c.Source != "codeartifact.amazonaws.com" || c.Name != "AssociateExternalConnection":
		return ignore(e, fmt.Sprintf("no control looks at %s of %s", c.Name, c.Source)), nil
	case c.ErrorCode != "":
		return ignore(e, "the call failed: "+c.ErrorCode), nil
	}

	t := Trigger{Cause: Event, ID: first(c.SharedID, c.EventID, e.ID), Account: e.Account, Region: e.Region, Caller: c.Identity.Session.Issuer.ARN}
	if !account.MatchString(t.Account) || t.Region == "" || c.Region != "" && c.Region != t.Region {
		return Trigger{}, fmt.Errorf("%w: account %q, Region %q and awsRegion %q do not say where it is from", ErrUnreadable, t.Account, t.Region, c.Region)
	}
	// A call without domainOwner is about a domain of the caller's own account:
	// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_AssociateExternalConnection.html
	t.Repository = Repository{
		Owner:  first(c.parameter("domainOwner"), c.Identity.Account),
		Domain: c.parameter("domain", "domainName"),
		Name:   c.parameter("repository", "repositoryName"),
	}
	r := t.Repository
	if !account.MatchString(r.Owner) || !domain.MatchString(r.Domain) || !repository.MatchString(r.Name) {
		return Trigger{}, fmt.Errorf("%w: owner %q, domain %q and repository %q do not name a repository", ErrUnreadable, r.Owner, r.Domain, r.Name)
	}
	return t, nil
}

// The constraints of the API's own model. What does not meet them is not a name
// that CodeArtifact can have accepted.
var (
	account    = regexp.MustCompile(`^[0-9]{12}$`)
	domain     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,48}[a-z0-9]$`)
	repository = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,99}$`)
)

// parameter returns the first of the named request parameters that is a string.
// Several spellings are asked for because AWS's published records of CodeArtifact
// say domainName and repositoryName where its API says domain and repository:
// https://docs.aws.amazon.com/codeartifact/latest/ug/codeartifact-information-in-cloudtrail.html
func (c call) parameter(names ...string) string {
	for _, name := range names {
		if s, ok := c.Parameters[name].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

func decode(e envelope, detail any) error {
	if len(e.Detail) == 0 || string(e.Detail) == "null" {
		return fmt.Errorf("%w: it has no detail", ErrUnreadable)
	}
	if err := json.Unmarshal(e.Detail, detail); err != nil {
		return fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return nil
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
