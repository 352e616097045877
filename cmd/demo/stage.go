package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/cloudtrail"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/lambda"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
	bus     = "portcullis"
	rule    = "ExternalConnectionsAssociated" // in template.yaml
)

//go:embed policy.yaml
var policyFile []byte

// stage is the local AWS, with the function deployed in it.
type stage struct {
	ctx      context.Context
	out      io.Writer
	verbose  bool
	dir      string // holds the binary and the policy
	world    *localaws.World
	corp     codeartifact.Domain
	events   *eventbridge.Service
	function *lambda.Running
	woken    []string // the calls for which the rule has woken the function; read it while the events are idle

	seenEvents int // how many events and calls earlier scenes have told of
	seenCalls  int

	mu   sync.Mutex
	last map[string]time.Time // the real time of the last call of each operation
}

func newStage(ctx context.Context, out io.Writer, verbose bool) (_ *stage, err error) {
	dir, err := os.MkdirTemp("", "portcullis-demo")
	if err != nil {
		return nil, err
	}
	s := &stage{ctx: ctx, out: out, verbose: verbose, dir: dir, last: map[string]time.Time{}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	if err := build(ctx, root, filepath.Join(dir, "bootstrap"), "./functions/external-connections"); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), policyFile, 0o600); err != nil {
		return nil, err
	}
	if s.world, err = localaws.New(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)); err != nil {
		return nil, fmt.Errorf("starting the local AWS: %w; the demo needs one free port on 127.0.0.1", err)
	}
	s.world.OnCall(func(c localaws.Call) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.last[c.Operation] = time.Now()
	})
	s.events = eventbridge.New(s.world)
	s.events.AddBus(account, region, bus)
	packages := codeartifact.New(s.world)
	s.estate(packages)
	cloudtrail.New(s.world, packages, s.events)
	if err := s.addRule(filepath.Join(root, "template.yaml")); err != nil {
		return nil, err
	}
	return s, s.deploy("monitor")
}

func (s *stage) close() {
	if s.world != nil {
		s.world.Close()
	}
	_ = os.RemoveAll(s.dir)
}

// moduleRoot is the folder of the repository.
func moduleRoot(ctx context.Context) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("asking Go for the module: %w; run the demo inside the repository, with Go on the PATH", err)
	}
	return strings.TrimSpace(string(root)), nil
}

// build compiles a function for this machine, otherwise as it is deployed.
func build(ctx context.Context, root, binary, folder string) error {
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", binary, folder) //nolint:gosec // both are ours
	c.Dir = root
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", folder, err, out)
	}
	return nil
}

// deploy puts the function in place in one mode, as a deployment would.
func (s *stage) deploy(mode string) error {
	f := lambda.Function{
		Name: "external-connections", Account: account, Region: region,
		Binary: filepath.Join(s.dir, "bootstrap"),
		Env: map[string]string{
			"ACCOUNT_ID": account, "ENFORCEMENT_MODE": mode, "EVENT_BUS": bus,
			"POLICY_FILE": filepath.Join(s.dir, "policy.yaml"),
			"ROLE_ARN":    "arn:aws:iam::" + account + ":role/portcullis-external-connections",
		},
	}
	if s.verbose {
		f.Output = s.out
	}
	var err error
	s.function, err = lambda.Start(s.world, f)
	return err
}

// addRule has events wake the function by the rule that is deployed.
func (s *stage) addRule(template string) error {
	text, err := os.ReadFile(template) //nolint:gosec // it is ours
	if err != nil {
		return err
	}
	pattern, err := eventbridge.PatternIn(text, rule)
	if err != nil {
		return err
	}
	return s.events.AddRule(account, region, "default", eventbridge.Rule{Name: rule, Pattern: pattern, Target: func(event []byte) {
		var call struct{ Detail struct{ EventName string } }
		_ = json.Unmarshal(event, &call) // the function itself has to cope with what is no record
		s.woken = append(s.woken, call.Detail.EventName)
		<-s.function.InvokeAsync(event)
	}})
}

// estate fills the domain: two gateways, what hangs on them, and what should not
// be there.
func (s *stage) estate(service *codeartifact.Service) {
	s.corp = service.AddDomain(account, region, "corp")
	s.corp.AddRepository("npm-store").Connect("public:npmjs")
	s.corp.AddRepository("pypi-store").Connect("public:pypi")
	s.corp.AddRepository("legacy-tools").Connect("public:pypi")
	s.corp.AddRepository("data-science").Connect("public:pypi")
	s.corp.AddRepository("web-frontend").Connect("public:npmjs")
	s.corp.AddRepository("web-build").Upstream("web-frontend")
	s.corp.AddRepository("web-release").Upstream("web-build")
	for i := range 13 {
		s.corp.AddRepository(fmt.Sprintf("team-%02d", i+1)).Upstream("npm-store", "pypi-store")
	}
}

// sweep wakes the function as the schedule does, prints what it reported on the
// bus, and returns that. A run that ends with an error is part of the play.
func (s *stage) sweep() (report, error) {
	_, err := s.function.Invoke(s.ctx, []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"schedule"}}`))
	var failure *lambda.FunctionError
	if err != nil && !errors.As(err, &failure) {
		return report{}, err
	}
	return s.report(failure)
}

// report is what one run said and what the server saw of it.
type report struct {
	findings, outcomes []event
	writes             []string // writes to CodeArtifact that were executed
	err                *lambda.FunctionError
}

func (r report) count(status string) int {
	n := 0
	for _, o := range r.outcomes {
		if o.Status == status {
			n++
		}
	}
	return n
}

// event has the fields of the events' details that the demo prints.
type event struct {
	Resource, Subject, Verdict, Reason, Effect, Status, Detail string
	Undo                                                       []struct{ Input json.RawMessage }
}

func (e event) repository() string {
	_, name, _ := strings.Cut(e.Resource, ":repository/")
	return name
}

// report collects and prints what came since the last one.
func (s *stage) report(failure *lambda.FunctionError) (report, error) {
	r := report{err: failure}
	events := s.events.Events(account, region, bus)
	for _, e := range events[s.seenEvents:] {
		var d event
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			return r, fmt.Errorf("reading a %s event: %w", e.DetailType, err)
		}
		switch e.DetailType {
		case "Finding":
			r.findings = append(r.findings, d)
		case "Action Outcome":
			r.outcomes = append(r.outcomes, d)
		}
	}
	s.list("finding", r.findings, func(e event) string {
		if e.Effect == "" {
			return fmt.Sprintf("%s: %s", e.Verdict, e.Reason)
		}
		return fmt.Sprintf("%s: %s;\n%13s%s", e.Verdict, e.Reason, "", e.Effect)
	})
	s.list("outcome", r.outcomes, func(e event) string {
		return fmt.Sprintf("%s %s: %s", e.Status, e.repository(), e.Detail)
	})
	s.seenEvents = len(events)

	writes := s.world.Writes()
	for _, c := range writes[s.seenCalls:] {
		if c.Service == "codeartifact" {
			r.writes = append(r.writes, fmt.Sprintf("%s %s/%s %s", c.Operation, c.Input["domain"], c.Input["repository"], c.Input["externalConnection"]))
		}
	}
	s.seenCalls = len(writes)
	if failure != nil {
		s.say("error", "%s", failure.Message)
	}
	if len(r.writes) == 0 {
		s.say("server", "no write")
	}
	for _, w := range r.writes {
		s.say("server", "%s", w)
	}
	return r, nil
}

// list prints the first few of a kind; a reader has the idea after three.
func (s *stage) list(what string, events []event, line func(event) string) {
	for _, e := range events[:min(3, len(events))] {
		s.say(what, "%s", line(e))
	}
	if n := len(events) - 3; n > 0 {
		s.say("", "... and %d more", n)
	}
}

// apart is the real time between the last calls of two operations.
func (s *stage) apart(first, second string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[second].Sub(s.last[first])
}

func (s *stage) say(what, format string, a ...any) {
	fmt.Fprintf(s.out, "   %-9s %s\n", what, fmt.Sprintf(format, a...))
}
