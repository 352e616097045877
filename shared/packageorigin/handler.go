package packageorigin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"

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
			if home := f.AWS.Home().Account; !g.Concerns(home) {
				f.Reporter.Log.Warn("policy warning", "warning", fmt.Sprintf("%s is about other accounts than %s, so nobody looks at it here", g.Place, home))
			}
		}
	}
	return &Handler{f}, nil
}

// Invoke is called by Lambda with the payload of one invocation. For a batch of
// messages it returns which of them go back to the queue, and otherwise the
// run's summary. The error is non-nil where nothing of the payload can be read,
// where what a batch names could not be judged, and where a record was not
// delivered; the whole batch then comes again. Violations, and a sweep that could
// not read everything, are no errors.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	why, messages, err := trigger.ParseGroupChanges(payload)
	if err != nil {
		return nil, h.Refuse(ctx, err)
	}
	domains, refused := h.coalesce(ctx, messages)
	answer, err := h.run(ctx, why, domains)
	if messages != nil && err == nil {
		// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
		return json.Marshal(events.SQSEventResponse{BatchItemFailures: refused})
	}
	return answer, err
}

// coalesce returns the domains that the messages name, each once, and the
// messages that cannot be looked into.
func (h *Handler) coalesce(ctx context.Context, messages []trigger.Message) (domains []string, refused []events.SQSBatchItemFailure) {
	home := h.AWS.Home()
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
		switch {
		case m.Err != nil:
			refuse(m.ID, m.Err)
		case t.Cause == trigger.None:
			ignore(m.ID, t.Ignored)
		case from != home:
			refuse(m.ID, fmt.Errorf("it is from account %s, Region %s, and this deployment looks at %s, %s only", from.Account, from.Region, home.Account, home.Region))
		case t.Domain.Owner != home.Account:
			// The caller's account is told of a call as well as the domain's owner.
			ignore(m.ID, fmt.Sprintf("domain %s is owned by account %s", t.Domain.Name, t.Domain.Owner))
		case !slices.Contains(domains, t.Domain.Name):
			domains = append(domains, t.Domain.Name)
		}
	}
	return domains, refused
}

// run looks at the named domains, or at all of them if it is a sweep.
func (h *Handler) run(ctx context.Context, why trigger.Trigger, domains []string) ([]byte, error) {
	run, err := h.Begin(ctx, why)
	if err != nil {
		return nil, err
	}
	if !run.Ignored() && !run.Sweep && len(domains) == 0 {
		run.Ignore("no message names a domain to look at")
	}
	if run.Ignored() {
		return run.Finish(ctx)
	}
	look, begin, cancel := control.Phases(ctx)
	defer cancel()
	rules, read := *h.Policy.PackageOrigins, codeartifact.NewFromConfig(run.Session.Reads)

	var seen Observation
	if run.Sweep {
		seen = ObserveAll(look, read, run.Scope, rules)
	} else {
		seen = ObserveDomains(look, read, run.Scope, domains, rules)
	}
	plan := Decide(seen, rules)
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
