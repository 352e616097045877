// Package hub sets up in a local AWS what template.yaml and member.yaml deploy
// around the functions: the bus, the rules, the log of events and the roles. What
// a rule matches and what a role may do is read from the templates, so that tests
// and the demo play what is deployed.
//
// It runs no function: whoever sets up a hub says what the rules wake. Of a role's
// permissions it plays the actions and the detail-types of events, not the
// resources; the tests of the templates look at those.
package hub

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

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
	template, member []byte
	members          []string
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

// read returns a template in which the account is filled in.
func read(root, name, account string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, name)) //nolint:gosec // it is ours
	if err != nil {
		return nil, fmt.Errorf("setting up the hub: %w", err)
	}
	return bytes.ReplaceAll(text, []byte("!Ref AWS::AccountId"), []byte(`"`+account+`"`)), nil
}

// admits is the policy of the bus, as the template has it.
func (h *Hub) admits(from string, e eventbridge.Event, byRule bool) bool {
	return byRule && slices.Contains(h.members, from) && (e.Source == "aws.codeartifact" || e.Source == "aws.proton")
}

// forward hands the events of an account to the bus, by the rule of a template.
func (h *Hub) forward(account string, template []byte) error {
	pattern, err := eventbridge.PatternIn(template, "Forward")
	if err != nil {
		return err
	}
	return h.events.AddRule(account, h.Region, "default", eventbridge.Rule{Name: "Forward", Pattern: pattern, Bus: h.Bus.ARN()})
}

// Wake adds the rule of the template that has a logical id, with a target.
func (h *Hub) Wake(rule string, target func(event []byte)) error {
	pattern, err := eventbridge.PatternIn(h.template, rule)
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
	id := functionRoles[function]
	conditions := map[string]bool{"HasMembers": true, "HasOrganization": true, id + "Enforce": mode == "enforce"}
	role := h.world.Role(h.Account, h.Prefix()+"-"+function)
	return h.Prefix() + "-" + function, limit(role, h.template, id+"Role", conditions)
}

// Environment is what the template gives to every function.
func (h *Hub) Environment(function, mode string) map[string]string {
	env := map[string]string{
		"ACCOUNT_ID": h.Account, "EVENT_BUS": Name, "MEMBER_ROLES": h.Prefix(), "EXTERNAL_ID": ExternalID,
		"ROLE_ARN": h.world.Role(h.Account, h.Prefix()+"-"+function).ARN(),
	}
	if function == "planner" {
		env["EVENTS_LOG"], env["SWEEP_SECONDS"] = EventsLog, "3600"
		env["CONTROLS"] = mode // the planner has no mode; the controls that are on are what it goes by
	} else {
		env["ENFORCEMENT_MODE"] = mode
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
		if err := limit(writes, h.member, id+"WriteRole", nil); err != nil {
			return err
		}
		h.sts.Trust(writes, sts.Trust{Principals: []string{own}, ExternalID: ExternalID})
	}
	reads := h.world.Role(account, h.Prefix()+"-read")
	h.sts.Trust(reads, sts.Trust{Principals: everybody, ExternalID: ExternalID})
	return limit(reads, h.member, "ReadRole", nil)
}

// Leave takes the roles of member.yaml away from an account.
func (h *Hub) Leave(account string) {
	for function := range functionRoles {
		h.world.Role(account, h.Prefix()+"-"+function+"-write").Remove()
	}
	h.world.Role(account, h.Prefix()+"-read").Remove()
}
