package protonconn

import (
	"context"
	"io"
	"time"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/function"
	"portcullis/shared/policy"
	"portcullis/shared/trigger"
)

// Handler is the Lambda function of this control.
type Handler struct{ function.Function }

// New reads the environment and the policy. See [function.New].
func New(getenv func(string) string, out io.Writer) (*Handler, error) {
	f, err := function.New(Control, "proton_connections", func(p *policy.Policy) bool { return p.ProtonConnections != nil }, getenv, out)
	return &Handler{f}, err
}

// Invoke is called by Lambda with the payload of one invocation, and returns the
// run's summary. See externalconn.Handler for what is an error and what is not. A
// service that is gone is none: no event is tried again for it.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	why, err := trigger.ParseConnectionChange(payload)
	if err != nil {
		return nil, h.Refuse(ctx, err)
	}
	run, err := h.Begin(ctx, why)
	if err != nil {
		return nil, err
	}
	if run.Over() {
		return run.Finish(ctx)
	}
	look, begin, cancel := control.Phases(ctx)
	defer cancel()
	rules, clock := *h.Policy.ProtonConnections, run.Session.Clock
	read := newClient(run.Session.Reads)

	seen, plan := lookAt(look, read, clock, run.Scope, h.Policy, why.Connection)
	run.Summary.Gone = seen.Gone != nil
	a := newActor(read, run.Session, run.Scope, h.Policy)
	run.CarryOut(ctx, begin, plan, len(seen.Unread) == 0 && seen.Gone == nil, a)
	if a.gone != nil {
		run.Summary.Gone = true
		for _, f := range Decide(Observation{Scope: run.Scope, Gone: a.gone}, rules, clock.Now()).Findings {
			run.Report.Finding(ctx, f)
			run.Summary.Verdicts[f.Verdict]++
		}
	}
	for _, w := range rules.Waivers {
		run.Waiver(w.Term)
	}
	return run.Finish(ctx)
}

// Look reads everything in scope, and says what the policy makes of it. It is what
// a sweep of the function does, and what a person sees by hand.
func Look(ctx context.Context, s *awsio.Session, scope control.Scope, p *policy.Policy) (Observation, control.Plan) {
	return lookAt(ctx, newClient(s.Reads), s.Clock, scope, p, "")
}

// lookAt is Look for one connection, or for all of them. An event does not say on
// which side of the connection this account is.
func lookAt(ctx context.Context, read Reader, clock *awsio.Clock, scope control.Scope, p *policy.Policy, only string) (Observation, control.Plan) {
	o := Observe(ctx, read, scope, only, Management, Environment)
	return o, o.Judge(p, clock.Now())
}

// Judge says what a policy makes of an observation.
func (o Observation) Judge(p *policy.Policy, now time.Time) control.Plan {
	return Decide(o, *p.ProtonConnections, now)
}
