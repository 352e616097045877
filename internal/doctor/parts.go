package doctor

import (
	"slices"
	"time"
)

// Beside what is below, these are resources of template.yaml by their logical ids.
const (
	busID      = "Bus"
	logID      = "EventsLog"
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

// A role may do these things in any mode, and those only while its control enforces.
type role struct {
	id, policy string
	always     []string
	enforced   []string
}

// parts are what template.yaml deploys. A test holds it to that.
func parts() []part {
	report := []string{"events:PutEvents"}
	return []part{
		{
			functions: []string{plannerID},
			rules:     []rule{{"Forward", busID, true}, {"EventsToLog", logID, false}},
			roles: []role{
				{"ForwardRole", "forward-events", report, nil},
				{"ScheduleRole", "start-planner", []string{"lambda:InvokeFunction"}, nil},
				{"PlannerRole", "planner", []string{"events:PutEvents", "logs:FilterLogEvents"}, nil},
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
			roles:   []role{{"ExternalConnectionsRole", "external-connections", report, []string{"codeartifact:DisassociateExternalConnection"}}},
			sources: []string{"codeartifact.amazonaws.com"},
		},
		{
			name: "package-groups", mode: "PackageGroupsMode",
			functions: []string{"PackageGroupsSweep"},
			rules:     []rule{{"PackageGroupsSweepRequested", "PackageGroupsSweep", false}},
			roles: []role{{"PackageGroupsRole", "package-groups", report, []string{
				"codeartifact:DeletePackageGroup", "codeartifact:TagResource", "codeartifact:UntagResource",
			}}},
		},
		{
			name: "package-origins", mode: "PackageOriginsMode",
			functions: []string{"PackageOriginsOnEvent", "PackageOriginsSweep"},
			rules: []rule{
				{"PackageOriginsGroupChanged", "PackageOriginsQueue", false},
				{"PackageOriginsSweepRequested", "PackageOriginsSweep", false},
			},
			roles:   []role{{"PackageOriginsRole", "package-origins", report, nil}},
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
			roles: []role{{"ProtonConnectionsRole", "proton-connections", report, []string{
				"proton:DeleteEnvironmentAccountConnection", "proton:RejectEnvironmentAccountConnection",
			}}},
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
