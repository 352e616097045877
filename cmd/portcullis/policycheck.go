package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"portcullis/shared/policy"
)

func newPolicyCheck() *cobra.Command {
	var estate string
	c := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say whether a policy is valid and whole",
		Long: `Say whether the functions of every control would start under a policy, and print
the hash by which a Run Summary names it. Every mistake is told with its line and
column, and what to write instead. Without FILE it is ` + defaultPolicy + `.

What is accepted but probably not meant is a warning, such as a rule that an
earlier one covers or that allows everything, and a waiver that has ended or ends
within 14 days, by this machine's clock; with --estate, also a rule that speaks
of nothing in an estate that ` + "`portcullis plan --save`" + ` kept. Warnings do not change
the exit status.`,
		Example: `  portcullis policy check
  portcullis policy check proposal.yaml
  portcullis policy check --estate estate.json`,
		Args: takes(0, 1, "one FILE at most", "check one policy after the other"),
		RunE: func(c *cobra.Command, args []string) error {
			return checkPolicy(c, policyArgument(args), estate)
		},
	}
	c.Flags().StringVar(&estate, "estate", "", "warn of rules that speak of nothing in this saved estate, a `FILE`")
	return c
}

func checkPolicy(c *cobra.Command, file, estate string) error {
	p, err := readPolicy(c, file)
	if err != nil {
		return err
	}
	for _, warning := range p.Warnings {
		fmt.Fprintln(c.ErrOrStderr(), "warning:", warning)
	}
	for _, p := range ending(p, file, time.Now()) {
		fmt.Fprintln(c.ErrOrStderr(), "warning:", p)
	}
	if estate != "" {
		e, err := loadEstate(c, estate)
		if err != nil {
			return err
		}
		for _, l := range e.Idle(p) {
			fmt.Fprintln(c.ErrOrStderr(), "warning:", policy.Problem{
				File: file, Line: l.Line, Column: l.Column,
				What: fmt.Sprintf("%s speaks of nothing in %s", l.Place, estate), Fix: "remove it, unless it is for what is yet to come",
			})
		}
	}
	if missing := missingSections(p); len(missing) > 0 {
		for _, section := range missing {
			fmt.Fprintf(c.ErrOrStderr(), "%s: %s\n", file, section)
		}
		return exit(exitError)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s is valid; its hash is %s\n", file, p.Hash)
	return err
}

// ending says which waivers have ended at a time, or soon will: what they permitted is
// removed then, and whoever relied on it may have forgotten. Verdicts go by AWS's clock,
// which nobody has asked here.
func ending(p *policy.Policy, file string, now time.Time) []policy.Problem {
	var list []policy.Problem
	for at, t := range p.Terms() {
		problem := policy.Problem{File: file, Line: at.Line, Column: at.Column, Fix: "renew it, or take it out of the policy"}
		switch {
		case !t.InForce(now):
			problem.What = fmt.Sprintf("waiver %s of %s permits nothing any more: it ended on %s, by this machine's clock", t.ID, t.Owner, t.LastDay())
		case t.EndsSoon(now):
			problem.What = fmt.Sprintf("waiver %s of %s ends on %s, which is soon by this machine's clock; what it permits is a violation after that", t.ID, t.Owner, t.LastDay())
			problem.Fix = "see that it is not needed any more by then, or renew it"
		default:
			continue
		}
		list = append(list, problem)
	}
	return list
}

// missingSections says what a policy lacks for all controls to start. The mode of a
// control is not known here, so a section is asked for even where a deployment has
// turned its control off.
func missingSections(p *policy.Policy) []string {
	var missing []string
	for _, section := range []struct {
		name, parameter string
		there           bool
	}{
		{"external_connections", "ExternalConnectionsMode", p.ExternalConnections != nil},
		{"package_groups", "PackageGroupsMode", p.PackageGroups != nil},
		{"package_origins", "PackageOriginsMode", p.PackageOrigins != nil},
		{"proton_connections", "ProtonConnectionsMode", p.ProtonConnections != nil},
	} {
		if !section.there {
			missing = append(missing, fmt.Sprintf("section %s is missing: add it, because its control does not start without it unless %s is off", section.name, section.parameter))
		}
	}
	return missing
}
