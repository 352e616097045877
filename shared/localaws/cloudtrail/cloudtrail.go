// Package cloudtrail is the CloudTrail of a [localaws.World], as far as EventBridge tells of it: every account has a trail
// that logs write management events, so every such call becomes an event "AWS API Call via CloudTrail".
//
// A call is told of when a service took it, also if it then refused. It reaches the default bus of the caller's account,
// of the account that owns the domain, and of the one that administers the repository
// (https://docs.aws.amazon.com/codeartifact/latest/ug/codeartifact-information-in-cloudtrail.html). Reads are not told of,
// and neither is PutEvents, which is a data event and so not logged unless one asks for it
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/logging-using-cloudtrail.html).
//
// AWS has published two records of CodeArtifact, of other calls than those served here. The shape of the records is
// theirs, brought up to the present version; record.go says what was made up.
package cloudtrail

import (
	"cmp"
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
	recipients := t.recipients(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	events := t.events(c, recipients)
	if t.deliver != nil {
		events = t.deliver(events)
	}
	t.bridge.Put(events...)
}

// recipients are the accounts that are told of a call, the caller's first. Of a repository that does not exist any more
// nobody knows who administered it.
func (t *Trail) recipients(c localaws.Call) []string {
	owner, domain, repository := subject(c)
	administrator := t.packages.Domain(owner, c.Region, domain).Repository(repository).Administrator()
	recipients := []string{c.Account}
	for _, account := range []string{owner, administrator} {
		if account != "" && !slices.Contains(recipients, account) {
			recipients = append(recipients, account)
		}
	}
	return recipients
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
