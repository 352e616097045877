package packageorigin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/function"
	"portcullis/shared/policy"
	"portcullis/shared/trigger"
)

// Handler is the Lambda function of this control.
type Handler struct{ function.Function }

// New reads the environment and the policy. See [function.New]. There is nothing
// to enforce here, so the mode enforce is refused.
func New(getenv func(string) string, out io.Writer) (*Handler, error) {
	f, err := function.New(Control, "package_origins", func(p *policy.Policy) bool { return p.PackageOrigins != nil }, getenv, out)
	if err != nil {
		return nil, err
	}
	switch f.Settings.Mode {
	case control.Enforce:
		return nil, errors.New("the mode is enforce, but package-origins only reports: set PackageOriginsMode to monitor or off")
	case control.Monitor:
		for _, g := range f.Policy.PackageOrigins.Guards {
			if !f.AWS.Concerns(g.Concerns) {
				f.Reporter.Log.Warn("policy warning", "warning", fmt.Sprintf("%s is about other accounts than %s and its members, so nobody looks at it here", g.Place, f.AWS.Home().Account))
			}
		}
	}
	return &Handler{f}, nil
}

// Invoke is called by Lambda with the payload of one invocation. For a batch of
// messages it returns which of them go back to the queue, and otherwise the
// run's summary. What could not be judged in one of several accounts goes back. The
// error is non-nil where nothing of the payload can be read, and where nothing of
// it could be judged or a record of it was not delivered; the whole batch then
// comes again. Violations, and a sweep that could
// not read everything, are no errors.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	why, messages, err := trigger.ParseGroupChanges(payload)
	if err != nil {
		return nil, h.Refuse(ctx, err)
	}
	if messages == nil {
		return h.run(ctx, why, nil)
	}
	changed, refused := h.coalesce(ctx, messages)
	if len(changed) == 0 {
		changed = []place{{scope: h.AWS.Home()}} // the run that says so
	}
	// Side by side, so that an account that answers badly takes no time from the others.
	errs := make([]error, len(changed))
	var runs sync.WaitGroup
	for i, p := range changed {
		runs.Go(func() {
			one := why
			one.Account, one.Region = p.scope.Account, p.scope.Region
			_, errs[i] = h.run(ctx, one, p.domains)
		})
	}
	runs.Wait()
	var failed []error
	for i, p := range changed {
		if errs[i] != nil {
			failed = append(failed, fmt.Errorf("account %s: %w", p.scope.Account, errs[i]))
			refused = append(refused, p.messages...)
		}
	}
	if len(failed) == len(changed) {
		return nil, errors.Join(failed...)
	}
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
	return json.Marshal(events.SQSEventResponse{BatchItemFailures: refused})
}

// place is where package groups were changed: domains of one account.
type place struct {
	scope    control.Scope
	domains  []string
	messages []events.SQSBatchItemFailure // those that told of it, in case it cannot be judged
}

// coalesce returns the domains that the messages name, each once and by account,
// and the messages that cannot be looked into.
func (h *Handler) coalesce(ctx context.Context, messages []trigger.Message) (changed []place, refused []events.SQSBatchItemFailure) {
	refused = []events.SQSBatchItemFailure{} // an empty list, and not null
	refuse := func(id string, err error) {
		_ = h.Refuse(ctx, fmt.Errorf("message %s: %w", id, err)) // it goes back to the queue, alone
		refused = append(refused, events.SQSBatchItemFailure{ItemIdentifier: id})
	}
	ignore := func(id, why string) {
		h.Reporter.Log.InfoContext(ctx, "message ignored", "control", Control, "message_id", id, "reason", why)
	}
	for _, m := range messages {
		t := m.Trigger
		from := control.Scope{Account: t.Account, Region: t.Region}
		if m.Err != nil {
			refuse(m.ID, m.Err)
			continue
		}
		if t.Cause == trigger.None {
			ignore(m.ID, t.Ignored)
			continue
		}
		if h.AWS.Members().Excludes(from.Account) {
			ignore(m.ID, "account "+from.Account+" is excluded")
			continue
		}
		if _, err := h.AWS.Session(from); err != nil {
			refuse(m.ID, err)
			continue
		}
		if t.Domain.Owner != from.Account {
			// The caller's account is told of a call as well as the domain's owner.
			ignore(m.ID, fmt.Sprintf("domain %s is owned by account %s", t.Domain.Name, t.Domain.Owner))
			continue
		}
		i := slices.IndexFunc(changed, func(p place) bool { return p.scope == from })
		if i < 0 {
			i, changed = len(changed), append(changed, place{scope: from})
		}
		if !slices.Contains(changed[i].domains, t.Domain.Name) {
			changed[i].domains = append(changed[i].domains, t.Domain.Name)
		}
		changed[i].messages = append(changed[i].messages, events.SQSBatchItemFailure{ItemIdentifier: m.ID})
	}
	return changed, refused
}

// run looks at the named domains, or at all of them if it is a sweep.
func (h *Handler) run(ctx context.Context, why trigger.Trigger, domains []string) ([]byte, error) {
	run, err := h.Begin(ctx, why)
	if err != nil {
		return nil, err
	}
	if !run.Over() && !run.Sweep && len(domains) == 0 {
		run.Ignore("no message names a domain to look at")
	}
	if run.Over() {
		return run.Finish(ctx)
	}
	look, begin, cancel := control.Phases(ctx)
	defer cancel()
	rules := *h.Policy.PackageOrigins

	var seen Observation
	var plan control.Plan
	if run.Sweep {
		seen, plan = Look(look, run.Session, run.Scope, h.Policy)
	} else {
		seen = ObserveDomains(look, codeartifact.NewFromConfig(run.Session.Reads), run.Scope, domains, rules)
		plan = Decide(seen, rules)
	}
	for _, f := range plan.Findings {
		if f.Verdict == control.Compliant {
			for _, note := range f.Notes {
				// A compliant finding makes no event, and what is to be said about it would be lost.
				run.Report.Remark(ctx, "compliant, but look at it", note)
			}
		}
	}
	run.CarryOut(ctx, begin, plan, len(seen.Unread) == 0, nil)
	return run.Finish(ctx)
}

// Look reads everything in scope, and says what the policy makes of it. It is what
// a sweep of the function does, and what a person sees by hand.
func Look(ctx context.Context, s *awsio.Session, scope control.Scope, p *policy.Policy) (Observation, control.Plan) {
	o := ObserveAll(ctx, codeartifact.NewFromConfig(s.Reads), scope, *p.PackageOrigins)
	return o, Decide(o, *p.PackageOrigins)
}
