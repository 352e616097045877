package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/lambda"
)

// These tests run the real binary under a local Lambda, against a local AWS. What
// a run did is told by the server's own journal, not by the program.

const (
	home    = "111122223333"
	partner = "444455556666"
	region  = "eu-west-1"
	bus     = "portcullis"
)

const (
	sweep = `{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"schedule"}}`

	// everything allows npmjs for one gateway, and one waiver for a repository.
	everything = `
version: 1
limits: {count: 10, share: 100%}
external_connections:
  allow:
    - repositories: ["corp/npm-store"]
      connections: ["public:npmjs"]
  waivers:
    - id: legacy
      repositories: ["corp/legacy"]
      connections: ["public:pypi"]
      reason: "moving off it"
      owner: "team-web"
      expires: 2026-11-30
`
)

var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// binary builds the function once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "portcullis")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bootstrap")
	build := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the function: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// stage is one local AWS with one deployed function.
type stage struct {
	t        *testing.T
	world    *localaws.World
	artifact *codeartifact.Service
	events   *eventbridge.Service
	corp     codeartifact.Domain
	function *lambda.Running
}

type option func(*lambda.Function)

func env(name, value string) option { return func(f *lambda.Function) { f.Env[name] = value } }

func timeout(d time.Duration) option { return func(f *lambda.Function) { f.Timeout = d } }

func newStage(t *testing.T, mode, policy string, options ...option) *stage {
	t.Helper()
	world, err := localaws.New(start)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	s := &stage{t: t, world: world, artifact: codeartifact.New(world), events: eventbridge.New(world)}
	s.events.AddBus(home, region, bus)
	s.corp = s.artifact.AddDomain(home, region, "corp")
	s.deploy(mode, policy, options...)
	t.Cleanup(s.checkEvents)
	t.Cleanup(s.checkLog)
	return s
}

// deploy puts the function in place, with a policy, as a new deployment would.
func (s *stage) deploy(mode, policy string, options ...option) {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	file := filepath.Join(s.t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(policy), 0o600); err != nil {
		s.t.Fatal(err)
	}
	f := lambda.Function{Name: "external-connections", Account: home, Region: region, Binary: path, Env: map[string]string{
		"ACCOUNT_ID": home, "ENFORCEMENT_MODE": mode, "EVENT_BUS": bus, "POLICY_FILE": file,
		"ROLE_ARN": "arn:aws:iam::" + home + ":role/portcullis",
	}}
	for _, o := range options {
		o(&f)
	}
	if s.function, err = lambda.Start(s.world, f); err != nil {
		s.t.Fatal(err)
	}
}

// repo adds a repository with its connections.
func (s *stage) repo(name string, connections ...string) codeartifact.Repository {
	r := s.corp.AddRepository(name)
	r.Connect(connections...)
	return r
}

type summary struct {
	Complete      bool
	Looked        int
	Wanted        int
	Allowed       int
	LimitExceeded bool
	Undelivered   int
	Ignored       string
	Verdicts      map[string]int
	Outcomes      map[string]int
}

func (s *stage) invoke(payload string) (summary, error) {
	s.t.Helper()
	result, err := s.function.Invoke(s.t.Context(), []byte(payload))
	var out summary
	if err == nil {
		if err := json.Unmarshal(result.Payload, &out); err != nil {
			s.t.Fatalf("summary %s: %v", result.Payload, err)
		}
	}
	return out, err
}

// sweep runs one that must not end with an error.
func (s *stage) sweep() summary {
	s.t.Helper()
	out, err := s.invoke(sweep)
	if err != nil {
		s.t.Fatalf("sweep: %v\n%s", err, strings.Join(s.function.Logs(), "\n"))
	}
	return out
}

// writes lists the writes to CodeArtifact that the server executed.
func (s *stage) writes() []string {
	list := []string{}
	for _, c := range s.world.Writes() {
		if c.Service == "codeartifact" {
			list = append(list, fmt.Sprintf("%s %s/%s %s", c.Operation, c.Input["domain"], c.Input["repository"], c.Input["externalConnection"]))
		}
	}
	return list
}

func (s *stage) wantWrites(want ...string) {
	s.t.Helper()
	got := s.writes()
	slices.Sort(got)
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		s.t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func disconnect(repo, connection string) string {
	return "DisassociateExternalConnection corp/" + repo + " " + connection
}

type event struct {
	ID, Resource, Subject, Verdict, Code, Reason, Effect, Status, Detail string
	Undo                                                                 []struct {
		Service, Operation string
		Input              json.RawMessage
	}
}

// reported returns the events of one detail-type, as "resource subject → what".
func (s *stage) reported(detailType string) []event {
	var list []event
	for _, e := range s.events.Events(home, region, bus) {
		if e.DetailType == detailType {
			var d event
			if err := json.Unmarshal(e.Detail, &d); err != nil {
				s.t.Fatal(err)
			}
			list = append(list, d)
		}
	}
	return list
}

func (s *stage) outcomes() map[string]string {
	m := map[string]string{}
	for _, e := range s.reported("Action Outcome") {
		m[strings.TrimPrefix(e.Resource, "arn:aws:codeartifact:"+region+":"+home+":repository/")+" "+e.Subject] = e.Status + " " + e.Code
	}
	return m
}

// checkEvents holds every event on the bus against the schemas of docs/events.md.
func (s *stage) checkEvents() {
	schemas := schemas(s.t)
	for _, e := range s.events.Events(home, region, bus) {
		schema := schemas[e.DetailType]
		if schema == nil {
			s.t.Errorf("docs/events.md has no schema for %q", e.DetailType)
			continue
		}
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(e.Detail)))
		if err == nil {
			err = schema.Validate(instance)
		}
		if err != nil {
			s.t.Errorf("%s: %v\n%s", e.DetailType, err, e.Detail)
		}
	}
}

// checkLog holds every line of standard output to be one JSON object.
func (s *stage) checkLog() {
	for _, line := range s.function.Logs() {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			s.t.Errorf("not a JSON object: %q", line)
		}
	}
}

var schemaBlock = regexp.MustCompile("(?s)```json schema=([A-Za-z ]+)\n(.*?)```")

func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	page, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	compiled := map[string]*jsonschema.Schema{}
	for _, block := range schemaBlock.FindAllStringSubmatch(string(page), -1) {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(block[2]))
		if err != nil {
			t.Fatalf("schema of %s: %v", block[1], err)
		}
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		if err := c.AddResource("mem:///schema", document); err != nil {
			t.Fatal(err)
		}
		if compiled[block[1]], err = c.Compile("mem:///schema"); err != nil {
			t.Fatal(err)
		}
	}
	return compiled
}

func TestMonitorModeFindsViolationsAndWritesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", everything)
	s.repo("npm-store", "public:npmjs")
	s.repo("legacy", "public:pypi")
	app := s.repo("app", "public:npmjs")
	s.repo("web").Upstream("app")
	s.repo("quiet")

	out := s.sweep()
	s.wantWrites()
	if !slices.Equal(app.Connections(), []string{"public:npmjs"}) {
		t.Errorf("app is connected to %q", app.Connections())
	}
	want := summary{Complete: true, Looked: 5, Wanted: 1, Allowed: 5,
		Verdicts: map[string]int{"compliant": 1, "violation": 1, "waived": 1, "undetermined": 0},
		Outcomes: map[string]int{"applied": 0, "withheld": 1, "already-done": 0, "failed": 0, "restore-needed": 0}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"corp/app public:npmjs": "withheld monitor"}, s.outcomes()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	findings := s.reported("Finding")
	if len(findings) != 2 || findings[0].Verdict != "violation" || findings[1].Verdict != "waived" {
		t.Fatalf("findings: %+v", findings)
	}
	if want := "corp/app and what draws from it (corp/web) get no new versions"; !strings.Contains(findings[0].Effect, want) {
		t.Errorf("effect %q does not say %q", findings[0].Effect, want)
	}
}

func TestEnforceModeDisconnectsAndASecondSweepWritesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	store := s.repo("npm-store", "public:npmjs")
	app, web := s.repo("app", "public:npmjs"), s.repo("web", "public:pypi")

	out := s.sweep()
	s.wantWrites(disconnect("app", "public:npmjs"), disconnect("web", "public:pypi"))
	if len(app.Connections())+len(web.Connections()) != 0 || len(store.Connections()) != 1 {
		t.Errorf("connections left: app %q, web %q, npm-store %q", app.Connections(), web.Connections(), store.Connections())
	}
	if out.Outcomes["applied"] != 2 {
		t.Errorf("summary: %+v", out)
	}
	if diff := cmp.Diff(map[string]string{"corp/app public:npmjs": "applied verified", "corp/web public:pypi": "applied verified"}, s.outcomes()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}

	before := len(s.world.Calls())
	out = s.sweep()
	if out.Verdicts["violation"] != 0 || out.Outcomes["applied"] != 0 {
		t.Errorf("second sweep: %+v", out)
	}
	for _, c := range s.world.Calls()[before:] {
		if c.Write && c.Service == "codeartifact" {
			t.Errorf("the second sweep called %s", c.Operation)
		}
	}
}

func TestEveryWriteIsPrecededByItsIntentAndCanBeUndone(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	app := s.repo("app", "public:npmjs")
	s.sweep()

	intent, outcome := -1, -1
	for i, line := range s.function.Logs() {
		switch {
		case strings.Contains(line, `"message":"intent"`):
			intent = i
		case strings.Contains(line, `"message":"outcome"`):
			outcome = i
		}
	}
	if intent < 0 || outcome < intent {
		t.Errorf("intent on line %d, outcome on line %d", intent, outcome)
	}

	o := s.reported("Action Outcome")
	if len(o) != 1 || len(o[0].Undo) != 1 || o[0].Undo[0].Operation != "AssociateExternalConnection" {
		t.Fatalf("outcomes: %+v", o)
	}
	restore(t, s, o[0].Undo[0].Input)
	if !slices.Equal(app.Connections(), []string{"public:npmjs"}) {
		t.Errorf("after the undo, app is connected to %q", app.Connections())
	}
}

// restore makes the call of an undo with its input as it stands, as a person does with the AWS CLI.
func restore(t *testing.T, s *stage, input json.RawMessage) {
	t.Helper()
	var in sdk.AssociateExternalConnectionInput
	decoder := json.NewDecoder(strings.NewReader(string(input)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		t.Fatal(err)
	}
	c := s.world.Account(home)
	client := sdk.New(sdk.Options{Region: region, BaseEndpoint: aws.String(s.world.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		})})
	if _, err := client.AssociateExternalConnection(t.Context(), &in); err != nil {
		t.Fatal(err)
	}
}

func TestAWaiverRunsOutByTheClockOfAWS(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	legacy := s.repo("legacy", "public:pypi")

	if out := s.sweep(); out.Verdicts["waived"] != 1 {
		t.Errorf("while the waiver holds: %+v", out)
	}
	s.wantWrites()
	s.world.Advance(11 * 24 * time.Hour)
	if out := s.sweep(); out.Outcomes["applied"] != 1 {
		t.Errorf("after it ran out: %+v", out)
	}
	s.wantWrites(disconnect("legacy", "public:pypi"))
	if len(legacy.Connections()) != 0 {
		t.Errorf("legacy is connected to %q", legacy.Connections())
	}
}

func TestWithoutAWSsTimeAWaiverIsNotJudged(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.repo("legacy", "public:pypi")
	s.world.Advance(365 * 24 * time.Hour)
	s.world.Inject(localaws.Fault{Service: "codeartifact", Kind: localaws.NoDate()})
	if out := s.sweep(); out.Verdicts["undetermined"] != 1 {
		t.Errorf("summary: %+v", out)
	}
	s.wantWrites()
}

func TestAPlanOverTheLimitIsRefusedWhole(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", strings.Replace(everything, "count: 10, share: 100%", "count: 10, share: 40%", 1))
	for i := range 5 {
		s.repo(fmt.Sprintf("app-%d", i), "public:npmjs")
	}
	_, err := s.invoke(sweep)
	var failure *lambda.FunctionError
	if !errors.As(err, &failure) || !strings.Contains(failure.Message, "limit exceeded: the plan has 5 writes, one run may make 2") {
		t.Errorf("error: %v", err)
	}
	s.wantWrites()
	for resource, outcome := range s.outcomes() {
		if outcome != "withheld limit-exceeded" {
			t.Errorf("%s: %s", resource, outcome)
		}
	}
	if n := len(s.outcomes()); n != 5 {
		t.Errorf("%d outcomes, want 5", n)
	}
}

func TestEnforcementReachesOnlyWhereThePolicySays(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything+"enforce_on:\n  - domains: [\"dev-*\"]\n")
	s.repo("app", "public:npmjs")
	dev := s.artifact.AddDomain(home, region, "dev-web").AddRepository("app")
	dev.Connect("public:npmjs")

	s.sweep()
	s.wantWrites("DisassociateExternalConnection dev-web/app public:npmjs")
	if got := s.outcomes()["corp/app public:npmjs"]; got != "withheld not-enforced-here" {
		t.Errorf("corp/app: %s", got)
	}
}

func TestOffLooksAtNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "off", everything)
	s.repo("app", "public:npmjs")
	out, err := s.invoke(sweep)
	if err != nil || out.Ignored == "" {
		t.Errorf("got %+v, %v", out, err)
	}
	for _, c := range s.world.Calls() {
		if c.Service == "codeartifact" {
			t.Errorf("called %s", c.Operation)
		}
	}
}

func TestRepositoriesInOtherAccountsDomainsAreFoundByTheirFullIdentity(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.repo("app", "public:npmjs")
	// The same names in another account: a domain's name is unique only within its owner.
	theirs := s.artifact.AddDomain(partner, region, "corp")
	ours := theirs.AddRepositoryOf(home, "app")
	ours.Connect("public:pypi")
	ours.Grant(home, codeartifact.Write)
	alien := theirs.AddRepository("alien")
	alien.Connect("public:pypi")

	out := s.sweep()
	s.wantWrites(disconnect("app", "public:npmjs"), disconnect("app", "public:pypi"))
	if out.Looked != 2 || !out.Complete || len(ours.Connections()) != 0 || len(alien.Connections()) != 1 {
		t.Errorf("summary %+v; connections %q, %q", out, ours.Connections(), alien.Connections())
	}
	for _, f := range s.reported("Finding") {
		if strings.Contains(f.Resource, partner) && !strings.Contains(f.Effect, "was not read completely") {
			t.Errorf("of another account's domain only a part is seen, but the effect is %q", f.Effect)
		}
	}
}
