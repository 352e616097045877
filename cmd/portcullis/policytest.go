package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"portcullis/internal/policytest"
	"portcullis/internal/present"
	"portcullis/shared/policy"
)

func newPolicyTest() *cobra.Command {
	var cases, estate, against, output string
	var all bool
	c := &cobra.Command{
		Use:   "test [FILE]",
		Short: "Run the cases beside a policy, or try a changed policy on a saved estate",
		Long: `Run the cases that stand beside a policy: resources, and the verdict that each
should have. They are judged by what the functions judge with, and without AWS.
Without FILE the policy is ` + defaultPolicy + `; its cases are in the file of the same
name with _test before the ending.

With --estate and --against it says instead what a changed policy would change: for
every resource in an estate that ` + "`portcullis plan --save`" + ` kept, the verdict under the
policy in --against and under FILE, and what enforcement would do, by limits and
enforce_on, where the two differ. What nobody looked at under the policy of that time
is undetermined.

Exit status: 0 all cases pass, or nothing changes; 1 a case fails, or the command
could not do its work; 2 something changes.`,
		Example: `  portcullis policy test
  portcullis policy test proposal.yaml --cases policy/policy_test.yaml
  portcullis policy test proposal.yaml --estate estate.json --against policy/policy.yaml
  portcullis policy test proposal.yaml --estate estate.json --against policy/policy.yaml --output markdown > comment.md`,
		Args: takes(0, 1, "one FILE at most", "name its cases with --cases, or the policy to compare with with --against"),
		RunE: func(c *cobra.Command, args []string) error {
			file := policyArgument(args)
			if (estate == "") != (against == "") {
				return misused(c, errors.New("--estate and --against belong together"))
			}
			if err := checkOutput(c, output, reports); err != nil {
				return err
			}
			if estate != "" {
				if cases != "" {
					return misused(c, errors.New("--cases has no place beside --estate"))
				}
				return comparePolicies(c, file, against, estate, output)
			}
			if output != "text" {
				return misused(c, errors.New("what comes of cases is told as text only; --output has a place beside --estate and --against"))
			}
			if cases == "" {
				ending := filepath.Ext(file)
				cases = strings.TrimSuffix(file, ending) + "_test" + ending
			}
			return runCases(c, file, cases, all)
		},
	}
	c.Flags().StringVar(&cases, "cases", "", "`FILE` with the cases")
	c.Flags().BoolVarP(&all, "verbose", "v", false, "list the cases that pass, too")
	c.Flags().StringVar(&estate, "estate", "", "estate that plan --save kept, a `FILE`")
	c.Flags().StringVar(&against, "against", "", "policy to compare with, a `FILE`")
	c.Flags().StringVar(&output, "output", "text", "`FORMAT` of what would change: text, json or markdown")
	completeOutput(c, reports)
	return c
}

func runCases(c *cobra.Command, file, cases string, all bool) error {
	p, err := readPolicy(c, file)
	if err != nil {
		return err
	}
	list, err := reading(c, func() (*policy.Cases, error) { return policy.LoadCases(cases) })
	if err != nil {
		return err
	}
	results := policytest.Run(p, list)
	out := c.OutOrStdout()
	if err := present.Cases(out, cases, results, present.Coloured(out), all); err != nil {
		return err
	}
	for _, r := range results {
		if !r.OK() {
			return exit(exitError)
		}
	}
	return nil
}

func comparePolicies(c *cobra.Command, file, against, estate, output string) error {
	before, err := readPolicy(c, against)
	if err != nil {
		return err
	}
	after, err := readPolicy(c, file)
	if err != nil {
		return err
	}
	e, err := loadEstate(c, estate)
	if err != nil {
		return err
	}
	comparison := present.Comparison{
		Comparison: e.Compare(before, after), At: e.At(),
		OldFile: against, OldHash: before.Hash, NewFile: file, NewHash: after.Hash,
	}
	out := c.OutOrStdout()
	switch output {
	case "json":
		err = comparison.JSON(out)
	case "markdown":
		err = comparison.Markdown(out)
	default:
		err = comparison.Text(out, present.Coloured(out))
	}
	if err != nil {
		return fmt.Errorf("printing the changes: %w", err)
	}
	if len(comparison.Changes) > 0 {
		return exit(exitViolations)
	}
	return nil
}
