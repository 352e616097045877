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

	"portcullis/internal/cloudformation"
	"portcullis/shared/control"
	"portcullis/shared/externalconn"
	"portcullis/shared/localaws/pattern"
	"portcullis/shared/packagegroup"
	"portcullis/shared/packageorigin"
	"portcullis/shared/protonconn"
	"portcullis/shared/report"
	"portcullis/shared/round"
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

	// looks tells whether the code looks at what an event names. It is nil where
	// the control only sweeps.
	looks func(event []byte) (bool, error)
	queue bool // events wait in a queue first

	told bool // of a violation that nobody acts on an alarm tells, and does not leave it to who reads the findings

	ends bool // its service may be gone, which a sweep then says instead of Complete and Undetermined
}

func controls() []deployed {
	return []deployed{{
		folder: "external-connections", prefix: "ExternalConnections", name: externalconn.Control, mode: "ExternalConnectionsMode",
		service: "codeartifact", reader: reflect.TypeFor[externalconn.Reader](), writer: reflect.TypeFor[externalconn.Writer](),
		start: func(getenv func(string) string) error {
			_, err := externalconn.New(getenv, io.Discard)
			return err
		},
		looks: func(event []byte) (bool, error) {
			why, err := trigger.Parse(event)
			return why.Cause == trigger.Event, err
		},
		told: true,
	}, {
		folder: "package-groups", prefix: "PackageGroups", name: packagegroup.Name, mode: "PackageGroupsMode",
		service: "codeartifact", reader: reflect.TypeFor[packagegroup.Reader](), writer: reflect.TypeFor[packagegroup.Writer](),
		start: func(getenv func(string) string) error {
			_, err := packagegroup.New(getenv, io.Discard)
			return err
		},
	}, {
		folder: "package-origins", prefix: "PackageOrigins", name: packageorigin.Control, mode: "PackageOriginsMode",
		service: "codeartifact", reader: reflect.TypeFor[packageorigin.Reader](), writer: reflect.TypeFor[any](),
		start: func(getenv func(string) string) error {
			_, err := packageorigin.New(getenv, io.Discard)
			return err
		},
		looks: func(event []byte) (bool, error) {
			batch, err := json.Marshal(map[string]any{"Records": []any{map[string]any{"messageId": "m1", "eventSource": "aws:sqs", "body": string(event)}}})
			if err != nil {
				return false, err
			}
			_, messages, err := trigger.ParseGroupChanges(batch)
			if err != nil {
				return false, err
			}
			return messages[0].Trigger.Cause == trigger.Event, messages[0].Err
		},
		queue: true,
		told:  true,
	}, {
		folder: "proton-connections", prefix: "ProtonConnections", name: protonconn.Control, mode: "ProtonConnectionsMode",
		service: "proton", reader: reflect.TypeFor[protonconn.Reader](), writer: reflect.TypeFor[protonconn.Writer](),
		start: func(getenv func(string) string) error {
			_, err := protonconn.New(getenv, io.Discard)
			return err
		},
		looks: func(event []byte) (bool, error) {
			why, err := trigger.ParseConnectionChange(event)
			return why.Cause == trigger.Event, err
		},
		told: true,
		ends: true,
	}}
}

// in returns the mode of the control in a stack.
func (k deployed) in(s cloudformation.Stack) string { return fmt.Sprint(s.Parameters[k.mode]) }

// functions returns the functions of the control in a stack.
func (k deployed) functions(s cloudformation.Stack) []string {
	return slices.DeleteFunc(s.Of("AWS::Serverless::Function"), func(name string) bool { return !strings.HasPrefix(name, k.prefix) })
}

// asynchronous tells whether what a function is to do waits in Lambda's own queue, and not in one of ours.
func (k deployed) asynchronous(function string) bool {
	return !k.queue || !strings.HasSuffix(function, "OnEvent")
}

func (k deployed) writes() bool { return k.writer.NumMethod() > 0 }

// modes returns the modes that the control has. One that never writes has nothing to enforce.
func (k deployed) modes() []string {
	if !k.writes() {
		return []string{string(control.Off), string(control.Monitor)}
	}
	return []string{string(control.Off), string(control.Monitor), string(control.Enforce)}
}

// project is what is checked.
type project struct {
	texts    map[string]string // by file name
	folders  []string          // in functions/
	template cloudformation.Template
	usual    cloudformation.Stack   // what the template comes to if nothing is said
	stacks   []cloudformation.Stack // the same for every combination of modes
	hubs     []cloudformation.Stack // the same with members: an organization's, then listed ones; each with nothing, one control and all enforced

	member  cloudformation.Template
	members []cloudformation.Stack // what member.yaml comes to with nothing, one control and all enforced
}

func readProject(texts map[string]string, folders []string) (project, error) {
	p := project{texts: texts, folders: folders}
	var err error
	if p.template, err = cloudformation.Read(texts["template.yaml"]); err != nil {
		return p, err
	}
	if p.usual, err = p.template.Deploy(nil); err != nil {
		return p, err
	}
	combinations := []map[string]string{{}}
	for _, k := range controls() {
		var longer []map[string]string
		for _, parameters := range combinations {
			for _, mode := range k.modes() {
				extended := maps.Clone(parameters)
				extended[k.mode] = mode
				longer = append(longer, extended)
			}
		}
		combinations = longer
	}
	for _, parameters := range combinations {
		s, err := p.template.Deploy(parameters)
		if err != nil {
			return p, err
		}
		p.stacks = append(p.stacks, s)
	}
	for _, parameters := range []map[string]string{organization, listed} {
		for _, enforced := range enforcements() {
			s, err := p.template.Deploy(with(parameters, enforced))
			if err != nil {
				return p, err
			}
			p.hubs = append(p.hubs, s)
		}
	}
	if p.member, err = cloudformation.Read(texts["member.yaml"]); err != nil {
		return p, err
	}
	for _, enforced := range enforcements() {
		s, err := p.member.Deploy(with(inMember, enforced))
		if err != nil {
			return p, err
		}
		p.members = append(p.members, s)
	}
	return p, nil
}

// The accounts of these tests: AWS::AccountId is the hub's unless something else is said.
const (
	hubAccount    = "111122223333"
	memberAccount = "444455556666"
	otherAccount  = "777788889999" // belongs to nobody
)

// Parameters that make members: of the hub in both ways, and of a member. With notices a topic is told.
var (
	organization = map[string]string{"OrganizationId": "o-exampleorg1", "ExternalId": "between-us"}
	listed       = map[string]string{"MemberAccounts": memberAccount + ",222233334444", "ExternalId": "between-us"}
	notices      = map[string]string{"NoticesTopicArn": "arn:aws:sns:eu-west-1:111122223333:news"}
	inMember     = map[string]string{"AWS::AccountId": memberAccount, "HubAccountId": hubAccount, "HubStackName": "portcullis", "ExternalId": "between-us"}
)

// enforcements returns parameters with which nothing, one control after the other, and all are enforced.
func enforcements() []map[string]string {
	all := map[string]string{}
	list := []map[string]string{{}}
	for _, k := range controls() {
		if k.writes() {
			list = append(list, map[string]string{k.mode: "enforce"})
			all[k.mode] = "enforce"
		}
	}
	return append(list, all)
}

func with(a, b map[string]string) map[string]string {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

// deploy is for checks of other parameters than the mode.
func (p project) deploy(c *complaints, parameters map[string]string) cloudformation.Stack {
	s, err := p.template.Deploy(parameters)
	if err != nil {
		c.addf("%v", err)
	}
	return s
}

// complaints are what a check finds wrong.
type complaints []string

func (c *complaints) addf(format string, args ...any) {
	if complaint := fmt.Sprintf(format, args...); !slices.Contains(*c, complaint) {
		*c = append(*c, complaint)
	}
}

// equal complains where a value is not the one that is wanted.
func (c *complaints) equal(what string, got, want any) {
	if diff := cmp.Diff(want, got); diff != "" {
		c.addf("%s (-want +got):\n%s", what, diff)
	}
}

// keys complains where an object has other keys than those that are wanted.
func (c *complaints) keys(what string, object map[string]any, want ...string) {
	c.equal("keys of "+what, slices.Sorted(maps.Keys(object)), slices.Sorted(slices.Values(want)))
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
		{"a function has more time than its code keeps for writing things down", timeouts},
		{"a role may call what its control's code calls, and may write only in enforce mode", callsAreRights},
		{"a role has every other right that it needs, none beside, and each on no more than it needs", rightsAreExact},
		{"outside enforce mode no role may do more than read and report, and package-origins never", rolesOnlyRead},
		{"what is tagged portcullis:keep may not be taken away in any mode", keepTagsHold},
		{"the root of the package groups may not be deleted in any mode, and in enforce mode every other may that is marked", rootHolds},
		{"no tag keeps a connection, and this account may delete only what it asked for itself", noTagKeepsConnections},
		{"no tag but our mark may be set or taken off, and that on package groups only", onlyTheMark},
		{"SECURITY.md says what the roles may write", securityIsTold},
		{"a function may report, and only the planner may ask for sweeps", onlyThePlannerAsks},
		{"in a member a control may assume what reads, and what writes only while it enforces; nobody else may", onlyTheirRoles},
		{"nobody but members may send to the bus, by rules, and nothing but AWS's events", onlyMembersSend},
		{"members are of an organization or listed, and have an external id", membersAreSaid},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log", onlyTheseMay},
		{"a mode is off, monitor or, where there is something to write, enforce, and monitor if nothing is said", modesAreSafe},
		{"what wakes a control sleeps in off mode, and only then", sleepWhenOff},
		{"a rule matches the events that its control reads, and no others", rulesMatchEvents},
		{"a request for a sweep wakes the function of its control, and only if this account asks", requestsWake},
		{"a schedule is valid and asks for a round", schedulesAreValid},
		{"schedule and alarms agree on the period", periodsAgree},
		{"what does not happen ends in the failure queue", failuresAreKept},
		{"what failed is tried again as often as the template says, and a failed sweep is not", retries},
		{"a queue holds events back, gathers them, and gives up into the failure queue", queuesWait},
		{"logs are JSON, forget in time, and outlive the stack", logsAreKept},
		{"every alarm that is needed exists", alarmsExist},
		{"alarms ring where the parameters say", alarmsRing},
		{"alarms and dashboard name metrics that are written", metricsExist},
		{"what is reported is logged and archived", eventsAreKept},
		{"a topic is told of violations that an event brought up and of what was done, and of nothing else", topicIsTold},
		{"every parameter says what it is for", parametersAreDescribed},
		{"every log can be found by an output", logsAreNamed},
		{"a member's roles may do what those of the hub may, and write only where the member enforces", membersRights},
		{"a member's roles trust the hub's functions only, by the names that these have, and with the external id", membersTrust},
		{"what a rule on the bus waits for is forwarded to it, from the hub and from a member", forwarded},
		{"sam never builds from its cache, begins with monitor, and asks before it deploys", samIsCareful},
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
	for _, name := range []string{"template.yaml", "member.yaml", "samconfig.toml", "Makefile", "SECURITY.md"} {
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
		c.equal("functions built from functions/"+k.folder, built[k.folder], k.functions(p.usual))
	}
	known = append(known, plannerFolder)
	c.equal("functions built from functions/"+plannerFolder, built[plannerFolder], []string{"Planner"})
	slices.Sort(known)
	c.equal("folders in functions/", p.folders, known)
	c.equal("folders that Makefile builds functions from", slices.Sorted(maps.Keys(built)), known)
}

func goPrograms(p project, c *complaints) {
	settings, err := control.ReadSettings(func(name string) string { return map[string]string{"EVENT_BUS": "bus"}[name] })
	if err != nil {
		c.addf("%v", err)
	}
	s := p.usual
	mounted := filepath.Join("/opt", filepath.Base(settings.Policy))
	inLayer := filepath.Join(fmt.Sprint(s.Get("Policy", "ContentUri")), filepath.Base(settings.Policy))
	if _, err := os.Stat(inLayer); err != nil || settings.Policy != mounted {
		c.addf("the functions read %s; the layer has no such file from %s (%v)", settings.Policy, inLayer, err)
	}
	c.equal("what becomes of the layer of an older policy", s.Get("Policy", "RetentionPolicy"), "Retain")
	for _, name := range s.Of("AWS::Serverless::Function") {
		for property, want := range map[string]any{
			"Runtime": "provided.al2023", "Handler": "bootstrap", "Architectures": []any{"arm64"}, "CodeUri": ".",
			"Layers": []any{"<Policy>"},
		} {
			c.equal(name+" "+property, s.Get(name, property), want)
		}
		c.equal(name+" BuildMethod", cloudformation.At(s.Resources[name].Attributes, "Metadata", "BuildMethod"), "makefile")
	}
}

func environments(p project, c *complaints) {
	byLambda := []string{"AWS_ACCESS_KEY_ID", "AWS_LAMBDA_LOG_LEVEL", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
	leftOut := []string{"AWS_ENDPOINT_URL", "POLICY_FILE"} // for private endpoints, and where there is no layer
	s := p.usual
	// The planner has its own beside those that all have, of which it needs some.
	own, _ := cloudformation.At(p.template.Section("Resources")["Planner"], "Properties", "Environment", "Variables").(map[string]any)
	c.equal("variables that only Planner has", slices.Sorted(maps.Keys(own)), []string{"CONTROLS", "EVENTS_LOG", "SWEEP_SECONDS"})
	c.equal("CONTROLS of Planner", s.Get("Planner", "Environment", "Variables", "CONTROLS"), "external-connections,package-groups,package-origins,proton-connections")
	c.equal("CONTROLS without one", p.deploy(c, map[string]string{"PackageOriginsMode": "off"}).Get("Planner", "Environment", "Variables", "CONTROLS"),
		"external-connections,package-groups,proton-connections")
	c.equal("EVENTS_LOG of Planner", s.Get("Planner", "Environment", "Variables", "EVENTS_LOG"), "<EventsLog>")
	for variable, want := range map[string]any{
		"ACCOUNT_ID": hubAccount, "EVENT_BUS": "<Bus>", "MEMBER_ROLES": "portcullis-eu-west-1", "EXTERNAL_ID": "between-us",
		"ORGANIZATION_ID": "", "MEMBER_ACCOUNTS": memberAccount + ",222233334444", "EXCLUDED_ACCOUNTS": "222233334444",
		"READS_PER_SECOND": "7", "WRITES_PER_SECOND": "3",
	} {
		hub := p.deploy(c, with(listed, map[string]string{"ExcludedAccounts": "222233334444", "ReadsPerSecond": "7", "WritesPerSecond": "3"}))
		for _, name := range hub.Of("AWS::Serverless::Function") {
			c.equal(variable+" of "+name, hub.Get(name, "Environment", "Variables", variable), want)
		}
	}
	environmentsFit(p, c)
	starts := map[string]func(func(string) string) error{"Planner": func(getenv func(string) string) error {
		_, err := round.New(getenv, io.Discard)
		return err
	}}
	for _, k := range controls() {
		for _, name := range k.functions(s) {
			starts[name] = k.start
		}
	}
	for name, start := range starts {
		set, _ := s.Get(name, "Environment", "Variables").(map[string]any)
		read := map[string]bool{}
		err := start(func(variable string) string {
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
		if name == "Planner" {
			delete(read, "ROLE_ARN") // it makes no call that comes back as an event
		}
		// These are for Go itself, where there is less than one processor and memory enough:
		// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
		c.equal("GOMAXPROCS and GOGC of "+name, []any{set["GOMAXPROCS"], set["GOGC"]}, []any{"1", "400"})
		if memory, _ := s.Get(name, "MemorySize").(int); memory >= 1769 {
			c.addf("%s has %d MB, a whole processor, and GOMAXPROCS", name, memory)
		}
		read["GOMAXPROCS"], read["GOGC"] = true, true
		c.equal("variables of "+name, slices.Sorted(maps.Keys(set)), slices.Sorted(maps.Keys(read)))
	}
}

// environmentsFit fills every parameter as far as it goes. A function takes 4 KB:
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
func environmentsFit(p project, c *complaints) {
	longest := map[string]string{"AWS::StackName": strings.Repeat("s", 22), "AWS::Region": "ap-southeast-2", "ExternalId": strings.Repeat("x", 128)}
	for _, name := range []string{"MemberAccounts", "ExcludedAccounts"} {
		length, _ := cloudformation.At(p.template.Section("Parameters")[name], "MaxLength").(int)
		longest[name] = strings.Repeat("1", length)
		if length%13 != 12 {
			c.addf("%s is cut off within an account, after %d characters", name, length)
		}
	}
	s := p.deploy(c, longest)
	for _, name := range s.Of("AWS::Serverless::Function") {
		size := 0
		variables, _ := s.Get(name, "Environment", "Variables").(map[string]any)
		for variable, v := range variables {
			size += len(variable) + len(fmt.Sprint(v)) + len("arn:aws:iam::111122223333:role/") // AWS fills in what stands in angle brackets
		}
		if size > 4096 {
			c.addf("the environment of %s can have %d bytes", name, size)
		}
	}
}

// concurrency is by the kind of function, which tools/stack.sh tells by its name as well.
func concurrency(p project, c *complaints) {
	none := p.usual
	some := p.deploy(c, map[string]string{"EventsReservedConcurrency": "5", "SweepReservedConcurrency": "1"})
	for _, name := range none.Of("AWS::Serverless::Function") {
		var want any
		switch {
		case strings.HasSuffix(name, "OnEvent"):
			want = "5"
		case strings.HasSuffix(name, "Sweep"):
			want = "1"
		}
		c.equal("concurrency of "+name, some.Get(name, "ReservedConcurrentExecutions"), want)
		c.equal("concurrency of "+name+" by default", none.Get(name, "ReservedConcurrentExecutions"), nil)
	}
}

// timeouts also keeps events from waiting long for one that hangs, and gives sweeps all that Lambda has.
func timeouts(p project, c *complaints) {
	for _, name := range p.usual.Of("AWS::Serverless::Function") {
		want := 900
		switch {
		case strings.HasSuffix(name, "OnEvent"):
			want = 60
		case name == "Planner":
			want = 300
		}
		c.equal("seconds that "+name+" may take", p.usual.Get(name, "Timeout"), want)
		if time.Duration(want)*time.Second <= 2*control.Margin {
			c.addf("of the %d s of %s, the code keeps %v", want, name, control.Margin)
		}
	}
}

func modesAreSafe(p project, c *complaints) {
	for _, k := range controls() {
		parameter := p.template.Section("Parameters")[k.mode]
		c.equal(k.mode+" AllowedValues", cloudformation.Strings(cloudformation.At(parameter, "AllowedValues")), k.modes())
		c.equal(k.mode+" Default", cloudformation.At(parameter, "Default"), string(control.Monitor))
		for _, s := range p.stacks {
			for _, name := range k.functions(s) {
				c.equal("mode of "+name, s.Get(name, "Environment", "Variables", "ENFORCEMENT_MODE"), k.in(s))
			}
		}
	}
}

// wakers are the rules of a control.
func wakers(k deployed, s cloudformation.Stack) []string {
	return slices.DeleteFunc(s.Of("AWS::Events::Rule"), func(name string) bool { return !strings.HasPrefix(name, k.prefix) })
}

// requested tells whether a rule is the one that wakes the sweep of a control.
func requested(rule string) bool { return strings.HasSuffix(rule, "SweepRequested") }

func sleepWhenOff(p project, c *complaints) {
	for _, s := range p.stacks {
		on := slices.ContainsFunc(controls(), func(k deployed) bool { return k.in(s) != "off" })
		c.equal(fmt.Sprintf("state of PlannerSchedule where something is on: %v", on), s.Get("PlannerSchedule", "State"), map[bool]string{true: "ENABLED", false: "DISABLED"}[on])
		for _, name := range []string{"RoundNotPlanned", "RoundNotLogged", "RoundUnfinished"} {
			c.equal(fmt.Sprintf("existence of %s where something is on: %v", name, on), s.Resources[name].Kind != "", on)
		}
		for _, k := range controls() {
			mode, state := k.in(s), "ENABLED"
			if mode == "off" {
				state = "DISABLED"
			}
			for _, name := range wakers(k, s) {
				c.equal(fmt.Sprintf("state of %s in mode %s", name, mode), s.Get(name, "State"), state)
			}
			for _, name := range s.Of("AWS::CloudWatch::Alarm") {
				if mode == "off" && strings.HasPrefix(name, k.prefix) && s.Get(name, "TreatMissingData") != "notBreaching" {
					c.addf("%s exists in off mode, when no data can end it", name)
				}
			}
		}
	}
}

// called is a CloudTrail record as EventBridge delivers it, with one field changed.
func called(service, name, change string, to any) []byte {
	return delivered(service, "AWS API Call via CloudTrail", map[string]any{
		"eventSource": service + ".amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
		"userIdentity": map[string]any{"accountId": "111122223333"},
		"requestParameters": map[string]any{
			"domain": "corp", "domainOwner": "111122223333",
			"repository": "npm", "externalConnection": "public:npmjs", "packageGroup": "/npm/acme/*",
			"id": connection,
		},
	}, change, to)
}

// connection is the id of an environment account connection of Proton.
const connection = "a1b2c3d4-5678-90ab-cdef-111122223333"

// delivered is an event of a service as EventBridge delivers it, with one field changed.
func delivered(service, detailType string, detail map[string]any, change string, to any) []byte {
	event := map[string]any{
		"version": "0", "id": "e1", "source": "aws." + service, "detail-type": detailType,
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

// rulesMatchEvents compares the rules of a control with what its code makes of events: what the code takes for one to
// look at, a rule must let through, and what it ignores, the rules must keep away.
func rulesMatchEvents(p project, c *complaints) {
	events := eventsOfAWS(c)
	s := p.usual
	for _, k := range controls() {
		rules := rulesOf(k, s, c)
		if k.looks == nil {
			c.equal("rules of "+k.name+", which only sweeps", len(rules), 0)
			continue
		}
		for name, event := range events {
			looked, unreadable := k.looks(event)
			if unreadable != nil {
				continue // what reaches the function all the same goes to the failure queue
			}
			if matched := matches(rules, event); matched != looked {
				c.addf("%s: the rules of %s match it: %v; the code looks at what it names: %v", name, k.name, matched, looked)
			}
		}
	}
}

// matches tells whether one of the rules matches an event.
func matches(rules []pattern.Pattern, event []byte) bool {
	return slices.ContainsFunc(rules, func(rule pattern.Pattern) bool {
		ok, err := rule.Match(event)
		return ok && err == nil
	})
}

// eventsOfAWS are events as they come to the default bus of an account, by what is peculiar to each.
func eventsOfAWS(c *complaints) map[string][]byte {
	events := map[string][]byte{}
	calls := map[string][]string{
		"codeartifact": {
			"AssociateExternalConnection", "DisassociateExternalConnection", "DescribeRepository", "ReadFromRepository",
			"CreatePackageGroup", "DeletePackageGroup", "UpdatePackageGroup", "UpdatePackageGroupOriginConfiguration",
			"DescribePackageGroup", "PublishPackageVersion",
		},
		"proton": {
			"CreateEnvironmentAccountConnection", "UpdateEnvironmentAccountConnection", "AcceptEnvironmentAccountConnection",
			"RejectEnvironmentAccountConnection", "DeleteEnvironmentAccountConnection", "GetEnvironmentAccountConnection", "CreateEnvironment",
		},
	}
	another := map[string]string{"codeartifact": "proton", "proton": "codeartifact"}
	for service, names := range calls {
		for _, name := range names {
			events[name] = called(service, name, "version", "0")
			events[name+" that failed"] = called(service, name, "detail.errorCode", "AccessDeniedException")
			events[name+" replayed"] = called(service, name, "replay-name", "again")
			events[name+" of another service"] = called(service, name, "detail.eventSource", another[service]+".amazonaws.com")
			events[name+" from another source"] = called(service, name, "source", "aws."+another[service])
			events[name+" as another detail-type"] = called(service, name, "detail-type", "CodeArtifact Package Version State Change")
		}
	}
	for _, status := range []string{"PENDING", "CONNECTED", "REJECTED", "DELETED"} {
		changed := func(change string, to any) []byte {
			detail := map[string]any{"id": connection, "status": status}
			return delivered("proton", "AWS Proton Environment Account Connection Status Change", detail, change, to)
		}
		events[status] = changed("version", "0")
		events[status+" after another status"] = changed("detail.previousStatus", "PENDING")
		events[status+" replayed"] = changed("replay-name", "again")
		events[status+" from another source"] = changed("source", "aws.codeartifact")
		events[status+" of an environment"] = changed("detail-type", "AWS Proton Environment Status Change")
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
	return events
}

// rulesOf returns the rules of a control that wait for events of AWS.
func rulesOf(k deployed, s cloudformation.Stack, c *complaints) []pattern.Pattern {
	var rules []pattern.Pattern
	for _, name := range wakers(k, s) {
		c.keys(name, s.Resources[name].Properties, "Description", "EventBusName", "EventPattern", "Name", "State", "Targets")
		c.equal("bus of "+name, s.Get(name, "EventBusName"), "<Bus>")
		if !requested(name) {
			rules = append(rules, patternOf(s, name, c))
		}
	}
	return rules
}

func patternOf(s cloudformation.Stack, name string, c *complaints) pattern.Pattern {
	text, err := json.Marshal(s.Get(name, "EventPattern"))
	if err != nil {
		c.addf("%v", err)
	}
	rule, err := pattern.Compile(text)
	if err != nil {
		c.addf("%s: %v", name, err)
	}
	return rule
}

// What the planner calls things: the folder of its function, and the events that it puts.
const (
	plannerFolder = round.Name
	plannedEvent  = round.PlannedEvent
	requestEvent  = round.RequestEvent
	roundEvent    = round.SummaryEvent
)

// requestsWake asks about requests as the planner makes them. The account of an event is that of whoever put it, and
// nobody can say another.
func requestsWake(p project, c *complaints) {
	for _, of := range controls() {
		request := func(change string, to any) []byte {
			detail := map[string]any{
				"version": 1, "by": "schedule", "round": "r1", "control": of.name, "account": memberAccount, "region": "eu-west-1",
				"accounts": []string{hubAccount, memberAccount},
			}
			event := map[string]any{
				"version": "0", "id": "e1", "source": report.Source, "detail-type": requestEvent, "account": hubAccount, "region": "eu-west-1", "detail": detail,
			}
			event[change] = to
			text, err := json.Marshal(event)
			if err != nil {
				c.addf("%v", err)
			}
			return text
		}
		for what, event := range map[string][]byte{
			"a request":                       request("version", "0"),
			"one that a member made":          request("account", memberAccount),
			"one that is replayed":            request("replay-name", "again"),
			"one of another source":           request("source", "aws.codeartifact"),
			"another event of Portcullis":     request("detail-type", report.SummaryEvent),
			"a request that names no control": request("detail", map[string]any{"by": "schedule"}),
		} {
			for _, k := range controls() {
				name := k.prefix + "SweepRequested"
				matched := matches([]pattern.Pattern{patternOf(p.usual, name, c)}, event)
				if want := what == "a request" && k.name == of.name; matched != want {
					c.addf("%s of a sweep of %s: %s matches it: %v", what, of.name, name, matched)
				}
			}
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
	s := p.usual
	for _, name := range s.Of("AWS::Scheduler::Schedule") {
		c.equal("schedule", name, "PlannerSchedule")
		zone, _ := s.Get(name, "ScheduleExpressionTimezone").(string)
		if _, err := time.LoadLocation(zone); err != nil || zone == "" {
			c.addf("%s has time zone %q (%v)", name, zone, err)
		}
		if _, err := rate(s.Get(name, "ScheduleExpression")); err != nil {
			c.addf("%s: %v", name, err)
		}
		input, _ := s.Get(name, "Target", "Input").(string)
		var event any
		if err := json.Unmarshal([]byte(input), &event); err != nil {
			c.addf("%s sends %s, which is no JSON: %v", name, input, err)
		}
		c.equal("what "+name+" sends", event, any(object{"source": report.Source, "detail-type": "Round Requested", "detail": object{"by": "schedule"}}))
		c.equal(name+" FlexibleTimeWindow", s.Get(name, "FlexibleTimeWindow"), map[string]any{"Mode": "OFF"})
		// A name would stand in the way of a second stack, and a date would end the sweeps.
		c.keys(name, s.Resources[name].Properties, "Description", "FlexibleTimeWindow", "ScheduleExpression", "ScheduleExpressionTimezone", "State", "Target")
		c.equal(name+" Target", s.Get(name, "Target"), map[string]any{
			"Arn": "<Planner.Arn>", "RoleArn": "<ScheduleRole.Arn>", "Input": input, "DeadLetterConfig": map[string]any{"Arn": "<FailureQueue.Arn>"},
			"RetryPolicy": map[string]any{"MaximumRetryAttempts": 10, "MaximumEventAgeInSeconds": 900},
		})
	}
}

// periodsAgree also keeps to what CloudWatch can look back on: a day, or a week for periods of an hour and more.
func periodsAgree(p project, c *complaints) {
	for _, every := range cloudformation.Strings(cloudformation.At(p.template.Section("Parameters")["SweepEvery"], "AllowedValues")) {
		s := p.deploy(c, map[string]string{"SweepEvery": every})
		period, err := rate(s.Get("PlannerSchedule", "ScheduleExpression"))
		if err != nil {
			c.addf("%s: %v", every, err)
		}
		c.equal("SWEEP_SECONDS for "+every, s.Get("Planner", "Environment", "Variables", "SWEEP_SECONDS"), int(period.Seconds()))
		alarms := []string{"RoundNotPlanned", "RoundNotLogged", "RoundUnfinished"}
		for _, k := range controls() {
			alarms = append(alarms, k.prefix+"Undetermined", k.prefix+"Incomplete")
			if k.told && k.writes() {
				alarms = append(alarms, k.prefix+"Violations")
			}
		}
		for _, alarm := range alarms {
			for _, each := range periods(s, alarm) {
				c.equal(alarm+" Period for "+every, each, int(period.Seconds()))
			}
			n, _ := s.Get(alarm, "EvaluationPeriods").(int)
			if longest := map[bool]time.Duration{true: 7 * 24 * time.Hour, false: 24 * time.Hour}[period >= time.Hour]; period*time.Duration(n) > longest {
				c.addf("%s looks back %d times %v, which is more than %v", alarm, n, period, longest)
			}
		}
	}
}

// periods returns the period of an alarm, or those of the metrics that it adds up.
func periods(s cloudformation.Stack, alarm string) []any {
	parts, isSum := s.Get(alarm, "Metrics").([]any)
	if !isSum {
		return []any{s.Get(alarm, "Period")}
	}
	var all []any
	for _, part := range parts[1:] {
		all = append(all, cloudformation.At(part, "MetricStat", "Period"))
	}
	return all
}

func failuresAreKept(p project, c *complaints) {
	s := p.deploy(c, notices)
	const queue = "<FailureQueue.Arn>"
	for _, name := range s.Of("AWS::Events::Rule") {
		// Without anything else, so that the target gets the event as it is.
		target := map[string]any{"Id": s.Get(name, "Targets", 0, "Id"), "Arn": s.Get(name, "Targets", 0, "Arn"), "DeadLetterConfig": map[string]any{"Arn": queue}}
		if name == "Forward" {
			target["RoleArn"] = "<ForwardRole.Arn>"
		}
		if strings.HasSuffix(name, "ToTopic") {
			target["InputTransformer"] = s.Get(name, "Targets", 0, "InputTransformer")
		}
		if strings.HasSuffix(name, "SweepRequested") {
			// With what Lambda and the sweep itself may take, it is over when the planner counts it.
			late := round.Longest - 15*time.Minute - 30*time.Minute
			target["RetryPolicy"] = map[string]any{"MaximumRetryAttempts": 10, "MaximumEventAgeInSeconds": int(late.Seconds())}
		}
		c.equal("targets of "+name, s.Get(name, "Targets"), []any{target})
	}
	failsInto := func(name string) {
		c.equal(name+"Failures FunctionName", s.Get(name+"Failures", "FunctionName"), "<"+name+">")
		c.equal(name+"Failures Qualifier", s.Get(name+"Failures", "Qualifier"), "$LATEST")
		c.equal("destinations of "+name, s.Get(name+"Failures", "DestinationConfig"), map[string]any{"OnFailure": map[string]any{"Destination": queue}})
	}
	failsInto("Planner")
	for _, k := range controls() {
		for _, name := range k.functions(s) {
			if !k.asynchronous(name) {
				continue // what it cannot do goes back to its queue
			}
			failsInto(name)
		}
		for _, name := range wakers(k, s) {
			to := "<" + k.prefix + "OnEvent.Arn>"
			switch {
			case requested(name):
				to = "<" + k.prefix + "Sweep.Arn>"
			case k.queue:
				to = "<" + k.prefix + "Queue.Arn>"
			}
			c.equal("target of "+name, s.Get(name, "Targets", 0, "Arn"), to)
		}
	}
	c.equal("seconds that the failure queue keeps", s.Get("FailureQueue", "MessageRetentionPeriod"), 14*24*60*60)
	for _, name := range s.Of("AWS::SQS::Queue") {
		c.equal("encryption of "+name, s.Get(name, "SqsManagedSseEnabled"), true)
	}
}

func retries(p project, c *complaints) {
	s := p.usual
	tries := func(name string) []any {
		return []any{s.Get(name+"Failures", "MaximumRetryAttempts"), s.Get(name+"Failures", "MaximumEventAgeInSeconds")}
	}
	c.equal("retries of Planner, and seconds", tries("Planner"), []any{0, 900})
	for _, k := range controls() {
		for _, name := range k.functions(s) {
			if !k.asynchronous(name) {
				continue
			}
			want := []any{0, int((round.Longest - 20*time.Minute).Seconds())} // the sweep itself, and some for the way
			if strings.HasSuffix(name, "OnEvent") {
				want = []any{2, 21600} // the most there is
			}
			c.equal("retries of "+name+", and seconds", tries(name), want)
		}
	}
}

// queuesWait also keeps to what Lambda asks of a queue that it reads:
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
func queuesWait(p project, c *complaints) {
	parameter := p.template.Section("Parameters")["ConsistencyDelaySeconds"]
	c.equal("shortest, usual and longest delay", []any{cloudformation.At(parameter, "MinValue"), cloudformation.At(parameter, "Default"), cloudformation.At(parameter, "MaxValue")}, []any{0, 120, 900})
	s := p.deploy(c, map[string]string{"ConsistencyDelaySeconds": "300"})
	for _, k := range controls() {
		if !k.queue {
			continue
		}
		function, queue, batches := k.prefix+"OnEvent", k.prefix+"Queue", k.prefix+"Batches"
		c.equal("seconds that "+queue+" holds back", s.Get(queue, "DelaySeconds"), "300")
		c.equal("where "+queue+" gives up to", s.Get(queue, "RedrivePolicy", "deadLetterTargetArn"), "<FailureQueue.Arn>")
		c.equal("queue of "+batches, s.Get(batches, "EventSourceArn"), "<"+queue+".Arn>")
		c.equal("function of "+batches, s.Get(batches, "FunctionName"), "<"+function+">")
		c.equal("what comes back from "+batches, s.Get(batches, "FunctionResponseTypes"), []any{"ReportBatchItemFailures"})
		number := func(name string, path ...any) int {
			n, _ := s.Get(name, path...).(int)
			return n
		}
		// Nothing that would shut it, empty it or sort messages out.
		c.keys(queue, s.Resources[queue].Properties, "DelaySeconds", "RedrivePolicy", "SqsManagedSseEnabled", "VisibilityTimeout")
		c.keys(batches, s.Resources[batches].Properties,
			"BatchSize", "EventSourceArn", "FunctionName", "FunctionResponseTypes", "MaximumBatchingWindowInSeconds", "ScalingConfig")
		window := number(batches, "MaximumBatchingWindowInSeconds")
		if window < 1 || number(batches, "BatchSize") < 2 {
			c.addf("%s gathers nothing", batches)
		}
		if hidden, least := number(queue, "VisibilityTimeout"), 6*number(function, "Timeout")+window; hidden < least {
			c.addf("%s hides what is worked on for %d s; Lambda asks for %d", queue, hidden, least)
		}
		reserved, _ := cloudformation.At(p.template.Section("Parameters")["EventsReservedConcurrency"], "AllowedPattern").(string)
		if n := number(batches, "ScalingConfig", "MaximumConcurrency"); n < 2 || regexp.MustCompile(reserved).MatchString(strconv.Itoa(n-1)) {
			c.addf("%s runs %d at a time, and fewer may be reserved", batches, n)
		}
		if times := number(queue, "RedrivePolicy", "maxReceiveCount"); times < 5 {
			c.addf("%s gives up after %d times; Lambda asks for 5", queue, times)
		}
	}
}

func logsAreKept(p project, c *complaints) {
	s := p.deploy(c, map[string]string{"LogRetentionDays": "30"})
	for _, name := range s.Of("AWS::Logs::LogGroup") {
		c.equal("days that "+name+" keeps", s.Get(name, "RetentionInDays"), "30")
	}
	writeTo := func(group string, functions ...string) {
		c.equal(group+" DeletionPolicy", s.Resources[group].Attributes["DeletionPolicy"], "Retain")
		for _, name := range functions {
			c.equal("log of "+name, s.Get(name, "LoggingConfig"), map[string]any{
				"LogGroup": "<" + group + ">", "LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO",
			})
		}
	}
	writeTo("PlannerLog", "Planner")
	for _, k := range controls() {
		writeTo(k.prefix+"Log", k.functions(s)...)
	}
}

func logsAreNamed(p project, c *complaints) {
	for _, name := range p.usual.Of("AWS::Logs::LogGroup") {
		c.equal("output for "+name, cloudformation.At(p.template.Section("Outputs")[name+"Name"], "Value"), map[string]any{"Ref": name})
	}
}

func alarmsExist(p project, c *complaints) {
	s := p.usual
	got := map[string]string{}
	for _, name := range s.Of("AWS::CloudWatch::Alarm") {
		get := func(property string) any { return s.Get(name, property) }
		when := fmt.Sprint(get("ComparisonOperator"), " ", get("Threshold"), ", ", get("EvaluationPeriods"), " times ")
		missing := fmt.Sprint("; missing data ", get("TreatMissingData"))
		if n := get("DatapointsToAlarm"); n != nil {
			when = fmt.Sprint(get("ComparisonOperator"), " ", get("Threshold"), ", ", n, " of ", get("EvaluationPeriods"), " times ")
		}
		what := []string{"AlarmActions", "AlarmDescription", "ComparisonOperator", "EvaluationPeriods", "Threshold", "TreatMissingData"}
		if sum, isSum := get("Metrics").([]any); isSum {
			added, how := addends(sum, c)
			got[name] = fmt.Sprint(added, ": ", cloudformation.At(how, "Stat"), " ", when, cloudformation.At(how, "Period"), " s", missing)
			what = append(what, "Metrics")
		} else {
			got[name] = fmt.Sprint(get("Namespace"), " ", get("MetricName"), " of ", dimensions(get("Dimensions")), ": ", get("Statistic"), " ", when, get("Period"), " s", missing)
			what = append(what, "Dimensions", "MetricName", "Namespace", "Period", "Statistic")
		}
		if strings.HasSuffix(name, "Violations") && get("DatapointsToAlarm") != nil { // less than all of them: it rings sooner
			what = append(what, "DatapointsToAlarm")
		}
		// Nothing that would keep it from ringing.
		c.keys(name, s.Resources[name].Properties, what...)
	}
	const any0 = "Sum GreaterThanThreshold 0, 1 times 300 s; missing data notBreaching"
	want := map[string]string{
		"FailureQueueAlarm": "AWS/SQS ApproximateNumberOfMessagesVisible of QueueName <FailureQueue.QueueName>: Maximum GreaterThanThreshold 0, 1 times 300 s; missing data notBreaching",
		"ForwardLost":       "AWS/Events InvocationsFailedToBeSentToDlq of RuleName <Forward>: " + any0, // on the default bus a rule has one name
		"PlannerErrors":     "AWS/Lambda Errors of FunctionName <Planner>: " + any0,
		"PlannerLost":       "AWS/Lambda DestinationDeliveryFailures of FunctionName <Planner>: " + any0,
		"RoundNotPlanned":   "Portcullis RoundPlanned of Control planner: Maximum LessThanThreshold 1, 2 times 3600 s; missing data breaching",
		// Not breaching: the first run of a stack counts 0, and the one before it nothing.
		"RoundNotLogged": "Portcullis RoundsFound of Control planner: Maximum LessThanThreshold 1, 2 times 3600 s; missing data ignore",
	}
	var unfinished []string
	for _, metric := range []string{"Missing", "Unfinished"} {
		for _, k := range controls() {
			unfinished = append(unfinished, "Portcullis "+metric+" of Control "+k.name)
		}
	}
	want["RoundUnfinished"] = strings.Join(unfinished, " + ") + ": Maximum GreaterThanThreshold 0, 1 times 3600 s; missing data ignore"
	for _, k := range controls() {
		var lost []string
		for _, name := range wakers(k, s) {
			lost = append(lost, fmt.Sprintf("AWS/Events InvocationsFailedToBeSentToDlq of EventBusName <Bus>, RuleName %v", s.Get(name, "Name")))
		}
		slices.Sort(lost)
		for _, name := range k.functions(s) {
			if k.asynchronous(name) {
				lost = append(lost, "AWS/Lambda DestinationDeliveryFailures of FunctionName <"+name+">")
			}
			want[name+"Errors"] = "AWS/Lambda Errors of FunctionName <" + name + ">: Sum GreaterThanThreshold 0, 1 times 300 s; missing data notBreaching"
		}
		want[k.prefix+"Lost"] = strings.Join(lost, " + ") + ": Sum GreaterThanThreshold 0, 1 times 300 s; missing data notBreaching"
		of := func(metric string) string { return "Portcullis " + metric + " of Control " + k.name + ": " }
		want[k.prefix+"Undelivered"] = of("Undelivered") + "Sum GreaterThanThreshold 0, 1 times 300 s; missing data notBreaching"
		want[k.prefix+"Undetermined"] = of("Undetermined") + "Maximum GreaterThanThreshold 0, 3 times 3600 s; missing data ignore"
		want[k.prefix+"Incomplete"] = of("Complete") + "Minimum LessThanThreshold 1, 2 times 3600 s; missing data breaching"
		if k.ends {
			want[k.prefix+"Undetermined"] = of("Undetermined") + "Maximum GreaterThanThreshold 0, 3 times 3600 s; missing data notBreaching"
			want[k.prefix+"Incomplete"] = "Portcullis Complete of Control " + k.name + " + Portcullis Gone of Control " + k.name +
				": Minimum LessThanThreshold 1, 2 times 3600 s; missing data breaching"
		}
		if !k.writes() {
			want[k.prefix+"Violations"] = of("Violations") + "Maximum GreaterThanThreshold 0, 1 times 300 s; missing data ignore"
			continue
		}
		if k.told {
			want[k.prefix+"Violations"] = of("Violations") + "Maximum GreaterThanThreshold 0, 1 of 2 times 3600 s; missing data ignore"
		}
		want[k.prefix+"LimitExceeded"] = of("LimitExceeded") + "Sum GreaterThanThreshold 0, 1 times 300 s; missing data notBreaching"
		want[k.prefix+"Applied"] = of("Applied") + "Sum GreaterThanThreshold 20, 1 times 3600 s; missing data notBreaching"
	}
	// The one deletion that its answer may show to have been a mistake.
	want["PackageGroupsRestoreNeeded"] = "Portcullis RestoreNeeded of Control package-groups: Sum GreaterThanThreshold 0, 1 times 300 s; missing data notBreaching"
	c.equal("alarms", got, want)
	for _, s := range p.stacks {
		for _, k := range controls() {
			there := s.Resources[k.prefix+"Violations"].Kind != ""
			c.equal(fmt.Sprintf("existence of %sViolations in mode %s", k.prefix, k.in(s)), there, k.told && k.in(s) == string(control.Monitor))
		}
	}
}

// addends returns the metrics that an alarm adds up, and the MetricStat of the first. All must be taken in the same way.
func addends(metrics []any, c *complaints) (string, any) {
	how := cloudformation.At(metrics, 1, "MetricStat")
	var ids, names []string
	for _, m := range metrics[1:] {
		metric := cloudformation.At(m, "MetricStat", "Metric")
		c.equal("part of the sum of an alarm", m, any(map[string]any{"Id": cloudformation.At(m, "Id"), "ReturnData": false, "MetricStat": map[string]any{
			"Stat": cloudformation.At(how, "Stat"), "Period": cloudformation.At(how, "Period"), "Metric": map[string]any{
				"Namespace": cloudformation.At(metric, "Namespace"), "MetricName": cloudformation.At(metric, "MetricName"), "Dimensions": cloudformation.At(metric, "Dimensions"),
			},
		}}))
		ids = append(ids, fmt.Sprint(cloudformation.At(m, "Id")))
		names = append(names, fmt.Sprint(cloudformation.At(metric, "Namespace"), " ", cloudformation.At(metric, "MetricName"), " of ", dimensions(cloudformation.At(metric, "Dimensions"))))
	}
	expression := cloudformation.At(metrics, 0, "Expression")
	if expression != "SUM(METRICS())" && expression != strings.Join(ids, " + ") {
		c.addf("an alarm computes %v, which is not the sum of %v", expression, ids)
	}
	c.equal("expression of an alarm", metrics[0], any(map[string]any{"Id": cloudformation.At(metrics, 0, "Id"), "Expression": expression, "ReturnData": true}))
	slices.Sort(names)
	return strings.Join(names, " + "), how
}

// dimensions returns the dimensions of a metric as a text.
func dimensions(v any) string {
	list, _ := v.([]any)
	var texts []string
	for _, d := range list {
		texts = append(texts, fmt.Sprint(cloudformation.At(d, "Name"), " ", cloudformation.At(d, "Value")))
	}
	return strings.Join(texts, ", ")
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
		for _, name := range s.Of("AWS::CloudWatch::Alarm") {
			c.equal(fmt.Sprintf("what %s rings with %v", name, ways.parameters), cloudformation.Strings(s.Get(name, "AlarmActions")), ways.ring)
		}
		if email := ways.parameters["AlarmEmail"]; email != "" {
			c.equal("subscription", s.Get("AlarmTopic", "Subscription"), []any{map[string]any{"Protocol": "email", "Endpoint": email}})
		}
	}
}

// metric is a metric as CloudWatch knows it: namespace, name, dimension, value.
type metric [4]string

// written returns the metrics of a control's sweeps, as the reports of them say themselves.
func written(k deployed) (map[metric]bool, error) {
	names := map[metric]bool{}
	for _, gone := range []bool{false, k.ends} {
		var out bytes.Buffer
		reporter := report.Reporter{Out: &out, Log: report.NewLogger(io.Discard, ""), API: deafBus{}}
		run := reporter.Begin(context.Background(), k.name, string(trigger.Sweep), func() time.Time { return time.Time{} })
		summary := control.NewSummary(k.name, control.Scope{}, control.Monitor, "")
		summary.Gone = gone
		if _, err := run.Finish(context.Background(), summary, true); err != nil {
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
		for _, set := range record.AWS.CloudWatchMetrics {
			for _, m := range set.Metrics {
				for _, dimensions := range set.Dimensions {
					names[metric{set.Namespace, m.Name, strings.Join(dimensions, ","), record.Control}] = true
				}
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
	s := p.usual
	known := map[metric]bool{
		{"AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "<FailureQueue.QueueName>"}: true,
		{"AWS/Events", "InvocationsFailedToBeSentToDlq", "RuleName", "<Forward>"}:                  true,
		{"AWS/Lambda", "DestinationDeliveryFailures", "FunctionName", "<Planner>"}:                 true,
		{"AWS/Lambda", "Errors", "FunctionName", "<Planner>"}:                                      true,

		{report.Namespace, "RoundPlanned", "Control", plannerFolder}: true,
		{report.Namespace, "RoundsFound", "Control", plannerFolder}:  true,
	}
	for _, k := range controls() {
		names, err := written(k)
		if err != nil {
			c.addf("%v", err)
		}
		maps.Copy(known, names)
		for _, name := range k.functions(s) {
			known[metric{"AWS/Lambda", "Errors", "FunctionName", "<" + name + ">"}] = true
		}
		for _, name := range []string{"Expected", "Missing", "Unfinished"} { // by the planner
			known[metric{report.Namespace, name, "Control", k.name}] = true
		}
	}
	for _, name := range s.Of("AWS::CloudWatch::Alarm") {
		watched := []any{s.Resources[name].Properties}
		if sum, isSum := s.Get(name, "Metrics").([]any); isSum {
			watched = nil
			for _, part := range sum[1:] {
				if w := cloudformation.At(part, "MetricStat", "Metric"); cloudformation.At(w, "Namespace") == report.Namespace {
					watched = append(watched, w)
				} // AWS writes the others; alarmsExist knows their names
			}
		}
		for _, w := range watched {
			dimensions, _ := cloudformation.At(w, "Dimensions").([]any)
			m := metric{fmt.Sprint(cloudformation.At(w, "Namespace")), fmt.Sprint(cloudformation.At(w, "MetricName")), fmt.Sprint(cloudformation.At(dimensions, 0, "Name")), fmt.Sprint(cloudformation.At(dimensions, 0, "Value"))}
			if !known[m] || len(dimensions) != 1 {
				c.addf("%s looks at %v, which nobody writes", name, m)
			}
		}
	}
	var dashboard struct {
		Widgets []struct {
			Type       string
			Properties struct{ Metrics [][]any }
		}
	}
	body, _ := s.Get("Dashboard", "DashboardBody").(string)
	if err := json.Unmarshal([]byte(body), &dashboard); err != nil {
		c.addf("the dashboard is no JSON: %v", err)
	}
	shown := map[metric]bool{}
	for _, widget := range dashboard.Widgets {
		for _, line := range widget.Properties.Metrics {
			var m metric
			for i := range m {
				m[i] = fmt.Sprint(cloudformation.At(line, i))
			}
			shown[m] = true
			if !known[m] {
				c.addf("the dashboard shows %v, which nobody writes", m)
			}
		}
	}
	for _, k := range controls() {
		names := []string{"Violations", "Undetermined", "Complete", "Expected", "Missing", "Unfinished"}
		if k.writes() {
			names = append(names, "Applied", "Withheld", "Failed")
		}
		if k.ends {
			names = append(names, "Gone")
		}
		for _, name := range names {
			if !shown[metric{report.Namespace, name, "Control", k.name}] {
				c.addf("the dashboard does not show %s of %s", name, k.name)
			}
		}
	}
}

func eventsAreKept(p project, c *complaints) {
	s := p.usual
	// What AWS's events say, the trail has.
	c.equal("archive", s.Resources["Archive"].Properties, map[string]any{
		"SourceArn": "<Bus.Arn>", "RetentionDays": 90, "Description": s.Get("Archive", "Description"),
		"EventPattern": map[string]any{"source": []any{report.Source}},
	})
	c.equal("bus of the rule", s.Get("EventsToLog", "EventBusName"), "<Bus>")
	c.equal("what is logged", s.Get("EventsToLog", "EventPattern"), map[string]any{
		"source": []any{report.Source}, "replay-name": []any{map[string]any{"exists": false}}, // what is replayed is there already
	})
	c.equal("state of the rule", s.Get("EventsToLog", "State"), nil) // enabled
	c.equal("where it is logged", s.Get("EventsToLog", "Targets", 0, "Arn"), eventsLog)
	// The first round is planned as soon as its schedule is there, and the second run is to find it.
	c.equal("what must be there before the first round", s.Resources["PlannerSchedule"].Attributes["DependsOn"], any([]any{"EventsToLog", "EventsMayLog"}))
}

// variable is one of an input transformer. Its template is a text in quotes, in which < and > cannot be escaped.
var variable = regexp.MustCompile(`<([^<>]*)>`)

// topicIsTold also keeps to what an input transformer may be:
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html
// What comes out of it for events of the real binary is a test of functions/planner.
func topicIsTold(p project, c *complaints) {
	arn, _ := cloudformation.At(p.template.Section("Parameters")["NoticesTopicArn"], "AllowedPattern").(string)
	for topic, want := range map[string]bool{"": true, notices["NoticesTopicArn"]: true, notices["NoticesTopicArn"] + ".fifo": false, "arn:aws:sqs:eu-west-1:111122223333:news": false} {
		c.equal("whether the topic may be "+topic, regexp.MustCompile(arn).MatchString(topic), want)
	}
	s := p.deploy(c, notices)
	of := func(detailType, verdict, cause, status, change string, to any) []byte {
		detail := map[string]any{"version": 1, "run": "r1", "control": "external-connections", "account": memberAccount, "region": "eu-west-1", "reason": "it is so"}
		for name, value := range map[string]string{"verdict": verdict, "cause": cause, "status": status} {
			if value != "" {
				detail[name] = value
			}
		}
		event := map[string]any{
			"version": "0", "id": "e1", "source": report.Source, "detail-type": detailType, "account": hubAccount, "region": "eu-west-1", "detail": detail,
		}
		event[change] = to
		text, err := json.Marshal(event)
		if err != nil {
			c.addf("%v", err)
		}
		return text
	}
	type told struct{ ViolationsToTopic, OutcomesToTopic bool }
	ask := func(what string, event []byte, want told) {
		got := told{matches([]pattern.Pattern{patternOf(s, "ViolationsToTopic", c)}, event), matches([]pattern.Pattern{patternOf(s, "OutcomesToTopic", c)}, event)}
		c.equal("what tells the topic of "+what, got, want)
	}
	for _, verdict := range []control.Verdict{control.Violation, control.Waived, control.Undetermined} {
		for _, cause := range []trigger.Cause{trigger.Event, trigger.Sweep, trigger.Hand} {
			news := told{ViolationsToTopic: verdict == control.Violation && cause == trigger.Event}
			ask(fmt.Sprintf("a finding, %s, of a run for %s", verdict, cause), of(report.FindingEvent, string(verdict), string(cause), "", "version", "0"), news)
		}
	}
	for _, status := range []control.Status{control.Applied, control.Withheld, control.AlreadyDone, control.Failed, control.RestoreNeeded} {
		news := told{OutcomesToTopic: status != control.Withheld && status != control.AlreadyDone}
		ask("an action that is "+string(status), of(report.OutcomeEvent, "", "", string(status), "version", "0"), news)
	}
	for name, change := range map[string][2]string{
		"that another account put": {"account", memberAccount}, "that is replayed": {"replay-name", "again"}, "of another source": {"source", "somebody"},
		"as a summary": {"detail-type", report.SummaryEvent},
	} {
		ask("a finding "+name, of(report.FindingEvent, "violation", "event", "", change[0], change[1]), told{})
		ask("an outcome "+name, of(report.OutcomeEvent, "", "", "applied", change[0], change[1]), told{})
	}
	for _, name := range []string{"OutcomesToTopic", "ViolationsToTopic"} {
		c.equal("existence of "+name+" without a topic", p.usual.Resources[name].Kind, "")
		c.keys(name, s.Resources[name].Properties, "Description", "EventBusName", "EventPattern", "Targets") // and so it is enabled
		c.equal("bus of "+name, s.Get(name, "EventBusName"), "<Bus>")
		c.equal("target of "+name, s.Get(name, "Targets", 0, "Arn"), notices["NoticesTopicArn"])
		paths, _ := s.Get(name, "Targets", 0, "InputTransformer", "InputPathsMap").(map[string]any)
		text, _ := s.Get(name, "Targets", 0, "InputTransformer", "InputTemplate").(string)
		text = strings.ReplaceAll(text, "<EventsLog>", "/aws/events/portcullis")
		var used []string
		for _, v := range variable.FindAllStringSubmatch(text, -1) {
			used = append(used, v[1])
		}
		slices.Sort(used)
		c.equal("variables that "+name+" has", slices.Sorted(maps.Keys(paths)), slices.Compact(used))
		if len(paths) > 100 || len(text) > 8192 {
			c.addf("%s has %d variables and a template of %d bytes, which is more than AWS takes", name, len(paths), len(text))
		}
		if !regexp.MustCompile(`^"[^"\\\n]*"$`).MatchString(text) {
			c.addf("%s does not say one line in quotation marks: %s", name, text)
		}
	}
}

// What docs/events.md shows as a rule to begin with is the one that is deployed.
func TestTheRuleInTheDocumentsIsThatOfTheTemplate(t *testing.T) {
	page, err := os.ReadFile("docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	p, err := readProject(texts(t), folders(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.template.Deploy(map[string]string{"NoticesTopicArn": "arn:aws:sns:eu-west-1:111122223333:portcullis-news", "AWS::StackName": "portcullis-prod"})
	if err != nil {
		t.Fatal(err)
	}
	const rule = "ViolationsToTopic"
	target, _ := s.Get(rule, "Targets", 0).(map[string]any)
	delete(target, "DeadLetterConfig") // the queue is the stack's
	for what, want := range map[string]any{"rule": s.Get(rule, "EventPattern"), "target": target} {
		block := regexp.MustCompile("(?s)```json " + what + "=" + rule + "\n(.*?)```").FindSubmatch(page)
		var shown any
		if block == nil || json.Unmarshal(block[1], &shown) != nil {
			t.Errorf("there is no %s of %s", what, rule)
			continue
		}
		if diff := cmp.Diff(filledIn(t, want), shown); diff != "" {
			t.Errorf("%s (-template +page):\n%s", what, diff)
		}
	}
}

// filledIn is a part of a stack as AWS has it, of which JSON came.
func filledIn(t *testing.T, part any) any {
	t.Helper()
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // < and >
	if err := encoder.Encode(part); err != nil {
		t.Fatal(err)
	}
	var filled any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(b.String(), "<EventsLog>", "/aws/events/portcullis-prod")), &filled); err != nil {
		t.Fatal(err)
	}
	return filled
}

func parametersAreDescribed(p project, c *complaints) {
	for name, parameter := range p.template.Section("Parameters") {
		if cloudformation.At(parameter, "Description") == nil || cloudformation.At(parameter, "Default") == nil {
			c.addf("%s has no description or no default", name)
		}
	}
	for name, parameter := range p.member.Section("Parameters") {
		if cloudformation.At(parameter, "Description") == nil || strings.HasSuffix(name, "Mode") && cloudformation.At(parameter, "Default") != string(control.Monitor) {
			c.addf("%s of member.yaml has no description, or is a mode and not monitor if nothing is said", name)
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
	var modes []string
	for _, k := range controls() {
		modes = append(modes, k.mode+"=monitor")
	}
	for key, want := range map[string]string{
		"dev.deploy.parameters.parameter_overrides":  strconv.Quote(strings.Join(modes, " ")),
		"prod.deploy.parameters.parameter_overrides": strconv.Quote(strings.Join(modes, " ")),

		"dev.build.parameters.cached":              "false",
		"prod.build.parameters.cached":             "false",
		"dev.deploy.parameters.confirm_changeset":  "true",
		"prod.deploy.parameters.confirm_changeset": "true",
		"dev.deploy.parameters.capabilities":       `"CAPABILITY_NAMED_IAM"`, // roles have names
		"prod.deploy.parameters.capabilities":      `"CAPABILITY_NAMED_IAM"`,
		"dev.deploy.parameters.stack_name":         `"portcullis-dev"`, // the STACK of Makefile
		"prod.deploy.parameters.stack_name":        `"portcullis-prod"`,
	} {
		c.equal(key+" in samconfig.toml", settings[key], want)
	}
}
