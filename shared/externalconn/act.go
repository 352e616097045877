package externalconn

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// NewActor returns what carries out this control's actions in an account by hand,
// as its function does it in a run. The session is the way into that account.
func NewActor(s *awsio.Session, scope control.Scope, p *policy.Policy) control.Actor {
	return newActor(codeartifact.NewFromConfig(s.Reads), s, scope, p)
}

func newActor(read Reader, s *awsio.Session, scope control.Scope, p *policy.Policy) *actor {
	return &actor{read: read, write: codeartifact.NewFromConfig(s.Writes), scope: scope, policy: *p.ExternalConnections, clock: s.Clock}
}

// actor carries out the actions of one run. See [control.Actor].
type actor struct {
	read   Reader
	write  Writer
	scope  control.Scope
	policy policy.ExternalConnections
	clock  *awsio.Clock
}

func (a *actor) Recheck(ctx context.Context, action control.Action) control.Plan {
	name, err := ParseARN(action.Resource)
	if err != nil {
		return control.Plan{Findings: []control.Finding{{ID: action.ID, Verdict: control.Undetermined, Reason: err.Error()}}}
	}
	return Decide(ObserveOne(ctx, a.read, a.scope, name).Ours(), a.policy, a.clock.Now())
}

func (a *actor) Write(ctx context.Context, action control.Action) (control.Answer, error) {
	name, err := ParseARN(action.Resource)
	if err != nil {
		return control.Refused, err
	}
	// The call names the connection, so it cannot hit one that has taken its place.
	_, err = a.write.DisassociateExternalConnection(ctx, &codeartifact.DisassociateExternalConnectionInput{
		Domain: &name.Domain, DomainOwner: &name.Owner, Repository: &name.Repo, ExternalConnection: &action.Subject,
	})
	return awsio.Answer(err), err
}

// Verify finds it done where the connection is not there any more, also because the
// whole repository is not.
func (a *actor) Verify(ctx context.Context, action control.Action) (control.Look, error) {
	name, err := ParseARN(action.Resource)
	if err != nil {
		return control.Look{}, err
	}
	o := ObserveOne(ctx, a.read, a.scope, name)
	if len(o.Unread) > 0 {
		return control.Look{}, fmt.Errorf("reading %s again: %s", name.in(a.scope.Account), o.Unread[0].Reason)
	}
	for _, repo := range o.Connected {
		if slices.Contains(repo.Connections, action.Subject) {
			return control.Look{}, nil
		}
	}
	return control.Look{Done: true}, nil
}
