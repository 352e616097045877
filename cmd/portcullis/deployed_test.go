package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	templates "portcullis/internal/cloudformation"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/cloudformation"
	"portcullis/shared/localaws/cloudtrail"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/iam"
	"portcullis/shared/localaws/lambda"
	"portcullis/shared/localaws/logs"
	"portcullis/shared/localaws/scheduler"
	"portcullis/shared/localaws/sqs"
	"portcullis/shared/round"
)

// A deployment is what template.yaml comes to in a world: in CloudFormation, and in
// each service that has a part of it. The file of a world sets it up and breaks it:
//
//	deployed ExternalConnectionsMode=enforce   the stack portcullis-prod with these parameters
//	status UPDATE_IN_PROGRESS                  of the stack
//	trail main all                             a trail: all, reads, data, stopped, elsewhere, excluding
//	policy none                                the bus has no policy any more
//	lost Forward                               a bus, a rule, a queue, a function, a role or a schedule is not there
//	disabled Forward                           a rule or the schedule is turned off
//	aimless Forward                            a rule has no target
//	messages FailureQueue 3
//	function Planner stopped                   stopped, pending, failed, monitor, elsewhere, bare
//	role PackageGroupsRole admin               attached: a managed policy; writes: its own lets it write; empty: it has none
//	round 222222222222 333333333333            a round is over; nothing came from these accounts
//	planned                                    a round was asked for
type deployment struct {
	world     *localaws.World
	stacks    *cloudformation.Service
	trails    *cloudtrail.Trails
	events    *eventbridge.Service
	schedules *scheduler.Service
	queues    *sqs.Service
	functions *lambda.Service
	roles     *iam.Service
	log       *logs.Service

	stack templates.Stack
	told  cloudformation.Stack
	bus   eventbridge.Bus

	policy []json.RawMessage // statements of that of the bus
}

const stackName = "portcullis-prod"

func newDeployment(w *localaws.World, events *eventbridge.Service) *deployment {
	return &deployment{
		world: w, events: events, stacks: cloudformation.New(w), trails: cloudtrail.ServeTrails(w), schedules: scheduler.New(w),
		queues: sqs.New(w), functions: lambda.New(w), roles: iam.New(w), log: logs.New(w),
	}
}

func (d *deployment) line(words []string) error {
	argument := append(words, "", "")[1:3]
	id := argument[0]
	kind := d.stack.Resources[id].Kind
	switch words[0] {
	case "deployed":
		return d.deploy(words[1:])
	case "status":
		d.told.Status = id
		d.stacks.Set(home, region, d.told)
	case "trail":
		return d.trail(id, argument[1])
	case "policy":
		d.bus.SetPolicy("")
	case "disabled":
		if kind == "AWS::Scheduler::Schedule" {
			d.schedules.Set(home, region, scheduler.Schedule{Name: d.physical(id), State: "DISABLED"})
			return nil
		}
		d.events.SetEnabled(home, region, d.busOf(id), d.ruleName(id), false)
	case "aimless":
		d.events.RemoveTargets(home, region, d.busOf(id), d.ruleName(id))
	case "messages":
		n, err := strconv.Atoi(argument[1])
		d.queues.AddQueue(home, region, d.name(id)).Send(n)
		return err
	case "lost":
		return d.lose(id, kind)
	case "function":
		return d.breakFunction(id, argument[1])
	case "role":
		return d.breakRole(id, argument[1])
	case "round":
		return d.tell(words[1:])
	case "planned":
		return d.report(round.PlannedEvent, round.Planned{Version: round.Version, Round: "r-2", At: d.now()})
	default:
		return errors.New("what is " + words[0] + "?")
	}
	return nil
}

// deploy sets up the stack as the template has it.
func (d *deployment) deploy(parameters []string) error {
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		return err
	}
	t, err := templates.Read(string(text))
	if err != nil {
		return err
	}
	values := map[string]string{"AWS::AccountId": home, "AWS::Region": region, "AWS::StackName": stackName}
	for _, p := range parameters {
		key, value, _ := strings.Cut(p, "=")
		values[key] = value
	}
	if d.stack, err = t.Deploy(values); err != nil {
		return err
	}
	d.told = cloudformation.Stack{Name: stackName}
	for _, key := range slices.Sorted(maps.Keys(d.stack.Parameters)) {
		value := fmt.Sprint(d.stack.Parameters[key])
		if key == "ExternalId" {
			value = "****" // as CloudFormation shows what is not to be echoed
		}
		if !strings.HasPrefix(key, "AWS::") {
			d.told.Parameters = append(d.told.Parameters, cloudformation.Parameter{Key: key, Value: value})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.stack.Resources)) {
		kind, physical := d.stack.Resources[id].Kind, d.physical(id)
		told := id
		switch kind { // SAM makes others of its own
		case "AWS::Serverless::Function":
			kind = "AWS::Lambda::Function"
		case "AWS::Serverless::LayerVersion":
			kind, told = "AWS::Lambda::LayerVersion", id+"0a1b2c3d4e"
		}
		d.told.Resources = append(d.told.Resources, cloudformation.Resource{LogicalID: told, PhysicalID: physical, Type: kind})
	}
	d.stacks.Set(home, region, d.told)
	d.bus = d.events.AddBus(home, region, stackName)
	for _, id := range slices.Sorted(maps.Keys(d.stack.Resources)) {
		if err := d.make(id, d.stack.Resources[id].Kind); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
}

// name is what a resource has for a name: its own, or one that CloudFormation makes
// up.
func (d *deployment) name(id string) string {
	for _, property := range []string{"Name", "RoleName", "LogGroupName"} {
		if name, ok := d.stack.Get(id, property).(string); ok && !strings.HasPrefix(name, "<") {
			return name
		}
	}
	return stackName + "-" + id + "-ABC"
}

func (d *deployment) physical(id string) string {
	switch d.stack.Resources[id].Kind {
	case "AWS::Events::Rule":
		if d.busOf(id) != "default" {
			return stackName + "|" + d.name(id)
		}
	case "AWS::SQS::Queue":
		return d.queues.AddQueue(home, region, d.name(id)).URL
	case "AWS::Serverless::LayerVersion":
		return d.arn(id)
	}
	return d.name(id)
}

func (d *deployment) arn(id string) string {
	format := map[string]string{
		"AWS::Events::EventBus": "events:%s:%s:event-bus/%s", "AWS::Events::Rule": "events:%s:%s:rule/%s", "AWS::SQS::Queue": "sqs:%s:%s:%s",
		"AWS::Serverless::Function": "lambda:%s:%s:function:%s", "AWS::Serverless::LayerVersion": "lambda:%s:%s:layer:%s:1",
		"AWS::Logs::LogGroup": "logs:%s:%s:log-group:%s", "AWS::IAM::Role": "iam::%[2]s:role/%[3]s", "AWS::SNS::Topic": "sns:%s:%s:%s",
	}[d.stack.Resources[id].Kind]
	return "arn:aws:" + fmt.Sprintf(format, region, home, d.name(id))
}

func (d *deployment) ruleName(id string) string {
	physical := d.physical(id)
	return physical[strings.LastIndex(physical, "|")+1:]
}

func (d *deployment) busOf(id string) string {
	if d.stack.Get(id, "EventBusName") == nil {
		return "default"
	}
	return stackName
}

var placeholder = regexp.MustCompile(`<(\w+)(\.Arn)?>`)

// filled decodes a property into v, with the ids and the ARNs of what it refers to.
func (d *deployment) filled(v any, id string, path ...any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(d.stack.Get(id, path...)); err != nil {
		return err
	}
	text := placeholder.ReplaceAllStringFunc(b.String(), func(match string) string {
		parts := placeholder.FindStringSubmatch(match)
		if parts[2] != "" {
			return d.arn(parts[1])
		}
		return d.physical(parts[1])
	})
	return json.Unmarshal([]byte(text), v)
}

// make makes one resource, if it is of a kind that is played.
func (d *deployment) make(id, kind string) error {
	switch kind {
	case "AWS::Events::Rule":
		var targets []struct{ Arn string }
		if err := d.filled(&targets, id, "Targets"); err != nil {
			return err
		}
		pattern, err := json.Marshal(d.stack.Get(id, "EventPattern"))
		if err != nil {
			return err
		}
		return d.events.AddRule(home, region, d.busOf(id), eventbridge.Rule{
			Name: d.ruleName(id), Pattern: pattern, ARN: targets[0].Arn, Target: func([]byte) {}, Disabled: d.stack.Get(id, "State") == "DISABLED",
		})
	case "AWS::Scheduler::Schedule":
		var target struct{ Arn, RoleArn string }
		err := d.filled(&target, id, "Target")
		d.schedules.Set(home, region, scheduler.Schedule{
			Name: d.physical(id), State: fmt.Sprint(d.stack.Get(id, "State")), Expression: fmt.Sprint(d.stack.Get(id, "ScheduleExpression")),
			Target: target.Arn, Role: target.RoleArn,
		})
		return err
	case "AWS::Serverless::Function":
		f := lambda.Configuration{Name: d.physical(id)}
		var env map[string]any
		err := errors.Join(d.filled(&env, id, "Environment", "Variables"), d.filled(&f.Layers, id, "Layers"))
		f.Env = map[string]string{}
		for key, value := range env {
			f.Env[key] = fmt.Sprint(value)
		}
		d.functions.Set(home, region, f)
		return err
	case "AWS::Lambda::EventSourceMapping":
		m := lambda.Mapping{ID: d.physical(id)}
		err := errors.Join(d.filled(&m.Source, id, "EventSourceArn"), d.filled(&m.Function, id, "FunctionName"))
		d.functions.SetMapping(home, region, m)
		return err
	case "AWS::IAM::Role":
		var policies []struct {
			PolicyName     string
			PolicyDocument json.RawMessage
		}
		err := d.filled(&policies, id, "Policies")
		for _, p := range policies {
			d.roles.Role(home, d.physical(id)).Put(p.PolicyName, string(p.PolicyDocument))
		}
		return err
	case "AWS::Events::EventBusPolicy":
		var statement json.RawMessage
		err := d.filled(&statement, id, "Statement")
		d.policy = append(d.policy, statement)
		document, _ := json.Marshal(map[string]any{"Statement": d.policy}) // it came as JSON
		d.bus.SetPolicy(string(document))
		return err
	case "AWS::Logs::LogGroup":
		d.log.AddGroup(home, region, d.physical(id))
	}
	return nil
}

func (d *deployment) lose(id, kind string) error {
	switch kind {
	case "AWS::Events::EventBus":
		d.bus.Remove()
	case "AWS::Events::Rule":
		d.events.RemoveRule(home, region, d.busOf(id), d.ruleName(id))
	case "AWS::SQS::Queue":
		d.queues.AddQueue(home, region, d.name(id)).Remove()
	case "AWS::Serverless::Function":
		d.functions.Remove(home, region, d.physical(id))
	case "AWS::IAM::Role":
		d.roles.Role(home, d.physical(id)).Remove()
	case "AWS::Scheduler::Schedule":
		d.schedules.Remove(home, region, d.physical(id))
	case "AWS::Logs::LogGroup":
		d.log.RemoveGroup(home, region, d.physical(id))
	default:
		return fmt.Errorf("cannot lose %s", id)
	}
	return nil
}

func (d *deployment) trail(name, what string) error {
	c := cloudtrail.Configuration{Name: name, Account: home, Region: region, MultiRegion: true}
	switch what {
	case "all":
	case "reads":
		c.Selectors = []cloudtrail.Selector{{ReadWriteType: "ReadOnly", IncludeManagementEvents: true}}
	case "data":
		c.Advanced = []cloudtrail.Advanced{{FieldSelectors: []cloudtrail.Field{{Field: "eventCategory", Equals: []string{"Data"}}}}}
	case "writes":
		c.Advanced = []cloudtrail.Advanced{{FieldSelectors: []cloudtrail.Field{
			{Field: "eventCategory", Equals: []string{"Management"}}, {Field: "readOnly", Equals: []string{"false"}},
			{Field: "eventSource", NotEquals: []string{"kms.amazonaws.com"}},
		}}}
	case "stopped":
		c.Stopped = true
	case "elsewhere":
		c.Region, c.MultiRegion = "us-east-1", false
	case "organization":
		c.Account, c.Members = "999999999999", []string{home}
	default:
		return errors.New("what trail is " + what + "?")
	}
	d.trails.Set(c)
	return nil
}

func (d *deployment) breakFunction(id, how string) error {
	change := map[string]func(*lambda.Configuration){
		"stopped":   func(f *lambda.Configuration) { f.Reserved = new(int) },
		"pending":   func(f *lambda.Configuration) { f.State = "Pending" },
		"failed":    func(f *lambda.Configuration) { f.LastUpdate = "Failed" },
		"monitor":   func(f *lambda.Configuration) { f.Env["ENFORCEMENT_MODE"] = "monitor" },
		"elsewhere": func(f *lambda.Configuration) { f.Env["EVENT_BUS"] = "another" },
		"bare":      func(f *lambda.Configuration) { f.Layers = nil },
	}[how]
	if change == nil {
		return errors.New("what is a function that is " + how + "?")
	}
	d.functions.Change(home, region, d.physical(id), change)
	return nil
}

func (d *deployment) breakRole(id, how string) error {
	role := d.roles.Role(home, d.physical(id))
	policy := fmt.Sprint(d.stack.Get(id, "Policies", 0, "PolicyName"))
	switch how {
	case "attached":
		role.Attach("arn:aws:iam::aws:policy/AdministratorAccess")
	case "writes":
		role.Put(policy, `{"Statement":[{"Effect":"Allow","Action":["events:PutEvents","codeartifact:Delete*"],"Resource":"*"}]}`)
	case "empty":
		role.Put(policy, `{"Statement":[]}`)
	default:
		return errors.New("what is a role that is " + how + "?")
	}
	return nil
}

// troubles copies what a doctor printed, but for what is well or not needed.
func troubles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: troubles FILE")
	}
	var kept strings.Builder
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if !strings.HasPrefix(line, "  ok ") && !strings.HasPrefix(line, "  not needed ") && strings.TrimSpace(line) != "" {
			// Some clients of the SDK say "api error", and others do not.
			kept.WriteString(regexp.MustCompile(`RequestID: [0-9a-f-]{36}, (api error )?`).ReplaceAllString(line, "RequestID: ID, "))
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(kept.String()), 0o600))
}

func (d *deployment) now() *time.Time {
	now := d.world.Now()
	return &now
}

// tell writes the summary of a round of all controls into the log of events.
func (d *deployment) tell(missing []string) error {
	s := round.Summary{Version: round.Version, Round: "r-1", At: d.now(), Complete: len(missing) == 0, Controls: []round.Result{}}
	for _, name := range controlNames() {
		s.Controls = append(s.Controls, round.Result{Control: name, Expected: 1 + len(missing), Swept: 1, Missing: missing, Incomplete: []string{}})
	}
	return d.report(round.SummaryEvent, s)
}

func (d *deployment) report(detailType string, detail any) error {
	event, err := json.Marshal(map[string]any{"source": "portcullis", "account": home, "detail-type": detailType, "detail": detail})
	d.log.AddGroup(home, region, d.physical("EventsLog")).Take(event)
	return err
}
