package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/lambda"
)

// twoDomains adds a second domain beside corp, with one violation in each.
func twoDomains(s *stage) {
	s.repo("app", "public:npmjs")
	s.repo("quiet")
	s.Artifact.AddDomain(home, region, "lab").AddRepository("tool").Connect("public:pypi")
}

const (
	inCorp = "DisassociateExternalConnection corp/app public:npmjs"
	inLab  = "DisassociateExternalConnection lab/tool public:pypi"
)

// A bad answer makes its own part of the estate undetermined. Nothing in that part
// is disconnected, and the rest goes on.
func TestABadReadIsNeverNothingThere(t *testing.T) {
	t.Parallel()
	corp := func(input map[string]any) bool { return input["domain"] == "corp" }
	app := func(input map[string]any) bool { return input["domain"] == "corp" && input["repository"] == "app" }
	for _, row := range []struct {
		name   string
		fault  localaws.Fault
		writes []string
		code   string // of the undetermined finding
	}{
		{"the domains cannot be listed", localaws.Fault{Operation: "ListDomains", Kind: localaws.Fail(403, "AccessDeniedException", "no")}, nil, "access-denied"},
		{"the second page of the domains fails", localaws.Fault{Operation: "ListDomains", Match: hasToken, Kind: localaws.Fail(403, "AccessDeniedException", "no")}, nil, "access-denied"},
		{"one domain cannot be listed", localaws.Fault{Operation: "ListRepositoriesInDomain", Match: corp, Kind: localaws.Fail(403, "AccessDeniedException", "no")}, []string{inLab}, "access-denied"},
		{"the second page of one domain fails", localaws.Fault{Operation: "ListRepositoriesInDomain", Match: and(corp, hasToken), Kind: localaws.Fail(400, "ValidationException", "no")}, []string{inLab}, "invalid"},
		{"a page of one domain points back to itself", localaws.Fault{Operation: "ListRepositoriesInDomain", Match: corp, Kind: localaws.Body(200, `{"repositories":[],"nextToken":"again"}`)}, []string{inLab}, "malformed"},
		{"a page of one domain has no list", localaws.Fault{Operation: "ListRepositoriesInDomain", Match: corp, Kind: localaws.Body(200, `{}`)}, []string{inLab}, "malformed"},
		{"a page of one domain has a list of nothing known", localaws.Fault{Operation: "ListRepositoriesInDomain", Match: corp, Kind: localaws.Body(200, `{"repositories":[{}]}`)}, []string{inLab}, "malformed"},
		{"the administered repositories cannot be listed", localaws.Fault{Operation: "ListRepositories", Kind: localaws.Fail(403, "AccessDeniedException", "no")}, []string{inCorp, inLab}, "access-denied"},
		{"one repository cannot be described", localaws.Fault{Operation: "DescribeRepository", Match: app, Kind: localaws.Fail(403, "AccessDeniedException", "no")}, []string{inLab}, "access-denied"},
		{"a repository is described as {}", localaws.Fault{Operation: "DescribeRepository", Match: app, Kind: localaws.Body(200, `{}`)}, []string{inLab}, "malformed"},
		{"a repository is described as null", localaws.Fault{Operation: "DescribeRepository", Match: app, Kind: localaws.Body(200, `{"repository":null}`)}, []string{inLab}, "malformed"},
		{"a description is an empty body", localaws.Fault{Operation: "DescribeRepository", Match: app, Kind: localaws.Body(200, ``)}, []string{inLab}, "malformed"},
		{"a description is about another repository", localaws.Fault{Operation: "DescribeRepository", Match: app,
			Kind: localaws.Body(200, `{"repository":{"domainName":"corp","domainOwner":"111122223333","name":"other","externalConnections":[{"externalConnectionName":"public:npmjs"}],"upstreams":[]}}`)}, []string{inLab}, "malformed"},
		{"a description has no list of connections", localaws.Fault{Operation: "DescribeRepository", Match: app,
			Kind: localaws.Body(200, `{"repository":{"domainName":"corp","domainOwner":"111122223333","name":"app","upstreams":[]}}`)}, []string{inLab}, "malformed"},
		{"a description has a connection without a name", localaws.Fault{Operation: "DescribeRepository", Match: app,
			Kind: localaws.Body(200, `{"repository":{"domainName":"corp","domainOwner":"111122223333","name":"app","externalConnections":[{}],"upstreams":[]}}`)}, []string{inLab}, "malformed"},
		{"a page of HTML comes with status 200", localaws.Fault{Operation: "DescribeRepository", Match: app, Kind: localaws.HTML(200)}, []string{inLab}, "malformed"},
		{"a page of HTML comes with status 404", localaws.Fault{Operation: "DescribeRepository", Match: app, Kind: localaws.HTML(404)}, []string{inLab}, "malformed"},
		{"a bare 404 is no proof that it is gone", localaws.Fault{Operation: "DescribeRepository", Match: app, Kind: localaws.Fail(404, "", "not here")}, []string{inLab}, "error"},
		{"the body is cut short", localaws.Fault{Operation: "DescribeRepository", Match: app, Kind: localaws.Truncate()}, []string{inLab}, "malformed"},
		{"the body is flooded", localaws.Fault{Operation: "DescribeRepository", Match: app, Kind: localaws.Pad(5)}, []string{inLab}, "malformed"},
		{"the credentials are not accepted for one call", localaws.Fault{Operation: "DescribeRepository", Match: app, Kind: localaws.Fail(403, "ExpiredTokenException", "old")}, []string{inLab}, "credentials"},
		{"somebody redirects", localaws.Fault{Operation: "DescribeRepository", Match: app, Kind: localaws.Redirect("http://127.0.0.1:9/")}, []string{inLab}, "error"},
		{"the error is two megabytes long", localaws.Fault{Operation: "DescribeRepository", Match: app, Kind: localaws.Fail(403, "AccessDeniedException", strings.Repeat("no", 1<<20))}, []string{inLab}, "access-denied"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", everything)
			twoDomains(s)
			if strings.Contains(row.name, "second page") {
				// The program asks for 1,000 a page; a first page that is cut short stands in for a large estate.
				cut(s, row.fault.Operation)
			}
			s.World.Inject(row.fault)
			out := s.Sweep()
			s.wantWrites(row.writes...)
			if out.Complete || out.Verdicts["undetermined"] != 1 {
				t.Errorf("summary: %+v", out)
			}
			wantShortLines(t, s)
			var codes []string
			for _, f := range s.Reported("Finding") {
				if f.Verdict == "undetermined" {
					codes = append(codes, f.Code)
				}
			}
			if diff := cmp.Diff([]string{row.code}, codes); diff != "" {
				t.Errorf("codes (-want +got):\n%s", diff)
			}
		})
	}
}

// wantShortLines holds the log to lines that CloudWatch does not cut.
func wantShortLines(t *testing.T, s *stage) {
	t.Helper()
	for _, line := range s.Function.Logs() {
		if len(line) > 64<<10 {
			t.Errorf("a line of %d bytes: %s ...", len(line), line[:200])
		}
	}
}

// describing matches the descriptions of one repository.
func describing(repository string) func(map[string]any) bool {
	return func(input map[string]any) bool { return input["repository"] == repository }
}

// undetermined lists the codes of what could not be judged, by resource.
func (s *stage) undetermined() map[string]string {
	codes := map[string]string{}
	for _, f := range s.Reported("Finding") {
		if f.Verdict == "undetermined" {
			codes[strings.TrimPrefix(f.Resource, "arn:aws:codeartifact:"+region+":"+home+":")] = f.Code
		}
	}
	return codes
}

// Each of these fails for as long as it is asked, and is given up after its time:
// 15 seconds where nothing comes, 45 where there is an answer. This is the one slow
// test; what the times are is proven in package awsio.
func TestWhatNeverWorksIsGivenUpAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	twoDomains(s)
	want := map[string]string{}
	for name, row := range map[string]struct {
		kind localaws.Kind
		code string
	}{
		"hangs":  {localaws.Hang(), "timeout"},
		"drips":  {localaws.Drip(time.Second), "timeout"},
		"breaks": {localaws.Fail(500, "InternalServerException", "oops"), "unavailable"},
		"resets": {localaws.Reset(), "unavailable"},
		"busy":   {localaws.Fail(429, "ThrottlingException", "slow down"), "throttled"},
	} {
		s.repo(name, "public:npmjs")
		s.World.Inject(localaws.Fault{Operation: "DescribeRepository", Match: describing(name), Kind: row.kind})
		want["repository/corp/"+name] = row.code
	}
	out := s.Sweep()
	s.wantWrites(inCorp, inLab)
	if out.Complete || out.Looked != 3 || out.Outcomes["applied"] != 2 {
		t.Errorf("summary: %+v", out)
	}
	if diff := cmp.Diff(want, s.undetermined()); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
}

// Of 38 seconds, 20 are the margin, and a quarter of the rest is kept from the
// reading: after 13.5 seconds it stops, and what it found is acted on. That is as long
// as can be, because what hangs is given up after 15; so a slow machine has 4.5
// seconds to act.
func TestReadingLeavesTimeForActing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything, endtoend.Timeout(38*time.Second))
	twoDomains(s)
	s.World.Inject(localaws.Fault{Operation: "DescribeRepository", Match: describing("app"), Kind: localaws.Hang()})
	out := s.Sweep()
	s.wantWrites(inLab)
	if out.Complete || out.Outcomes["applied"] != 1 {
		t.Errorf("summary: %+v", out)
	}
	if diff := cmp.Diff(map[string]string{"repository/corp/app": "deadline"}, s.undetermined()); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
}

func hasToken(input map[string]any) bool { token, _ := input["nextToken"].(string); return token != "" }

func and(a, b func(map[string]any) bool) func(map[string]any) bool {
	return func(input map[string]any) bool { return a(input) && b(input) }
}

// cut has the first page of a list carry a token, so that there is a second one.
func cut(s *stage, operation string) {
	page := map[string]string{
		"ListDomains":              `{"domains":[{"name":"corp","owner":"111122223333","status":"Active"}],"nextToken":"more"}`,
		"ListRepositoriesInDomain": `{"repositories":[{"name":"app","domainName":"corp","domainOwner":"111122223333"}],"nextToken":"more"}`,
	}[operation]
	s.World.Inject(localaws.Fault{Operation: operation, Kind: localaws.Body(200, page), Match: func(input map[string]any) bool {
		return !hasToken(input) && (operation == "ListDomains" || input["domain"] == "corp")
	}})
}

func TestWhatIsOnlyForAMomentIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, retries := range []string{"false", "true"} { // the SDK's own retries must not matter
		for _, row := range []struct {
			name string
			kind localaws.Kind
		}{
			{"throttling", localaws.Fail(429, "ThrottlingException", "slow down")},
			{"throttling without a type", localaws.Fail(429, "", "slow down")},
			{"throttling as HTML", localaws.HTML(429)},
			{"a server error", localaws.Fail(500, "InternalServerException", "oops")},
			{"a gateway's error", localaws.HTML(503)},
			{"a reset connection", localaws.Reset()},
			{"a body cut short", localaws.Truncate()},
			{"a chunked body cut short", localaws.TruncateChunked()},
		} {
			t.Run(row.name+", AWS_NEW_RETRIES_2026="+retries, func(t *testing.T) {
				t.Parallel()
				s := newStage(t, "enforce", everything, endtoend.Env("AWS_NEW_RETRIES_2026", retries))
				twoDomains(s)
				for _, operation := range []string{"ListDomains", "ListRepositories", "ListRepositoriesInDomain", "DescribeRepository"} {
					s.World.Inject(localaws.Fault{Operation: operation, Kind: row.kind, Times: 2})
				}
				if out := s.Sweep(); !out.Complete || out.Outcomes["applied"] != 2 {
					t.Errorf("summary: %+v", out)
				}
				s.wantWrites(inCorp, inLab)
				t.Logf("figure of fault 20: a trouble that was outlasted, with AWS_NEW_RETRIES_2026=%s", retries)
			})
		}
	}
}

func TestAWriteIsAttemptedOnceAndThenLookedAt(t *testing.T) {
	t.Parallel()
	for _, retries := range []string{"false", "true"} {
		for _, row := range []struct {
			name    string
			kind    localaws.Kind
			when    localaws.When
			outcome string
			failed  bool // the run ends with an error
		}{
			{"answer lost after the effect", localaws.Reset(), localaws.After, "applied answer-lost", false},
			{"server error after the effect", localaws.Fail(500, "InternalServerException", "oops"), localaws.After, "applied answer-lost", false},
			{"answer that makes no sense", localaws.HTML(200), localaws.After, "applied answer-lost", false},
			{"connection lost before the effect", localaws.Reset(), localaws.Before, "failed answer-lost", true},
			{"throttling", localaws.Fail(429, "ThrottlingException", "slow down"), localaws.Before, "failed refused", true},
			{"access denied", localaws.Fail(403, "AccessDeniedException", "no"), localaws.Before, "failed refused", true},
			{"conflict", localaws.Fail(409, "ConflictException", "busy"), localaws.Before, "failed refused", true},
			{"not found although it is there", localaws.Fail(404, "ResourceNotFoundException", "no"), localaws.Before, "failed refused", true},
			{"success that did nothing", localaws.Body(200, `{"repository":{}}`), localaws.Before, "failed unverified", true},
		} {
			t.Run(row.name+", AWS_NEW_RETRIES_2026="+retries, func(t *testing.T) {
				t.Parallel()
				s := newStage(t, "enforce", everything, endtoend.Env("AWS_NEW_RETRIES_2026", retries))
				s.repo("app", "public:npmjs")
				s.World.Inject(localaws.Fault{Operation: "DisassociateExternalConnection", Kind: row.kind, When: row.when})
				_, err := s.Invoke(sweep)
				if (err != nil) != row.failed {
					t.Errorf("error: %v", err)
				}
				calls := 0
				for _, c := range s.World.Calls() {
					if c.Operation == "DisassociateExternalConnection" {
						calls++
					}
				}
				if calls != 1 {
					t.Errorf("%d calls, want 1", calls)
				}
				if got := s.outcomes()["corp/app public:npmjs"]; got != row.outcome {
					t.Errorf("outcome %q, want %q", got, row.outcome)
				}
				t.Logf("figure of fault 20: an answer to a write, with AWS_NEW_RETRIES_2026=%s", retries)
				t.Logf("figure of fault 33: %d request of a write", calls)
			})
		}
	}
}

// AWS may show a change only after the look. It may be undone then, and counts as a
// change; and the next sweep finds it done.
func TestAWriteThatShowsLateMayHaveBeenDone(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.repo("app", "public:npmjs")
	showsAfter(s, 2)
	if _, err := s.Invoke(sweep); err == nil {
		t.Error("the run ended well")
	}
	s.wantWrites(disconnect("app", "public:npmjs"))
	if got := s.outcomes()["corp/app public:npmjs"]; got != "failed unverified" {
		t.Errorf("outcome %q", got)
	}
	if got := s.metrics()["Applied"]; got != 1.0 {
		t.Errorf("the metric counts %v changes, want 1", got)
	}
	if out := s.Sweep(); out.Verdicts["violation"] != 0 || out.Outcomes["failed"] != 0 {
		t.Errorf("the next sweep: %+v", out)
	}
	s.wantWrites(disconnect("app", "public:npmjs"))
}

// One that shows when it is looked for a second time is as good as any.
func TestAWriteThatShowsAMomentLaterIsVerified(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.repo("app", "public:npmjs")
	showsAfter(s, 1)
	if out := s.Sweep(); !out.Complete || out.Outcomes["applied"] != 1 {
		t.Errorf("summary: %+v", out)
	}
	if got := s.outcomes()["corp/app public:npmjs"]; got != "applied verified" {
		t.Errorf("outcome %q", got)
	}
}

// showsAfter has so many looks after the write find the repository as it was.
func showsAfter(s *stage, looks int) {
	s.World.Inject(localaws.Fault{Operation: "DescribeRepository", Skip: 2, Times: looks,
		Kind: localaws.Body(200, `{"repository":{"domainName":"corp","domainOwner":"111122223333","name":"app","externalConnections":[{"externalConnectionName":"public:npmjs"}],"upstreams":[]}}`)})
}

func TestAWriteThatCannotBeLookedAtIsApplied(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.repo("app", "public:npmjs")
	// The first look finds it, the second is just before the write, the third after it.
	s.World.Inject(localaws.Fault{Operation: "DescribeRepository", Skip: 2, Kind: localaws.Fail(403, "AccessDeniedException", "no")})
	if out := s.Sweep(); !out.Complete || out.Outcomes["applied"] != 1 {
		t.Errorf("summary: %+v", out)
	}
	s.wantWrites(inCorp)
	if got := s.outcomes()["corp/app public:npmjs"]; got != "applied unverified" {
		t.Errorf("outcome %q", got)
	}
}

// Somebody is at work between the reading and the write.
func TestTheSecondReadingDecides(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		meanwhile func(*stage)
		outcome   string
		writes    []string
	}{
		{"the connection is gone", func(s *stage) { s.corp.Repository("app").Connect() }, "already-done gone", nil},
		{"the repository is gone", func(s *stage) { s.corp.Repository("app").Remove() }, "already-done gone", nil},
		{"another connection has taken its place", func(s *stage) { s.corp.Repository("app").Connect("public:pypi") }, "already-done gone", nil},
		{"it cannot be read any more", func(s *stage) {
			s.World.Inject(localaws.Fault{Operation: "DescribeRepository", Kind: localaws.Fail(403, "AccessDeniedException", "no")})
		}, "withheld undetermined", nil},
		{"nothing has changed", func(*stage) {}, "applied verified", []string{inCorp}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", everything)
			s.repo("app", "public:npmjs")
			// It happens once the first reading has its answer, before the second.
			s.World.Inject(localaws.Fault{Operation: "DescribeRepository", Times: 1, When: localaws.After, Kind: localaws.Meanwhile(func() { row.meanwhile(s) })})
			if out := s.Sweep(); out.Complete != (row.outcome != "withheld undetermined") {
				t.Errorf("summary: %+v", out)
			}
			s.wantWrites(row.writes...)
			if got := s.outcomes()["corp/app public:npmjs"]; got != row.outcome {
				t.Errorf("outcome %q, want %q", got, row.outcome)
			}
		})
	}
}

func TestSomebodyElseDisconnectsAtTheSameMoment(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	app := s.repo("app", "public:npmjs")
	s.World.Inject(localaws.Fault{Operation: "DisassociateExternalConnection", Kind: localaws.Meanwhile(func() { app.Connect() })})
	s.Sweep()
	if got := s.outcomes()["corp/app public:npmjs"]; got != "already-done refused" {
		t.Errorf("outcome %q", got)
	}
}

// AWS refuses what it has done. The outcome must not say that somebody else was at
// work, and it has its undo.
func TestARefusalAfterTheEffectIsNotTakenForTheWorkOfOthers(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"ResourceNotFoundException", "ConflictException", "ValidationException"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", everything)
			s.repo("app", "public:npmjs")
			s.World.Inject(localaws.Fault{Operation: "DisassociateExternalConnection", When: localaws.After, Kind: localaws.Fail(400, code, "no")})
			s.Sweep()
			s.wantWrites(inCorp)
			if got := s.outcomes()["corp/app public:npmjs"]; got != "already-done refused" {
				t.Errorf("outcome %q", got)
			}
		})
	}
}

// The process is killed at every call that it makes, before and after the call
// took effect. Whatever was written must have its intent in the log.
func TestAKillAtAnyPointLeavesNoWriteWithoutItsIntent(t *testing.T) {
	t.Parallel()
	endtoend.KillAtEveryCall(t, 10, func() (*endtoend.Stage, func(int) bool) {
		s := newStage(t, "enforce", everything)
		twoDomains(s)
		return s.Stage, func(call int) bool {
			intents, written := intended(s), s.writes()
			for _, w := range written {
				if !slices.Contains(intents, w) {
					t.Errorf("killed at call %d: %q has no intent", call, w)
				}
			}

			// The next sweep makes good what was left.
			s.Sweep()
			if again := s.Sweep(); again.Verdicts["violation"] != 0 || !again.Complete {
				t.Errorf("killed at call %d: after two more sweeps %+v", call, again)
			}
			if n := len(s.writes()); n != 2 {
				t.Errorf("killed at call %d: %d writes in all, want 2", call, n)
			}
			return len(written) > 0
		}
	})
}

// intended lists the writes that the log announces, in the form of stage.writes.
func intended(s *stage) []string {
	var list []string
	for _, line := range s.Function.Logs() {
		var record struct {
			Message string
			Action  struct {
				Call struct {
					Operation string
					Input     map[string]string
				}
				Undo   []json.RawMessage
				Before struct{ ExternalConnections []string }
			}
		}
		if json.Unmarshal([]byte(line), &record) == nil && record.Message == "intent" {
			in := record.Action.Call.Input
			if len(record.Action.Undo) == 0 || !slices.Contains(record.Action.Before.ExternalConnections, in["externalConnection"]) {
				s.T.Errorf("an intent without undo or state: %s", line)
			}
			list = append(list, fmt.Sprintf("%s %s/%s %s", record.Action.Call.Operation, in["domain"], in["repository"], in["externalConnection"]))
		}
	}
	return list
}

func TestNothingIsBegunCloseToTheDeadline(t *testing.T) {
	t.Parallel()
	// Of 30 seconds, 20 are the margin. Both repositories are read at once, and have 7.5
	// seconds for it, as the machine may be slow; the second reading of one of them hangs
	// until the rest is used up.
	s := newStage(t, "enforce", everything, endtoend.Timeout(30*time.Second))
	s.repo("app", "public:npmjs")
	s.repo("web", "public:npmjs")
	s.World.Inject(localaws.Fault{Operation: "DescribeRepository", Skip: 2, Kind: localaws.Hang()})
	out := s.Sweep()
	s.wantWrites()
	if out.Outcomes["withheld"] != 2 || out.Complete {
		t.Errorf("summary: %+v", out)
	}
	for resource, outcome := range s.outcomes() {
		if outcome != "withheld deadline" {
			t.Errorf("%s: %s", resource, outcome)
		}
	}
}

func TestEventsThatTheBusRefusesAreSentAgainAndNeverLostInSilence(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", everything)
	s.repo("app", "public:npmjs")
	var offered atomic.Int32
	s.Events.FailEntries(func(int, eventbridge.Event) string {
		if offered.Add(1) <= 2 {
			return "ThrottlingException"
		}
		return ""
	})
	s.Sweep()
	if f, o, r := len(s.Reported("Finding")), len(s.Reported("Action Outcome")), len(s.Reported("Run Summary")); f != 1 || o != 1 || r != 1 {
		t.Errorf("%d findings, %d outcomes, %d summaries on the bus", f, o, r)
	}

	s.Events.FailEntries(func(_ int, e eventbridge.Event) string {
		if e.DetailType == "Finding" {
			return "InternalFailure"
		}
		return ""
	})
	_, err := s.Invoke(sweep)
	var failure *lambda.FunctionError
	if !errors.As(err, &failure) || !strings.Contains(failure.Message, "1 events were not delivered") {
		t.Errorf("error: %v", err)
	}
	if !slices.ContainsFunc(s.Function.Logs(), func(line string) bool {
		return strings.Contains(line, `"event not delivered"`) && strings.Contains(line, `"detail":{"version":1`) && strings.Contains(line, "corp/app")
	}) {
		t.Error("the event is not in the log")
	}
}

func TestAFunctionThatCannotBeSureDoesNotStart(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, mode, policy, says string
	}{
		{"a policy with a misspelt key", "enforce", strings.Replace(everything, "allow:", "alow:", 1), `policy.yaml:5:3: unknown key \"alow\"; write \"allow\"`},
		{"an empty policy", "enforce", "", "policy.yaml"},
		{"a policy without the control's section", "monitor", "version: 1\nlimits: {count: 1, share: 1%}\n", "has no section external_connections"},
		{"a mode that does not exist", "enforced", everything, `mode \"enforced\" is none of off, monitor and enforce`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, row.mode, row.policy)
			s.repo("app", "public:npmjs")
			_, err := s.Invoke(sweep)
			if err == nil {
				t.Fatal("it ran")
			}
			if logs := strings.Join(s.Function.Logs(), "\n"); !strings.Contains(logs, row.says) || !strings.Contains(logs, `"level":"ERROR"`) {
				t.Errorf("the log does not say %q:\n%s", row.says, logs)
			}
			if calls := s.World.Calls(); len(calls) != 0 {
				t.Errorf("%d calls were made", len(calls))
			}
		})
	}
}
