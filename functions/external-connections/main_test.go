package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/google/go-cmp/cmp"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/lambda"
)

// These tests run the real binary under a local Lambda, against a local AWS. What
// a run did is told by the server's own journal, not by the program.

const (
	home    = endtoend.Home
	partner = endtoend.Partner
	region  = endtoend.Region
	bus     = endtoend.Bus
	sweep   = endtoend.Sweep
)

// everything allows npmjs for one gateway, and waives one repository.
const everything = `
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

func TestMain(m *testing.M) { endtoend.Main(m) }

// stage adds a domain to the common stage, and reads it in the words of this
// control.
type stage struct {
	*endtoend.Stage
	corp codeartifact.Domain
}

func newStage(t *testing.T, mode, policy string, options ...endtoend.Option) *stage {
	t.Helper()
	s := &stage{Stage: endtoend.New(t, "external-connections", mode, policy, options...)}
	s.corp = s.Artifact.AddDomain(home, region, "corp")
	return s
}

// repo adds a repository with its connections.
func (s *stage) repo(name string, connections ...string) codeartifact.Repository {
	r := s.corp.AddRepository(name)
	r.Connect(connections...)
	return r
}

// writes lists the writes to CodeArtifact that the server executed.
func (s *stage) writes() []string {
	list := []string{}
	for _, c := range s.ArtifactWrites() {
		list = append(list, fmt.Sprintf("%s %s/%s %s", c.Operation, c.Input["domain"], c.Input["repository"], c.Input["externalConnection"]))
	}
	return list
}

func (s *stage) wantWrites(want ...string) {
	s.T.Helper()
	got := s.writes()
	slices.Sort(got)
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		s.T.Errorf("writes (-want +got):\n%s", diff)
	}
}

func disconnect(repo, connection string) string {
	return "DisassociateExternalConnection corp/" + repo + " " + connection
}

func (s *stage) outcomes() map[string]string {
	m := map[string]string{}
	for _, e := range s.Reported("Action Outcome") {
		m[strings.TrimPrefix(e.Resource, "arn:aws:codeartifact:"+region+":"+home+":repository/")+" "+e.Subject] = e.Status + " " + e.Code
	}
	return m
}

func TestMonitorModeFindsViolationsAndWritesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", everything)
	s.repo("npm-store", "public:npmjs")
	s.repo("legacy", "public:pypi")
	app := s.repo("app", "public:npmjs")
	s.repo("web").Upstream("app")
	s.repo("quiet")

	out := s.Sweep()
	s.wantWrites()
	if !slices.Equal(app.Connections(), []string{"public:npmjs"}) {
		t.Errorf("app is connected to %q", app.Connections())
	}
	want := endtoend.Summary{Complete: true, Looked: 5, Wanted: 1, Allowed: 5,
		Verdicts: map[string]int{"compliant": 1, "violation": 1, "waived": 1, "undetermined": 0},
		Outcomes: map[string]int{"applied": 0, "withheld": 1, "already-done": 0, "failed": 0, "restore-needed": 0}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"corp/app public:npmjs": "withheld monitor"}, s.outcomes()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	findings := s.Reported("Finding")
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

	out := s.Sweep()
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

	before := len(s.World.Calls())
	out = s.Sweep()
	if out.Verdicts["violation"] != 0 || out.Outcomes["applied"] != 0 {
		t.Errorf("second sweep: %+v", out)
	}
	for _, c := range s.World.Calls()[before:] {
		if c.Write && c.Service == "codeartifact" {
			t.Errorf("the second sweep called %s", c.Operation)
		}
	}
}

func TestEveryWriteIsPrecededByItsIntentAndCanBeUndone(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	app := s.repo("app", "public:npmjs")
	s.Sweep()

	intent, outcome := -1, -1
	for i, line := range s.Function.Logs() {
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

	o := s.Reported("Action Outcome")
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
	c := s.World.Account(home)
	client := sdk.New(sdk.Options{Region: region, BaseEndpoint: aws.String(s.World.URL()), HTTPClient: s.World.Client(),
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

	if out := s.Sweep(); out.Verdicts["waived"] != 1 {
		t.Errorf("while the waiver holds: %+v", out)
	}
	s.wantWrites()
	s.World.Advance(11 * 24 * time.Hour)
	if out := s.Sweep(); out.Outcomes["applied"] != 1 {
		t.Errorf("after it ran out: %+v", out)
	}
	s.wantWrites(disconnect("legacy", "public:pypi"))
	if len(legacy.Connections()) != 0 {
		t.Errorf("legacy is connected to %q", legacy.Connections())
	}
}

func TestASweepTellsTheEndOfWaivers(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", everything) // nothing is connected: the waiver waives nothing
	s.Sweep()
	s.World.Advance(11 * 24 * time.Hour)
	if _, err := s.Invoke(payload(t, associated("app"))); err != nil { // not for an event
		t.Fatal(err)
	}
	s.Sweep()
	var told []string
	for _, line := range s.Function.Logs() {
		var record struct{ Level, Message, Text string }
		if json.Unmarshal([]byte(line), &record) == nil && record.Message == "waiver" {
			told = append(told, record.Level+" "+record.Text)
		}
	}
	want := []string{
		"WARN waiver legacy of team-web ends on 2026-11-30",
		"WARN waiver legacy of team-web is over since 2026-12-01: renew it or take it out of the policy",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestWithoutAWSsTimeAWaiverIsNotJudged(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.repo("legacy", "public:pypi")
	s.World.Advance(365 * 24 * time.Hour)
	s.World.Inject(localaws.Fault{Service: "codeartifact", Kind: localaws.NoDate()})
	if out := s.Sweep(); out.Verdicts["undetermined"] != 1 {
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
	_, err := s.Invoke(sweep)
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
	dev := s.Artifact.AddDomain(home, region, "dev-web").AddRepository("app")
	dev.Connect("public:npmjs")

	s.Sweep()
	s.wantWrites("DisassociateExternalConnection dev-web/app public:npmjs")
	if got := s.outcomes()["corp/app public:npmjs"]; got != "withheld not-enforced-here" {
		t.Errorf("corp/app: %s", got)
	}
}

func TestOffLooksAtNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "off", everything)
	s.repo("app", "public:npmjs")
	out, err := s.Invoke(sweep)
	if err != nil || out.Ignored == "" {
		t.Errorf("got %+v, %v", out, err)
	}
	for _, c := range s.World.Calls() {
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
	theirs := s.Artifact.AddDomain(partner, region, "corp")
	ours := theirs.AddRepositoryOf(home, "app")
	ours.Connect("public:pypi")
	ours.Grant(home, codeartifact.Write)
	alien := theirs.AddRepository("alien")
	alien.Connect("public:pypi")

	out := s.Sweep()
	s.wantWrites(disconnect("app", "public:npmjs"), disconnect("app", "public:pypi"))
	if out.Looked != 2 || !out.Complete || len(ours.Connections()) != 0 || len(alien.Connections()) != 1 {
		t.Errorf("summary %+v; connections %q, %q", out, ours.Connections(), alien.Connections())
	}
	told := 0
	for _, f := range s.Reported("Finding") {
		if strings.Contains(f.Resource, partner) {
			told++
			if !strings.Contains(f.Effect, "was not read completely") {
				t.Errorf("of another account's domain only a part is seen, but the effect is %q", f.Effect)
			}
		}
	}
	if told != 1 {
		t.Errorf("%d findings are of the other account's domain, want 1", told)
	}
}
