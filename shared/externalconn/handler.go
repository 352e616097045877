package externalconn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
	"portcullis/shared/report"
	"portcullis/shared/trigger"
)

// Handler is the Lambda function of this control. It holds what was settled at
// start and nothing about any event.
type Handler struct {
	settings control.Settings
	policy   *policy.Policy
	aws      *awsio.AWS
	reporter *report.Reporter
}

// New reads the environment and the policy. It fails where the function could
// not do what its deployment says: a function that does not start writes
// nothing, and says why in every invocation.
func New(getenv func(string) string, out io.Writer) (*Handler, error) {
	settings, err := control.ReadSettings(getenv)
	if err != nil {
		return nil, err
	}
	p, err := policy.Load(settings.Policy)
	if err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	if settings.Mode != control.Off && p.ExternalConnections == nil {
		return nil, fmt.Errorf("%s has no section external_connections, but the control is in %s mode: add the section (an empty allow list allows nothing), or set ExternalConnectionsMode to off",
			settings.Policy, settings.Mode)
	}
	ways, err := awsio.FromEnvironment(getenv)
	if err != nil {
		return nil, err
	}
	log := report.NewLogger(out, settings.LogLevel)
	for _, w := range p.Warnings {
		log.Warn("policy warning", "warning", w.String())
	}
	return &Handler{
		settings: settings,
		policy:   p,
		aws:      ways,
		reporter: &report.Reporter{Out: out, Log: log, API: eventbridge.NewFromConfig(ways.Events()), BusName: settings.EventBus},
	}, nil
}

// Invoke is called by Lambda with the payload of one invocation. It returns the
// run's summary as JSON. The error is non-nil where something has to be looked at
// by a person: an event that cannot be read, a failed action, a plan over the
// limit, a record that was not delivered. Violations and an incomplete reading
// are not errors; they are what the run is there to tell.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	summary, err := h.run(ctx, payload)
	answer, broken := json.Marshal(summary)
	return answer, errors.Join(err, broken)
}

func (h *Handler) run(ctx context.Context, payload []byte) (control.Summary, error) {
	scope := h.aws.Home()
	summary := control.NewSummary(Control, scope, h.settings.Mode, h.policy.Hash)

	why, err := trigger.Parse(payload)
	if err == nil && why.Account != "" {
		scope = control.Scope{Account: why.Account, Region: why.Region}
		summary.Scope = scope
	}
	var session *awsio.Session
	if err == nil {
		session, err = h.aws.Session(scope, h.settings.Mode)
	}
	if err != nil {
		h.reporter.Log.ErrorContext(ctx, "event refused", "control", Control, "error", err.Error())
		return summary, err
	}
	summary.Cause, summary.Event = string(why.Cause), why.ID
	sweep := why.Cause == trigger.Sweep || why.Cause == trigger.Hand
	run := h.reporter.Begin(ctx, Control, session.Clock.Now)

	switch {
	case why.Cause == trigger.None:
		summary.Ignored = why.Ignored
	case h.settings.Mode == control.Off:
		summary.Ignored = "the control is off"
	case why.Caller != "" && why.Caller == h.settings.Role:
		summary.Ignored = "the call was made by this function"
	}
	if summary.Ignored != "" {
		return run.Finish(ctx, summary, false)
	}

	// Look.
	begin, cancel := control.Begin(ctx)
	defer cancel()
	read := codeartifact.NewFromConfig(session.Reads)
	var seen Observation
	if sweep {
		seen = ObserveAll(begin, read, scope)
	} else {
		r := why.Repository
		seen = ObserveOne(begin, read, scope, Name{Owner: r.Owner, Domain: r.Domain, Repo: r.Name})
	}

	// Decide.
	plan := Decide(seen, *h.policy.ExternalConnections, session.Clock.Now())
	gate := control.Gate{Mode: h.settings.Mode, Limit: control.Limit(h.policy.Limits), Covers: h.policy.EnforceOn.Covers}
	gated := gate.Pass(plan)
	for _, f := range plan.Findings {
		run.Finding(ctx, f)
	}

	// Act.
	for _, o := range gated.Withheld {
		run.Outcome(ctx, o)
	}
	outcomes := control.Apply(ctx, begin, gated.Actions, &actor{
		read: read, write: codeartifact.NewFromConfig(session.Writes),
		scope: scope, policy: *h.policy.ExternalConnections, clock: session.Clock,
	}, run)

	summary.Add(plan, gated, outcomes)
	summary.Complete = len(seen.Unread) == 0
	summary, lost := run.Finish(ctx, summary, sweep)
	return summary, errors.Join(summary.Err(), lost)
}
