package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/internal/present"
	"portcullis/internal/undo"
	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/externalconn"
	"portcullis/shared/packagegroup"
	"portcullis/shared/policy"
	"portcullis/shared/report"
	"portcullis/shared/trigger"
)

// rules is a policy under which one connection and one package group are to go. Nothing outside our domain is reached.
func rules() (*policy.Policy, error) {
	p, err := policy.Parse("smoke", []byte(`version: 1
limits: {count: 1, share: 100%}
enforce_on: [{domains: ["`+domain+`"]}]
external_connections: {allow: []}
package_groups:
  min_age: 1h
  grace: 1h
  lookalikes: ignore
  keep: [{groups: ["/npm/**", "/pypi/**", "/generic/smoke-list/**", "/generic/smoke-blocked/**"]}]
proton_connections: {approve: [], rejected_after: 7d, pending_after: 30d}
`))
	if err != nil {
		return nil, err
	}
	// A policy has an hour at least, which a sandbox need not wait for.
	p.PackageGroups.MinAge, p.PackageGroups.Grace = 0, 0
	return p, nil
}

// A part is one control at work on what is there.
type part struct {
	name  string
	look  func(ctx context.Context, s *awsio.Session) control.Plan
	actor func(s *awsio.Session) control.Actor
}

// play lets the controls look in monitor mode, and then make one write each and undo it.
func (s *sandbox) play(ctx context.Context) error {
	p, err := rules()
	if err != nil {
		return err
	}
	connections := part{externalconn.Control, func(ctx context.Context, by *awsio.Session) control.Plan {
		_, plan := externalconn.Look(ctx, by, s.scope, p)
		return plan
	}, func(by *awsio.Session) control.Actor { return externalconn.NewActor(by, s.scope, p) }}
	groups := part{packagegroup.Name, func(ctx context.Context, by *awsio.Session) control.Plan {
		_, plan := packagegroup.Look(ctx, by, s.scope, p)
		return plan
	}, func(by *awsio.Session) control.Actor { return packagegroup.NewActor(by, s.scope, p) }}

	for _, c := range []part{connections, groups} {
		gated, err := s.pass(ctx, c, p, control.Monitor)
		if err != nil {
			return err
		}
		if len(gated.Actions) > 0 || len(gated.Withheld) != 1 {
			return fmt.Errorf("%s in monitor mode: %d actions let through and %d withheld, and not none and one", c.name, len(gated.Actions), len(gated.Withheld))
		}
		s.say("%s in monitor mode: %s is withheld", c.name, gated.Withheld[0].Call.Operation)
	}
	for _, c := range []struct {
		part
		operation string
		undone    func(context.Context) error
	}{
		{connections, "DisassociateExternalConnection", s.connected},
		{groups, "TagResource", s.unmarked},
	} {
		if err := s.enforce(ctx, c.part, p, c.operation); err != nil {
			return err
		}
		if err := s.undo(ctx, p, c.name); err != nil {
			return err
		}
		if err := c.undone(ctx); err != nil {
			return err
		}
	}
	return nil
}

// pass looks and has the plan go through the gate, and refuses one that is about anything but our domain.
func (s *sandbox) pass(ctx context.Context, c part, p *policy.Policy, mode control.Mode) (control.Gated, error) {
	plan := c.look(ctx, s.watch)
	if ctx.Err() != nil {
		return control.Gated{}, ctx.Err()
	}
	for _, f := range plan.Findings {
		if f.Verdict == control.Undetermined {
			return control.Gated{}, fmt.Errorf("%s: %s: %s", c.name, f.Resource, f.Reason)
		}
	}
	for _, a := range plan.Actions {
		if a.Owner != s.scope.Account || a.Domain != domain {
			return control.Gated{}, fmt.Errorf("%s plans %s of %s, which is not in our domain", c.name, a.Call.Operation, a.Resource)
		}
	}
	covers := func(owner, of string) bool {
		return owner == s.scope.Account && of == domain && p.EnforceOn.Covers(owner, of)
	}
	return control.Gate{Mode: mode, Limit: control.Limit(p.Limits), Covers: covers}.Pass(plan), nil
}

// enforce makes the one write that is planned.
func (s *sandbox) enforce(ctx context.Context, c part, p *policy.Policy, operation string) error {
	gated, err := s.pass(ctx, c, p, control.Enforce)
	if err != nil {
		return err
	}
	if len(gated.Actions) != 1 || gated.Actions[0].Call.Operation != operation {
		return fmt.Errorf("%s in enforce mode: %d actions, and not one %s", c.name, len(gated.Actions), operation)
	}
	return s.carryOut(ctx, c.name, gated.Actions, c.actor(s.act))
}

// carryOut is what an apply does. A write that was begun is finished and recorded, also after an interrupt.
func (s *sandbox) carryOut(ctx context.Context, name string, actions []control.Action, actor control.Actor) error {
	reporter := &report.Reporter{Out: s.record, Log: report.NewLogger(s.record, "INFO"), Run: "smoke"}
	tell := &teller{run: reporter.Begin(ctx, name, string(trigger.Hand), s.act.Clock.Now), out: s.out}
	for _, o := range control.Apply(context.WithoutCancel(ctx), ctx, actions, actor, tell) {
		if o.Status != control.Applied {
			return errors.Join(fmt.Errorf("%s: %s is %s: %s", name, o.Call.Operation, o.Status, o.Detail), ctx.Err())
		}
	}
	return nil
}

// teller records and prints.
type teller struct {
	run *report.Run
	out io.Writer
}

func (t *teller) Intent(ctx context.Context, a control.Action) error { return t.run.Intent(ctx, a) }

func (t *teller) Outcome(ctx context.Context, o control.Outcome) {
	t.run.Outcome(ctx, o)
	present.Outcome(t.out, o, false)
}

// undo does what the record says that undoes the last write of a control.
func (s *sandbox) undo(ctx context.Context, p *policy.Policy, name string) error {
	data, err := os.ReadFile(s.record.Name())
	if err != nil {
		return fmt.Errorf("reading the record: %w", err)
	}
	outcomes, err := undo.Read(s.record.Name(), data)
	if err != nil {
		return err
	}
	for _, o := range undo.Settle(outcomes) {
		if done, _ := o.Done(); !done || o.Control != name {
			continue
		}
		r, err := undo.Prepare(o)
		if err != nil {
			return fmt.Errorf("undoing %s: %w", o.Call.Operation, err)
		}
		view := undo.View{API: s.reads, Scope: s.scope, Now: s.act.Clock.Now, Policy: p, Force: true}
		r.Look(ctx, view)
		actions := r.Actions()
		if len(actions) == 0 {
			return fmt.Errorf("undoing %s: nothing is left to do: %s%s%s", o.Call.Operation, r.Standing.Refused, r.Standing.Unread, r.Standing.Open)
		}
		return s.carryOut(ctx, name, actions, undo.NewActor(view, s.writes, r))
	}
	return fmt.Errorf("the record has nothing that %s did", name)
}

// connected says whether the connection is there again.
func (s *sandbox) connected(ctx context.Context) error {
	d, err := s.describe(ctx, gateway)
	if err != nil {
		return err
	}
	if len(d.ExternalConnections) != 1 || aws.ToString(d.ExternalConnections[0].ExternalConnectionName) != connection {
		return errors.New("the undo has not brought the connection back")
	}
	s.say("the connection is back")
	return nil
}

func (s *sandbox) describe(ctx context.Context, repository string) (*types.RepositoryDescription, error) {
	out, err := s.reads.DescribeRepository(ctx, &codeartifact.DescribeRepositoryInput{
		Domain: aws.String(domain), DomainOwner: s.owner(), Repository: aws.String(repository)})
	if err != nil {
		return nil, fmt.Errorf("describing repository %s: %w", repository, err)
	}
	if out.Repository == nil {
		return nil, fmt.Errorf("describing repository %s: the answer has none", repository)
	}
	return out.Repository, nil
}

// unmarked says whether the mark is gone.
func (s *sandbox) unmarked(ctx context.Context) error {
	groups, err := s.groups(ctx)
	if err != nil {
		return err
	}
	tags, err := s.reads.ListTagsForResource(ctx, &codeartifact.ListTagsForResourceInput{ResourceArn: groups[idle].Arn})
	if err != nil {
		return fmt.Errorf("reading the tags of %s: %w", idle, err)
	}
	if len(tags.Tags) > 0 {
		return errors.New("the undo has not taken the mark off")
	}
	s.say("the mark is off again")
	return nil
}
