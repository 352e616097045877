package externalconn

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"

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
	f, err := function.New(Control, "external_connections", func(p *policy.Policy) bool { return p.ExternalConnections != nil }, getenv, out)
	return &Handler{f}, err
}

// Invoke is called by Lambda with the payload of one invocation, and returns the
// run's summary. The error is non-nil where something has to be looked at by a
// person: an event that cannot be read or judged, a failed action, a plan over the
// limit, a record that was not delivered. Violations, and a sweep that could not
// read everything, are no errors; they are what the run is there to tell.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	why, err := trigger.Parse(payload)
	if err != nil {
		return nil, h.Refuse(ctx, err)
	}
	run, err := h.Begin(ctx, why)
	if err != nil {
		return nil, err
	}
	if r := why.Repository; why.Cause == trigger.Event && run.LeftToOwner(r.Owner) {
		run.Ignore(fmt.Sprintf("repository %s/%s is in a domain of account %s, which is looked at by itself", r.Domain, r.Name, r.Owner))
	}
	if run.Over() {
		return run.Finish(ctx)
	}
	look, begin, cancel := control.Phases(ctx)
	defer cancel()
	read := codeartifact.NewFromConfig(run.Session.Reads)

	var seen Observation
	if run.Sweep {
		seen = ObserveAll(look, read, run.Scope, run.LeftToOwner)
	} else {
		r := why.Repository
		one := ObserveOne(look, read, run.Scope, Name{Owner: r.Owner, Domain: r.Domain, Repo: r.Name})
		seen = one.Ours()
		if len(one.Connected) > 0 && len(seen.Connected)+len(seen.Unread) == 0 {
			run.Ignore(fmt.Sprintf("repository %s/%s in account %s is administered by account %s, and not by this one", r.Domain, r.Name, r.Owner, one.Connected[0].Administrator))
		}
	}
	plan := seen.Judge(h.Policy, run.Session.Clock.Now())
	run.CarryOut(ctx, begin, plan, len(seen.Unread) == 0, newActor(read, run.Session, run.Scope, h.Policy))
	if seen.LeftToOwner > 0 {
		run.Summary.Details = leftOut{seen.LeftToOwner}
	}
	for _, w := range h.Policy.ExternalConnections.Waivers {
		run.Waiver(w.Term)
	}
	return run.Finish(ctx)
}

// leftOut is what a summary says about repositories that were not looked at.
type leftOut struct {
	LeftToOwner int `json:"leftToOwner"` // in domains of other accounts, which are looked at by themselves
}

// Look reads everything in scope, and says what the policy makes of it: what a
// sweep of the function does, for a person who looks into this account alone.
func Look(ctx context.Context, s *awsio.Session, scope control.Scope, p *policy.Policy) (Observation, control.Plan) {
	o := ObserveAll(ctx, codeartifact.NewFromConfig(s.Reads), scope, nil)
	return o, o.Judge(p, s.Clock.Now())
}

// Judge says what a policy makes of an observation.
func (o Observation) Judge(p *policy.Policy, now time.Time) control.Plan {
	return Decide(o, *p.ExternalConnections, now)
}
