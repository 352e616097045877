package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"portcullis/internal/explain"
	"portcullis/internal/present"
	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/externalconn"
	"portcullis/shared/policy"
)

type explainCommand struct {
	aws    awsFlags
	policy string
	estate string
	output string
}

func newExplain() *cobra.Command {
	e := &explainCommand{}
	c := &cobra.Command{
		Use:   "explain RESOURCE",
		Short: "Say how the verdict about one resource comes about",
		Long: `Say what the policy makes of one resource, and how: every rule that was tried, in
order, and why it matched or did not. It reads and cannot write.

RESOURCE is
  corp/npm-store          a repository: also, which public registries it gets packages
                          from and by which upstreams, and who draws from it
  corp:/npm/acme/*        a package group, by its domain and its pattern: also, what
                          came of each of the conditions 1 to 7 of docs/controls.md
  pkg:npm/%40acme/ui      a package: also, which group it resolves to in each domain,
                          and each restriction there
  an id                   of an environment account connection of AWS Proton
  an ARN                  of any of them but a package
Of a domain of another account, write the account before it: 999999999999/corp/npm-store.

With --estate it explains what ` + "`portcullis plan --save`" + ` kept, as of then and without
AWS. An estate keeps what verdicts depend on, and not all that is told here.

AWS searches upstreams in the order of their priority, those of the first before the
second, and ` + strconv.Itoa(externalconn.Searched) + ` of them at most.

Exit status: 0 compliant, waived or not judged, 2 violation, 3 undetermined,
1 the command could not do its work, or there is no such resource.`,
		Example: `  portcullis explain corp/npm-store
  portcullis explain 'corp:/npm/acme/*' --output json
  portcullis explain pkg:npm/%40acme/ui --profile audit --region eu-west-1
  portcullis explain corp/web --estate estate.json --policy proposal.yaml`,
		Args: takes(1, 1, "one RESOURCE", "name one, such as corp/npm-store, in quotes if it has a * in it"),
		RunE: func(c *cobra.Command, args []string) error { return e.run(c, args[0]) },
	}
	e.aws.add(c, "the Region that the resource is in")
	c.Flags().StringVar(&e.policy, "policy", defaultPolicy, "policy to judge by, a `FILE`")
	c.Flags().StringVar(&e.estate, "estate", "", "explain what this saved estate holds, a `FILE`, without AWS")
	c.Flags().StringVar(&e.output, "output", "text", "`FORMAT`: text or json")
	completeOutput(c, formats)
	return c
}

func (e *explainCommand) run(c *cobra.Command, name string) error {
	if err := checkOutput(c, e.output, formats); err != nil {
		return err
	}
	if e.estate != "" && (e.aws.options.Profile != "" || e.aws.options.Endpoint != "") {
		return misused(c, errors.New("--profile and --endpoint-url have no place beside --estate, which needs no AWS"))
	}
	resource, err := explain.Parse(name)
	if err != nil {
		return err
	}
	if err := e.settle(c, &resource); err != nil {
		return err
	}
	rules, err := loadPolicy(c, e.policy)
	if err != nil {
		return err
	}
	if section, there := resource.Section(rules); !there {
		return fmt.Errorf("%s has no section %s, so there is nothing to judge %s by; add it", e.policy, section, resource)
	}
	var explanation explain.Explanation
	if e.estate != "" {
		explanation, err = e.saved(c, rules, resource)
	} else {
		explanation, err = e.look(c, rules, resource)
	}
	if err != nil {
		return err
	}
	shown := present.Explained{Explanation: explanation, PolicyFile: e.policy, PolicyHash: rules.Hash}
	out := c.OutOrStdout()
	if e.output == "json" {
		err = shown.JSON(out)
	} else {
		err = shown.Text(out, present.Coloured(out))
	}
	if err != nil {
		return fmt.Errorf("printing the explanation: %w", err)
	}
	return status(explanation.Verdict)
}

// settle finds out the one Region in which the resource is, as far as the command
// line says it.
func (e *explainCommand) settle(c *cobra.Command, r *explain.Resource) error {
	regions := e.aws.options.Regions
	switch {
	case len(regions) > 1:
		return misused(c, errors.New("a resource is in one Region; give --region once"))
	case len(regions) == 1 && r.Region != "" && r.Region != regions[0]:
		return misused(c, fmt.Errorf("the ARN is of Region %s, and --region is %s", r.Region, regions[0]))
	case len(regions) == 1:
		r.Region = regions[0]
	case r.Region != "":
		e.aws.options.Regions = []string{r.Region}
	}
	return nil
}

func (e *explainCommand) saved(c *cobra.Command, rules *policy.Policy, r explain.Resource) (explain.Explanation, error) {
	estate, err := loadEstate(c, e.estate)
	if err != nil {
		return explain.Explanation{}, err
	}
	return explain.Saved(estate, e.estate, rules, r)
}

func (e *explainCommand) look(c *cobra.Command, rules *policy.Policy, r explain.Resource) (explain.Explanation, error) {
	ctx := awsio.ByHand(c.Context())
	progress := present.NewProgress(c.ErrOrStderr())
	defer progress.Done()
	progress.Say("signing in")
	login, err := e.aws.signIn(ctx, c)
	if err != nil {
		return explain.Explanation{}, interrupted(ctx, err)
	}
	way := login.AWS(login.Regions[0], control.Monitor) // reads only, whatever is asked of it
	session, err := way.Session(way.Home())
	if err != nil {
		return explain.Explanation{}, err
	}
	progress.Say("looking at %s in account %s, %s", r, login.Account, login.Regions[0])
	explanation, err := explain.Look(ctx, session, way.Home(), rules, r)
	return explanation, interrupted(ctx, err)
}
