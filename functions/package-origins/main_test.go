package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/google/go-cmp/cmp"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/lambda"
)

// These tests run the real binary under a local Lambda, against a local AWS. What
// a run did is told by the server's own journal, not by the program.

const (
	home    = endtoend.Home
	partner = endtoend.Partner
	region  = endtoend.Region
	sweep   = endtoend.Sweep
)

const (
	// guarding asks that nobody but npm-internal publishes acme's packages, and
	// that they come from nowhere else.
	guarding = `
version: 1
limits: {count: 10, share: 100%}
package_origins:
  guard:
    - package: "pkg:npm/%40acme/ui"
      domains: ["corp", "lab-*"]
      group: "/npm/acme/*"
      publish: ["npm-internal"]
      external_upstream: block
      internal_upstream: block
`
	ui = "pkg:npm/%40acme/ui"
)

func TestMain(m *testing.M) { endtoend.Main(m) }

// stage adds a domain to the common stage, and reads it in the words of this
// control.
type stage struct {
	*endtoend.Stage
	corp codeartifact.Domain
}

func newStage(t *testing.T, mode, policy string) *stage {
	t.Helper()
	s := &stage{Stage: endtoend.New(t, "package-origins", mode, policy)}
	s.corp = s.Artifact.AddDomain(home, region, "corp")
	t.Cleanup(s.checkReads)
	return s
}

// guard makes the group of acme's packages in a domain, as the policy asks.
func guard(d codeartifact.Domain) codeartifact.PackageGroup {
	g := d.PackageGroup("/npm/acme/*").Add()
	g.SetMode(codeartifact.Publish, codeartifact.AllowSpecific, "npm-internal")
	g.SetMode(codeartifact.ExternalUpstream, codeartifact.Block)
	g.SetMode(codeartifact.InternalUpstream, codeartifact.Block)
	return g
}

// verdicts lists all findings so far as "where subject: verdict code".
func (s *stage) verdicts() []string {
	list := []string{}
	for _, f := range s.Reported("Finding") {
		where := strings.TrimPrefix(f.Resource, "arn:aws:codeartifact:"+region+":"+home+":domain/")
		list = append(list, fmt.Sprintf("%s %s: %s %s", where, f.Subject, f.Verdict, f.Code))
	}
	return list
}

func (s *stage) wantVerdicts(want ...string) {
	s.T.Helper()
	if diff := cmp.Diff(append([]string{}, want...), s.verdicts()); diff != "" {
		s.T.Errorf("findings (-want +got):\n%s", diff)
	}
}

// calls counts the calls to CodeArtifact by operation.
func (s *stage) calls() map[string]int {
	n := map[string]int{}
	for _, c := range s.World.Calls() {
		if c.Service == "codeartifact" && c.UserAgent != person {
			n[c.Operation]++
		}
	}
	return n
}

// person is the user agent of whoever is not the function.
const person = "person"

// asPerson sends requests under that name.
type asPerson struct{ client *localaws.Client }

func (p asPerson) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set("User-Agent", person)
	return p.client.Do(r)
}

// somebody is a client of a person in the account.
func (s *stage) somebody() *sdk.Client {
	c := s.World.Account(home)
	return sdk.New(sdk.Options{Region: region, BaseEndpoint: aws.String(s.World.URL()),
		HTTPClient: asPerson{s.World.Client()}, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		})})
}

// deleteGroup is what somebody does who takes a guard away.
func (s *stage) deleteGroup(pattern string) {
	s.T.Helper()
	if _, err := s.somebody().DeletePackageGroup(s.T.Context(), &sdk.DeletePackageGroupInput{
		Domain: aws.String("corp"), DomainOwner: aws.String(home), PackageGroup: &pattern,
	}); err != nil {
		s.T.Fatal(err)
	}
}

// checkReads holds the function to its three reads.
func (s *stage) checkReads() {
	for operation := range s.calls() {
		if !slices.Contains([]string{"ListDomains", "GetAssociatedPackageGroup", "ListAllowedRepositoriesForGroup"}, operation) {
			s.T.Errorf("the function called %s", operation)
		}
	}
}

func TestAPackageIsGuardedBeforeItExists(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding)
	guard(s.corp)

	want := endtoend.Summary{Complete: true, Looked: 1, Allowed: 1,
		Verdicts: map[string]int{"compliant": 1, "violation": 0, "waived": 0, "undetermined": 0},
		Outcomes: map[string]int{"applied": 0, "withheld": 0, "already-done": 0, "failed": 0, "restore-needed": 0}}
	if diff := cmp.Diff(want, s.Sweep()); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	s.wantVerdicts()
	if diff := cmp.Diff(map[string]int{"ListDomains": 1, "GetAssociatedPackageGroup": 1, "ListAllowedRepositoriesForGroup": 1}, s.calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestASweepFindsWhatIsOpen(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding)
	guard(s.corp).SetMode(codeartifact.Publish, codeartifact.AllowSpecific, "npm-internal", "web")
	lab := s.Artifact.AddDomain(home, region, "lab-web") // the policy names it, and nothing in it is guarded
	s.Artifact.AddDomain(home, region, "other")          // the policy does not name it
	s.Artifact.AddDomain(partner, region, "corp")        // the same name in another account

	out := s.Sweep()
	if out.Looked != 2 || !out.Complete || out.Verdicts["violation"] != 2 {
		t.Errorf("summary: %+v", out)
	}
	s.wantVerdicts("corp "+ui+": violation looser", lab.Name+" "+ui+": violation looser")
	f := s.Reported("Finding")
	for i, want := range []string{
		ui + " in domain corp resolves to /npm/acme/*; package_origins.guard[0] asks for more: " +
			"PUBLISH must be open to no more than npm-internal, but is open to web, set on /npm/acme/*",
		ui + " in domain lab-web resolves to /*; package_origins.guard[0] asks for more: " +
			"it must resolve to /npm/acme/*, and the group that guarded it is gone or never existed; " +
			"PUBLISH must be open to no more than npm-internal, but is ALLOW, set on /*; " +
			"EXTERNAL_UPSTREAM must be BLOCK, but is ALLOW, set on /*; INTERNAL_UPSTREAM must be BLOCK, but is ALLOW, set on /*",
	} {
		if f[i].Reason != want || f[i].Cause != "sweep" {
			t.Errorf("reason\n%s\nwant\n%s", f[i].Reason, want)
		}
	}
}

func TestAFindingHasTheSameIDWhateverBecomesOfTheGroup(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding)
	g := guard(s.corp)
	g.SetMode(codeartifact.ExternalUpstream, codeartifact.Allow)
	s.Sweep()
	g.Remove()
	s.Sweep()
	s.World.Inject(localaws.Fault{Operation: "GetAssociatedPackageGroup", Kind: localaws.Fail(403, "AccessDeniedException", "no")})
	s.Sweep()
	f := s.Reported("Finding")
	if len(f) != 3 || f[0].ID != f[1].ID || f[1].ID != f[2].ID {
		t.Errorf("findings: %+v", f)
	}
}

func TestAnInheritedListIsReadFromTheGroupThatHasIt(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", strings.Replace(guarding, `"/npm/acme/*"`, `"/npm/acme/ui$"`, 1))
	parent := guard(s.corp)
	s.corp.PackageGroup("/npm/acme/ui~").Add()
	s.corp.PackageGroup("/npm/acme/ui$").Add()

	if out := s.Sweep(); out.Verdicts["compliant"] != 1 {
		t.Errorf("summary: %+v", out)
	}
	parent.SetMode(codeartifact.Publish, codeartifact.AllowSpecific, "npm-internal", "web")
	if out := s.Sweep(); out.Verdicts["violation"] != 1 {
		t.Errorf("summary: %+v", out)
	}
	f := s.Reported("Finding")
	if want := "PUBLISH must be open to no more than npm-internal, but is open to web, inherited from /npm/acme/*"; len(f) != 1 || !strings.Contains(f[0].Reason, want) {
		t.Errorf("findings %+v do not say %q", f, want)
	}
	for _, c := range s.World.Calls() {
		if c.Operation == "ListAllowedRepositoriesForGroup" && c.Input["packageGroup"] != "/npm/acme/*" {
			t.Errorf("it read the list of %s", c.Input["packageGroup"])
		}
	}
}

func TestAnEmptyListIsAsStrictAsBlockWhereTheGroupItselfHasIt(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding)
	guard(s.corp).SetMode(codeartifact.ExternalUpstream, codeartifact.AllowSpecific)
	if out := s.Sweep(); out.Verdicts["compliant"] != 1 {
		t.Errorf("summary: %+v", out)
	}
}

// Whether AWS keeps an inherited list where it says that it is inherited from is
// not documented, and an empty list would prove too much.
func TestAnEmptyListThatIsInheritedProvesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", strings.Replace(guarding, `group: "/npm/acme/*"`, `group: "/npm/acme/ui$"`, 1))
	guard(s.corp).SetMode(codeartifact.ExternalUpstream, codeartifact.AllowSpecific)
	s.corp.PackageGroup("/npm/acme/ui$").Add()
	if out := s.Sweep(); out.Complete {
		t.Errorf("summary: %+v", out)
	}
	s.wantVerdicts("corp " + ui + ": undetermined malformed")
}

func TestAWeakMatchIsBlockedAndSaid(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", strings.Replace(guarding, "%40acme/ui", "%40acme/UI", 1))
	s.corp.PackageGroup("/npm/*").Add()
	g := s.corp.PackageGroup("/npm/acme/ui$").Add() // open, but not for its look-alike
	g.SetMode(codeartifact.Publish, codeartifact.Allow)
	if out := s.Sweep(); out.Verdicts["violation"] != 1 {
		t.Errorf("the group is another one than asked for, but the summary is %+v", out)
	}
	s.wantVerdicts("corp pkg:npm/%40acme/UI: violation other-group")
	if f := s.Reported("Finding")[0]; len(f.Notes) != 2 || !strings.Contains(f.Notes[0], "matches /npm/acme/ui$ only as a look-alike") {
		t.Errorf("notes: %q", f.Notes)
	}
}

func TestAWeakMatchThatIsCompliantIsSaidInTheLog(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", strings.NewReplacer("%40acme/ui", "%40acme/UI", "/npm/acme/*", "/npm/acme/ui$").Replace(guarding))
	s.corp.PackageGroup("/npm/acme/ui$").Add().SetMode(codeartifact.Publish, codeartifact.AllowSpecific, "web")
	if out := s.Sweep(); out.Verdicts["compliant"] != 1 {
		t.Errorf("summary: %+v", out)
	}
	s.wantVerdicts()
	if n := s.calls()["ListAllowedRepositoriesForGroup"]; n != 0 {
		t.Errorf("it read %d lists of a group that does not count", n)
	}
	if !slices.ContainsFunc(s.Function.Logs(), func(line string) bool {
		return strings.Contains(line, `"level":"WARN"`) && strings.Contains(line, "most likely the policy spells it in another way")
	}) {
		t.Errorf("the log does not say it:\n%s", strings.Join(s.Function.Logs(), "\n"))
	}
}

func TestEveryFormatIsAskedForInItsNormalForm(t *testing.T) {
	t.Parallel()
	policy := "version: 1\nlimits: {count: 0, share: 0%}\npackage_origins:\n  guard:\n"
	want := map[string]string{
		"pkg:npm/lodash": "npm // lodash", "pkg:npm/%40acme/ui": "npm /acme/ ui", "pkg:pypi/Acme_Core": "pypi // acme-core",
		"pkg:maven/com.acme/billing": "maven /com.acme/ billing", "pkg:nuget/Acme.Core": "nuget // acme.core",
		"pkg:generic/acme/Tool": "generic /acme/ Tool", "pkg:swift/Acme/Core": "swift /acme/ core",
		"pkg:gem/acme": "ruby // acme", "pkg:cargo/acme": "cargo // acme",
	}
	for url := range want {
		policy += fmt.Sprintf("    - {package: %q, domains: [corp], publish: block}\n", url)
	}
	s := newStage(t, "monitor", policy)
	if out := s.Sweep(); !out.Complete || out.Verdicts["violation"] != len(want) {
		t.Errorf("summary: %+v", out)
	}
	got := map[string]bool{}
	for _, c := range s.World.Calls() {
		if c.Operation == "GetAssociatedPackageGroup" {
			namespace, _ := c.Input["namespace"].(string)
			got[fmt.Sprintf("%s /%s/ %s", c.Input["format"], namespace, c.Input["package"])] = true
		}
	}
	for url, call := range want {
		if !got[call] {
			t.Errorf("%s was not asked for as %q, but there was %v", url, call, got)
		}
	}
}

func TestALookIsMadeOnceForEachPackageAndDomainAndOnceForEachList(t *testing.T) {
	t.Parallel()
	policy := "version: 1\nlimits: {count: 0, share: 0%}\npackage_origins:\n  guard:\n"
	for i := range 30 {
		// Two guards of each package, as two teams may write them.
		for _, publish := range []string{"[npm-internal]", "[npm-internal, npm-store]"} {
			policy += fmt.Sprintf("    - {package: \"pkg:npm/%%40acme/p%d\", domains: [\"*\"], publish: %s}\n", i, publish)
		}
	}
	s := newStage(t, "monitor", policy)
	guard(s.corp)
	guard(s.Artifact.AddDomain(home, region, "lab"))
	if out := s.Sweep(); out.Looked != 60 || out.Verdicts["compliant"] != 60 {
		t.Errorf("summary: %+v", out)
	}
	want := map[string]int{"ListDomains": 1, "GetAssociatedPackageGroup": 60, "ListAllowedRepositoriesForGroup": 2}
	if diff := cmp.Diff(want, s.calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestALongListIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding)
	var names []string
	for i := range 1200 {
		names = append(names, fmt.Sprintf("a%04d", i))
	}
	guard(s.corp).SetMode(codeartifact.Publish, codeartifact.AllowSpecific, append(names, "npm-internal")...)
	s.Sweep()
	f := s.Reported("Finding")
	if want := "but is open to a0000, a0001, a0002, a0003, a0004 and 1195 more"; len(f) != 1 || !strings.Contains(f[0].Reason, want) {
		t.Errorf("findings %+v do not say %q", f, want)
	}
	if n := s.calls()["ListAllowedRepositoriesForGroup"]; n != 2 {
		t.Errorf("%d calls for the list, want 2", n)
	}
}

func TestAGuardOfADomainThatIsNotThereIsSaid(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", strings.Replace(guarding, `["corp", "lab-*"]`, "[crop]", 1))
	guard(s.corp)
	if out := s.Sweep(); !out.Complete || out.Looked != 0 {
		t.Errorf("summary: %+v", out)
	}
	s.wantVerdicts("* " + ui + ": undetermined no-domain")
}

func TestOffLooksAtNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "off", "version: 1\nlimits: {count: 0, share: 0%}\n")
	if out := s.Sweep(); out.Ignored == "" || len(s.calls()) > 0 {
		t.Errorf("summary %+v, calls %v", out, s.calls())
	}
}

func TestAFunctionThatCannotBeSureDoesNotStart(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, mode, policy, says string
	}{
		{"a policy with a misspelt key", "monitor", strings.Replace(guarding, "publish", "publihs", 1), `unknown key \"publihs\"; write \"publish\"`},
		{"a policy without the control's section", "monitor", "version: 1\nlimits: {count: 1, share: 1%}\n", "has no section package_origins"},
		{"a mode that does not exist", "watch", guarding, `mode \"watch\" is none of off, monitor and enforce`},
		{"a mode that this control does not have", "enforce", guarding, "package-origins only reports: set PackageOriginsMode to monitor or off"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, row.mode, row.policy)
			if _, err := s.Function.Invoke(t.Context(), []byte(sweep)); err == nil {
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

func TestAGuardThatIsAboutOtherAccountsOnlyIsSaidAtTheStart(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding+"      accounts: [\""+partner+"\"]\n")
	if out := s.Sweep(); out.Looked != 0 || !out.Complete {
		t.Errorf("summary: %+v", out)
	}
	s.wantVerdicts()
	if logs := strings.Join(s.Function.Logs(), "\n"); !strings.Contains(logs, "package_origins.guard[0] is about other accounts than "+home) {
		t.Errorf("the log does not say it:\n%s", logs)
	}
}

func TestEventsThatTheBusRefusesMakeTheRunFail(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding)
	s.Events.FailEntries(func(int, eventbridge.Event) string { return "InternalFailure" })
	_, err := s.Function.Invoke(t.Context(), []byte(sweep))
	var failure *lambda.FunctionError
	if !errors.As(err, &failure) || !strings.Contains(failure.Message, "were not delivered") {
		t.Errorf("error: %v", err)
	}
}
