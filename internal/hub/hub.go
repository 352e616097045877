// Package hub sets up in a local AWS what template.yaml and member.yaml deploy
// around the functions: the bus, the rules, the log of events and the roles. What
// a rule matches and what a role may do is read from the templates, so that tests
// and the demo play what is deployed.
//
// It runs no function: whoever sets up a hub says what the rules wake. Of a role's
// permissions it plays the actions and the detail-types of events, not the
// resources. Whom a role trusts and whom the bus admits is written here once more;
// the tests of the templates look at those, and at the resources.
package hub

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"portcullis/internal/cloudformation"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/logs"
	"portcullis/shared/localaws/sts"
)

// Name is the name of the stack.
const Name = "portcullis"

// ExternalID is what the functions say to assume a role in a member.
const ExternalID = "an-external-id"

// EventsLog is the log group of the events on the stack's bus.
const EventsLog = "/aws/events/" + Name

// A Hub is a deployed stack.
type Hub struct {
	Account, Region string
	Bus             eventbridge.Bus
	Log             logs.Group // of the events on the bus

	world            *localaws.World
	events           *eventbridge.Service
	sts              *sts.Service
	template, member deployable
	members          []string
}

// deployable is a template: its text, in which the account is filled in, and what
// it says.
type deployable struct {
	text []byte
	cloudformation.Template
}

// Services are those of the World that a stack needs.
type Services struct {
	World  *localaws.World
	Events *eventbridge.Service
	STS    *sts.Service
	Logs   *logs.Service
}

// New deploys template.yaml of the module in a folder, but for the functions and the
// rules that wake them.
func New(s Services, account, region, root string) (*Hub, error) {
	h := &Hub{Account: account, Region: region, world: s.World, events: s.Events, sts: s.STS}
	var err error
	if h.template, err = read(root, "template.yaml", account); err != nil {
		return nil, err
	}
	if h.member, err = read(root, "member.yaml", account); err != nil {
		return nil, err
	}
	h.Bus, h.Log = h.events.AddBus(account, region, Name), s.Logs.AddGroup(account, region, EventsLog)
	h.Bus.Admit(h.admits)
	if err := h.forward(account, h.template); err != nil {
		return nil, err
	}
	return h, h.Wake("EventsToLog", h.Log.Take)
}

func read(root, name, account string) (deployable, error) {
	text, err := os.ReadFile(filepath.Join(root, name)) //nolint:gosec // it is ours
	if err != nil {
		return deployable{}, fmt.Errorf("setting up the hub: %w", err)
	}
	template, err := cloudformation.Read(string(text))
	if err != nil {
		return deployable{}, fmt.Errorf("setting up the hub: %w", err)
	}
	return deployable{bytes.ReplaceAll(text, []byte("!Ref AWS::AccountId"), []byte(`"`+account+`"`)), template}, nil
}

// admits is the policy of the bus.
func (h *Hub) admits(from string, e eventbridge.Event, byRule bool) bool {
	return byRule && slices.Contains(h.members, from) && (e.Source == "aws.codeartifact" || e.Source == "aws.proton")
}

// forward hands the events of an account to the bus, by the rule of a template.
func (h *Hub) forward(account string, template deployable) error {
	pattern, err := eventbridge.PatternIn(template.text, "Forward")
	if err != nil {
		return err
	}
	return h.events.AddRule(account, h.Region, "default", eventbridge.Rule{Name: "Forward", Pattern: pattern, Bus: h.Bus.ARN()})
}

// Wake adds the rule of the template that has a logical id, with a target.
func (h *Hub) Wake(rule string, target func(event []byte)) error {
	pattern, err := eventbridge.PatternIn(h.template.text, rule)
	if err != nil {
		return err
	}
	return h.events.AddRule(h.Account, h.Region, Name, eventbridge.Rule{Name: rule, Pattern: pattern, Target: target})
}

// A function's role, and the logical id of it in the template.
var functionRoles = map[string]string{
	"external-connections": "ExternalConnections", "package-groups": "PackageGroups", "package-origins": "PackageOrigins",
	"proton-connections": "ProtonConnections", "planner": "Planner",
}

// Prefix is what the names of all roles begin with, here and in members.
func (h *Hub) Prefix() string { return Name + "-" + h.Region }

// Role makes the role of a function, or changes it to what the function may do in a
// mode, and returns its name.
func (h *Hub) Role(function, mode string) (string, error) {
	parameters := map[string]string{"ExternalId": ExternalID, "MemberAccounts": "222233334444"}
	if function == "planner" { // which also may list the accounts of an organization
		parameters = map[string]string{"ExternalId": ExternalID, "OrganizationId": "o-a1b2c3d4e5"}
	} else {
		parameters[functionRoles[function]+"Mode"] = mode
	}
	role := h.world.Role(h.Account, h.Prefix()+"-"+function)
	return h.Prefix() + "-" + function, limit(role, h.template.Template, functionRoles[function]+"Role", parameters)
}

// Environment is what the template gives to a function: its mode, or to the planner
// the names of the controls that are on, with commas in between.
func (h *Hub) Environment(function, modeOrControls string) map[string]string {
	env := map[string]string{
		"ACCOUNT_ID": h.Account, "EVENT_BUS": Name, "MEMBER_ROLES": h.Prefix(), "EXTERNAL_ID": ExternalID,
		"ROLE_ARN": h.world.Role(h.Account, h.Prefix()+"-"+function).ARN(),
	}
	if function == "planner" {
		env["EVENTS_LOG"], env["SWEEP_SECONDS"] = EventsLog, "3600"
		env["CONTROLS"] = modeOrControls
	} else {
		env["ENFORCEMENT_MODE"] = modeOrControls
	}
	return env
}

// Join deploys member.yaml in an account, where the named controls may write. It can
// be done again, to change that.
func (h *Hub) Join(account string, enforced ...string) error {
	if !slices.Contains(h.members, account) {
		h.members = append(h.members, account)
		if err := h.forward(account, h.member); err != nil {
			return err
		}
	}
	var everybody []string
	for function, id := range functionRoles {
		if function == "planner" {
			continue
		}
		own := h.world.Role(h.Account, h.Prefix()+"-"+function).ARN()
		everybody = append(everybody, own)
		writes := h.world.Role(account, h.Prefix()+"-"+function+"-write")
		if !slices.Contains(enforced, function) {
			writes.Remove()
			continue
		}
		if err := limit(writes, h.member.Template, id+"WriteRole", h.joining(map[string]string{id + "Mode": "enforce"})); err != nil {
			return err
		}
		h.sts.Trust(writes, sts.Trust{Principals: []string{own}, ExternalID: ExternalID})
	}
	reads := h.world.Role(account, h.Prefix()+"-read")
	h.sts.Trust(reads, sts.Trust{Principals: everybody, ExternalID: ExternalID})
	return limit(reads, h.member.Template, "ReadRole", h.joining(nil))
}

// joining are the parameters of member.yaml.
func (h *Hub) joining(modes map[string]string) map[string]string {
	parameters := map[string]string{"HubAccountId": h.Account, "HubStackName": Name, "ExternalId": ExternalID}
	maps.Copy(parameters, modes)
	return parameters
}

// Leave takes the roles of member.yaml away from an account.
func (h *Hub) Leave(account string) {
	for function := range functionRoles {
		h.world.Role(account, h.Prefix()+"-"+function+"-write").Remove()
	}
	h.world.Role(account, h.Prefix()+"-read").Remove()
}
