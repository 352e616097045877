package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"portcullis/internal/present"
	"portcullis/internal/signin"
	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/externalconn"
	"portcullis/shared/packagegroup"
	"portcullis/shared/policy"
	"portcullis/shared/protonconn"
)

type applyCommand struct {
	aws    awsFlags
	policy string
	only   []string
	plan   string
	record string
	yes    bool
}

func newApply() *cobra.Command {
	a := &applyCommand{}
	c := &cobra.Command{
		Use:   "apply [CONTROL...]",
		Short: "Show the plan, ask, and carry it out",
		Long: `Show what ` + "`portcullis plan`" + ` shows, ask, and then do what enforcement would do, in
the same way: by the policy's limits and enforce_on, with a second reading before
each write and a look after it. What enforce_on or a limit keeps back is not done;
the plan says so. A limit is about what --only or --plan chooses, and its share about
everything that was looked at; each control has it for itself in each Region.

--plan carries out what somebody has agreed to, a plan as --output json prints it, and
nothing that came since: the calls that enforcement would make by it. It looks and
judges anew. Where one of these calls is not asked for any more, is another one, or
would have another effect, or where that cannot be determined, nothing is done at all.

Before each write it is recorded with its undo, and after it what became of it, in a
file that ` + "`portcullis undo`" + ` reads. Where it cannot be recorded nothing is written to
AWS.

The credentials need the rights that docs/cli.md lists: those that template.yaml gives
the roles of the controls in enforce mode.

An interrupt (Ctrl-C), a terminal that is closed, a SIGTERM, or output that nobody reads
any more lets the write under way be finished and recorded, and the rest is listed as
not done.

Exit status: 0 done, or nothing to do, 2 violations remain, 3 nothing worse than
undetermined remains, 1 something failed, was not agreed to or was interrupted.`,
		Example: `  portcullis apply
  portcullis apply external-connections --only 'corp/legacy-*'
  portcullis apply --profile admin --region eu-west-1 --record night.jsonl
  portcullis apply --yes --only corp/web
  portcullis apply --yes --plan agreed.json`,
		ValidArgs: controlNames(),
		RunE: func(c *cobra.Command, args []string) error {
			return a.run(c, args)
		},
	}
	a.aws.add(c, regionsToLookAt)
	c.Flags().StringVar(&a.policy, "policy", defaultPolicy, "policy to judge by, a `FILE`")
	c.Flags().StringArrayVar(&a.only, "only", nil, "do only what this `PATTERN` matches: an ARN, a name as it is shown, such as corp/npm-store, a connection or a package; * and ? are wildcards, and */web takes those of other accounts, too; may be given several times")
	c.Flags().StringVar(&a.plan, "plan", "", "do only what enforcement would do by the plan in this `FILE`, which plan --output json printed")
	c.Flags().StringVar(&a.record, "record", "", "`FILE` for what is done, which must not be there yet (default portcullis-apply-TIME.jsonl)")
	c.Flags().BoolVar(&a.yes, "yes", false, "do not ask")
	return c
}

func (a *applyCommand) run(c *cobra.Command, args []string) error {
	only, err := patterns(c, a.only)
	if err != nil {
		return err
	}
	if len(only) > 0 && a.plan != "" {
		return misused(c, errors.New("--only has no place beside --plan, which says already what is to be done"))
	}
	asked := present.Any(only)
	var agreed present.Agreed
	if a.plan != "" {
		agreed, err = load(c, a.plan, "plan", "`portcullis plan --output json` prints one", present.ReadAgreed)
		if err != nil {
			return err
		}
		if agreed.Empty() {
			fmt.Fprintf(c.ErrOrStderr(), "%s has no call that enforcement would make, so nothing is done\n", a.plan)
			return nil
		}
		asked = agreed.Asks
	}
	rules, err := loadPolicy(c, a.policy)
	if err != nil {
		return err
	}
	controls, left, err := choose(c, rules, a.policy, args)
	if err != nil {
		return err
	}
	if err := mayAsk(c, a.yes); err != nil {
		return err
	}
	rec, err := newRecord("apply", a.record)
	if err != nil {
		return err
	}
	defer rec.close()

	ctx := awsio.ByHand(c.Context())
	progress := present.NewProgress(c.ErrOrStderr())
	progress.Say("signing in")
	login, err := a.aws.signIn(ctx, c)
	progress.Done()
	if err != nil {
		return interrupted(ctx, err)
	}
	sayLeft(c, a.policy, left)
	if a.plan != "" {
		if err := agreed.Fits(login.Account, login.Regions, names(controls)); err != nil {
			return a.refuse(err)
		}
	}
	all, err := look(ctx, progress, login, controls, rules)
	if err != nil {
		return err
	}
	if err := matched(all, only, "nothing was changed"); err != nil {
		return err
	}
	result := present.Result{Account: login.Account, PolicyFile: a.policy, PolicyHash: rules.Hash}
	n := 0
	for _, l := range all {
		part := present.Conclude(l.part, present.Choose(l.plan, asked), rules, asked)
		result.Parts = append(result.Parts, part)
		n += len(part.Gate.Actions)
	}
	if err := agreed.Stands(result.Parts); err != nil {
		return a.refuse(err)
	}
	out := c.OutOrStdout()
	if err := result.Text(out, present.Coloured(out), false); err != nil {
		return fmt.Errorf("printing the plan: %w", err)
	}
	if n == 0 {
		return status(result.Worst())
	}
	if !a.yes {
		if err := ask(ctx, c, fmt.Sprintf("Make %s?", writes(n))); err != nil {
			return err
		}
	}
	return a.act(ctx, c, login, rules, result, rec)
}

// refuse is the error of a plan that cannot be carried out as it was agreed to.
func (a *applyCommand) refuse(err error) error {
	return fmt.Errorf("%s: %w; nothing was changed; look at a new plan", a.plan, err)
}

// act carries out what the gate let through. It is begun only while ctx lasts; what
// was begun is finished.
func (a *applyCommand) act(ctx context.Context, c *cobra.Command, login *signin.Login, rules *policy.Policy, result present.Result, rec *record) error {
	errs, colour := c.ErrOrStderr(), present.Coloured(c.OutOrStdout())
	ctx, out, stop := finishing(ctx, c.OutOrStdout(), errs)
	defer stop()
	var outcomes []control.Outcome
	ways := map[string]*awsio.AWS{}
	fmt.Fprintln(out)
	for _, part := range result.Parts {
		if ways[part.Scope.Region] == nil {
			ways[part.Scope.Region] = login.AWS(part.Scope.Region, control.Enforce)
		}
		session, err := ways[part.Scope.Region].Session(part.Scope)
		if err != nil {
			return err
		}
		tell := rec.of(ctx, part.Control, out, errs, colour)
		for _, o := range part.Gate.Withheld {
			tell.run.Outcome(ctx, o) // the plan has told it
		}
		outcomes = append(outcomes, part.Gate.Withheld...)
		if len(part.Gate.Actions) > 0 {
			control.Apply(context.WithoutCancel(ctx), ctx, part.Gate.Actions, byHand{actor(part.Control, session, part.Scope, rules)}, tell)
		}
		outcomes = append(outcomes, tell.outcomes...)
	}
	fmt.Fprintf(out, "\n%s; recorded in %s\n", present.Tally(outcomes), rec.path)
	if rec.err != nil {
		return fmt.Errorf("the record %s is not complete: %w; what is above was not all written into it", rec.path, rec.err)
	}
	if err := out.ended(rec); err != nil {
		return err
	}
	return remaining(result, outcomes)
}

// actor is what carries out the actions of a control, as its function does.
func actor(name string, s *awsio.Session, scope control.Scope, p *policy.Policy) control.Actor {
	switch name {
	case externalconn.Control:
		return externalconn.NewActor(s, scope, p)
	case packagegroup.Name:
		return packagegroup.NewActor(s, scope, p)
	case protonconn.Control:
		return protonconn.NewActor(s, scope, p)
	default:
		return nil // it plans no actions
	}
}

// byHand is an actor whose failed writes are explained to the person who made them.
type byHand struct{ control.Actor }

func (b byHand) Write(ctx context.Context, a control.Action) (control.Answer, error) {
	answer, err := b.Actor.Write(ctx, a)
	if err != nil {
		_, reason := awsio.Failure(ctx, "calling "+a.Call.Operation, err)
		err = errors.New(reason)
	}
	return answer, err
}

// teller is where a command that writes to AWS tells what it does. Where nobody reads
// that any more, it goes to the standard error, and no other write is begun.
type teller struct {
	out, errs io.Writer
	stop      context.CancelFunc
	broken    error // why nothing more can be told on out
}

func (t *teller) Write(text []byte) (int, error) {
	if t.broken == nil {
		n, err := t.out.Write(text)
		if err == nil {
			return n, nil
		}
		t.broken = err
		t.stop()
		fmt.Fprintln(t.errs, "nobody reads the standard output any more: a write under way is finished and recorded, and no other is begun; the rest of what is told follows here")
	}
	return t.errs.Write(text)
}

// ended is the error of a command that could not tell all that it did.
func (t *teller) ended(rec *record) error {
	if t.broken == nil {
		return nil
	}
	return fmt.Errorf("telling what was done: %w; the record %s has all of it", t.broken, rec.path)
}

// finishing returns what is told by, and the context in which writes are begun: until
// an interrupt, or until nobody reads what is told. It says at the first interrupt what
// is done about it. Further ones change nothing, as the end is near: no write takes
// long.
func finishing(ctx context.Context, out, errs io.Writer) (begin context.Context, t *teller, stop func()) {
	signal.Ignore(syscall.SIGPIPE) // else it ends the program with a write under way; there is an error for each
	saying := context.AfterFunc(ctx, func() {
		fmt.Fprintln(errs, "interrupted: the write under way is finished and recorded, and no other is begun")
	})
	begin, cancel := context.WithCancel(ctx)
	return begin, &teller{out: out, errs: errs, stop: cancel}, func() { saying(); cancel() }
}

// remaining is the exit status after the actions, by what stands against the policy
// still.
func remaining(result present.Result, outcomes []control.Outcome) error {
	settled := map[string]bool{}
	for _, o := range outcomes {
		switch {
		case o.Status == control.Failed, o.Status == control.RestoreNeeded, o.Code == "not-recorded", o.Code == "deadline":
			return exit(exitError)
		case o.Status == control.Applied, o.Status == control.AlreadyDone, o.Code == "no-longer-asked":
			settled[o.ID] = true
		}
	}
	for i := range result.Parts {
		result.Parts[i].Shown = slices.DeleteFunc(result.Parts[i].Shown, func(f present.Finding) bool { return settled[f.ID] })
	}
	return status(result.Worst())
}
