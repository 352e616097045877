// Package function is what every Lambda function of this program does around its
// control: it settles at start what the deployment says, opens a run for an
// event, carries a plan through the gate, and closes the run with its report.
//
// It decides nothing, reads nothing of AWS's state and knows no control. A
// control's handler.go puts its own looking and deciding between Begin and
// Finish.
package function

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
	"portcullis/shared/report"
	"portcullis/shared/trigger"
)

// build is the commit that a program was built from, with -dirty behind it if the tree was
// changed. `make build` sets it; it is empty where that could not know.
var build string

// Function holds what was settled at start, and nothing about any event.
type Function struct {
	Control  string
	Settings control.Settings
	Policy   *policy.Policy
	AWS      *awsio.AWS
	Reporter *report.Reporter
	Build    string // commit that the program was built from; empty where that is not known
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
	a, err := awsio.FromEnvironment(name, getenv, settings.Mode)
	if err != nil {
		return Function{}, err
	}
	f := Function{Control: name, Settings: settings, Policy: p, AWS: a, Build: build, Reporter: &report.Reporter{
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
	covered  []string
	over     bool
	waivers  []policy.Term
}

// Begin opens a run for a trigger. A trigger that nothing is to be done for, a
// control that is off, and an account that cannot be entered give a run that is
// over: it is only to be finished.
func (f *Function) Begin(ctx context.Context, why trigger.Trigger) (*Run, error) {
	scope := f.AWS.Home()
	if why.Cause != trigger.None {
		scope = control.Scope{Account: cmp.Or(why.Account, scope.Account), Region: cmp.Or(why.Region, scope.Region)}
	}
	if err := f.meant(why.Request); err != nil {
		return nil, f.Refuse(ctx, err)
	}
	excluded := scope != f.AWS.Home() && f.AWS.Members().Excludes(scope.Account)
	if excluded { // the run looks at nothing, and is no part of a round
		scope, why.Request.Round = f.AWS.Home(), ""
	}
	session, err := f.AWS.Session(scope)
	if err != nil {
		return nil, f.Refuse(ctx, err)
	}
	r := &Run{
		Scope: scope, Session: session, function: f,
		Report:  f.Reporter.Begin(ctx, f.Control, string(why.Cause), session.Clock.Now),
		Sweep:   why.Cause == trigger.Sweep || why.Cause == trigger.Hand,
		Summary: control.NewSummary(f.Control, scope, f.Settings.Mode, f.Policy.Hash),
		covered: why.Request.Covered,
	}
	r.Summary.Build = f.Build
	r.Summary.Cause, r.Summary.Event, r.Summary.Round = string(why.Cause), why.ID, why.Request.Round
	switch {
	case why.Cause == trigger.None:
		r.Ignore(why.Ignored)
	case f.Settings.Mode == control.Off:
		r.Ignore("the control is off")
	case excluded:
		r.Ignore("account " + why.Account + " is excluded")
	case why.Caller != "" && why.Caller == f.Settings.Role:
		r.Ignore("the call was made by this function")
	default:
		if err := session.Enter(ctx); err != nil {
			r.shut(ctx, err)
		}
	}
	return r, nil
}

// meant says why a request for a sweep is not meant for this function. The rule
// that hands it over asks for the same; this does not rely on it.
func (f *Function) meant(by trigger.Request) error {
	home := f.AWS.Home().Account
	switch {
	case by.Sender != "" && by.Sender != home:
		return fmt.Errorf("the sweep was requested by account %s: only this deployment's own account, %s, can", by.Sender, home)
	case by.Control != "" && by.Control != f.Control:
		return fmt.Errorf("the sweep was requested of %s: this is %s", by.Control, f.Control)
	}
	return nil
}

// shut ends a run whose account cannot be entered: nothing is known of all that is
// in it.
func (r *Run) shut(ctx context.Context, err error) {
	r.over = true
	class, reason := refusedRole(ctx, "account "+r.Scope.Account+" could not be entered",
		"if the account is a member, deploy member.yaml in it, with this deployment's external id; if it is not to be one, exclude it", err)
	resource := r.Session.Role()
	plan := control.Plan{Findings: []control.Finding{{
		ID: control.FindingID(r.function.Control, resource, ""), Control: r.function.Control,
		Account: r.Scope.Account, Region: r.Scope.Region, Resource: resource,
		Verdict: control.Undetermined, Code: string(class), Reason: reason,
	}}}
	r.Report.Finding(ctx, plan.Findings[0])
	r.Summary.Add(plan, false, control.Gated{}, nil)
}

// LeftToOwner tells whether what an account owns is left to the runs that look at
// that account: because it is the deployment's own or a member, whose own mode and
// sweep count, or because it is excluded. Where it is not known which accounts are
// members, it is the accounts of the round that count; and without those, all that
// may be one.
func (r *Run) LeftToOwner(owner string) bool {
	a := r.function.AWS
	if owner == r.Scope.Account {
		return false
	}
	if owner == a.Home().Account || a.Members().Excludes(owner) {
		return true
	}
	member, known := a.Members().Has(owner)
	if !known && r.covered != nil {
		return slices.Contains(r.covered, owner)
	}
	return member
}

// refusedRole classifies why a role of a member could not be assumed. Where it is
// denied there is more to say than for other calls, and other things to do.
func refusedRole(ctx context.Context, what, ifDenied string, err error) (awsio.Class, string) {
	class, reason := awsio.Failure(ctx, what, err)
	if class == awsio.Denied {
		reason = awsio.Explain(what+": "+ifDenied, err, awsio.Other)
	}
	return class, reason
}

// Ignore says why the run looks at nothing.
func (r *Run) Ignore(why string) { r.Summary.Ignored, r.over = why, true }

// Over tells whether there is nothing to do but to finish.
func (r *Run) Over() bool { return r.over }

// CarryOut passes a plan through the gate and carries out what is left of it.
// Complete says that everything in scope was read. A control that never writes
// has no actor.
func (r *Run) CarryOut(ctx, begin context.Context, plan control.Plan, complete bool, actor control.Actor) {
	p := r.function.Policy
	gate := control.Gate{Mode: r.function.Settings.Mode, Limit: control.Limit(p.Limits), Covers: p.EnforceOn.Covers}
	if gate.Mode == control.Enforce && len(plan.Actions) > 0 {
		if err := r.Session.EnterToWrite(begin); err != nil {
			class, reason := refusedRole(begin, "the role that may write in account "+r.Scope.Account+" could not be assumed",
				"the account's own mode for this control is not enforce, or member.yaml is not deployed there as it should be", err)
			gate.Barred = reason
			complete = complete && class == awsio.Denied
		}
	}
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
	// One policy is for all accounts, so the sweep of one of them tells it.
	if now := r.Session.Clock.Now(); r.Sweep && r.Scope == r.function.AWS.Home() && !now.IsZero() {
		for _, w := range r.waivers {
			switch {
			case !w.InForce(now):
				r.Report.Remark(ctx, "waiver", fmt.Sprintf("waiver %s of %s is over since %s: renew it or take it out of the policy", w.ID, w.Owner, w.Expires.Format(time.DateOnly)))
			case w.EndsSoon(now):
				r.Report.Remark(ctx, "waiver", fmt.Sprintf("waiver %s of %s ends on %s", w.ID, w.Owner, w.LastDay()))
			}
		}
	}
	summary, lost := r.Report.Finish(ctx, r.Summary, r.Sweep && r.Summary.Ignored == "")
	answer, broken := json.Marshal(summary)
	return answer, errors.Join(summary.Err(), lost, broken)
}
