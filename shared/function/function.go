// Package function is what every Lambda function of this program does around its
// control: it settles at start what the deployment says, opens a run for an
// event, carries a plan through the gate, and closes the run with its report.
//
// It decides nothing, reads nothing of AWS's state and knows no control. A
// control's handler.go puts its own looking and deciding between Begin and
// Finish.
package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
	"portcullis/shared/report"
	"portcullis/shared/trigger"
)

// Function holds what was settled at start, and nothing about any event.
type Function struct {
	Control  string
	Settings control.Settings
	Policy   *policy.Policy
	AWS      *awsio.AWS
	Reporter *report.Reporter
}

// New reads the environment and the policy. It fails where the function could not
// do what its deployment says: a function that does not start writes nothing, and
// says why in every invocation. The section is the part of the policy that the
// control lives by, and has says whether it is there.
func New(name, section string, has func(*policy.Policy) bool, getenv func(string) string, out io.Writer) (Function, error) {
	settings, err := control.ReadSettings(getenv)
	if err != nil {
		return Function{}, err
	}
	p, err := policy.Load(settings.Policy)
	if err != nil {
		return Function{}, fmt.Errorf("reading the policy: %w", err)
	}
	if settings.Mode != control.Off && !has(p) {
		return Function{}, fmt.Errorf("%s has no section %s, but %s is in %s mode: add the section, or turn the control off", settings.Policy, section, name, settings.Mode)
	}
	a, err := awsio.FromEnvironment(getenv, settings.Mode)
	if err != nil {
		return Function{}, err
	}
	f := Function{Control: name, Settings: settings, Policy: p, AWS: a, Reporter: &report.Reporter{
		Out: out, Log: report.NewLogger(out, settings.LogLevel),
		API: eventbridge.NewFromConfig(a.Events()), BusName: settings.EventBus,
	}}
	for _, w := range p.Warnings {
		f.Reporter.Log.Warn("policy warning", "warning", w.String())
	}
	return f, nil
}

// Refuse logs that an event cannot be acted on, and returns the error, shortened
// so that the record of the failure fits into the failure queue.
func (f *Function) Refuse(ctx context.Context, err error) error {
	if text := err.Error(); text != report.Clip(text) {
		err = errors.New(report.Clip(text))
	}
	request := ""
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		request = lc.AwsRequestID
	}
	f.Reporter.Log.ErrorContext(ctx, "event refused", "control", f.Control, "run", request, "error", err.Error())
	return err
}

// Run is one run of a control.
type Run struct {
	Scope   control.Scope
	Session *awsio.Session
	Report  *report.Run
	Sweep   bool // everything in scope is looked at
	Summary control.Summary

	function *Function
	waivers  []policy.Term
}

// Begin opens a run for a trigger. A trigger that nothing is to be done for, or a
// control that is off, gives a run that is ignored: it is only to be finished.
func (f *Function) Begin(ctx context.Context, why trigger.Trigger) (*Run, error) {
	scope := f.AWS.Home()
	if why.Cause != trigger.None && why.Account != "" {
		scope = control.Scope{Account: why.Account, Region: why.Region}
	}
	session, err := f.AWS.Session(scope)
	if err != nil {
		return nil, f.Refuse(ctx, err)
	}
	r := &Run{
		Scope: scope, Session: session, function: f,
		Report:  f.Reporter.Begin(ctx, f.Control, session.Clock.Now),
		Sweep:   why.Cause == trigger.Sweep || why.Cause == trigger.Hand,
		Summary: control.NewSummary(f.Control, scope, f.Settings.Mode, f.Policy.Hash),
	}
	r.Summary.Cause, r.Summary.Event = string(why.Cause), why.ID
	switch {
	case why.Cause == trigger.None:
		r.Ignore(why.Ignored)
	case f.Settings.Mode == control.Off:
		r.Ignore("the control is off")
	case why.Caller != "" && why.Caller == f.Settings.Role:
		r.Ignore("the call was made by this function")
	}
	return r, nil
}

// Ignore says why the run looks at nothing.
func (r *Run) Ignore(why string) { r.Summary.Ignored = why }

// Ignored tells whether the run looks at nothing.
func (r *Run) Ignored() bool { return r.Summary.Ignored != "" }

// CarryOut passes a plan through the gate and carries out what is left of it.
// Complete says that everything in scope was read. A control that never writes
// has no actor.
func (r *Run) CarryOut(ctx, begin context.Context, plan control.Plan, complete bool, actor control.Actor) {
	p := r.function.Policy
	gate := control.Gate{Mode: r.function.Settings.Mode, Limit: control.Limit(p.Limits), Covers: p.EnforceOn.Covers}
	gated := gate.Pass(plan)
	for _, f := range plan.Findings {
		r.Report.Finding(ctx, f)
	}
	for _, o := range gated.Withheld {
		r.Report.Outcome(ctx, o)
	}
	outcomes := control.Apply(ctx, begin, gated.Actions, actor, r.Report)
	r.Summary.Add(plan, complete, gated, outcomes)
}

// Waiver has the end of a waiver told when the run is finished, if it is a sweep
// and the waiver is over or soon will be.
func (r *Run) Waiver(t policy.Term) { r.waivers = append(r.waivers, t) }

// Finish reports the run and returns its summary as JSON. The error is what a
// person has to look at: see [control.Summary.Err], and records that were not
// delivered.
func (r *Run) Finish(ctx context.Context) ([]byte, error) {
	if now := r.Session.Clock.Now(); r.Sweep && !now.IsZero() {
		for _, w := range r.waivers {
			switch {
			case !w.InForce(now):
				r.Report.Remark(ctx, "waiver", fmt.Sprintf("waiver %s of %s is over since %s: renew it or take it out of the policy", w.ID, w.Owner, w.Expires.Format(time.DateOnly)))
			case w.EndsSoon(now):
				r.Report.Remark(ctx, "waiver", fmt.Sprintf("waiver %s of %s ends on %s", w.ID, w.Owner, w.LastDay()))
			}
		}
	}
	summary, lost := r.Report.Finish(ctx, r.Summary, r.Sweep && !r.Ignored())
	answer, broken := json.Marshal(summary)
	return answer, errors.Join(summary.Err(), lost, broken)
}
