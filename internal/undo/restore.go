package undo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/externalconn"
	"portcullis/shared/policy"
)

type options = func(*codeartifact.Options)

// Reader is what is read to see whether an undo is right, and whether it was done.
type Reader interface {
	externalconn.Reader
	DescribePackageGroup(context.Context, *codeartifact.DescribePackageGroupInput, ...options) (*codeartifact.DescribePackageGroupOutput, error)
	ListTagsForResource(context.Context, *codeartifact.ListTagsForResourceInput, ...options) (*codeartifact.ListTagsForResourceOutput, error)
}

// Writer is all that an undo can do.
type Writer interface {
	AssociateExternalConnection(context.Context, *codeartifact.AssociateExternalConnectionInput, ...options) (*codeartifact.AssociateExternalConnectionOutput, error)
	CreatePackageGroup(context.Context, *codeartifact.CreatePackageGroupInput, ...options) (*codeartifact.CreatePackageGroupOutput, error)
	UpdatePackageGroupOriginConfiguration(context.Context, *codeartifact.UpdatePackageGroupOriginConfigurationInput, ...options) (*codeartifact.UpdatePackageGroupOriginConfigurationOutput, error)
	UntagResource(context.Context, *codeartifact.UntagResourceInput, ...options) (*codeartifact.UntagResourceOutput, error)
}

// View is how resources are looked at.
type View struct {
	API   Reader
	Scope control.Scope
	Now   func() time.Time // by AWS's clock; zero while it is not known

	// Policy judges what would be restored; nil where it is not known.
	Policy *policy.Policy

	// Force restores what the policy asks to be removed.
	Force bool
}

// Standing is how a resource stands, and what that leaves to do.
type Standing struct {
	Left    []control.Call // what restores it, in order; none where it is as it was
	Now     any            // its state, as far as it is there
	Refused string         // why it is not to be restored as it stands, and what to do; empty if it may be
	Unread  string         // why nothing is known; then nothing is done
	Open    string         // why it is not known yet what became of it, whatever is left to do; empty if it is known
	Notes   []string       // what a person should know before agreeing
	Differs []string       // in what it is not as it was, although nothing is left to do
}

// Restoration is an outcome that can be undone, and how its resource stands.
type Restoration struct {
	Outcome  Outcome
	Standing Standing

	resource resource
}

// later is what is told of a write that may have been made, and does not show.
const later = "it is not known yet what became of it: AWS may show what was done only later, and how long that takes is not documented, so undo this again later"

// Prepare reads the undo of an outcome, and of the marks that others of the same
// package group set. It calls nothing. The error is [ErrNone] where there is none, and
// otherwise says what is wrong with the record.
func Prepare(o Outcome, others ...Outcome) (*Restoration, error) {
	r, err := check(o)
	if err != nil {
		return nil, err
	}
	if g, ok := r.(*group); ok {
		for _, other := range others {
			if other.Resource != o.Resource || other.Call.Operation != "TagResource" {
				continue
			}
			m, err := check(other)
			if errors.Is(err, ErrNone) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("another outcome of it, by run %s: %w", other.Run, err)
			}
			g.marks = append(g.marks, m.(*mark))
		}
	}
	return &Restoration{Outcome: o, resource: r}, nil
}

// Calls are all calls of the undo, whatever is left of them to make.
func (r *Restoration) Calls() []control.Call { return r.resource.calls() }

// Look reads the resource.
func (r *Restoration) Look(ctx context.Context, v View) { r.Standing = r.resource.look(ctx, v) }

// Actions are the calls that are left to make.
func (r *Restoration) Actions() []control.Action {
	if r.Standing.Refused != "" || r.Standing.Unread != "" {
		return nil
	}
	var list []control.Action
	for _, c := range r.Standing.Left {
		list = append(list, r.action(c))
	}
	return list
}

// action is one call. It has no undo: what was restored is taken off again by the
// policy, or not at all.
func (r *Restoration) action(c control.Call) control.Action {
	o := r.Outcome
	return control.Action{
		ID: o.ID, Control: o.Control, Account: o.Account, Region: o.Region, Resource: o.Resource, Subject: o.Subject,
		Owner: o.Owner, Domain: o.Domain, Reason: fmt.Sprintf("the undo of %s by run %s", o.Call.Operation, o.Run),
		Call: c, Before: r.Standing.Now, Undo: []control.Call{},
	}
}

// unread is the standing of what could not be read.
func unread(ctx context.Context, what string, err error) Standing {
	_, reason := awsio.Failure(ctx, what, err)
	return Standing{Unread: reason}
}

// noDomain tells whether it is the domain that AWS did not find.
func noDomain(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing) && missing.ResourceType == types.ResourceTypeDomain
}

// Actor carries out a restoration as the controls carry out their actions: with a
// second reading, one attempt, and a look after it. See [control.Actor].
type Actor struct {
	view  View
	write Writer
	of    *Restoration
	begun bool          // AWS did not refuse the last call that was made
	wait  time.Duration // between two looks for what takes a while to show
}

// NewActor returns the actor for one restoration.
func NewActor(v View, w Writer, r *Restoration) *Actor {
	return &Actor{view: v, write: w, of: r, wait: time.Second}
}

// Recheck reads the resource afresh. After the first of several calls it waits until
// that shows.
func (a *Actor) Recheck(ctx context.Context, action control.Action) control.Plan {
	r := a.of
	s := r.resource.look(ctx, a.view)
	for a.begun && s.Unread == "" && s.Refused == "" && len(s.Left) > 0 && s.Left[0].Operation != action.Call.Operation {
		if !a.pause(ctx) {
			s = Standing{Unread: "the call before this one does not show yet; once it does, make this one with the AWS CLI, as another undo could not tell whose it was"}
			break
		}
		s = r.resource.look(ctx, a.view)
	}
	f := control.Finding{ID: action.ID, Control: action.Control, Resource: action.Resource, Subject: action.Subject, Verdict: control.Compliant}
	switch {
	case s.Unread != "":
		f.Verdict, f.Reason = control.Undetermined, s.Unread
	case s.Refused != "":
		f.Reason = s.Refused
	case s.Open != "" && (len(s.Left) == 0 || s.Left[0].Operation != action.Call.Operation):
		f.Verdict, f.Reason = control.Undetermined, s.Open
	case len(s.Left) == 0:
		f.Reason = "it is as it was"
	case r.Standing.Open != "" && s.Left[0].Operation != action.Call.Operation:
		f.Verdict, f.Reason = control.Undetermined, showsNow
	case s.Left[0].Operation != action.Call.Operation:
		f.Reason = "the call before this one was not made"
	default:
		f.Verdict = control.Violation
		r.Standing = s
		return control.Plan{Findings: []control.Finding{f}, Actions: []control.Action{r.action(s.Left[0])}}
	}
	return control.Plan{Findings: []control.Finding{f}}
}

// Write makes one of the calls of the undo.
func (a *Actor) Write(ctx context.Context, action control.Action) (control.Answer, error) {
	err := a.of.resource.write(ctx, a.write, action.Call.Operation)
	answer := awsio.Answer(err)
	a.begun = mayHaveDone(answer)
	if err != nil {
		_, reason := awsio.Failure(ctx, "calling "+action.Call.Operation, err)
		err = errors.New(reason)
	}
	return answer, err
}

// mayHaveDone tells whether a call may have had its effect. An objection of AWS is
// taken for a refusal here: what was there before is nothing that this undo made.
func mayHaveDone(answer control.Answer) bool {
	return answer == control.Accepted || answer == control.Lost
}

// Verify looks until the effect of the call shows, or the time is up.
func (a *Actor) Verify(ctx context.Context, action control.Action) (control.Look, error) {
	for {
		s := a.of.resource.look(ctx, a.view)
		switch {
		case s.Unread != "":
			return control.Look{}, errors.New(s.Unread)
		case s.shows(action.Call.Operation):
			remarks := s.Differs
			switch {
			case s.Open != "":
				remarks = append(remarks, s.Open)
			case a.of.Standing.Open != "" && len(s.Left) > 0:
				remarks = append(remarks, showsNow)
			}
			return control.Look{Done: true, Remark: strings.Join(remarks, "; ")}, nil
		case !a.begun:
			return control.Look{}, nil
		case !a.pause(ctx):
			return control.Look{}, errors.New("it does not show yet; a package group takes a while to")
		}
	}
}

// showsNow is what is told where a call that was open turns out to have been made.
const showsNow = "it shows now that the call was made; undo this again, to be shown what restores it"

// shows tells whether the effect of a call of an undo is seen. What still stands as it
// did before the call that is undone has nothing of a restoration, but may lose a mark.
func (s Standing) shows(operation string) bool {
	if s.Refused != "" || s.Open != "" && operation != "UntagResource" {
		return false
	}
	return len(s.Left) == 0 || s.Left[0].Operation != operation
}

// pause waits before the next look, and tells whether there is time for one.
func (a *Actor) pause(ctx context.Context) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 2*a.wait {
		return false
	}
	select {
	case <-time.After(a.wait):
		return true
	case <-ctx.Done():
		return false
	}
}
