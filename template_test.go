package portcullis_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/control"
	"portcullis/shared/externalconn"
	"portcullis/shared/localaws/pattern"
	"portcullis/shared/report"
	"portcullis/shared/trigger"
)

// A deployed is what the code says of one control. The template must agree.
type deployed struct {
	folder         string // in functions/
	prefix         string // of its names in the template
	name           string // in metrics
	mode           string // its parameter
	service        string // whose rights reader and writer are, one for each method
	reader, writer reflect.Type
	start          func(getenv func(string) string) error
}

func controls() []deployed {
	return []deployed{{
		folder: "external-connections", prefix: "ExternalConnections", name: externalconn.Control, mode: "ExternalConnectionsMode",
		service: "codeartifact", reader: reflect.TypeFor[externalconn.Reader](), writer: reflect.TypeFor[externalconn.Writer](),
		start: func(getenv func(string) string) error {
			_, err := externalconn.New(getenv, io.Discard)
			return err
		},
	}}
}

// functions returns the functions of the control in a stack.
func (k deployed) functions(s stack) []string {
	return slices.DeleteFunc(s.of("AWS::Serverless::Function"), func(name string) bool { return !strings.HasPrefix(name, k.prefix) })
}

// project is what is checked.
type project struct {
	texts    map[string]string // by file name
	folders  []string          // in functions/
	template template
	modes    map[string]stack // what the template comes to, with all controls in one mode
}

func readProject(texts map[string]string, folders []string) (project, error) {
	p := project{texts: texts, folders: folders, modes: map[string]stack{}}
	var err error
	if p.template, err = readTemplate(texts["template.yaml"]); err != nil {
		return p, err
	}
	for _, mode := range []string{"off", "monitor", "enforce"} {
		parameters := map[string]string{}
		for _, k := range controls() {
			parameters[k.mode] = mode
		}
		if p.modes[mode], err = p.template.deploy(parameters); err != nil {
			return p, err
		}
	}
	return p, nil
}

// deploy is for checks of other parameters than the mode.
func (p project) deploy(c *complaints, parameters map[string]string) stack {
	s, err := p.template.deploy(parameters)
	if err != nil {
		c.addf("%v", err)
	}
	return s
}

// complaints are what a check finds wrong.
type complaints []string

func (c *complaints) addf(format string, args ...any) { *c = append(*c, fmt.Sprintf(format, args...)) }

// equal complains where a value is not the one that is wanted.
func (c *complaints) equal(what string, got, want any) {
	if diff := cmp.Diff(want, got); diff != "" {
		c.addf("%s (-want +got):\n%s", what, diff)
	}
}

type check struct {
	sentence string
	find     func(p project, c *complaints)
}

func checks() []check {
	return []check{
		{"every folder in functions/ is built into functions of the stack, and the reverse", builtFromFolders},
		{"every function is a Go program for Lambda that reads the deployed policy", goPrograms},
		{"what the code reads from its environment is set, and nothing else", environments},
		{"concurrency is reserved for functions of the kind that the parameter names", concurrency},
		{"a role may call what its control's code calls, and may write only in enforce mode", callsAreRights},
		{"no role has another right, or one on more than it needs", noOtherRights},
		{"what is tagged portcullis:keep may not be written in any mode", keepTagsDeny},
		{"a mode is off, monitor or enforce, and monitor if nothing is said", modesAreSafe},
		{"what wakes a control sleeps in off mode, and only then", sleepWhenOff},
		{"a rule matches the events that its control reads, and no others", rulesMatchEvents},
		{"a schedule is valid and asks for a sweep", schedulesAreValid},
		{"schedule and alarms agree on the period", periodsAgree},
		{"what does not happen ends in the failure queue", failuresAreKept},
		{"a failed sweep is not tried again", sweepsAreNotRepeated},
		{"logs are JSON, forget in time, and outlive the stack", logsAreKept},
		{"every alarm that is needed exists", alarmsExist},
		{"alarms ring where the parameters say", alarmsRing},
		{"alarms and dashboard name metrics that are written", metricsExist},
		{"what is reported is logged and archived", eventsAreKept},
		{"every parameter says what it is for", parametersAreDescribed},
		{"sam never builds from its cache, and asks before it deploys prod", samIsCareful},
	}
}

func TestTemplate(t *testing.T) {
	p, err := readProject(texts(t), folders(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range checks() {
		t.Run(check.sentence, func(t *testing.T) {
			var found complaints
			check.find(p, &found)
			for _, complaint := range found {
				t.Error(complaint)
			}
		})
	}
}

func texts(t *testing.T) map[string]string {
	texts := map[string]string{}
	for _, name := range []string{"template.yaml", "samconfig.toml", "Makefile"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

func folders(t *testing.T) []string {
	mains, err := filepath.Glob("functions/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("there is no functions/*/main.go (%v)", err)
	}
	var folders []string
	for _, main := range mains {
		folders = append(folders, filepath.Base(filepath.Dir(main)))
	}
	return folders
}

// buildTarget is how a Makefile rule for `sam build` looks.
var buildTarget = regexp.MustCompile(`(?m)^(build-\S+(?: build-\S+)*): build/(\S+)/bootstrap\n\tcp \$< "\$\$\{ARTIFACTS_DIR:`)

func builtFromFolders(p project, c *complaints) {
	built := map[string][]string{} // functions by folder
	for _, rule := range buildTarget.FindAllStringSubmatch(p.texts["Makefile"], -1) {
		for target := range strings.FieldsSeq(rule[1]) {
			built[rule[2]] = append(built[rule[2]], strings.TrimPrefix(target, "build-"))
		}
	}
	var known []string
	for _, k := range controls() {
		known = append(known, k.folder)
		c.equal("functions built from functions/"+k.folder, built[k.folder], k.functions(p.modes["monitor"]))
	}
	c.equal("folders in functions/", p.folders, known)
	c.equal("folders that Makefile builds functions from", slices.Sorted(maps.Keys(built)), known)
}

func goPrograms(p project, c *complaints) {
	settings, err := control.ReadSettings(func(name string) string { return map[string]string{"EVENT_BUS": "bus"}[name] })
	if err != nil {
		c.addf("%v", err)
	}
	s := p.modes["monitor"]
	mounted := filepath.Join("/opt", filepath.Base(settings.Policy))
	inLayer := filepath.Join(fmt.Sprint(s.get("Policy", "ContentUri")), filepath.Base(settings.Policy))
	if _, err := os.Stat(inLayer); err != nil || settings.Policy != mounted {
		c.addf("the functions read %s; the layer has no such file from %s (%v)", settings.Policy, inLayer, err)
	}
	for _, name := range s.of("AWS::Serverless::Function") {
		for property, want := range map[string]any{
			"Runtime": "provided.al2023", "Handler": "bootstrap", "Architectures": []any{"arm64"}, "CodeUri": ".",
			"Layers": []any{"<Policy>"},
		} {
			c.equal(name+" "+property, s.get(name, property), want)
		}
		c.equal(name+" BuildMethod", at(s.resources[name].attributes, "Metadata", "BuildMethod"), "makefile")
	}
}

func environments(p project, c *complaints) {
	byLambda := []string{"AWS_ACCESS_KEY_ID", "AWS_LAMBDA_LOG_LEVEL", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
	leftOut := []string{"AWS_ENDPOINT_URL", "POLICY_FILE"} // for private endpoints, and where there is no layer
	s := p.modes["enforce"]
	for _, k := range controls() {
		for _, name := range k.functions(s) {
			set, _ := s.get(name, "Environment", "Variables").(map[string]any)
			read := map[string]bool{}
			err := k.start(func(variable string) string {
				read[variable] = true
				switch v, ok := set[variable]; {
				case ok:
					return fmt.Sprint(v)
				case variable == "POLICY_FILE":
					return "policy/policy.yaml"
				case slices.Contains(byLambda, variable):
					return "set-by-lambda"
				default:
					return ""
				}
			})
			if err != nil {
				c.addf("%s does not start: %v", name, err)
			}
			for _, variable := range slices.Concat(byLambda, leftOut) {
				delete(read, variable)
			}
			c.equal("variables of "+name, slices.Sorted(maps.Keys(set)), slices.Sorted(maps.Keys(read)))
		}
	}
}

// concurrency is by the kind of function, which tools/stack.sh tells by its name as well.
func concurrency(p project, c *complaints) {
	none := p.modes["monitor"]
	some := p.deploy(c, map[string]string{"EventsReservedConcurrency": "5", "SweepReservedConcurrency": "1"})
	for _, name := range none.of("AWS::Serverless::Function") {
		want := "1"
		if strings.HasSuffix(name, "OnEvent") {
			want = "5"
		}
		c.equal("concurrency of "+name, some.get(name, "ReservedConcurrentExecutions"), want)
		c.equal("concurrency of "+name+" by default", none.get(name, "ReservedConcurrentExecutions"), nil)
	}
}

// right is one action on one resource.
type right struct {
	effect, action, resource string
	condition                any
}

func rights(s stack, role string, c *complaints) []right {
	var all []right
	policies, _ := s.get(role, "Policies").([]any)
	for _, policy := range policies {
		statements, _ := at(policy, "PolicyDocument", "Statement").([]any)
		for _, statement := range statements {
			for key := range statement.(map[string]any) {
				if !slices.Contains([]string{"Sid", "Effect", "Action", "Resource", "Condition"}, key) {
					c.addf("%s has a statement with %s, which this test cannot judge", role, key)
				}
			}
			for _, action := range strs(at(statement, "Action")) {
				for _, resource := range strs(at(statement, "Resource")) {
					all = append(all, right{fmt.Sprint(at(statement, "Effect")), action, resource, at(statement, "Condition")})
				}
			}
		}
	}
	return all
}

func methods(service string, api reflect.Type) []string {
	var actions []string
	for i := range api.NumMethod() {
		actions = append(actions, service+":"+api.Method(i).Name)
	}
	return actions
}

func callsAreRights(p project, c *complaints) {
	for mode, s := range p.modes {
		for _, k := range controls() {
			want := methods(k.service, k.reader)
			if mode == "enforce" {
				want = append(want, methods(k.service, k.writer)...)
			}
			var got []string
			for _, r := range rights(s, k.prefix+"Role", c) {
				if r.effect == "Allow" && strings.HasPrefix(r.action, k.service+":") {
					got = append(got, r.action)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			c.equal(fmt.Sprintf("what %sRole may call in mode %s", k.prefix, mode), got, want)
			for _, name := range k.functions(s) {
				c.equal("role of "+name, s.get(name, "Role"), "<"+k.prefix+"Role.Arn>")
			}
		}
	}
}

// noOtherRights knows every right there is and the resources that it is needed on. "*" stands only where AWS knows no
// resource for the action: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodeartifact.html
func noOtherRights(p project, c *complaints) {
	const domains, repositories = "arn:aws:codeartifact:eu-west-1:111122223333:domain/*", "arn:aws:codeartifact:eu-west-1:*:repository/*"
	ofFunctions := func(k deployed) map[string]string {
		return map[string]string{
			"logs:CreateLogStream":                        "<" + k.prefix + "Log.Arn>",
			"logs:PutLogEvents":                           "<" + k.prefix + "Log.Arn>",
			"events:PutEvents":                            "<Bus.Arn>",
			"sqs:SendMessage":                             "<FailureQueue.Arn>",
			"codeartifact:ListDomains":                    "*",
			"codeartifact:ListRepositories":               "*",
			"codeartifact:ListRepositoriesInDomain":       domains,
			"codeartifact:DescribeRepository":             repositories,
			"codeartifact:DisassociateExternalConnection": repositories,
		}
	}
	ofSchedule := func(k deployed) map[string]string {
		return map[string]string{"lambda:InvokeFunction": "<" + k.prefix + "Sweep.Arn>", "sqs:SendMessage": "<FailureQueue.Arn>"}
	}
	known := map[string]map[string]string{}
	for _, k := range controls() {
		known[k.prefix+"Role"], known[k.prefix+"ScheduleRole"] = ofFunctions(k), ofSchedule(k)
	}

	for mode, s := range p.modes {
		for name, r := range s.resources {
			if r.kind != "AWS::IAM::Role" && strings.HasPrefix(r.kind, "AWS::IAM::") || r.kind == "AWS::Serverless::Function" && at(r.properties, "Policies") != nil {
				c.addf("%s gives rights beside the roles", name)
			}
		}
		for _, role := range s.of("AWS::IAM::Role") {
			c.equal("managed policies of "+role, s.get(role, "ManagedPolicyArns"), nil)
			for _, r := range rights(s, role, c) {
				if r.effect == "Allow" && r.resource != known[role][r.action] {
					c.addf("in mode %s, %s may %s on %s; it needs that on %q", mode, role, r.action, r.resource, known[role][r.action])
				}
			}
		}
	}
	bounded := p.deploy(c, map[string]string{"PermissionsBoundaryArn": "arn:boundary"})
	for _, role := range bounded.of("AWS::IAM::Role") {
		c.equal("boundary of "+role, bounded.get(role, "PermissionsBoundary"), "arn:boundary")
	}
}

func keepTagsDeny(p project, c *complaints) {
	kept := map[string]any{"StringEquals": map[string]any{"aws:ResourceTag/portcullis:keep": "true"}}
	for mode, s := range p.modes {
		for _, k := range controls() {
			for _, action := range methods(k.service, k.writer) {
				denied := slices.ContainsFunc(rights(s, k.prefix+"Role", c), func(r right) bool {
					return r.effect == "Deny" && r.action == action && strings.HasSuffix(r.resource, ":*:repository/*") && cmp.Equal(r.condition, kept)
				})
				if !denied {
					c.addf("in mode %s, %s is not denied on what is tagged portcullis:keep", mode, action)
				}
			}
		}
	}
}

func modesAreSafe(p project, c *complaints) {
	for _, k := range controls() {
		parameter := p.template.section("Parameters")[k.mode]
		c.equal(k.mode+" AllowedValues", strs(at(parameter, "AllowedValues")), []string{string(control.Off), string(control.Monitor), string(control.Enforce)})
		c.equal(k.mode+" Default", at(parameter, "Default"), string(control.Monitor))
		for mode, s := range p.modes {
			for _, name := range k.functions(s) {
				c.equal("mode of "+name, s.get(name, "Environment", "Variables", "ENFORCEMENT_MODE"), mode)
			}
		}
	}
}

// wakers are the rules on the account's own bus, and the schedules.
func wakers(s stack) []string {
	rules := slices.DeleteFunc(s.of("AWS::Events::Rule"), func(name string) bool { return s.get(name, "EventBusName") != nil })
	return append(rules, s.of("AWS::Scheduler::Schedule")...)
}

func sleepWhenOff(p project, c *complaints) {
	for mode, s := range p.modes {
		state, alarms := "ENABLED", 1
		if mode == "off" {
			state, alarms = "DISABLED", 0
		}
		for _, name := range wakers(s) {
			c.equal(fmt.Sprintf("state of %s in mode %s", name, mode), s.get(name, "State"), state)
		}
		for _, k := range controls() {
			missed := slices.DeleteFunc(s.of("AWS::CloudWatch::Alarm"), func(name string) bool {
				return !strings.HasPrefix(name, k.prefix) || s.get(name, "MetricName") != "Complete"
			})
			c.equal(fmt.Sprintf("alarms about missed sweeps of %s in mode %s", k.name, mode), len(missed), alarms)
		}
	}
}

// associated is a CloudTrail record as EventBridge delivers it, with one field changed.
func associated(change string, to any) []byte {
	detail := map[string]any{
		"eventSource": "codeartifact.amazonaws.com", "eventName": "AssociateExternalConnection", "awsRegion": "eu-west-1",
		"userIdentity":      map[string]any{"accountId": "111122223333"},
		"requestParameters": map[string]any{"domain": "corp", "domainOwner": "111122223333", "repository": "npm", "externalConnection": "public:npmjs"},
	}
	event := map[string]any{
		"version": "0", "id": "e1", "source": "aws.codeartifact", "detail-type": "AWS API Call via CloudTrail",
		"account": "111122223333", "region": "eu-west-1", "resources": []any{}, "detail": detail,
	}
	if field, inDetail := strings.CutPrefix(change, "detail."); inDetail {
		detail[field] = to
	} else {
		event[change] = to
	}
	text, err := json.Marshal(event)
	if err != nil {
		panic(err) // strings and maps of strings always marshal
	}
	return text
}

// rulesMatchEvents compares the rule with trigger.Parse: what one takes for an event to look at, the other must let
// through, and what one ignores, the other must keep away.
func rulesMatchEvents(p project, c *complaints) {
	events := map[string][]byte{
		"the call":                        associated("version", "0"),
		"a call that failed":              associated("detail.errorCode", "AccessDeniedException"),
		"a replayed call":                 associated("replay-name", "again"),
		"a call that takes it off":        associated("detail.eventName", "DisassociateExternalConnection"),
		"a call that reads":               associated("detail.eventName", "DescribeRepository"),
		"a package manager's request":     associated("detail.eventName", "ReadFromRepository"),
		"a call of another service":       associated("detail.eventSource", "proton.amazonaws.com"),
		"an event of another source":      associated("source", "aws.proton"),
		"an event of another detail-type": associated("detail-type", "CodeArtifact Package Version State Change"),
	}
	fixtures, err := filepath.Glob("shared/trigger/testdata/*.json")
	if err != nil || len(fixtures) == 0 {
		c.addf("there are no fixtures in shared/trigger/testdata (%v)", err)
	}
	for _, name := range fixtures {
		if events[name], err = os.ReadFile(name); err != nil {
			c.addf("%v", err)
		}
	}

	s := p.modes["monitor"]
	var rules []pattern.Pattern
	for _, name := range wakers(s) {
		if s.resources[name].kind != "AWS::Events::Rule" {
			continue
		}
		text, err := json.Marshal(s.get(name, "EventPattern"))
		if err != nil {
			c.addf("%v", err)
		}
		rule, err := pattern.Compile(text)
		if err != nil {
			c.addf("%s: %v", name, err)
		}
		rules = append(rules, rule)
	}
	for name, event := range events {
		why, unreadable := trigger.Parse(event)
		if unreadable != nil {
			continue // what reaches the function all the same goes to the failure queue
		}
		matched := slices.ContainsFunc(rules, func(rule pattern.Pattern) bool {
			ok, err := rule.Match(event)
			return ok && err == nil
		})
		if looked := why.Cause == trigger.Event; matched != looked {
			c.addf("%s: the rules match it: %v; the code looks at what it names: %v", name, matched, looked)
		}
	}
}

var rateForm = regexp.MustCompile(`^rate\(([1-9][0-9]*) (minute|hour|day)(s?)\)$`)

// rate reads a rate of the scheduler, which wants "1 hour" and "2 hours":
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
func rate(expression any) (time.Duration, error) {
	m := rateForm.FindStringSubmatch(fmt.Sprint(expression))
	if m == nil || (m[1] == "1") != (m[3] == "") {
		return 0, fmt.Errorf("%v is no rate", expression)
	}
	n, err := strconv.Atoi(m[1])
	return time.Duration(n) * map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[m[2]], err
}

func schedulesAreValid(p project, c *complaints) {
	s := p.modes["monitor"]
	for _, k := range controls() {
		name := k.prefix + "Schedule"
		zone, _ := s.get(name, "ScheduleExpressionTimezone").(string)
		if _, err := time.LoadLocation(zone); err != nil || zone == "" {
			c.addf("%s has time zone %q (%v)", name, zone, err)
		}
		if _, err := rate(s.get(name, "ScheduleExpression")); err != nil {
			c.addf("%s: %v", name, err)
		}
		input, _ := s.get(name, "Target", "Input").(string)
		if why, err := trigger.Parse([]byte(input)); err != nil || why.Cause != trigger.Sweep {
			c.addf("%s sends %s, which the code takes for cause %q (%v)", name, input, why.Cause, err)
		}
		c.equal(name+" FlexibleTimeWindow", s.get(name, "FlexibleTimeWindow"), map[string]any{"Mode": "OFF"})
		c.equal(name+" Name, which would stand in the way of a second stack", s.get(name, "Name"), nil)
		c.equal(name+" Target", s.get(name, "Target", "Arn"), "<"+k.prefix+"Sweep.Arn>")
		c.equal(name+" RoleArn", s.get(name, "Target", "RoleArn"), "<"+k.prefix+"ScheduleRole.Arn>")
	}
}

// periodsAgree also keeps to what CloudWatch can look back on: a day, or a week for periods of an hour and more.
func periodsAgree(p project, c *complaints) {
	for _, every := range strs(at(p.template.section("Parameters")["SweepEvery"], "AllowedValues")) {
		s := p.deploy(c, map[string]string{"SweepEvery": every})
		for _, k := range controls() {
			period, err := rate(s.get(k.prefix+"Schedule", "ScheduleExpression"))
			if err != nil {
				c.addf("%s: %v", every, err)
			}
			for _, alarm := range []string{k.prefix + "Undetermined", k.prefix + "Incomplete"} {
				c.equal(alarm+" Period for "+every, s.get(alarm, "Period"), int(period.Seconds()))
				n, _ := s.get(alarm, "EvaluationPeriods").(int)
				if longest := map[bool]time.Duration{true: 7 * 24 * time.Hour, false: 24 * time.Hour}[period >= time.Hour]; period*time.Duration(n) > longest {
					c.addf("%s looks back %d times %v, which is more than %v", alarm, n, period, longest)
				}
			}
		}
	}
}

func failuresAreKept(p project, c *complaints) {
	s := p.modes["monitor"]
	const queue = "<FailureQueue.Arn>"
	for _, k := range controls() {
		for _, name := range k.functions(s) {
			c.equal(name+"Failures FunctionName", s.get(name+"Failures", "FunctionName"), "<"+name+">")
			c.equal("failure destination of "+name, s.get(name+"Failures", "DestinationConfig", "OnFailure", "Destination"), queue)
		}
		c.equal("dead-letter queue of the schedule", s.get(k.prefix+"Schedule", "Target", "DeadLetterConfig", "Arn"), queue)
	}
	var rules []string
	for _, name := range s.of("AWS::Events::Rule") {
		rules = append(rules, "<"+name+".Arn>")
		targets, _ := s.get(name, "Targets").([]any)
		for _, target := range targets {
			c.equal("dead-letter queue of "+name, at(target, "DeadLetterConfig", "Arn"), queue)
			function := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(at(target, "Arn")), "<"), ".Arn>")
			if s.resources[function].kind == "AWS::Serverless::Function" && !permitted(s, name, function) {
				c.addf("%s may not invoke %s", name, function)
			}
		}
	}
	statement := at(s.get("FailureQueuePolicy", "PolicyDocument"), "Statement", 0)
	c.equal("what the queue lets in", at(statement, "Principal", "Service"), "events.amazonaws.com")
	sources := slices.Sorted(slices.Values(strs(at(statement, "Condition", "ArnEquals", "aws:SourceArn"))))
	c.equal("rules that the queue lets in", sources, rules)
	c.equal("encryption of the queue", s.get("FailureQueue", "SqsManagedSseEnabled"), true)
	c.equal("seconds that the queue keeps", s.get("FailureQueue", "MessageRetentionPeriod"), 14*24*60*60)
}

func permitted(s stack, rule, function string) bool {
	return slices.ContainsFunc(s.of("AWS::Lambda::Permission"), func(name string) bool {
		return s.get(name, "FunctionName") == "<"+function+">" && s.get(name, "SourceArn") == "<"+rule+".Arn>" &&
			s.get(name, "Principal") == "events.amazonaws.com" && s.get(name, "Action") == "lambda:InvokeFunction"
	})
}

func sweepsAreNotRepeated(p project, c *complaints) {
	s := p.modes["monitor"]
	for _, k := range controls() {
		c.equal("retries of events", s.get(k.prefix+"OnEventFailures", "MaximumRetryAttempts"), 2)
		c.equal("retries of sweeps", s.get(k.prefix+"SweepFailures", "MaximumRetryAttempts"), 0)
	}
}

func logsAreKept(p project, c *complaints) {
	s := p.deploy(c, map[string]string{"LogRetentionDays": "30"})
	for _, name := range s.of("AWS::Logs::LogGroup") {
		c.equal("days that "+name+" keeps", s.get(name, "RetentionInDays"), "30")
	}
	for _, k := range controls() {
		group := k.prefix + "Log"
		c.equal(group+" DeletionPolicy", s.resources[group].attributes["DeletionPolicy"], "Retain")
		for _, name := range k.functions(s) {
			c.equal("log of "+name, s.get(name, "LoggingConfig"), map[string]any{
				"LogGroup": "<" + group + ">", "LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO",
			})
		}
	}
}

func alarmsExist(p project, c *complaints) {
	s := p.modes["monitor"]
	got := map[string]string{}
	for _, name := range s.of("AWS::CloudWatch::Alarm") {
		get := func(property string) any { return s.get(name, property) }
		got[name] = fmt.Sprint(get("Namespace"), " ", get("MetricName"), " of ", s.get(name, "Dimensions", 0, "Value"), ": ",
			get("Statistic"), " ", get("ComparisonOperator"), " ", get("Threshold"), ", ", get("EvaluationPeriods"), " times ", get("Period"), " s; missing data ", get("TreatMissingData"))
		if get("AlarmDescription") == nil {
			c.addf("%s does not say what to do", name)
		}
	}
	want := map[string]string{
		"FailureQueueAlarm": "AWS/SQS ApproximateNumberOfMessagesVisible of <FailureQueue.QueueName>: Maximum GreaterThanThreshold 0, 1 times 300 s; missing data notBreaching",
	}
	for _, k := range controls() {
		for suffix, alarm := range map[string]string{
			"OnEventErrors": "AWS/Lambda Errors of <" + k.prefix + "OnEvent>: Sum GreaterThanThreshold 0, 1 times 300 s; missing data notBreaching",
			"SweepErrors":   "AWS/Lambda Errors of <" + k.prefix + "Sweep>: Sum GreaterThanThreshold 0, 1 times 300 s; missing data notBreaching",
			"LimitExceeded": "Portcullis LimitExceeded of " + k.name + ": Sum GreaterThanThreshold 0, 1 times 300 s; missing data notBreaching",
			"Applied":       "Portcullis Applied of " + k.name + ": Sum GreaterThanThreshold 20, 1 times 3600 s; missing data notBreaching",
			"Undelivered":   "Portcullis Undelivered of " + k.name + ": Sum GreaterThanThreshold 0, 1 times 300 s; missing data notBreaching",
			"Undetermined":  "Portcullis Undetermined of " + k.name + ": Minimum GreaterThanThreshold 0, 3 times 3600 s; missing data ignore",
			"Incomplete":    "Portcullis Complete of " + k.name + ": Maximum LessThanThreshold 1, 2 times 3600 s; missing data breaching",
		} {
			want[k.prefix+suffix] = alarm
		}
	}
	c.equal("alarms", got, want)
}

func alarmsRing(p project, c *complaints) {
	for _, ways := range []struct {
		parameters map[string]string
		ring       []string
	}{
		{nil, nil},
		{map[string]string{"AlarmTopicArn": "arn:topic"}, []string{"arn:topic"}},
		{map[string]string{"AlarmEmail": "team@example.com"}, []string{"<AlarmTopic>"}},
	} {
		s := p.deploy(c, ways.parameters)
		for _, name := range s.of("AWS::CloudWatch::Alarm") {
			c.equal(fmt.Sprintf("what %s rings with %v", name, ways.parameters), strs(s.get(name, "AlarmActions")), ways.ring)
		}
		if email := ways.parameters["AlarmEmail"]; email != "" {
			c.equal("subscription", s.get("AlarmTopic", "Subscription"), []any{map[string]any{"Protocol": "email", "Endpoint": email}})
		}
	}
}

// metric is a metric as CloudWatch knows it: namespace, name, dimension, value.
type metric [4]string

// written returns the metrics of a control's sweeps, as the report of one says them itself.
func written(k deployed) (map[metric]bool, error) {
	var out bytes.Buffer
	reporter := report.Reporter{Out: &out, Log: report.NewLogger(io.Discard, ""), API: deafBus{}}
	run := reporter.Begin(context.Background(), k.name, func() time.Time { return time.Time{} })
	if _, err := run.Finish(context.Background(), control.NewSummary(k.name, control.Scope{}, control.Monitor, ""), true); err != nil {
		return nil, err
	}
	var record struct {
		Control string
		AWS     struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
	}
	if err := json.Unmarshal(out.Bytes(), &record); err != nil {
		return nil, err
	}
	names := map[metric]bool{}
	for _, set := range record.AWS.CloudWatchMetrics {
		for _, m := range set.Metrics {
			for _, dimensions := range set.Dimensions {
				names[metric{set.Namespace, m.Name, strings.Join(dimensions, ","), record.Control}] = true
			}
		}
	}
	return names, nil
}

// deafBus takes every event.
type deafBus struct{}

func (deafBus) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	out := &eventbridge.PutEventsOutput{}
	for range in.Entries {
		out.Entries = append(out.Entries, types.PutEventsResultEntry{EventId: new("taken")})
	}
	return out, nil
}

func metricsExist(p project, c *complaints) {
	s := p.modes["monitor"]
	known := map[metric]bool{{"AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "<FailureQueue.QueueName>"}: true}
	for _, k := range controls() {
		names, err := written(k)
		if err != nil {
			c.addf("%v", err)
		}
		maps.Copy(known, names)
		for _, name := range k.functions(s) {
			known[metric{"AWS/Lambda", "Errors", "FunctionName", "<" + name + ">"}] = true
		}
	}

	for _, name := range s.of("AWS::CloudWatch::Alarm") {
		dimensions, _ := s.get(name, "Dimensions").([]any)
		m := metric{fmt.Sprint(s.get(name, "Namespace")), fmt.Sprint(s.get(name, "MetricName")), fmt.Sprint(at(dimensions, 0, "Name")), fmt.Sprint(at(dimensions, 0, "Value"))}
		if !known[m] || len(dimensions) != 1 {
			c.addf("%s looks at %v, which nobody writes", name, m)
		}
	}
	var dashboard struct {
		Widgets []struct {
			Type       string
			Properties struct{ Metrics [][]any }
		}
	}
	body, _ := s.get("Dashboard", "DashboardBody").(string)
	if err := json.Unmarshal([]byte(body), &dashboard); err != nil {
		c.addf("the dashboard is no JSON: %v", err)
	}
	shown := map[metric]bool{}
	for _, widget := range dashboard.Widgets {
		for _, line := range widget.Properties.Metrics {
			var m metric
			for i := range m {
				m[i] = fmt.Sprint(at(line, i))
			}
			shown[m] = true
			if !known[m] {
				c.addf("the dashboard shows %v, which nobody writes", m)
			}
		}
	}
	for _, k := range controls() {
		for _, name := range []string{"Violations", "Applied", "Withheld", "Failed", "Complete", "Undetermined"} {
			if !shown[metric{report.Namespace, name, "Control", k.name}] {
				c.addf("the dashboard does not show %s of %s", name, k.name)
			}
		}
	}
}

func eventsAreKept(p project, c *complaints) {
	s := p.modes["monitor"]
	c.equal("what is archived", s.get("Archive", "SourceArn"), "<Bus.Arn>")
	c.equal("bus of the rule", s.get("EventsToLog", "EventBusName"), "<Bus>")
	c.equal("what is logged", s.get("EventsToLog", "EventPattern"), map[string]any{"source": []any{report.Source}})
	group := "arn:aws:logs:eu-west-1:111122223333:log-group:<EventsLog>"
	c.equal("where it is logged", s.get("EventsToLog", "Targets", 0, "Arn"), group)
	var policy map[string]any
	text, _ := s.get("EventsMayLog", "PolicyDocument").(string)
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		c.addf("the policy of the log is no JSON: %v", err)
	}
	c.equal("what may be logged to", at(policy, "Statement", 0, "Resource"), group+":*")
}

func parametersAreDescribed(p project, c *complaints) {
	for name, parameter := range p.template.section("Parameters") {
		if at(parameter, "Description") == nil || at(parameter, "Default") == nil {
			c.addf("%s has no description or no default", name)
		}
	}
}

// samIsCareful reads as much TOML as samconfig.toml has: tables and plain keys.
func samIsCareful(p project, c *complaints) {
	settings, table := map[string]string{}, ""
	for line := range strings.Lines(p.texts["samconfig.toml"]) {
		key, v, isKey := strings.Cut(strings.TrimSpace(line), " = ")
		switch {
		case strings.HasPrefix(line, "["):
			table = strings.Trim(strings.TrimSpace(line), "[]") + "."
		case isKey && !strings.HasPrefix(line, "#"):
			settings[table+key] = v
		}
	}
	for key, want := range map[string]string{
		"dev.build.parameters.cached":              "false",
		"prod.build.parameters.cached":             "false",
		"prod.deploy.parameters.confirm_changeset": "true",
		"dev.deploy.parameters.stack_name":         `"portcullis-dev"`, // the STACK of Makefile
		"prod.deploy.parameters.stack_name":        `"portcullis-prod"`,
	} {
		c.equal(key+" in samconfig.toml", settings[key], want)
	}
}
