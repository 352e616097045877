// Package cloudtrail is the CloudTrail of a [localaws.World], as far as EventBridge tells of it: every account has a trail
// that logs write management events, so every such call becomes an event "AWS API Call via CloudTrail".
//
// A call is told of when a service took it, also if it then refused. It reaches the default bus of the caller's account.
// One of CodeArtifact also reaches the account that owns the domain, and the one that administers the repository
// (https://docs.aws.amazon.com/codeartifact/latest/ug/codeartifact-information-in-cloudtrail.html). Reads are not told of,
// and neither is PutEvents, which is a data event and so not logged unless one asks for it
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/logging-using-cloudtrail.html).
//
// AWS has published two records of CodeArtifact, of other calls than those served here, and none of Proton. The shape of
// the records is theirs, brought up to the present version; record.go says what was made up.
package cloudtrail

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
)

// A Trail is the trails of all accounts and Regions of a World.
type Trail struct {
	packages *codeartifact.Service
	bridge   *eventbridge.Service

	mu       sync.Mutex
	ids      int
	spelling Spelling
	across   bool // see TellEnvironmentAccounts
	deliver  func([]eventbridge.Event) []eventbridge.Event
}

// New has every call that is made from now on told of, before it is answered.
func New(w *localaws.World, packages *codeartifact.Service, bridge *eventbridge.Service) *Trail {
	t := &Trail{packages: packages, bridge: bridge}
	w.OnCall(t.tell)
	return t
}

// SetSpelling sets how the request parameters are spelt in the records from now on. It is [OfTheAPI] until set.
func (t *Trail) SetSpelling(s Spelling) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spelling = s
}

// TellEnvironmentAccounts says whether the environment account of a connection of Proton is told of what the management
// account does with it. CloudTrail can tell the owner of a resource of calls across accounts; whether it does so for
// Proton is not documented, and it does not until set. Of a call that was refused only the caller is told.
func (t *Trail) TellEnvironmentAccounts(yes bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.across = yes
}

// Deliver has f decide what becomes of the events of each call, one for every account that is told of it: what it returns
// is delivered, in that order. So it can drop events and double them, and hold them back for a later
// [eventbridge.Service.Put], late or in another order. It is called for one call at a time and must not use the trail.
// nil delivers everything.
func (t *Trail) Deliver(f func([]eventbridge.Event) []eventbridge.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deliver = f
}

func (t *Trail) tell(c localaws.Call) {
	if !c.Executed || !c.Write || c.Operation == "PutEvents" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	events := t.events(c, t.recipients(c))
	if t.deliver != nil {
		events = t.deliver(events)
	}
	t.bridge.Put(events...)
}

// recipients are the accounts that are told of a call, the caller's first.
func (t *Trail) recipients(c localaws.Call) []string {
	recipients := []string{c.Account}
	for _, account := range t.concerned(c) {
		if account != "" && !slices.Contains(recipients, account) {
			recipients = append(recipients, account)
		}
	}
	return recipients
}

// concerned are the accounts whose resource a call is about, some of them perhaps empty. Of a repository that does not
// exist any more nobody knows who administered it.
func (t *Trail) concerned(c localaws.Call) []string {
	if c.Service == "proton" {
		if !t.across {
			return nil
		}
		return []string{environmentAccount(c)}
	}
	owner, domain, repository := subject(c)
	return []string{owner, t.packages.Domain(owner, c.Region, domain).Repository(repository).Administrator()}
}

// environmentAccount is that of the connection in the answer of Proton, if there is one.
func environmentAccount(c localaws.Call) string {
	var out struct {
		EnvironmentAccountConnection struct{ EnvironmentAccountID string }
	}
	_ = json.Unmarshal(c.Output, &out) // no answer, no account
	return out.EnvironmentAccountConnection.EnvironmentAccountID
}

// subject is what a call of CodeArtifact is about, by its parameters or by the ARN in them. What is not named is empty.
// A domain without an owner is the caller's own.
func subject(c localaws.Call) (owner, domain, repository string) {
	if arn := strings.SplitN(parameter(c, "resourceArn"), ":", 6); len(arn) == 6 {
		if names, found := strings.CutPrefix(arn[5], "repository/"); found {
			domain, repository, _ = strings.Cut(names, "/")
		}
		return arn[4], domain, repository
	}
	return cmp.Or(parameter(c, "domainOwner"), c.Account), parameter(c, "domain"), parameter(c, "repository")
}

func parameter(c localaws.Call, name string) string {
	value, _ := c.Input[name].(string)
	return value
}
