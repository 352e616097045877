package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"portcullis/internal/estate"
	"portcullis/internal/present"
	"portcullis/internal/signin"
	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

type planCommand struct {
	aws    awsFlags
	policy string
	only   []string
	output string
	save   string
	estate string
	all    bool
}

func newPlan() *cobra.Command {
	p := &planCommand{}
	c := &cobra.Command{
		Use:   "plan [CONTROL...]",
		Short: "Say what stands against the policy, and what enforcement would do",
		Long: `Look at an account, judge what is there by the policy, and say what enforcement
would do about it. It reads and cannot write. Without a CONTROL it is all of them:
` + strings.Join(controlNames(), ", ") + `.

Credentials and Regions are found as the AWS CLI finds them. What is judged is
always read to the end; --only chooses what is shown of it and what the exit
status is about. --save keeps what was seen, so that a changed policy can be
tried on it without AWS; it replaces nothing but an estate or an empty file.
--estate judges what was kept so, as of then and without AWS.

Exit status: 0 compliant, 2 violations, 3 nothing worse than undetermined,
1 the command could not do its work. That AWS Proton is gone does not count,
unless there is nothing else.`,
		Example: `  portcullis plan
  portcullis plan --profile audit --region eu-west-1 --region us-east-1
  portcullis plan external-connections --only 'corp/*' --output json
  portcullis plan --save estate.json
  portcullis plan --estate estate.json --policy proposal.yaml
  portcullis plan --output markdown > plan.md`,
		ValidArgs: controlNames(),
		RunE: func(c *cobra.Command, args []string) error {
			return p.run(c, args)
		},
	}
	p.aws.add(c, regionsToLookAt)
	c.Flags().StringVar(&p.policy, "policy", defaultPolicy, "policy to judge by, a `FILE`")
	c.Flags().StringArrayVar(&p.only, "only", nil, "show only what this `PATTERN` matches: an ARN, a name as it is shown, such as corp/npm-store, a connection or a package; * and ? are wildcards, and */web takes those of other accounts, too; may be given several times")
	c.Flags().StringVar(&p.output, "output", "text", "`FORMAT`: text, json or markdown")
	c.Flags().StringVar(&p.save, "save", "", "keep what was seen in this `FILE`")
	c.Flags().StringVar(&p.estate, "estate", "", "judge what this saved estate holds, a `FILE`, without AWS")
	c.Flags().BoolVar(&p.all, "all", false, "list what is compliant, too")
	completeOutput(c, reports)
	return c
}

// The formats of --output: those of every command that has one, and those of what may
// become a comment on a pull request.
var (
	formats = []string{"text", "json"}
	reports = []string{"text", "json", "markdown"}
)

// completeOutput has a shell offer the formats of --output.
func completeOutput(c *cobra.Command, formats []string) {
	// The error would say that there is no such option, which TestEveryCommandExplainsItself would meet first.
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// checkOutput is the error of an --output that is none of the formats.
func checkOutput(c *cobra.Command, output string, formats []string) error {
	if slices.Contains(formats, output) {
		return nil
	}
	last := len(formats) - 1
	return misused(c, fmt.Errorf("there is no output %q; write %s or %s", output, strings.Join(formats[:last], ", "), formats[last]))
}

func controlNames() []string { return names(estate.Controls()) }

func names(controls []estate.Control) []string {
	var list []string
	for _, c := range controls {
		list = append(list, c.Name)
	}
	return list
}

func (p *planCommand) run(c *cobra.Command, args []string) error {
	if err := checkOutput(c, p.output, reports); err != nil {
		return err
	}
	if p.estate != "" && (p.aws.options.Profile != "" || p.aws.options.Endpoint != "" || p.save != "") {
		return misused(c, errors.New("--profile, --endpoint-url and --save have no place beside --estate, which needs no AWS"))
	}
	only, err := patterns(c, p.only)
	if err != nil {
		return err
	}
	rules, err := loadPolicy(c, p.policy)
	if err != nil {
		return err
	}
	controls, left, err := choose(c, rules, p.policy, args)
	if err != nil {
		return err
	}
	if p.estate != "" {
		sayLeft(c, p.policy, left)
		return p.saved(c, rules, controls, only)
	}
	keep, err := newKeeper(p.save)
	if err != nil {
		return err
	}
	defer keep.discard()

	ctx := awsio.ByHand(c.Context())
	progress := present.NewProgress(c.ErrOrStderr())
	progress.Say("signing in")
	login, err := p.aws.signIn(ctx, c)
	progress.Done()
	if err != nil {
		return interrupted(ctx, err)
	}
	sayLeft(c, p.policy, left)

	seen := estate.Estate{Tool: version(), Policy: rules.Hash}
	all, err := look(ctx, progress, login, controls, rules)
	if err != nil {
		return err
	}
	for _, l := range all {
		seen.Parts = append(seen.Parts, l.part)
	}
	if err := keep.keep(seen); err != nil {
		return err
	}
	if p.save != "" {
		fmt.Fprintf(c.ErrOrStderr(), "what was seen is kept in %s\n", p.save)
	}
	return p.tell(c, rules, login.Account, all, only)
}

// saved judges what an estate holds of what the controls see, in the Regions that are
// asked for. What it does not hold is an error: it would look like something with
// nothing in it.
func (p *planCommand) saved(c *cobra.Command, rules *policy.Policy, controls []estate.Control, only []present.Pattern) error {
	kept, err := loadEstate(c, p.estate)
	if err != nil {
		return err
	}
	regions := slices.Compact(slices.Sorted(slices.Values(p.aws.options.Regions)))
	if len(regions) == 0 {
		regions = kept.Regions()
	}
	var all []looked
	account := ""
	for _, region := range regions {
		for _, control := range controls {
			i := slices.IndexFunc(kept.Parts, func(part estate.Part) bool { return part.Control == control.Name && part.Scope.Region == region })
			if i < 0 {
				return fmt.Errorf("%s does not hold what %s saw in %s; name the controls and Regions that it holds, or write it again with `portcullis plan --save`", p.estate, control.Name, region)
			}
			part := kept.Parts[i]
			all, account = append(all, looked{part, part.Judge(rules)}), part.Scope.Account
		}
	}
	return p.tell(c, rules, account, all, only)
}

// tell prints what was concluded, and says by its error how the command ends.
func (p *planCommand) tell(c *cobra.Command, rules *policy.Policy, account string, all []looked, only []present.Pattern) error {
	if err := matched(all, only, "there is nothing to show"); err != nil {
		return err
	}
	result := present.Result{Account: account, PolicyFile: p.policy, PolicyHash: rules.Hash}
	for _, l := range all {
		result.Parts = append(result.Parts, present.Conclude(l.part, l.plan, rules, present.Any(only)))
	}
	if err := p.print(c.OutOrStdout(), result); err != nil {
		return fmt.Errorf("printing the plan: %w", err)
	}
	return status(result.Worst())
}

func sayLeft(c *cobra.Command, file string, left []string) {
	if len(left) > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "left out, as %s has no section for it: %s\n", file, strings.Join(left, ", "))
	}
}

// looked is what one control saw in one Region, and planned.
type looked struct {
	part estate.Part
	plan control.Plan
}

// look has the controls look, one after the other, in each Region of the login. It
// reads only.
func look(ctx context.Context, progress present.Progress, login *signin.Login, controls []estate.Control, rules *policy.Policy) ([]looked, error) {
	var all []looked
	for _, region := range login.Regions {
		way := login.AWS(region, control.Monitor) // reads only, whatever is asked of it
		for _, control := range controls {
			var answers atomic.Int64
			stop := progress.Count(&answers, "answers", "looking: %s in account %s, %s", control.Name, login.Account, region)
			part, plan, err := control.Look(awsio.Counting(ctx, &answers), way, way.Home(), rules)
			stop()
			if err = interrupted(ctx, err); err != nil {
				return nil, err
			}
			all = append(all, looked{part, plan})
		}
		tellEmpty(progress, region, all[len(all)-len(controls):])
	}
	return all, nil
}

// patterns reads what was asked for with --only.
func patterns(c *cobra.Command, written []string) ([]present.Pattern, error) {
	var list []present.Pattern
	for _, s := range written {
		p, err := present.ParsePattern(s)
		if err != nil {
			return nil, misused(c, fmt.Errorf("--only: %w", err))
		}
		list = append(list, p)
	}
	return list, nil
}

// matched is the error of patterns that match nothing: whoever mistyped one is not to be
// told that all is well. What comes of it is for the command to say.
func matched(all []looked, only []present.Pattern, so string) error {
	var findings []control.Finding
	for _, l := range all {
		if !l.part.IsGone() {
			findings = append(findings, l.plan.Findings...)
		}
	}
	var unmatched []string
	for _, p := range present.Unmatched(findings, only) {
		unmatched = append(unmatched, fmt.Sprintf("--only '%s'", p))
	}
	if unmatched == nil {
		return nil
	}
	return fmt.Errorf("no finding is about anything that matches %s, so %s; either it is not there, or there is nothing about it to judge: `portcullis explain` tells which", strings.Join(unmatched, " or "), so)
}

func (p *planCommand) print(out io.Writer, r present.Result) error {
	switch p.output {
	case "json":
		return r.JSON(out)
	case "markdown":
		return r.Markdown(out, p.all)
	default:
		return r.Text(out, present.Coloured(out), p.all)
	}
}

// status is the exit status for a verdict about everything.
func status(v control.Verdict) error {
	switch v {
	case control.Violation:
		return exit(exitViolations)
	case control.Undetermined:
		return exit(exitUndetermined)
	default:
		return nil
	}
}

// loadPolicy reads a policy, and tells what is probably not meant in it.
func loadPolicy(c *cobra.Command, file string) (*policy.Policy, error) {
	p, err := readPolicy(c, file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no policy %s; name one with --policy", file)
	}
	if err != nil {
		return nil, err
	}
	for _, w := range p.Warnings {
		fmt.Fprintln(c.ErrOrStderr(), "warning:", w)
	}
	return p, nil
}

// choose returns the controls that were asked for, each once, or all that the policy
// speaks of; and the names of those that are left out because it does not.
func choose(c *cobra.Command, p *policy.Policy, file string, names []string) (chosen []estate.Control, left []string, err error) {
	for _, name := range names {
		found, ok := estate.Find(name)
		if !ok {
			return nil, nil, misused(c, fmt.Errorf("there is no control %q; the controls are %s", name, strings.Join(controlNames(), ", ")))
		}
		if !found.Has(p) {
			return nil, nil, fmt.Errorf("%s has no section %s, so %s has nothing to judge by; add it", file, found.Section, name)
		}
		if !slices.ContainsFunc(chosen, func(other estate.Control) bool { return other.Name == name }) {
			chosen = append(chosen, found)
		}
	}
	if len(names) > 0 {
		return chosen, nil, nil
	}
	for _, found := range estate.Controls() {
		if found.Has(p) {
			chosen = append(chosen, found)
		} else {
			left = append(left, found.Name)
		}
	}
	if chosen == nil {
		return nil, nil, fmt.Errorf("%s has no section for any control, so there is nothing to judge by; add external_connections", file)
	}
	return chosen, left, nil
}
