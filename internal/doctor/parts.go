package doctor

import (
	"slices"
	"strings"
	"time"
)

// Beside what is below, these are resources of template.yaml by their logical ids.
const (
	busID      = "Bus"
	logID      = "EventsLog"
	topicID    = "AlarmTopic"
	failuresID = "FailureQueue"
	plannerID  = "Planner"
	scheduleID = "PlannerSchedule"
	batchesID  = "PackageOriginsBatches"
	layerType  = "AWS::Lambda::LayerVersion" // SAM makes up its logical id
)

// A part is what template.yaml deploys for one control, or for all of them together.
type part struct {
	name      string // of the control; empty for what all share
	mode      string // parameter that says whether the control is on
	functions []string
	rules     []rule
	roles     []role
	queues    []string
	sources   []string // services whose calls wake it by way of a trail
}

// A rule hands events to a target, by logical ids.
type rule struct {
	id, target string
	onDefault  bool // it is on the default bus and not on the stack's own
}

// told are the rules that tell the topic of the parameter [noticesTopic] what happens.
// They are there only where it names one.
func told() []rule { return []rule{{"OutcomesToTopic", "", false}, {"ViolationsToTopic", "", false}} }

const noticesTopic = "NoticesTopicArn"

// A role has one policy. A test holds it to that of the template.
type role struct {
	id, policy string
	reports    bool // it says on the bus that it is of Portcullis
	grants     []grant
	kept       map[string]string // statements that deny it something, with the action
}

// A grant lets a role do something. The resource is without arn:PARTITION:, with
// REGION, ACCOUNT and STACK for those of the deployment, and with logical ids in angle
// brackets.
type grant struct {
	on      string
	actions []string

	enforced     bool // only while its control enforces
	members      bool // only where there are members
	organization bool // only where these are the accounts of an organization
}

func to(on string, actions ...string) grant { return grant{on: on, actions: actions} }

func (g grant) whileEnforced() grant { g.enforced = true; return g }

// controlRole is the role of a control: what all of them may do, and what this one may
// beside that.
func controlRole(id, control string, own ...grant) role {
	const member = "iam::*:role/STACK-REGION-"
	r := role{id: id, policy: control, reports: true, grants: append(own,
		to("logs:REGION:ACCOUNT:log-group:<"+strings.TrimSuffix(id, "Role")+"Log>", "logs:CreateLogStream", "logs:PutLogEvents"),
		to(onBus, put), to(onFailures, "sqs:SendMessage"),
		grant{on: member + "read", actions: []string{"sts:AssumeRole"}, members: true},
	)}
	if r.enforces() {
		r.grants = append(r.grants, grant{on: member + control + "-write", actions: []string{"sts:AssumeRole"}, members: true, enforced: true})
	}
	return r
}

func (r role) keeping(sid, action string) role {
	if r.kept == nil {
		r.kept = map[string]string{}
	}
	r.kept[sid] = action
	return r
}

// Resources that several roles have.
const (
	onBus        = "events:REGION:ACCOUNT:event-bus/<Bus>"
	onFailures   = "sqs:REGION:ACCOUNT:<FailureQueue>"
	onDomains    = "codeartifact:REGION:ACCOUNT:domain/*"
	onRepository = "codeartifact:REGION:*:repository/*"
	onGroups     = "codeartifact:REGION:ACCOUNT:package-group/*"
	onConnection = "environment-account-connection/*"
)

// parts are what template.yaml deploys. A test holds it to that.
func parts() []part {
	return []part{
		{
			functions: []string{plannerID},
			rules:     []rule{{"Forward", busID, true}, {"EventsToLog", logID, false}},
			roles: []role{
				{id: "ForwardRole", policy: "forward-events", grants: []grant{to(onBus, put)}},
				{id: "ScheduleRole", policy: "start-planner", grants: []grant{
					to("lambda:REGION:ACCOUNT:function:<Planner>", "lambda:InvokeFunction"), to(onFailures, "sqs:SendMessage"),
				}},
				{id: "PlannerRole", policy: "planner", reports: true, grants: []grant{
					to("logs:REGION:ACCOUNT:log-group:<PlannerLog>", "logs:CreateLogStream", "logs:PutLogEvents"),
					to("logs:REGION:ACCOUNT:log-group:<EventsLog>", "logs:FilterLogEvents"),
					to(onBus, put), to(onFailures, "sqs:SendMessage"),
					{on: "*", actions: []string{"organizations:ListAccounts"}, organization: true},
				}},
			},
			queues: []string{failuresID},
		},
		{
			name: "external-connections", mode: "ExternalConnectionsMode",
			functions: []string{"ExternalConnectionsOnEvent", "ExternalConnectionsSweep"},
			rules: []rule{
				{"ExternalConnectionsAssociated", "ExternalConnectionsOnEvent", false},
				{"ExternalConnectionsSweepRequested", "ExternalConnectionsSweep", false},
			},
			roles: []role{controlRole("ExternalConnectionsRole", "external-connections",
				to("*", "codeartifact:ListDomains", "codeartifact:ListRepositories"),
				to(onDomains, "codeartifact:ListRepositoriesInDomain"),
				to(onRepository, "codeartifact:DescribeRepository"),
				to(onRepository, "codeartifact:DisassociateExternalConnection").whileEnforced(),
			).keeping("Keep", "codeartifact:DisassociateExternalConnection")},
			sources: []string{"codeartifact.amazonaws.com"},
		},
		{
			name: "package-groups", mode: "PackageGroupsMode",
			functions: []string{"PackageGroupsSweep"},
			rules:     []rule{{"PackageGroupsSweepRequested", "PackageGroupsSweep", false}},
			roles: []role{controlRole("PackageGroupsRole", "package-groups",
				to("*", "codeartifact:ListDomains"),
				to(onDomains, "codeartifact:ListPackageGroups"),
				to(onGroups, "codeartifact:ListAssociatedPackages", "codeartifact:ListTagsForResource", "codeartifact:GetAssociatedPackageGroup"),
				to(onGroups, "codeartifact:TagResource", "codeartifact:UntagResource", "codeartifact:DeletePackageGroup").whileEnforced(),
			).keeping("Keep", "codeartifact:DeletePackageGroup").keeping("KeepRoot", "codeartifact:DeletePackageGroup")},
		},
		{
			name: "package-origins", mode: "PackageOriginsMode",
			functions: []string{"PackageOriginsOnEvent", "PackageOriginsSweep"},
			rules: []rule{
				{"PackageOriginsGroupChanged", "PackageOriginsQueue", false},
				{"PackageOriginsSweepRequested", "PackageOriginsSweep", false},
			},
			roles: []role{controlRole("PackageOriginsRole", "package-origins",
				to("sqs:REGION:ACCOUNT:<PackageOriginsQueue>", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
				to("*", "codeartifact:ListDomains"),
				to(onGroups, "codeartifact:GetAssociatedPackageGroup", "codeartifact:ListAllowedRepositoriesForGroup"),
			)},
			queues:  []string{"PackageOriginsQueue"},
			sources: []string{"codeartifact.amazonaws.com"},
		},
		{
			name: "proton-connections", mode: "ProtonConnectionsMode",
			functions: []string{"ProtonConnectionsOnEvent", "ProtonConnectionsSweep"},
			rules: []rule{
				{"ProtonConnectionsStatus", "ProtonConnectionsOnEvent", false},
				{"ProtonConnectionsCalls", "ProtonConnectionsOnEvent", false},
				{"ProtonConnectionsSweepRequested", "ProtonConnectionsSweep", false},
			},
			roles: []role{controlRole("ProtonConnectionsRole", "proton-connections",
				to("*", "proton:ListEnvironmentAccountConnections", "proton:ListEnvironments"),
				to("proton:REGION:*:"+onConnection, "proton:RejectEnvironmentAccountConnection").whileEnforced(),
				to("proton:REGION:ACCOUNT:"+onConnection, "proton:DeleteEnvironmentAccountConnection").whileEnforced(),
			)},
			sources: []string{"proton.amazonaws.com"},
		},
	}
}

// intervals are the values of the parameter SweepEvery.
var intervals = map[string]time.Duration{
	"15-minutes": 15 * time.Minute, "1-hour": time.Hour, "6-hours": 6 * time.Hour, "1-day": 24 * time.Hour,
}

// on tells whether a control is on. What all share is always on, and so is what the
// stack says nothing of.
func (s Stack) on(p part) bool { return p.mode == "" || s.Parameters[p.mode] != "off" }

// controls are the names of those that are on.
func (s Stack) controls() []string {
	var names []string
	for _, p := range parts() {
		if p.name != "" && s.on(p) {
			names = append(names, p.name)
		}
	}
	return names
}

// sources are the services whose calls wake a control that is on.
func (s Stack) sources() []string {
	var list []string
	for _, p := range parts() {
		if s.on(p) {
			list = append(list, p.sources...)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (s Stack) hasMembers() bool {
	return s.Parameters["OrganizationId"] != "" || s.Parameters["MemberAccounts"] != ""
}
