package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"portcullis/internal/doctor"
	"portcullis/internal/present"
	"portcullis/shared/awsio"
	"portcullis/shared/control"
)

// defaultStack is what `make deploy ENV=prod` makes, by samconfig.toml. Where it is
// the wrong one, nothing is harmed: the answer is that there is no such stack.
const defaultStack = "portcullis-prod"

// doctorTime bounds a read with all its attempts. There are some seventy of them, one
// after the other, and somebody is waiting.
const doctorTime = 15 * time.Second

type doctorCommand struct {
	aws    awsFlags
	stack  string
	output string
}

func newDoctor() *cobra.Command {
	d := &doctorCommand{}
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say whether a deployment has what it needs, and what to do where it has not",
		Long: `Look at a deployment of template.yaml, and say of each thing that it needs whether
it is well: a trail that logs write management events, the bus, its rules and their
targets, whether alarms ring anybody, the schedule, the queues, the functions, the
policies of their roles, CodeArtifact and Proton, and what became of the last round of
sweeps. It reads and cannot write.

A check is ok, failed, unknown where it could not be read, or not needed. Below what
failed stands what to do. Before the first deployment the check of the trail is the
one to look at.

Two things cannot be seen from here: whether the roles of members can be assumed, as
they trust the functions only, and what a service control policy denies the
functions. The last round of sweeps tells, as far as it came. Not looked at are who
has subscribed to a topic, and the policies of functions, queues and topics; what
these keep out ends in the failure queue or rings an alarm, if the topic of the alarms
lets it. Of a role the actions, their resources and what is denied are held against
the template, and not the conditions, who may assume it, nor its permissions boundary;
of the bus the whole policy.

It calls cloudformation:DescribeStacks and ListStackResources,
cloudtrail:DescribeTrails, GetTrailStatus and GetEventSelectors,
codeartifact:ListDomains, events:DescribeEventBus, DescribeRule and
ListTargetsByRule, iam:GetRolePolicy, ListRolePolicies and ListAttachedRolePolicies,
lambda:GetFunctionConfiguration, GetFunctionConcurrency and GetEventSourceMapping,
logs:FilterLogEvents, proton:ListEnvironmentAccountConnections,
scheduler:GetSchedule and sqs:GetQueueAttributes.

Exit status: 0 all is well, 2 something failed, 3 nothing failed and something is
unknown, 1 the command could not do its work.`,
		Example: `  portcullis doctor
  portcullis doctor --stack portcullis-dev --region eu-west-1 --region us-east-1
  portcullis doctor --profile audit --output json`,
		Args: takes(0, 0, "no argument", "name the stack with --stack, and a Region with --region"),
		RunE: func(c *cobra.Command, _ []string) error { return d.run(c) },
	}
	d.aws.add(c, regionsToLookAt)
	c.Flags().StringVar(&d.stack, "stack", defaultStack, "`NAME` of the stack")
	c.Flags().StringVar(&d.output, "output", "text", "`FORMAT`: text or json")
	completeOutput(c, formats)
	return c
}

func (d *doctorCommand) run(c *cobra.Command) error {
	if err := checkOutput(c, d.output, formats); err != nil {
		return err
	}
	ctx := awsio.WithBudget(awsio.ByHand(c.Context()), doctorTime)
	progress := present.NewProgress(c.ErrOrStderr())
	progress.Say("signing in")
	login, err := d.aws.signIn(ctx, c)
	progress.Done()
	if err != nil {
		return interrupted(ctx, err)
	}
	result := present.Examination{Account: login.Account, Stack: d.stack}
	for _, region := range login.Regions {
		way := login.AWS(region, control.Monitor) // reads only, whatever is asked of it
		session, err := way.Session(way.Home())
		if err != nil {
			return err
		}
		facts := doctor.Look(ctx, session, doctor.Facts{Account: login.Account, Region: region, Caller: login.ARN, Name: d.stack}, func(what string) {
			progress.Say("looking: %s in account %s, %s", what, login.Account, region)
		})
		progress.Done()
		if err := interrupted(ctx, nil); err != nil {
			return err
		}
		result.Regions = append(result.Regions, present.RegionChecks{Region: region, Checks: doctor.Judge(facts)})
	}
	write := func() error { return result.Text(c.OutOrStdout(), present.Coloured(c.OutOrStdout())) }
	if d.output == "json" {
		write = func() error { return result.JSON(c.OutOrStdout()) }
	}
	if err := write(); err != nil {
		return fmt.Errorf("printing what was found: %w", err)
	}
	switch result.Worst() {
	case doctor.Failed:
		return exit(exitViolations)
	case doctor.Unknown:
		return exit(exitUndetermined)
	default:
		return nil
	}
}
