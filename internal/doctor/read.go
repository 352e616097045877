package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"portcullis/shared/awsio"
	"portcullis/shared/protonconn"
	"portcullis/shared/round"
)

// Look reads everything about the deployment that a stack made in the account and
// Region of a session. It is told what is being read by say.
func Look(ctx context.Context, s *awsio.Session, f Facts, say func(what string)) Facts {
	l := looker{ctx, s.Reads, say}
	l.stack(&f)
	say("the trails")
	f.Trails = l.trails()
	say("CodeArtifact")
	f.Domains = note(ctx, "asking CodeArtifact for a domain", func() (struct{}, error) {
		_, err := codeartifact.NewFromConfig(l.reads).ListDomains(ctx, &codeartifact.ListDomainsInput{MaxResults: aws.Int32(1)})
		return struct{}{}, err
	})
	if f.Stack.Value.Parameters["ProtonConnectionsMode"] != "off" {
		say("Proton")
		f.Proton = note(ctx, "asking Proton for a list", func() (string, error) { return protonconn.Reach(ctx, s) })
	}
	f.Now = s.Clock.Now()
	if log, found := f.Resources.Value[logID]; found {
		say("the log of events")
		f.Rounds = l.rounds(log.ID, f)
	}
	return f
}

type looker struct {
	ctx   context.Context
	reads aws.Config
	say   func(what string)
}

// note makes a fact of what a read answered.
func note[T any](ctx context.Context, what string, read func() (T, error)) Fact[T] {
	v, err := read()
	var api smithy.APIError
	if errors.As(err, &api) && absent(api) {
		return Fact[T]{Absent: api.ErrorMessage()}
	}
	if err == nil {
		return Fact[T]{Value: v}
	}
	class, reason := awsio.Failure(ctx, what, err)
	if class == awsio.Denied {
		reason = awsio.Explain(what, err, "") + "; these credentials lack the right, or a service control policy denies it"
	}
	return Fact[T]{Unread: reason}
}

// absent tells whether AWS says that something does not exist. Each service says it
// in its own way, and CloudFormation only in the text.
func absent(err smithy.APIError) bool {
	switch err.ErrorCode() {
	case "ResourceNotFoundException", "NoSuchEntity", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue":
		return true
	case "ValidationError":
		return strings.HasPrefix(err.ErrorMessage(), "Stack with id ") && strings.HasSuffix(err.ErrorMessage(), " does not exist")
	default:
		return false
	}
}

// each reads the things of some logical ids that the stack deployed, as far as it
// did.
func each[T any](l looker, f *Facts, what string, ids []string, read func(name string) (T, error)) map[string]Fact[T] {
	facts := map[string]Fact[T]{}
	for _, id := range ids {
		if r, deployed := f.Resources.Value[id]; deployed {
			l.say("the " + what + " " + id)
			facts[id] = note(l.ctx, "reading it", func() (T, error) { return read(r.ID) })
		}
	}
	return facts
}

// stack reads what the stack is, and everything that it deployed.
func (l looker) stack(f *Facts) {
	api := cloudformation.NewFromConfig(l.reads)
	l.say("the stack")
	f.Stack = note(l.ctx, "reading the stack", func() (Stack, error) {
		out, err := api.DescribeStacks(l.ctx, &cloudformation.DescribeStacksInput{StackName: &f.Name})
		if err != nil {
			return Stack{}, err
		}
		if len(out.Stacks) != 1 {
			return Stack{}, awsio.ErrMalformed(fmt.Sprintf("the answer has %d stacks", len(out.Stacks)))
		}
		s := Stack{Status: string(out.Stacks[0].StackStatus), Parameters: map[string]string{}}
		for _, p := range out.Stacks[0].Parameters {
			s.Parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
		}
		return s, nil
	})
	f.Resources = note(l.ctx, "reading what the stack deployed", func() (map[string]Resource, error) {
		list, err := awsio.ReadAll(l.ctx, "listing the resources", func(ctx context.Context, token *string) ([]cfntypes.StackResourceSummary, *string, error) {
			out, err := api.ListStackResources(ctx, &cloudformation.ListStackResourcesInput{StackName: &f.Name, NextToken: token})
			if err != nil {
				return nil, nil, err
			}
			return out.StackResourceSummaries, out.NextToken, nil
		})
		resources := map[string]Resource{}
		for _, r := range list.Items() {
			if r.ResourceStatus != cfntypes.ResourceStatusDeleteComplete {
				resources[aws.ToString(r.LogicalResourceId)] = Resource{aws.ToString(r.PhysicalResourceId), aws.ToString(r.ResourceType)}
			}
		}
		return resources, err
	})

	var functions, queues []string
	for _, p := range parts() {
		functions, queues = append(functions, p.functions...), append(queues, p.queues...)
	}
	l.events(f)
	f.Schedules = each(l, f, "schedule", []string{scheduleID}, l.schedule)
	f.Queues = each(l, f, "queue", queues, l.queue)
	f.Functions = each(l, f, "function", functions, l.function)
	f.Batches = each(l, f, "event source mapping", []string{batchesID}, l.batches)
	l.roles(f)
}

func (l looker) events(f *Facts) {
	api := eventbridge.NewFromConfig(l.reads)
	own := f.Resources.Value[busID].ID
	f.Bus = each(l, f, "bus", []string{busID}, func(name string) (Bus, error) {
		out, err := api.DescribeEventBus(l.ctx, &eventbridge.DescribeEventBusInput{Name: &name})
		if err != nil {
			return Bus{}, err
		}
		return Bus{aws.ToString(out.Policy)}, nil
	})[busID]

	f.Rules = map[string]Fact[Rule]{}
	for _, p := range append(parts(), part{rules: told()}) {
		for _, r := range p.rules {
			bus := own
			if r.onDefault {
				bus = "default"
			}
			for id, fact := range each(l, f, "rule", []string{r.id}, func(name string) (Rule, error) {
				// CloudFormation names the rules of a bus of one's own with the bus in front.
				return l.rule(api, bus, name[strings.LastIndex(name, "|")+1:])
			}) {
				f.Rules[id] = fact
			}
		}
	}
}

func (l looker) rule(api *eventbridge.Client, bus, name string) (Rule, error) {
	out, err := api.DescribeRule(l.ctx, &eventbridge.DescribeRuleInput{Name: &name, EventBusName: &bus})
	if err != nil {
		return Rule{}, err
	}
	targets, err := awsio.ReadAll(l.ctx, "listing the targets", func(ctx context.Context, token *string) ([]eventtypes.Target, *string, error) {
		out, err := api.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: &name, EventBusName: &bus, NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.Targets, out.NextToken, nil
	})
	r := Rule{State: string(out.State)}
	for _, t := range targets.Items() {
		r.Targets = append(r.Targets, aws.ToString(t.Arn))
	}
	return r, err
}

func (l looker) schedule(name string) (Schedule, error) {
	out, err := scheduler.NewFromConfig(l.reads).GetSchedule(l.ctx, &scheduler.GetScheduleInput{Name: &name})
	if err != nil {
		return Schedule{}, err
	}
	s := Schedule{State: string(out.State)}
	if out.Target != nil {
		s.Target = aws.ToString(out.Target.Arn)
	}
	return s, nil
}

// queue counts what waits in a queue, and what somebody has taken and not yet
// deleted.
func (l looker) queue(url string) (Queue, error) {
	names := []sqstypes.QueueAttributeName{
		sqstypes.QueueAttributeNameApproximateNumberOfMessages,
		sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		sqstypes.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := sqs.NewFromConfig(l.reads).GetQueueAttributes(l.ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: names})
	if err != nil {
		return Queue{}, err
	}
	var q Queue
	for _, name := range names {
		n, err := strconv.Atoi(out.Attributes[string(name)])
		if err != nil {
			return Queue{}, awsio.ErrMalformed(fmt.Sprintf("%s is %q, which is no number", name, out.Attributes[string(name)]))
		}
		q.Messages += n
	}
	return q, nil
}

func (l looker) function(name string) (Function, error) {
	api := lambda.NewFromConfig(l.reads)
	out, err := api.GetFunctionConfiguration(l.ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	if err != nil {
		return Function{}, err
	}
	f := Function{State: string(out.State), Reason: aws.ToString(out.StateReason), LastUpdate: string(out.LastUpdateStatus)}
	if out.Environment != nil && out.Environment.Error == nil {
		f.Environment = out.Environment.Variables
	}
	for _, layer := range out.Layers {
		f.Layers = append(f.Layers, aws.ToString(layer.Arn))
	}
	concurrency, err := api.GetFunctionConcurrency(l.ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: &name})
	if err != nil {
		return Function{}, err
	}
	if n := concurrency.ReservedConcurrentExecutions; n != nil {
		reserved := int(*n)
		f.Reserved = &reserved
	}
	return f, nil
}

func (l looker) batches(id string) (Batches, error) {
	out, err := lambda.NewFromConfig(l.reads).GetEventSourceMapping(l.ctx, &lambda.GetEventSourceMappingInput{UUID: &id})
	if err != nil {
		return Batches{}, err
	}
	return Batches{aws.ToString(out.State)}, nil
}

func (l looker) roles(f *Facts) {
	f.Roles = map[string]Fact[Role]{}
	for _, p := range parts() {
		for _, r := range p.roles {
			for id, fact := range each(l, f, "role", []string{r.id}, func(name string) (Role, error) { return l.role(name, r.policy) }) {
				f.Roles[id] = fact
			}
		}
	}
}

// role reads the one policy that the template gives a role, and which others it has.
func (l looker) role(name, policy string) (Role, error) {
	api := iam.NewFromConfig(l.reads)
	var r Role
	inline, err := awsio.ReadAll(l.ctx, "listing its own policies", func(ctx context.Context, token *string) ([]string, *string, error) {
		out, err := api.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &name, Marker: token})
		if err != nil {
			return nil, nil, err
		}
		return listed(out.PolicyNames), out.Marker, nil
	})
	if err != nil {
		return r, err
	}
	attached, err := awsio.ReadAll(l.ctx, "listing the policies attached to it", func(ctx context.Context, token *string) ([]iamtypes.AttachedPolicy, *string, error) {
		out, err := api.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: &name, Marker: token})
		if err != nil {
			return nil, nil, err
		}
		return listed(out.AttachedPolicies), out.Marker, nil
	})
	if err != nil {
		return r, err
	}
	for _, other := range inline.Items() {
		if other != policy {
			r.Others = append(r.Others, other)
		}
	}
	for _, other := range attached.Items() {
		r.Others = append(r.Others, aws.ToString(other.PolicyName))
	}
	if !slices.Contains(inline.Items(), policy) {
		return r, nil
	}
	out, err := api.GetRolePolicy(l.ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &policy})
	if err != nil {
		return r, err
	}
	r.Document, err = url.QueryUnescape(aws.ToString(out.PolicyDocument))
	return r, err
}

// listed tells the SDK's nil for a list without entries, which it is in the protocol
// of IAM, from an answer without a list: that one has no result either, and is an
// error before it comes here.
func listed[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// trails reads which trails there are in the Region, and what each logs. A trail that
// is from elsewhere is found by its ARN only.
func (l looker) trails() Fact[[]Trail] {
	api := cloudtrail.NewFromConfig(l.reads)
	return note(l.ctx, "reading the trails", func() ([]Trail, error) {
		out, err := api.DescribeTrails(l.ctx, &cloudtrail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(true)})
		if err != nil {
			return nil, err
		}
		if out.TrailList == nil {
			return nil, awsio.ErrMalformed("the answer has no list in it")
		}
		var trails []Trail
		for _, t := range out.TrailList {
			arn := t.TrailARN
			trail := Trail{
				Name: aws.ToString(t.Name), HomeRegion: aws.ToString(t.HomeRegion),
				MultiRegion: aws.ToBool(t.IsMultiRegionTrail), Organization: aws.ToBool(t.IsOrganizationTrail),
			}
			trail.Logging = note(l.ctx, "whether the trail "+trail.Name+" is logging", func() (bool, error) {
				out, err := api.GetTrailStatus(l.ctx, &cloudtrail.GetTrailStatusInput{Name: arn})
				if err == nil && out.IsLogging == nil {
					err = awsio.ErrMalformed("the answer does not say")
				}
				return err == nil && *out.IsLogging, err
			})
			trail.Selectors = note(l.ctx, "what the trail "+trail.Name+" logs", func() (Selectors, error) { return l.selectors(api, arn) })
			trails = append(trails, trail)
		}
		return trails, nil
	})
}

func (l looker) selectors(api *cloudtrail.Client, arn *string) (Selectors, error) {
	out, err := api.GetEventSelectors(l.ctx, &cloudtrail.GetEventSelectorsInput{TrailName: arn})
	if err != nil {
		return Selectors{}, err
	}
	if len(out.EventSelectors)+len(out.AdvancedEventSelectors) == 0 {
		return Selectors{}, awsio.ErrMalformed("the answer has no selector in it")
	}
	var s Selectors
	for _, b := range out.EventSelectors {
		s.Basic = append(s.Basic, Basic{
			ReadWrite: string(b.ReadWriteType), Management: aws.ToBool(b.IncludeManagementEvents), Excluded: b.ExcludeManagementEventSources,
		})
	}
	for _, a := range out.AdvancedEventSelectors {
		var fields []Field
		for _, f := range a.FieldSelectors {
			fields = append(fields, Field{
				Name: aws.ToString(f.Field), Equals: f.Equals, NotEquals: f.NotEquals,
				StartsWith: f.StartsWith, NotStartsWith: f.NotStartsWith, EndsWith: f.EndsWith, NotEndsWith: f.NotEndsWith,
			})
		}
		s.Advanced = append(s.Advanced, fields)
	}
	return s, nil
}

// rounds reads the log of events as far back as a round that is over must be in it.
func (l looker) rounds(log string, f Facts) Fact[Rounds] {
	every, known := intervals[f.Stack.Value.Parameters["SweepEvery"]]
	if !known || f.Now.IsZero() {
		return Fact[Rounds]{Unread: "how often rounds are asked for, or what time it is, is not known"}
	}
	since := f.Now.Add(-2*every - 2*round.Longest)
	return note(l.ctx, "reading what became of the last rounds", func() (Rounds, error) {
		told, err := round.Tell(l.ctx, cloudwatchlogs.NewFromConfig(l.reads), log, f.Account, since)
		if err != nil {
			return Rounds{}, err
		}
		r := Rounds{Since: since}
		if told.Planned != nil {
			r.Planned = told.Planned.At
		}
		if s := told.Summary; s != nil {
			r.Over = &Round{ID: s.Round, At: aws.ToTime(s.At), Unknown: s.Unknown}
			for _, c := range s.Controls {
				r.Over.Controls = append(r.Over.Controls, Swept{c.Control, c.Expected, c.Gone, c.Missing, c.Incomplete})
			}
		}
		return r, nil
	})
}
