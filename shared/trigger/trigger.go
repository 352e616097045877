// Package trigger reads why the program woke, and answers one question: where
// should it look?
//
// Everything here is pure. It never decides anything about what the event
// reports: an event is a hint, may be late, doubled or forged, and the state that
// counts is read afterwards. Samples of every event are in testdata.
//
// Parse reads what wakes a function by itself, connection.go what wakes the one
// for Proton, and queue.go what comes in batches from a queue.
package trigger

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// Cause is why a run was started.
type Cause string

// The causes.
const (
	Sweep Cause = "sweep" // the schedule: look at everything
	Hand  Cause = "hand"  // a person: look at everything
	Event Cause = "event" // something happened to what is named: look at that
	None  Cause = "none"  // nothing to look at; Trigger.Ignored says why
)

// Trigger says where to look.
type Trigger struct {
	Cause Cause
	ID    string // the event's id; empty where there is none

	// Account and Region are where to look: for Cause Event where the event is
	// from, for a sweep what is to be swept. Each is empty for that of the function
	// itself.
	Account string
	Region  string

	// Request is what a sweep was asked for with.
	Request Request

	// Caller is the ARN of the role that made the call, where there is one.
	Caller string

	// Repository is set for events about a CodeArtifact repository.
	Repository Repository

	// Domain is set for events about a CodeArtifact package group.
	Domain Domain

	// Connection is set for events about a Proton environment account connection:
	// its id, and nothing else is known of it.
	Connection string

	// Ignored says why nothing is to be done, for Cause None.
	Ignored string
}

// Request is what else stands in the request for a sweep. Each is empty where it
// was not said.
type Request struct {
	Sender  string   // account that put the request on the bus
	Control string   // the control that is to sweep
	Round   string   // id of the round that the sweep is a part of
	Covered []string // accounts that the round sweeps
}

// Repository names a CodeArtifact repository by its whole identity.
type Repository struct{ Owner, Domain, Name string }

// Domain names a CodeArtifact domain by its whole identity.
type Domain struct{ Owner, Name string }

// ErrUnreadable is wrapped by the errors of this package. Such an event belongs in
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
	return parse(payload, sweep, artifactCalls("AssociateExternalConnection"))
}

// A reader reads the events that it knows, and says with false that it does not
// know this one.
type reader func(envelope) (Trigger, bool, error)

// parse reads one event, by the first reader that knows it.
func parse(payload []byte, readers ...reader) (Trigger, error) {
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
	if e.Replay != "" {
		return ignore(e, "it is replayed from an archive"), nil
	}
	for _, read := range readers {
		t, ok, err := read(e)
		switch {
		case err != nil:
			return Trigger{}, err
		case ok:
			return t, nil
		}
	}
	return ignore(e, fmt.Sprintf("this control does not look at %q from %q", brief(e.DetailType), brief(e.Source))), nil
}

// artifactCalls knows the named calls of CodeArtifact, as CloudTrail tells of them.
func artifactCalls(names ...string) reader {
	return func(e envelope) (Trigger, bool, error) {
		if e.Source != "aws.codeartifact" || e.DetailType != "AWS API Call via CloudTrail" {
			return Trigger{}, false, nil
		}
		t, err := parseArtifactCall(e, names)
		return t, true, err
	}
}

func ignore(e envelope, why string) Trigger {
	return Trigger{Cause: None, ID: brief(e.ID), Ignored: why}
}

// sweep knows the request for a sweep.
func sweep(e envelope) (Trigger, bool, error) {
	if e.Source != "portcullis" || e.DetailType != "Sweep Requested" {
		return Trigger{}, false, nil
	}
	t, err := parseSweep(e)
	return t, true, err
}

func parseSweep(e envelope) (Trigger, error) {
	var detail struct {
		By      string   `json:"by"` // "schedule" or "hand"
		Account string   `json:"account"`
		Region  string   `json:"region"`
		Control string   `json:"control"`
		Round   string   `json:"round"`
		Covered []string `json:"accounts"`
	}
	if err := decode(e, &detail); err != nil {
		return Trigger{}, err
	}
	cause, err := requestedBy(detail.By)
	if err != nil {
		return Trigger{}, err
	}
	if detail.Account != "" && !account.MatchString(detail.Account) || detail.Region != "" && !region.MatchString(detail.Region) {
		return Trigger{}, fmt.Errorf("%w: account %q and Region %q do not say where to sweep", ErrUnreadable, brief(detail.Account), brief(detail.Region))
	}
	for _, id := range detail.Covered {
		if !account.MatchString(id) {
			return Trigger{}, fmt.Errorf("%w: %q is not the id of an account", ErrUnreadable, brief(id))
		}
	}
	return Trigger{
		Cause: cause, ID: brief(e.ID), Account: detail.Account, Region: detail.Region,
		Request: Request{Sender: brief(e.Account), Control: brief(detail.Control), Round: brief(detail.Round), Covered: detail.Covered},
	}, nil
}

// requestedBy reads who asked for a sweep, or for a round of them.
func requestedBy(by string) (Cause, error) {
	switch by {
	case "schedule":
		return Sweep, nil
	case "hand":
		return Hand, nil
	default:
		return "", fmt.Errorf(`%w: "by" is %q; a sweep is requested by "schedule" or by "hand"`, ErrUnreadable, brief(by))
	}
}

// ParseRound reads the payload with which a round of sweeps is asked for: an event
// of source portcullis and detail-type "Round Requested", or an empty object, which
// a person sends who gives no payload.
func ParseRound(payload []byte) (Trigger, error) {
	return parse(payload, func(e envelope) (Trigger, bool, error) {
		if e.Source != "portcullis" || e.DetailType != "Round Requested" {
			return Trigger{}, false, nil
		}
		var detail struct {
			By string `json:"by"`
		}
		if err := decode(e, &detail); err != nil {
			return Trigger{}, false, err
		}
		cause, err := requestedBy(detail.By)
		return Trigger{Cause: cause, ID: brief(e.ID)}, true, err
	})
}

// call is the part of a CloudTrail record that is used. Of responseElements, which
// may be null, nothing but an id is taken: the state is read anyway.
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
	// What is not asked for by name stays as it came: a megabyte of it would take fifty.
	Parameters map[string]json.RawMessage `json:"requestParameters"`
	Elements   map[string]json.RawMessage `json:"responseElements"`
}

// parseCall reads what all records of calls have in common. The trigger is ignored
// where the call is not of that service, not among those named, or failed.
func parseCall(e envelope, service string, names []string) (Trigger, call, error) {
	var c call
	if err := decode(e, &c); err != nil {
		return Trigger{}, c, err
	}
	switch {
	case c.Source == "" || c.Name == "":
		return Trigger{}, c, fmt.Errorf("%w: it has no eventSource or no eventName", ErrUnreadable)
	case c.Source != service || !slices.Contains(names, c.Name):
		return ignore(e, fmt.Sprintf("this control does not look at %q of %q", brief(c.Name), brief(c.Source))), c, nil
	case c.ErrorCode != "":
		return ignore(e, fmt.Sprintf("the call failed: %q", brief(c.ErrorCode))), c, nil
	}
	t := Trigger{Cause: Event, ID: brief(cmp.Or(c.SharedID, c.EventID, e.ID)), Account: e.Account, Region: e.Region, Caller: c.Identity.Session.Issuer.ARN}
	return t, c, t.placed(c.Region)
}

// placed says whether the trigger tells where it is from. The Region of the record,
// where there is one, must be that of the event.
func (t Trigger) placed(record string) error {
	if !account.MatchString(t.Account) || !region.MatchString(t.Region) || record != "" && record != t.Region {
		return fmt.Errorf("%w: account %q, Region %q and awsRegion %q do not say where it is from", ErrUnreadable, brief(t.Account), brief(t.Region), brief(record))
	}
	return nil
}

func parseArtifactCall(e envelope, names []string) (Trigger, error) {
	t, c, err := parseCall(e, "codeartifact.amazonaws.com", names)
	if err != nil || t.Cause == None {
		return t, err
	}
	// A call without domainOwner is about a domain of the caller's own account:
	// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_AssociateExternalConnection.html
	d := Domain{
		Owner: cmp.Or(c.parameter("domainOwner"), c.Identity.Account),
		Name:  c.parameter("domain", "domainName"),
	}
	if !account.MatchString(d.Owner) || !domain.MatchString(d.Name) {
		return Trigger{}, fmt.Errorf("%w: owner %q and domain %q do not name a domain", ErrUnreadable, brief(d.Owner), brief(d.Name))
	}
	if c.Name != "AssociateExternalConnection" {
		t.Domain = d
		return t, nil
	}
	t.Repository = Repository{Owner: d.Owner, Domain: d.Name, Name: c.parameter("repository", "repositoryName")}
	if !repository.MatchString(t.Repository.Name) {
		return Trigger{}, fmt.Errorf("%w: %q does not name a repository", ErrUnreadable, brief(t.Repository.Name))
	}
	return t, nil
}

// The constraints of the API's own model. What does not meet them is not a name
// that CodeArtifact can have accepted.
var (
	account    = form{regexp.MustCompile(`^[0-9]+$`), 12, 12}
	region     = form{regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`), 1, 100}
	domain     = form{regexp.MustCompile(`^[a-z][a-z0-9-]*[a-z0-9]$`), 2, 50}
	repository = form{regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]+$`), 2, 100}
)

// form is what a name may look like, and how long it may be. A count in an
// expression stands for as many copies, which every start of a function would pay
// for: these took a tenth of it.
type form struct {
	pattern     *regexp.Regexp
	least, most int
}

// MatchString tells whether a name has the form.
func (f form) MatchString(name string) bool {
	return f.least <= len(name) && len(name) <= f.most && f.pattern.MatchString(name)
}

// parameter returns the first of the named request parameters that is a string.
// One that is there as something else does not count as left out.
// Several spellings are asked for because AWS's published records of CodeArtifact
// say domainName and repositoryName where its API says domain and repository:
// https://docs.aws.amazon.com/codeartifact/latest/ug/codeartifact-information-in-cloudtrail.html
func (c call) parameter(names ...string) string {
	other := ""
	for _, name := range names {
		raw, value := c.Parameters[name], ""
		switch {
		case len(raw) == 0 || string(raw) == "null":
		case json.Unmarshal(raw, &value) != nil:
			other = brief(string(raw)) + " and no text" // which is no name of anything
		case value != "":
			return value
		}
	}
	return other
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

// brief cuts what others wrote, which may be of any length, before it is told.
func brief(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
