package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/spf13/cobra"

	"portcullis/internal/present"
	"portcullis/internal/signin"
	"portcullis/internal/undo"
	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// largest bounds what is read of one file.
const largest = 256 << 20

type undoCommand struct {
	aws    awsFlags
	policy string
	only   []string
	ids    []string
	record string
	yes    bool
	force  bool
}

func newUndo() *cobra.Command {
	u := &undoCommand{}
	c := &cobra.Command{
		Use:   "undo FILE...",
		Short: "Restore what was removed, by the record of it",
		Long: `Restore what a control changed, by the outcomes in the files; - is the standard
input. A file holds Action Outcome events or their details, log lines of the
functions, as they are or as ` + "`aws logs`" + ` prints them with --output json, or is the
file that ` + "`portcullis apply`" + ` wrote.

All files are read and checked before anything is called. Without --id and --only it
is about everything in them that was done, each resource once, by its newest outcome.
What would be restored is shown and asked about; it is looked at again before each
call and after it, and recorded.

What may have been done, and does not show, is not known yet: AWS may show it only
later, and how long that takes is not documented. Undo it again then. A package group
that stands like that, with the mark that another outcome in the files set, loses the
mark meanwhile, as the next run may delete it.

It refuses what the present state makes wrong: a repository that has upstreams or
another connection now, or was made anew, a package group that exists again and is not
as it was, and what is gone. It also refuses a connection that the policy still asks to
be removed, as a function would soon remove it again, and any connection where no
policy is known: change the policy first, or name it, or give --force.

The credentials need the rights to make the calls that it shows, and DescribeRepository,
DescribePackageGroup and ListTagsForResource.

Exit status: 0 everything is as it was, 2 something was refused, 1 something failed,
is not known yet, was not agreed to or was interrupted.`,
		Example: `  portcullis undo portcullis-apply-20261120T090000.000Z.jsonl
  portcullis undo night.jsonl --only corp/web
  portcullis undo events.json --id 7e34d03345befd1d --profile admin`,
		Args: takes(1, -1, "one FILE or more that say what was done", "give the one that `portcullis apply` wrote, or - for the standard input"),
		RunE: func(c *cobra.Command, args []string) error {
			return u.run(c, args)
		},
	}
	u.aws.add(c, "a Region: restore only what is there; may be given several times (default all Regions in the files)")
	c.Flags().StringVar(&u.policy, "policy", defaultPolicy, "policy that is in force, a `FILE`, to see what it makes of what is restored")
	c.Flags().StringArrayVar(&u.only, "only", nil, "restore only what this `PATTERN` matches: an ARN, a name as it is shown, such as corp/npm-store or a connection; * and ? are wildcards, and */web takes those of other accounts, too; may be given several times")
	c.Flags().StringArrayVar(&u.ids, "id", nil, "restore only the outcome of this `ID`; may be given several times")
	c.Flags().StringVar(&u.record, "record", "", "`FILE` for what is done, which must not be there yet (default portcullis-undo-TIME.jsonl)")
	c.Flags().BoolVar(&u.yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&u.force, "force", false, "restore a connection although the policy asks for its removal, or is not known")
	return c
}

func (u *undoCommand) run(c *cobra.Command, files []string) error {
	view, err := u.read(c, files)
	if err != nil {
		return err
	}
	rules, err := u.rules(c)
	if err != nil {
		return err
	}
	if err := mayAsk(c, u.yes); err != nil {
		return err
	}
	rec, err := newRecord("undo", u.record)
	if err != nil {
		return err
	}
	defer rec.close()

	ctx := awsio.ByHand(c.Context())
	progress := present.NewProgress(c.ErrOrStderr())
	progress.Say("signing in")
	login, err := u.aws.signIn(ctx, c)
	progress.Done()
	if err != nil {
		return interrupted(ctx, err)
	}
	for _, r := range view.Restorations {
		if o := r.Outcome; o.Account != login.Account {
			return fmt.Errorf("%s: outcome %s is of account %s, and these credentials are of %s; nothing was changed; name a profile of that account with --profile, or choose other outcomes with --only or --id", o.File, o.ID, o.Account, login.Account)
		}
	}
	reads := u.views(login, rules, control.Monitor) // they only read, whatever is asked of them
	for _, r := range view.Restorations {
		progress.Say("looking: %s", r.Outcome.Resource)
		v, err := reads(r.Outcome.Region)
		if err != nil {
			return err
		}
		r.Look(ctx, v.View)
		progress.Done()
		if err := interrupted(ctx, nil); err != nil {
			return err
		}
	}
	out := c.OutOrStdout()
	if err := view.Text(out, present.Coloured(out)); err != nil {
		return fmt.Errorf("printing what would be restored: %w", err)
	}
	n := 0
	for _, r := range view.Restorations {
		n += len(r.Actions())
	}
	if n > 0 {
		if !u.yes {
			if err := ask(ctx, c, fmt.Sprintf("Make %s?", writes(n))); err != nil {
				return err
			}
		}
		if err := u.act(ctx, c, u.views(login, rules, control.Enforce), view, rec); err != nil {
			return err
		}
	}
	switch {
	case view.Unsettled() > 0:
		return exit(exitError)
	case view.Refused() > 0:
		return exit(exitViolations)
	}
	return nil
}

// read reads and checks all files, and takes out of them what is asked for. It sets the
// Regions to sign in to.
func (u *undoCommand) read(c *cobra.Command, files []string) (present.Undo, error) {
	only, err := patterns(c, u.only)
	if err != nil {
		return present.Undo{}, err
	}
	for _, id := range u.ids {
		if strings.ContainsAny(id, ", \t\r\n") {
			return present.Undo{}, misused(c, fmt.Errorf("--id %.60q is more than one ID; give each an --id of its own", id))
		}
	}
	var all []undo.Outcome
	for _, file := range files {
		data, err := reading(c, func() ([]byte, error) { return slurp(c, file) })
		if err != nil {
			return present.Undo{}, err
		}
		outcomes, err := undo.Read(named(file), data)
		if err != nil {
			return present.Undo{}, err
		}
		all = append(all, outcomes...)
	}
	settled := undo.Settle(all)
	for _, id := range u.ids {
		if !slices.ContainsFunc(settled, func(o undo.Outcome) bool { return o.ID == id }) {
			return present.Undo{}, fmt.Errorf("there is no outcome %.40q in the files", id)
		}
	}
	left := map[control.Status]int{}
	var chosen []control.Finding // what the outcomes are about that are asked for
	var done []undo.Outcome
	for _, o := range settled {
		f := control.Finding{ID: o.ID, Account: o.Account, Region: o.Region, Resource: o.Resource, Subject: o.Subject}
		if len(u.ids) > 0 && !slices.Contains(u.ids, o.ID) ||
			len(only) > 0 && !slices.ContainsFunc(only, func(p present.Pattern) bool { return p.Matches(f) }) ||
			len(u.aws.options.Regions) > 0 && !slices.Contains(u.aws.options.Regions, o.Region) {
			continue
		}
		chosen = append(chosen, f)
		if was, _ := o.Done(); was {
			done = append(done, o)
		} else {
			left[o.Status]++
		}
	}
	if idle := u.idle(chosen, only); len(chosen) > 0 && idle != nil {
		return present.Undo{}, fmt.Errorf("no outcome in the files is what %s asks for, so nothing was changed; mend it, or leave it out", strings.Join(idle, " or "))
	}
	if len(done) == 0 {
		return present.Undo{}, nothingDone(left)
	}
	var view present.Undo
	done, others := undo.Newest(done)
	view.Others = len(others)
	var regions []string
	for _, o := range done {
		r, err := undo.Prepare(o, others...)
		switch {
		case errors.Is(err, undo.ErrNone):
			view.None = append(view.None, o)
		case err != nil:
			return present.Undo{}, fmt.Errorf("%s: outcome %s of %s: %w; nothing was changed", o.File, o.ID, o.Resource, err)
		default:
			view.Restorations = append(view.Restorations, r)
		}
		if !slices.Contains(regions, o.Region) {
			regions = append(regions, o.Region)
		}
	}
	u.aws.options.Regions = regions
	return view, nil
}

// idle returns the options that choose nothing beside the others: whoever mistyped one is
// not to be told that all is as it was.
func (u *undoCommand) idle(chosen []control.Finding, only []present.Pattern) []string {
	var list []string
	for _, p := range present.Unmatched(chosen, only) {
		list = append(list, fmt.Sprintf("--only '%s'", p))
	}
	for _, id := range u.ids {
		if !slices.ContainsFunc(chosen, func(f control.Finding) bool { return f.ID == id }) {
			list = append(list, "--id "+id)
		}
	}
	for _, region := range u.aws.options.Regions {
		if !slices.ContainsFunc(chosen, func(f control.Finding) bool { return f.Region == region }) {
			list = append(list, "--region "+region)
		}
	}
	return list
}

func named(file string) string {
	if file == "-" {
		return "the standard input"
	}
	return file
}

func slurp(c *cobra.Command, file string) ([]byte, error) {
	in := c.InOrStdin()
	if file != "-" {
		f, err := os.Open(file) //nolint:gosec // the one who runs the command chooses the file
		if err != nil {
			return nil, fmt.Errorf("reading outcomes: %w; give the file that `portcullis apply` wrote, or events or log lines of the functions", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, largest+1))
	if err != nil {
		return nil, fmt.Errorf("reading outcomes: %w", err)
	}
	if len(data) > largest {
		return nil, fmt.Errorf("reading outcomes: %s is larger than %d MiB; cut out the outcomes that are meant", named(file), largest>>20)
	}
	return data, nil
}

// nothingDone says why there is nothing to undo in what was asked for.
func nothingDone(left map[control.Status]int) error {
	var parts []string
	for _, s := range []control.Status{control.Withheld, control.AlreadyDone, control.Failed} {
		if left[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", left[s], s))
		}
	}
	if parts == nil {
		return errors.New("no outcome in the files is what is asked for, so there is nothing to undo")
	}
	return fmt.Errorf("nothing was done by what is asked for (%s), so there is nothing to undo", strings.Join(parts, ", "))
}

// rules is the policy that judges what is restored. Nobody has to have one at hand to
// restore something.
func (u *undoCommand) rules(c *cobra.Command) (*policy.Policy, error) {
	if _, err := os.Stat(u.policy); errors.Is(err, os.ErrNotExist) && !c.Flags().Changed("policy") {
		fmt.Fprintf(c.ErrOrStderr(), "there is no policy %s here, so it is not known whether a function would take off again what is restored; name it with --policy\n", u.policy)
		return nil, nil
	}
	return loadPolicy(c, u.policy)
}

// seeing is a way to look into a Region, and to write where the mode is enforce.
type seeing struct {
	undo.View
	write undo.Writer
}

func (u *undoCommand) views(login *signin.Login, rules *policy.Policy, mode control.Mode) func(region string) (seeing, error) {
	known := map[string]seeing{}
	return func(region string) (seeing, error) {
		if v, ok := known[region]; ok {
			return v, nil
		}
		way := login.AWS(region, mode)
		session, err := way.Session(way.Home())
		if err != nil {
			return seeing{}, err
		}
		known[region] = seeing{
			View: undo.View{
				API: codeartifact.NewFromConfig(session.Reads), Scope: way.Home(), Now: session.Clock.Now, Policy: rules, Force: u.force,
			},
			write: codeartifact.NewFromConfig(session.Writes),
		}
		return known[region], nil
	}
}

// act makes the calls, those of one resource after the other.
func (u *undoCommand) act(ctx context.Context, c *cobra.Command, views func(string) (seeing, error), view present.Undo, rec *record) error {
	errs, colour := c.ErrOrStderr(), present.Coloured(c.OutOrStdout())
	ctx, out, stop := finishing(ctx, c.OutOrStdout(), errs)
	defer stop()
	fmt.Fprintln(out)
	var outcomes []control.Outcome
	for _, r := range view.Restorations {
		actions := r.Actions()
		if len(actions) == 0 {
			continue
		}
		v, err := views(r.Outcome.Region)
		if err != nil {
			return err
		}
		tell := rec.of(ctx, r.Outcome.Control, out, errs, colour)
		control.Apply(context.WithoutCancel(ctx), ctx, actions, undo.NewActor(v.View, v.write, r), tell)
		outcomes = append(outcomes, tell.outcomes...)
	}
	fmt.Fprintf(out, "\n%s; recorded in %s\n", present.Tally(outcomes), rec.path)
	if rec.err != nil {
		return fmt.Errorf("the record %s is not complete: %w; what is above was not all written into it", rec.path, rec.err)
	}
	if err := out.ended(rec); err != nil {
		return err
	}
	var ended error
	for _, o := range outcomes {
		switch {
		case o.Code == "no-longer-asked": // the second reading found what refuses it
			ended = exit(exitViolations)
		case o.Status != control.Applied && o.Status != control.AlreadyDone:
			return exit(exitError)
		}
	}
	return ended
}
