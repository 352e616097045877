package protonconn

import (
	"context"
	"fmt"
	"strings"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// NewActor returns what carries out this control's actions in an account by hand,
// as its function does it in a run. The session is the way into that account.
func NewActor(s *awsio.Session, scope control.Scope, p *policy.Policy) control.Actor {
	return newActor(newClient(s.Reads), s, scope, p)
}

func newActor(read Reader, s *awsio.Session, scope control.Scope, p *policy.Policy) *actor {
	return &actor{read: read, write: newClient(s.Writes), scope: scope, policy: *p.ProtonConnections, clock: s.Clock}
}

// actor carries out the actions of one run. See [control.Actor].
type actor struct {
	read   Reader
	write  Writer
	scope  control.Scope
	policy policy.ProtonConnections
	clock  *awsio.Clock

	gone *Unread // Proton went away during the run
}

func (a *actor) Recheck(ctx context.Context, action control.Action) control.Plan {
	o := Observation{Scope: a.scope, Gone: a.gone}
	if a.gone == nil { // else the next action need not wait for it as well
		o = Observe(ctx, a.read, a.scope, id(action), Side(action.Subject))
		a.gone = o.Gone
	}
	return Decide(o, a.policy, a.clock.Now())
}

func (a *actor) Write(ctx context.Context, action control.Action) (control.Answer, error) {
	var err error
	switch action.Call.Operation {
	case "RejectEnvironmentAccountConnection":
		err = a.write.RejectEnvironmentAccountConnection(ctx, id(action))
	case "DeleteEnvironmentAccountConnection":
		err = a.write.DeleteEnvironmentAccountConnection(ctx, id(action))
	default:
		return control.Refused, fmt.Errorf("%s is not an operation of this control", action.Call.Operation)
	}
	return awsio.Answer(err), err
}

// Verify looks at the list, because the answer to the call proves nothing: to
// delete what is not there is a success, and so is an answer without content.
func (a *actor) Verify(ctx context.Context, action control.Action) (control.Look, error) {
	o := Observe(ctx, a.read, a.scope, id(action), Side(action.Subject))
	list, ok := o.Sides[Side(action.Subject)]
	if !ok {
		return control.Look{}, fmt.Errorf("listing the connections again did not succeed")
	}
	for _, c := range list {
		if c.ID == id(action) {
			return control.Look{Done: action.Call.Operation == "RejectEnvironmentAccountConnection" && c.Status == rejected}, nil
		}
	}
	return control.Look{Done: true}, nil
}

// id is that of the connection, the last part of its ARN.
func id(action control.Action) string {
	return action.Resource[strings.LastIndex(action.Resource, "/")+1:]
}
