package main_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/proton"
)

// These tests run the real binary under a local Lambda, against a local AWS. What
// a run did is told by the server's own journal, not by the program.
//
// The function runs in one account, which is on both sides: partner asks it, and it
// asks partner and a stranger.

const (
	home     = endtoend.Home
	partner  = endtoend.Partner
	stranger = "777788889999"
	region   = endtoend.Region
	sweep    = endtoend.Sweep
)

// everything approves prod-* of partner, waives lab-* of partner, and names partner
// as an account that may be asked.
const everything = `
version: 1
limits: {count: 10, share: 100%}
proton_connections:
  approve:
    - environment_accounts: ["444455556666"]
      management_accounts: ["111122223333"]
      environments: ["prod-*"]
      roles: ["arn:aws:iam::444455556666:role/proton-*"]
    - environment_accounts: ["111122223333"]
      management_accounts: ["444455556666"]
      environments: ["*"]
  waivers:
    - id: lab
      environment_accounts: ["444455556666"]
      management_accounts: ["111122223333"]
      environments: ["lab-*"]
      reason: "the trial"
      owner: "team-web"
      expires: 2026-11-30
  rejected_after: 7d
  pending_after: 30d
`

const day = 24 * time.Hour

func TestMain(m *testing.M) { endtoend.Main(m) }

// stage adds Proton to the common stage, and reads it in the words of this control.
type stage struct {
	*endtoend.Stage
	proton *proton.Service
	names  map[string]string // of the connections, by id and by ARN
}

func newStage(t *testing.T, mode, policy string) *stage {
	t.Helper()
	s := &stage{Stage: endtoend.New(t, "proton-connections", mode, policy), names: map[string]string{}}
	s.proton = proton.New(s.World, s.Events)
	return s
}

// asked is a request of one account to another, by which tests know it.
func (s *stage) asked(from, to, name string) proton.Connection {
	c := s.proton.AddConnection(proton.Request{EnvironmentAccount: from, Region: region, ManagementAccount: to, EnvironmentName: name,
		Roles: proton.Roles{Role: "arn:aws:iam::" + from + ":role/proton-run"}})
	s.names[c.ID], s.names[c.ARN()] = name, name
	return c
}

// connected is a request that was accepted.
func (s *stage) connected(from, to, name string) proton.Connection {
	c := s.asked(from, to, name)
	c.SetStatus(proton.Connected)
	return c
}

// writes lists the writes to Proton that this function made and the server executed.
func (s *stage) writes() []string {
	list := []string{}
	for _, c := range s.World.Writes() {
		if id, _ := c.Input["id"].(string); c.Service == "proton" && slices.Contains([]string{reject, remove}, c.Operation) {
			list = append(list, c.Operation+" "+s.names[id])
		}
	}
	return list
}

const (
	reject = "RejectEnvironmentAccountConnection"
	remove = "DeleteEnvironmentAccountConnection"
)

func (s *stage) wantWrites(want ...string) {
	s.T.Helper()
	got := s.writes()
	slices.Sort(got)
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		s.T.Errorf("writes (-want +got):\n%s", diff)
	}
}

// outcomes are the last ones, by the names of the connections.
func (s *stage) outcomes() map[string]string {
	m := map[string]string{}
	for _, e := range s.Reported("Action Outcome") {
		m[s.names[e.Resource]] = e.Status + " " + e.Code
	}
	return m
}

func (s *stage) wantOutcomes(want map[string]string) {
	s.T.Helper()
	if diff := cmp.Diff(want, s.outcomes()); diff != "" {
		s.T.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// findings are the last ones, likewise.
func (s *stage) findings() map[string]endtoend.Event {
	m := map[string]endtoend.Event{}
	for _, e := range s.Reported("Finding") {
		m[s.names[e.Resource]] = e
	}
	return m
}

// populate makes one connection of each kind on both sides.
func (s *stage) populate() {
	s.asked(partner, home, "web")
	s.asked(partner, home, "prod-web")
	s.asked(partner, home, "lab-web")
	s.connected(partner, home, "prod-api")
	s.proton.AddEnvironment(home, region, "shop").Connect(s.connected(partner, home, "shop"))
	s.asked(partner, home, "refused").SetStatus(proton.Rejected)

	rejected := s.asked(home, partner, "rejected-long-ago")
	rejected.SetStatus(proton.Rejected)
	rejected.Backdate(8 * day)
	s.asked(home, partner, "rejected-lately").SetStatus(proton.Rejected)
	s.asked(home, partner, "waits-long").Backdate(31 * day)
	s.asked(home, partner, "waits").Backdate(29 * day)
	s.asked(home, stranger, "to-a-stranger")
	s.connected(home, stranger, "with-a-stranger")
	s.connected(home, partner, "with-partner")
}

func TestMonitorModeFindsViolationsAndWritesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", everything)
	s.populate()

	out := s.Sweep()
	s.wantWrites()
	for _, c := range s.World.Calls() {
		if c.Service == "proton" && c.Write {
			t.Errorf("it calls %s", c.Operation)
		}
	}
	want := endtoend.Summary{Complete: true, Looked: 13, Wanted: 4, Allowed: 10,
		Verdicts: map[string]int{"compliant": 6, "violation": 6, "waived": 1, "undetermined": 0},
		Outcomes: map[string]int{"applied": 0, "withheld": 4, "already-done": 0, "failed": 0, "restore-needed": 0}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	s.wantOutcomes(map[string]string{
		"web": "withheld monitor", "rejected-long-ago": "withheld monitor", "waits-long": "withheld monitor", "to-a-stranger": "withheld monitor",
	})
}

func TestEnforceModeRejectsAndDeletesAndASecondSweepWritesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.populate()

	out := s.Sweep()
	s.wantWrites(remove+" rejected-long-ago", remove+" to-a-stranger", remove+" waits-long", reject+" web")
	s.wantOutcomes(map[string]string{
		"web": "applied verified", "rejected-long-ago": "applied verified", "waits-long": "applied verified", "to-a-stranger": "applied verified",
	})
	if !out.Complete || out.Outcomes["applied"] != 4 {
		t.Errorf("summary: %+v", out)
	}
	for _, e := range s.Reported("Action Outcome") {
		if len(e.Undo) != 0 {
			t.Errorf("%s: an undo that nobody can make: %+v", s.names[e.Resource], e.Undo)
		}
	}
	got := map[string]string{}
	for name, f := range s.findings() {
		got[name] = f.Verdict + " " + f.Code + " " + f.Subject
	}
	want := map[string]string{
		"web": "violation not-approved MANAGEMENT_ACCOUNT", "lab-web": "waived waived MANAGEMENT_ACCOUNT", "shop": "violation not-approved MANAGEMENT_ACCOUNT",
		"rejected-long-ago": "violation stale ENVIRONMENT_ACCOUNT", "waits-long": "violation stale ENVIRONMENT_ACCOUNT",
		"to-a-stranger": "violation not-named ENVIRONMENT_ACCOUNT", "with-a-stranger": "violation not-named ENVIRONMENT_ACCOUNT",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if f := s.findings()["shop"]; !strings.Contains(f.Reason, "these environments use it and must go first: shop") || !strings.Contains(string(f.Details), `"usedBy":["shop"]`) {
		t.Errorf("of the connected one it says %q and %s", f.Reason, f.Details)
	}

	before := len(s.World.Calls())
	if out := s.Sweep(); out.Verdicts["violation"] != 2 || out.Outcomes["applied"] != 0 {
		t.Errorf("second sweep: %+v", out)
	}
	for _, c := range s.World.Calls()[before:] {
		if c.Write && c.Service == "proton" {
			t.Errorf("the second sweep called %s", c.Operation)
		}
	}
}

func TestAConnectedOneIsDeletedOnlyWhereThePolicySaysSo(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything+"  connected: delete\n")
	strange, ours := s.connected(home, stranger, "with-a-stranger"), s.connected(home, partner, "with-partner")
	shop := s.connected(partner, home, "shop") // on the management side nothing that is connected is ended

	s.Sweep()
	s.wantWrites(remove + " with-a-stranger")
	if strange.Status() != "" || ours.Status() != proton.Connected || shop.Status() != proton.Connected {
		t.Errorf("with the stranger %q, with partner %q, shop %q", strange.Status(), ours.Status(), shop.Status())
	}
	if effect := s.findings()["with-a-stranger"].Effect; !strings.Contains(effect, "what it has provisioned stays") {
		t.Errorf("effect %q", effect)
	}
}

func TestEveryWriteIsPrecededByItsIntent(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.populate()
	s.Sweep()
	if diff := cmp.Diff(s.writes(), s.intended()); diff != "" {
		t.Errorf("intents (-written +announced):\n%s", diff)
	}
}

// intended lists the writes that the log announces, in the form of writes. The state
// before must be in the intent, because there is no undo.
func (s *stage) intended() []string {
	list := []string{}
	for _, line := range s.Function.Logs() {
		var record struct {
			Message string
			Action  struct {
				Resource string
				Call     struct {
					Operation string
					Input     map[string]string
				}
				Before struct{ ID, Status, EnvironmentName, RoleARN string }
			}
		}
		if json.Unmarshal([]byte(line), &record) != nil || record.Message != "intent" {
			continue
		}
		a := record.Action
		if a.Before.ID != a.Call.Input["id"] || a.Before.EnvironmentName == "" || a.Before.Status == "" || a.Before.RoleARN == "" || !strings.HasSuffix(a.Resource, a.Before.ID) {
			s.T.Errorf("an intent without the whole state: %s", line)
		}
		list = append(list, a.Call.Operation+" "+s.names[a.Call.Input["id"]])
	}
	return list
}

func TestAWaiverAndAnAgeEndByTheClockOfAWS(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.asked(partner, home, "lab-web")
	s.asked(home, partner, "waits").Backdate(29 * day)

	s.Sweep()
	s.wantWrites()
	s.World.Advance(11 * day)
	s.Sweep()
	s.wantWrites(remove+" waits", reject+" lab-web")
	if logs := strings.Join(s.Function.Logs(), "\n"); strings.Count(logs, "waiver lab of team-web ends on 2026-11-30") == 0 || strings.Count(logs, "waiver lab of team-web is over since 2026-12-01") != 1 {
		t.Errorf("the log does not say how the waiver ends: %s", logs)
	}
}

func TestWithoutAWSsTimeOnlyWhatNeedsNoneIsJudged(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.asked(partner, home, "lab-web")
	s.asked(home, partner, "waits-long").Backdate(365 * day)
	s.asked(partner, home, "web")
	s.World.Advance(365 * day)
	s.World.Inject(localaws.Fault{Service: "proton", Kind: localaws.NoDate()})
	if out := s.Sweep(); out.Verdicts["undetermined"] != 2 || out.Looked != 1 {
		t.Errorf("summary: %+v", out)
	}
	s.wantWrites(reject + " web")
}

func TestEnforcementReachesByTheAccountThatAsked(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything+"enforce_on:\n  - accounts: [\"444455556666\"]\n")
	s.asked(partner, home, "web")
	s.asked(stranger, home, "strange")
	s.Sweep()
	s.wantWrites(reject + " web")
	s.wantOutcomes(map[string]string{"web": "applied verified", "strange": "withheld not-enforced-here"})
}

func TestTheFunctionDoesNotStartWithoutItsSection(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", "version: 1\nlimits: {count: 1, share: 1%}\n")
	if _, err := s.Invoke(sweep); err == nil || !strings.Contains(strings.Join(s.Function.Logs(), "\n"), "has no section proton_connections") {
		t.Errorf("got %v, %q", err, s.Function.Logs())
	}
}

func TestAPlanOverTheLimitIsRefusedWhole(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", strings.Replace(everything, "count: 10", "count: 2", 1))
	for _, name := range []string{"dev-a", "dev-b", "dev-c"} {
		s.asked(partner, home, name)
	}
	_, err := s.Invoke(sweep)
	if err == nil || !strings.Contains(err.Error(), "limit exceeded: the plan has 3 writes, one run may make 2") {
		t.Errorf("error: %v", err)
	}
	s.wantWrites()
	want := map[string]string{"dev-a": "withheld limit-exceeded", "dev-b": "withheld limit-exceeded", "dev-c": "withheld limit-exceeded"}
	if diff := cmp.Diff(want, s.outcomes()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}
