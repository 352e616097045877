package endtoend

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portcullis/internal/hub"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/cloudtrail"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/lambda"
	"portcullis/shared/localaws/logs"
	"portcullis/shared/localaws/organizations"
	"portcullis/shared/localaws/proton"
	"portcullis/shared/localaws/sts"
	"portcullis/shared/localaws/witness"
)

// Round is what the schedule sends to the planner.
const Round = `{"source":"portcullis","detail-type":"Round Requested","detail":{"by":"schedule"}}`

// Hub is a local AWS with several accounts, and the functions deployed in one of
// them as the templates have it: with their roles, and woken by the rules.
type Hub struct {
	*hub.Hub
	T             *testing.T
	World         *localaws.World
	Artifact      *codeartifact.Service
	Proton        *proton.Service
	Events        *eventbridge.Service
	Organizations *organizations.Service
	Logs          *logs.Service
	Functions     map[string]*lambda.Running

	policy string
}

// NewHub returns a hub in Home under a policy. Nothing is deployed yet.
func NewHub(t *testing.T, policy string) *Hub {
	t.Helper()
	world, err := localaws.New(Start())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	witness.Watch(t, world)
	h := &Hub{
		T: t, World: world, Artifact: codeartifact.New(world), Events: eventbridge.New(world),
		Organizations: organizations.New(world), Logs: logs.New(world), Functions: map[string]*lambda.Running{},
		policy: filepath.Join(t.TempDir(), "policy.yaml"),
	}
	h.Proton = proton.New(world, h.Events)
	cloudtrail.New(world, h.Artifact, h.Events)
	if err := os.WriteFile(h.policy, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	h.Hub, err = hub.New(hub.Services{World: world, Events: h.Events, STS: sts.New(world), Logs: h.Logs}, Home, Region, root())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.checkEvents)
	return h
}

// rules are those that wake each function. package-origins has a queue before its
// events, which is not played here.
var rules = map[string][]string{
	"external-connections": {"ExternalConnectionsAssociated", "ExternalConnectionsSweepRequested"},
	"package-groups":       {"PackageGroupsSweepRequested"},
	"package-origins":      {"PackageOriginsSweepRequested"},
	"proton-connections":   {"ProtonConnectionsCalls", "ProtonConnectionsStatus", "ProtonConnectionsSweepRequested"},
}

// Deploy deploys a function in a mode, or the planner for the named controls; again,
// it takes the place of what was deployed before. The events of a rule are handed over one after the other, as they come; what comes of
// them is there after [eventbridge.Service.Idle].
func (h *Hub) Deploy(function, mode string, env map[string]string, options ...Option) {
	h.T.Helper()
	binary, err := build(function)
	if err != nil {
		h.T.Fatal(err)
	}
	role, err := h.Role(function, mode)
	if err != nil {
		h.T.Fatal(err)
	}
	f := lambda.Function{Name: function, Account: Home, Region: Region, Binary: binary, Role: role, Timeout: patience, Env: h.Environment(function, mode)}
	f.Env["POLICY_FILE"], f.Env["READS_PER_SECOND"], f.Env["WRITES_PER_SECOND"] = h.policy, "0", "0"
	maps.Copy(f.Env, env)
	for _, o := range options {
		o(&f)
	}
	running, err := lambda.Start(h.World, f)
	if err != nil {
		h.T.Fatal(err)
	}
	_, again := h.Functions[function]
	h.Functions[function] = running
	for _, rule := range rules[function] {
		if again {
			break
		}
		if err := h.Wake(rule, func(event []byte) { <-h.Functions[function].InvokeAsync(event) }); err != nil {
			h.T.Fatal(err)
		}
	}
}

// Round wakes the planner as the schedule does, and waits until the sweeps that it
// asked for have ended.
func (h *Hub) Round() error {
	h.T.Helper()
	_, err := h.Functions["planner"].Invoke(h.T.Context(), []byte(Round))
	h.Events.Idle()
	return err
}

// Reported returns the details of Portcullis's own events of one detail-type, in
// order.
func (h *Hub) Reported(detailType string) []json.RawMessage {
	var list []json.RawMessage
	for _, e := range h.Events.Events(Home, Region, Bus) {
		if e.DetailType == detailType {
			list = append(list, e.Detail)
		}
	}
	return list
}

// Writes lists the writes to the services that are looked after: what was done, in
// which account, and by which role.
func (h *Hub) Writes() []string {
	var list []string
	for _, c := range h.World.Writes() {
		if c.Service == "codeartifact" || c.Service == "proton" {
			role := c.Principal[strings.LastIndex(c.Principal, "/")+1:]
			list = append(list, c.Operation+" in "+c.Account+" by "+role)
		}
	}
	return list
}

func (h *Hub) checkEvents() { checkEvents(h.T, h.Events) }
