package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
)

// These tests run the real binary under a local Lambda, against a local AWS. What
// a run did is told by the server's own journal, not by the program.

const rules = `
version: 1
limits: {count: 10, share: 100%}
package_groups:
  min_age: 24h
  grace: 48h
`

func TestMain(m *testing.M) { endtoend.Main(m) }

type stage struct {
	*endtoend.Stage
	corp codeartifact.Domain
}

func newStage(t *testing.T, mode, policy string, options ...endtoend.Option) *stage {
	t.Helper()
	s := &stage{Stage: endtoend.New(t, "package-groups", mode, policy, options...)}
	s.corp = s.Artifact.AddDomain(endtoend.Home, endtoend.Region, "corp")
	s.corp.AddRepository("repo")
	return s
}

// old adds a group that is of age.
func (s *stage) old(pattern string) codeartifact.PackageGroup {
	g := s.corp.PackageGroup(pattern).Add()
	s.World.Advance(25 * time.Hour)
	return g
}

// ripe adds a group that is of age and bears a mark of ours that is a day past
// its grace time.
func (s *stage) ripe(pattern string) codeartifact.PackageGroup {
	g := s.old(pattern)
	g.Tag("portcullis:empty-since", s.markOf(g))
	return g
}

// markOf is such a mark.
func (s *stage) markOf(g codeartifact.PackageGroup) string {
	return fmt.Sprintf("%s/%d", s.World.Now().Add(-72*time.Hour).Format(time.RFC3339), g.State().Created.UnixMilli())
}

// writes lists the writes that the server executed: the operation and the group.
func (s *stage) writes() []string {
	list := []string{}
	for _, c := range s.ArtifactWrites() {
		what, _ := c.Input["packageGroup"].(string)
		if arn, ok := c.Input["resourceArn"].(string); ok {
			_, what, _ = strings.Cut(arn, "package-group/corp")
		}
		list = append(list, c.Operation+" "+what)
	}
	return list
}

func (s *stage) wantWrites(want ...string) {
	s.T.Helper()
	if diff := cmp.Diff(append([]string{}, want...), s.writes()); diff != "" {
		s.T.Errorf("writes (-want +got):\n%s", diff)
	}
}

func (s *stage) codes() map[string]string {
	m := map[string]string{}
	for _, f := range s.Reported("Finding") {
		_, what, _ := strings.Cut(f.Resource, "package-group/corp")
		m[what+f.Subject] = f.Code
	}
	return m
}

func (s *stage) lastOutcome() endtoend.Event {
	s.T.Helper()
	outcomes := s.Reported("Action Outcome")
	if len(outcomes) == 0 {
		s.T.Fatal("no outcome was reported")
	}
	return outcomes[len(outcomes)-1]
}

func TestADeadGroupIsMarkedAndPrunedAfterItsGraceAndCanBeRestored(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", rules)
	g := s.old("/npm/*")
	g.Inform("of the web team", "web@example.com")
	g.Tag("team", "web")

	if out := s.Sweep(); out.Outcomes["applied"] != 1 {
		t.Errorf("first sweep: %+v", out)
	}
	s.wantWrites("TagResource /npm/%2a")
	if want := "2026-11-21T10:00:00Z/1795165200000"; g.Tags()["portcullis:empty-since"] != want {
		t.Errorf("mark %q, want %q", g.Tags()["portcullis:empty-since"], want)
	}

	s.World.Advance(47 * time.Hour)
	s.Sweep()
	s.wantWrites("TagResource /npm/%2a")

	s.World.Advance(time.Hour)
	before := g.State()
	s.Sweep()
	s.wantWrites("TagResource /npm/%2a", "DeletePackageGroup /npm/*")
	if g.Exists() {
		t.Fatal("the group is still there")
	}
	if o := s.lastOutcome(); o.Detail != "AWS accepted the call, and a look after it confirmed the effect" {
		t.Errorf("detail %q", o.Detail)
	}
	if out := s.Sweep(); out.Outcomes["applied"] != 0 || out.Verdicts["violation"] != 0 {
		t.Errorf("a sweep after it: %+v", out)
	}

	s.restore()
	after := g.State()
	delete(before.Tags, "portcullis:empty-since")
	before.Created = after.Created
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the restored group (-before +after):\n%s", diff)
	}
}

// restore makes the calls of the last outcome's undo, as a person does.
func (s *stage) restore() {
	s.T.Helper()
	who := s.World.Account(endtoend.Home)
	client := sdk.New(sdk.Options{Region: endtoend.Region, BaseEndpoint: aws.String(s.World.URL()), HTTPClient: s.World.Client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}, nil
		})})
	for _, c := range s.lastOutcome().Undo {
		var err error
		switch c.Operation {
		case "CreatePackageGroup":
			_, err = client.CreatePackageGroup(s.T.Context(), decode[sdk.CreatePackageGroupInput](s.T, c.Input))
		case "UpdatePackageGroupOriginConfiguration":
			_, err = client.UpdatePackageGroupOriginConfiguration(s.T.Context(), decode[sdk.UpdatePackageGroupOriginConfigurationInput](s.T, c.Input))
		default:
			s.T.Fatalf("the undo asks for %s", c.Operation)
		}
		if err != nil {
			s.T.Fatal(err)
		}
	}
}

func decode[T any](t *testing.T, input json.RawMessage) *T {
	t.Helper()
	in := new(T)
	d := json.NewDecoder(strings.NewReader(string(input)))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		t.Fatal(err)
	}
	return in
}

func TestKeptGroupsSayWhyAndCostNoCall(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", rules, endtoend.Env("AWS_LAMBDA_LOG_LEVEL", "DEBUG"))
	s.corp.PackageGroup("/npm/reserved/*").Add().SetMode(codeartifact.ExternalUpstream, codeartifact.Block)
	s.corp.PackageGroup("/maven/com.acme~").Add()
	s.corp.PackageGroup("/npm/*").Add()
	s.World.Advance(25 * time.Hour)
	s.corp.PackageGroup("/pypi/*").Add()

	out := s.Sweep()
	s.wantWrites()
	want := map[string]int{"root": 1, "own-control": 1, "lookalikes": 1, "children": 1, "young": 1}
	if diff := cmp.Diff(want, out.Details.Kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"lookalikes: ignore": 1, "children: prune": 1}, out.Details.Freeable); diff != "" {
		t.Errorf("freeable (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ListDomains", "ListPackageGroups"}, s.ArtifactCalls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	for _, says := range []string{
		"it sets EXTERNAL_UPSTREAM to BLOCK itself; an empty group with a mode of its own guards names that nobody has published yet",
		"while it exists, look-alikes of `com.acme` are blocked, and /* above it would let them in; `lookalikes: ignore` would let it go",
	} {
		if !strings.Contains(strings.Join(s.Function.Logs(), "\n"), says) {
			t.Errorf("the log does not say: %s", says)
		}
	}
}

// Marks count as writes, so a first sweep over a neglected estate is refused as well.
func TestAPlanOverTheLimitIsRefusedWhole(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", strings.Replace(rules, "count: 10", "count: 2", 1))
	s.ripe("/npm/*")
	s.ripe("/pypi/*")
	s.old("/maven/*")
	_, err := s.Invoke(endtoend.Sweep)
	if err == nil || !strings.Contains(err.Error(), "limit exceeded: the plan has 3 writes, one run may make 2") {
		t.Errorf("error: %v", err)
	}
	s.wantWrites()
	outcomes := s.Reported("Action Outcome")
	for _, o := range outcomes {
		if o.Status != "withheld" || o.Code != "limit-exceeded" {
			t.Errorf("%s: %s %s", o.Resource, o.Status, o.Code)
		}
	}
	if len(outcomes) != 3 {
		t.Errorf("%d outcomes, want 3", len(outcomes))
	}
}

func TestMonitorModeMarksNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", rules)
	s.old("/npm/*")
	out := s.Sweep()
	s.wantWrites()
	if out.Outcomes["withheld"] != 1 || s.codes()["/npm/%2a"] != "dead" {
		t.Errorf("summary %+v, findings %v", out, s.codes())
	}
}

func TestAMarkedGroupThatIsInUseAgainIsUnmarked(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", rules)
	g := s.old("/npm/*")
	s.Sweep()
	s.corp.AddPackage("repo", "npm", "", "lodash")
	s.World.Advance(49 * time.Hour)
	s.Sweep()
	s.wantWrites("TagResource /npm/%2a", "UntagResource /npm/%2a")
	if _, marked := g.Tags()["portcullis:empty-since"]; marked || !g.Exists() {
		t.Errorf("tags %v", g.Tags())
	}
	s.Sweep()
	s.wantWrites("TagResource /npm/%2a", "UntagResource /npm/%2a")
}

func (s *stage) refuse(operation string) {
	s.World.Inject(localaws.Fault{Operation: operation, Kind: localaws.Fail(403, "AccessDeniedException", "no")})
}

// A bad answer never makes a group look empty, inherited, marked or alone.
func TestABadReadIsNeverNothingThere(t *testing.T) {
	t.Parallel()
	group := func(change string) string {
		return `{"packageGroups":[` +
			`{"arn":"arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp/%2a","pattern":"/*","domainName":"corp","domainOwner":"111122223333","createdTime":1,"originConfiguration":{"restrictions":{"PUBLISH":{"mode":"ALLOW","effectiveMode":"ALLOW"},"EXTERNAL_UPSTREAM":{"mode":"ALLOW","effectiveMode":"ALLOW"},"INTERNAL_UPSTREAM":{"mode":"ALLOW","effectiveMode":"ALLOW"}}}},` +
			`{"arn":"arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp/npm/%2a","pattern":"/npm/*",` + change + `}]}`
	}
	const whole = `"domainName":"corp","domainOwner":"111122223333","createdTime":1,"parent":{"pattern":"/*"},"originConfiguration":{"restrictions":{"PUBLISH":{"mode":"INHERIT","effectiveMode":"ALLOW"},"EXTERNAL_UPSTREAM":{"mode":"INHERIT","effectiveMode":"ALLOW"},"INTERNAL_UPSTREAM":{"mode":"INHERIT","effectiveMode":"ALLOW"}}}`
	for _, row := range []struct {
		name, operation string
		kind            localaws.Kind
		code            string
	}{
		{"the packages are missing", "ListAssociatedPackages", localaws.Body(200, `{}`), "malformed"},
		{"the packages are null", "ListAssociatedPackages", localaws.Body(200, `{"packages":null}`), "malformed"},
		{"the packages are text", "ListAssociatedPackages", localaws.Body(200, `{"packages":"none"}`), "malformed"},
		{"the answer is of another shape", "ListAssociatedPackages", localaws.Body(200, `{"repositories":[]}`), "malformed"},
		{"the answer is empty", "ListAssociatedPackages", localaws.Body(200, ``), "malformed"},
		{"an empty page points back to itself", "ListAssociatedPackages", localaws.Body(200, `{"packages":[],"nextToken":"again"}`), "malformed"},
		{"the packages may not be listed", "ListAssociatedPackages", localaws.Fail(403, "AccessDeniedException", "no"), "access-denied"},
		{"the group is not found", "ListAssociatedPackages", localaws.Fail(404, "ResourceNotFoundException", "no"), "not-found"},
		{"the tags are missing", "ListTagsForResource", localaws.Body(200, `{}`), "malformed"},
		{"the tags may not be read", "ListTagsForResource", localaws.Fail(403, "AccessDeniedException", "no"), "access-denied"},
		{"the groups are missing", "ListPackageGroups", localaws.Body(200, `{}`), "malformed"},
		{"there are no groups, not even the root", "ListPackageGroups", localaws.Body(200, `{"packageGroups":[]}`), "malformed"},
		{"the domain is gone", "ListPackageGroups", localaws.Fail(404, "ResourceNotFoundException", "no"), "not-found"},
		{"the groups are HTML", "ListPackageGroups", localaws.HTML(200), "malformed"},
		{"a group has no parent", "ListPackageGroups", localaws.Body(200, group(strings.Replace(whole, `"parent":{"pattern":"/*"},`, "", 1))), "malformed"},
		{"a group has a parent that is not there", "ListPackageGroups", localaws.Body(200, group(strings.Replace(whole, `"parent":{"pattern":"/*"}`, `"parent":{"pattern":"/x/*"}`, 1))), "malformed"},
		{"a group has no creation time", "ListPackageGroups", localaws.Body(200, group(strings.Replace(whole, `"createdTime":1,`, "", 1))), "malformed"},
		{"a group has no modes", "ListPackageGroups", localaws.Body(200, group(whole[:strings.Index(whole, `,"originConfiguration"`)])), "malformed"},
		{"a mode is missing", "ListPackageGroups", localaws.Body(200, group(strings.Replace(whole, `"PUBLISH":{"mode":"INHERIT","effectiveMode":"ALLOW"},`, "", 1))), "malformed"},
		{"a mode is unknown", "ListPackageGroups", localaws.Body(200, group(strings.Replace(whole, `"PUBLISH":{"mode":"INHERIT"`, `"PUBLISH":{"mode":"GUARD"`, 1))), "malformed"},
		{"an effective mode is INHERIT", "ListPackageGroups", localaws.Body(200, group(strings.Replace(whole, `"effectiveMode":"ALLOW"`, `"effectiveMode":"INHERIT"`, 1))), "malformed"},
		{"a group is of another domain", "ListPackageGroups", localaws.Body(200, group(strings.Replace(whole, `"domainName":"corp"`, `"domainName":"lab"`, 1))), "malformed"},
		{"a group is of another account", "ListPackageGroups", localaws.Body(200, group(strings.Replace(whole, `"domainOwner":"111122223333"`, `"domainOwner":"444455556666"`, 1))), "malformed"},
		{"a group is there twice, with other modes", "ListPackageGroups", localaws.Body(200, group(strings.ReplaceAll(whole, "ALLOW", "BLOCK")+`},{"arn":"arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp/npm/%2a","pattern":"/npm/*",`+whole)), "malformed"},
		{"an ARN is that of another pattern", "ListPackageGroups", localaws.Body(200, strings.Replace(group(whole), "corp/npm/%2a", "corp/pypi/%2a", 1)), "malformed"},
		{"an ARN is that of another domain", "ListPackageGroups", localaws.Body(200, strings.Replace(group(whole), "corp/npm/%2a", "lab/npm/%2a", 1)), "malformed"},
		{"an ARN is that of another account", "ListPackageGroups", localaws.Body(200, strings.Replace(group(whole), "111122223333:package-group/corp/npm/%2a", "444455556666:package-group/corp/npm/%2a", 1)), "malformed"},
		{"an ARN is none", "ListPackageGroups", localaws.Body(200, strings.Replace(group(whole), "arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp/npm/%2a", "x", 1)), "malformed"},
		{"the domain is of another account", "ListDomains", localaws.Body(200, `{"domains":[{"name":"corp","owner":"444455556666","status":"Active"}]}`), "malformed"},
		{"the domain has no name", "ListDomains", localaws.Body(200, `{"domains":[{"owner":"111122223333","status":"Active"}]}`), "malformed"},
		{"one answer is dated days before the others", "ListDomains", localaws.Date(endtoend.Start().Add(-60 * time.Hour).Format(http.TimeFormat)), "time-unknown"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", rules)
			s.ripe("/npm/*")
			s.World.Inject(localaws.Fault{Operation: row.operation, Kind: row.kind})
			out := s.Sweep()
			s.wantWrites()
			if out.Complete || out.Verdicts["undetermined"] != 1 || !slices.Contains(values(s.codes()), row.code) {
				t.Errorf("summary %+v, findings %v, want %s", out, s.codes(), row.code)
			}
		})
	}
	t.Run("none of these", func(t *testing.T) { // what the rows above would delete
		t.Parallel()
		s := newStage(t, "enforce", rules)
		s.ripe("/npm/*")
		s.Sweep()
		s.wantWrites("DeletePackageGroup /npm/*")
	})
}

func values(m map[string]string) (list []string) {
	for _, v := range m {
		list = append(list, v)
	}
	return list
}

func TestThrottlingWithoutATypeIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", rules)
	s.old("/npm/*")
	s.World.Inject(localaws.Fault{Operation: "ListAssociatedPackages", Times: 2, Kind: localaws.Fail(429, "", "slow down")})
	if out := s.Sweep(); !out.Complete || out.Outcomes["applied"] != 1 {
		t.Errorf("summary %+v", out)
	}
}

// The process is killed at every call that it makes, before and after the call
// took effect. Whatever was written must have its intent in the log.
func TestAKillAtAnyPointLeavesNoWriteWithoutItsIntent(t *testing.T) {
	t.Parallel()
	endtoend.KillAtEveryCall(t, 8, func() (*endtoend.Stage, func(int) bool) {
		s := newStage(t, "enforce", rules)
		s.old("/npm/*")
		s.Sweep()
		s.World.Advance(49 * time.Hour)
		s.Function.Mark()
		return s.Stage, func(call int) bool {
			intents := 0
			for _, line := range s.Function.Logs() {
				if strings.Contains(line, `"message":"intent"`) && strings.Contains(line, "DeletePackageGroup") && strings.Contains(line, "CreatePackageGroup") {
					intents++
				}
			}
			deleted := slices.Contains(s.writes(), "DeletePackageGroup /npm/*")
			if deleted && intents == 0 {
				t.Errorf("killed at call %d: deleted without an intent", call)
			}
			s.Sweep()
			if s.corp.PackageGroup("/npm/*").Exists() {
				t.Errorf("killed at call %d: the next sweep did not make good what was left", call)
			}
			return deleted
		}
	})
}

func TestOnePassOverTheGroupsAndAFewCallsForEachCandidate(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", rules)
	for i := range 1500 {
		s.corp.PackageGroup(fmt.Sprintf("/npm/team-%04d/*", i)).Add() // each kept for its look-alikes
	}
	s.old("/pypi/*")
	out := s.Sweep()
	// One list of domains, two pages of groups, and for the one candidate its tags and its packages.
	if calls := s.ArtifactCalls(); len(calls) != 5 || out.Looked != 1502 {
		t.Errorf("%d looked at in %d calls: %v", out.Looked, len(calls), calls)
	}
}

// How AWS would write the ARN of a pattern without a slash is not documented. Such a
// group is told, left alone, and does not hide the others of its domain.
func TestAGroupWithoutASlashIsToldAndLeftAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", rules)
	s.old("npm/acme/*")
	s.ripe("/pypi/*")
	out := s.Sweep()
	s.wantWrites("DeletePackageGroup /pypi/*")
	if diff := cmp.Diff(map[string]int{"root": 1, "no-slash": 1}, out.Details.Kept); diff != "" || !out.Complete {
		t.Errorf("complete: %v, kept (-want +got):\n%s", out.Complete, diff)
	}
	var told []string
	for _, f := range s.Reported("Finding") {
		if f.Code == "never-matches" {
			told = append(told, f.Reason)
		}
	}
	if len(told) != 1 || !strings.Contains(told[0], "npm/acme/*") {
		t.Errorf("told: %q", told)
	}
}

// An event that wakes another control is given to this one, too.
func TestEventsPruneNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, request string }{
		{"CreatePackageGroup", `{"domain":"corp","domainOwner":"111122223333","packageGroup":"/npm/*"}`},
		{"AssociateExternalConnection", `{"domain":"corp","domainOwner":"111122223333","repository":"repo","externalConnection":"public:npmjs"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", rules)
			s.ripe("/npm/*")
			out, err := s.Invoke(fmt.Sprintf(`{"source":"aws.codeartifact","detail-type":"AWS API Call via CloudTrail","account":"111122223333","region":"eu-west-1","detail":{"eventSource":"codeartifact.amazonaws.com","eventName":%q,"requestParameters":%s}}`, row.name, row.request))
			if err != nil || out.Ignored == "" || len(s.ArtifactCalls()) != 0 {
				t.Errorf("%+v, %v; calls %v", out, err, s.ArtifactCalls())
			}
		})
	}
}

func TestADomainThatIsDeletedIsNotRead(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", rules)
	s.ripe("/npm/*")
	s.World.Inject(localaws.Fault{Operation: "ListDomains", Kind: localaws.Body(200, `{"domains":[{"name":"corp","owner":"111122223333","status":"Deleted"}]}`)})
	if out := s.Sweep(); !out.Complete {
		t.Errorf("summary %+v", out)
	}
	if diff := cmp.Diff([]string{"ListDomains"}, s.ArtifactCalls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestLeavesGoFirst(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", rules+"  children: prune\n  lookalikes: ignore\n")
	s.corp.PackageGroup("/npm/*").Add()
	s.corp.PackageGroup("/npm/acme-*").Add()
	s.old("/npm/acme-ui~")
	s.Sweep()
	s.World.Advance(49 * time.Hour)
	s.Sweep()
	s.wantWrites(
		"TagResource /npm/acme-ui~", "TagResource /npm/acme-%2a", "TagResource /npm/%2a",
		"DeletePackageGroup /npm/acme-ui~", "DeletePackageGroup /npm/acme-*", "DeletePackageGroup /npm/*",
	)
}

// A part that AWS answers badly costs attempts, but does not keep the rest from
// being judged.
func TestGroupsThatCannotBeReadDoNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", rules, endtoend.Timeout(44*time.Second)) // 18 of them for the reading, and six to act, as the machine may be slow
	for _, p := range []string{"/maven/*", "/npm/*", "/nuget/*"} {
		s.corp.PackageGroup(p).Add()
	}
	s.old("/pypi/*")
	s.World.Inject(localaws.Fault{Operation: "ListTagsForResource", Kind: localaws.Fail(500, "InternalServerException", "no"), Match: func(in map[string]any) bool {
		return !strings.Contains(fmt.Sprint(in["resourceArn"]), "pypi")
	}})
	out := s.Sweep()
	s.wantWrites("TagResource /pypi/%2a")
	if out.Complete || out.Verdicts["undetermined"] != 3 {
		t.Errorf("summary %+v", out)
	}
}
