package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
)

// asAProgram has the test binary be the program, for the tests of its signals.
const asAProgram = "SMOKE_AS_A_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asAProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// denied is an answer that will not be another one a little later.
func denied() localaws.Kind { return localaws.Fail(403, "AccessDeniedException", "no") }

// another makes the domain of another run.
func another(t *testing.T, w *localaws.World) {
	t.Helper()
	if _, err := somebody(w).CreateDomain(context.WithoutCancel(t.Context()), &sdk.CreateDomainInput{
		Domain: aws.String(domain), Tags: []types.Tag{{Key: aws.String(tagKey), Value: aws.String("run another")}}}); err != nil {
		t.Error(err)
	}
}

// leftover is what a run that was killed has left.
func leftover(t *testing.T, w *localaws.World, s *codeartifact.Service) codeartifact.Domain {
	t.Helper()
	another(t, w)
	d := s.Domain(account, region, domain)
	d.AddRepository(gateway)
	d.AddRepository(team)
	for _, pattern := range []string{idle, blocked} {
		d.PackageGroup(pattern).Add()
	}
	return d
}

// Cleaning looks at our own domain only: what somebody else makes meanwhile is left alone, and keeps nothing from going.
func TestTheDomainOfSomebodyElseDoesNotKeepOursFromGoing(t *testing.T) {
	for _, cleanup := range []bool{false, true} {
		w, s, o := stage(t)
		meanwhile := func() {
			s.AddDomain(account, region, "corp").AddRepository("npm")
			s.AddDomain("444455556666", region, "theirs").AddRepositoryOf(account, "npm")
		}
		want := failed
		if o.cleanup = cleanup; cleanup {
			leftover(t, w, s)
			meanwhile()
			want = asAssumed
		} else {
			w.Inject(localaws.Fault{Operation: "CreateRepository", Times: 1, Kind: localaws.Meanwhile(meanwhile)})
			w.Inject(localaws.Fault{Operation: "AssociateExternalConnection", Kind: denied()})
		}
		var out strings.Builder
		status, err := run(t.Context(), o, &out)
		if status != want || !strings.Contains(out.String(), "the domain portcullis-smoke is removed") {
			t.Errorf("cleanup %t: status %d, %v\n%s", cleanup, status, err, out.String())
		}
		if n := domains(t, w); n != 1 || !s.Domain(account, region, "corp").Repository("npm").Exists() {
			t.Errorf("cleanup %t: %d domains are there", cleanup, n)
		}
	}
}

// A run takes away nothing but what it made itself, also where it looks the same.
func TestARunLeavesTheDomainOfAnotherRun(t *testing.T) {
	for _, test := range []struct {
		name  string
		setup func(*testing.T, *localaws.World)
		want  string
	}{
		{"which was faster", func(t *testing.T, w *localaws.World) {
			w.Inject(localaws.Fault{Operation: "DescribeDomain", Times: 1, When: localaws.After, Kind: localaws.Meanwhile(func() { another(t, w) })})
		}, "already exists"},
		{"which was faster, and this one was not told", func(t *testing.T, w *localaws.World) {
			w.Inject(localaws.Fault{Operation: "DescribeDomain", Times: 1, When: localaws.After, Kind: localaws.Meanwhile(func() { another(t, w) })})
			w.Inject(localaws.Fault{Operation: "CreateDomain", Skip: 1, Kind: localaws.Reset()})
		}, "another run made it"},
		{"which was begun after ours was removed", func(t *testing.T, w *localaws.World) {
			w.Inject(localaws.Fault{Operation: "CreateRepository", Times: 1, Kind: localaws.Meanwhile(func() {
				if _, err := somebody(w).DeleteDomain(t.Context(), &sdk.DeleteDomainInput{Domain: aws.String(domain)}); err != nil {
					t.Error(err)
				}
				another(t, w)
			})})
			w.Inject(localaws.Fault{Operation: "CreateRepository", Kind: denied()})
		}, "another run made it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, _, o := stage(t)
			test.setup(t, w)
			var out strings.Builder
			status, err := run(t.Context(), o, &out)
			if status != failed || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("status %d, %v\n%s", status, err, out.String())
			}
			if err != nil && strings.Contains(err.Error(), "CLEANUP") {
				t.Errorf("it advises to remove what is not ours: %v", err)
			}
			if strings.Contains(out.String(), "removing") || domains(t, w) != 1 {
				t.Errorf("the other run has lost its domain:\n%s", out.String())
			}
		})
	}
}

// The controls look at the whole Region, and stop where they would reach out of our domain.
func TestTheControlsDoNothingInTheDomainOfSomebodyElse(t *testing.T) {
	w, s, o := stage(t)
	theirs := codeartifact.Repository{}
	w.Inject(localaws.Fault{Operation: "CreateRepository", Times: 1, Kind: localaws.Meanwhile(func() {
		theirs = s.AddDomain(account, region, "corp").AddRepository("npm")
		theirs.Connect("public:npmjs")
	})})
	status, err := run(t.Context(), o, io.Discard)
	if status != failed || err == nil || !strings.Contains(err.Error(), "which is not in our domain") || domains(t, w) != 1 {
		t.Errorf("status %d, %v", status, err)
	}
	if len(theirs.Connections()) != 1 {
		t.Error("it has disconnected what is not ours")
	}
}

func TestNothingIsMadeThatIsNotWrittenDown(t *testing.T) {
	w, _, o := stage(t)
	s, err := enter(t.Context(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.open(o.record); err != nil {
		t.Fatal(err)
	}
	_ = s.record.Close()
	if made, err := s.create(t.Context()); made || err == nil || len(wrote(w)) > 0 {
		t.Errorf("made %t, %v: %v", made, err, wrote(w))
	}
}

// If AWS refuses to make the domain, there is nothing to remove, and nothing is looked for.
func TestNothingIsRemovedThatWasRefused(t *testing.T) {
	w, _, o := stage(t)
	w.Inject(localaws.Fault{Operation: "CreateDomain", Kind: denied()})
	w.Inject(localaws.Fault{Operation: "DescribeDomain", Skip: 1, Kind: localaws.Meanwhile(func() { t.Error("it looks for a domain") })})
	if status, err := run(t.Context(), o, io.Discard); status != failed || err == nil || strings.Contains(err.Error(), "CLEANUP") {
		t.Errorf("status %d, %v", status, err)
	}
}

// A domain that was asked for and does not show is waited for, and told of if it never does.
func TestADomainThatDoesNotShowIsNotForgotten(t *testing.T) {
	for _, test := range []struct {
		name  string
		hides int // how many looks do not see it; 0 is all
		lost  bool
		want  string
	}{
		{"the answer is lost, and it shows later", 4, true, ""},
		{"the answer is lost, and it never shows", 0, true, "may be left"},
		{"it never shows", 0, false, "may be left"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, _, o := stage(t)
			if test.hides > 0 {
				o.again = time.Minute
			}
			w.Inject(localaws.Fault{Operation: "DescribeDomain", Skip: 1, Times: test.hides, Kind: localaws.Fail(404, "ResourceNotFoundException", "no")})
			if test.lost {
				w.Inject(localaws.Fault{Operation: "CreateDomain", When: localaws.After, Kind: localaws.Reset()})
			} else {
				w.Inject(localaws.Fault{Operation: "CreateRepository", Kind: denied()})
			}
			status, err := run(t.Context(), o, io.Discard)
			if status != failed || err == nil {
				t.Fatalf("status %d, %v", status, err)
			}
			told := strings.Contains(err.Error(), "make smoke ACCOUNT=111122223333 CLEANUP=1")
			if told != (test.want != "") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("it is told: %t: %v", told, err)
			}
			if n := domains(t, w); n == 0 && told || n > 0 && !told {
				t.Errorf("%d domains are left: %v", n, err)
			}
		})
	}
}

// A domain belongs to a Region. What is in another one is neither looked at nor touched, and nothing else is claimed.
func TestItWorksInOneRegionAndSaysSo(t *testing.T) {
	w, s, o := stage(t)
	s.AddDomain(account, "us-east-1", "corp").AddRepository("npm").Connect("public:npmjs")
	w.Inject(localaws.Fault{Operation: "CreateRepository", Skip: 1, Kind: denied()})
	var out strings.Builder
	if status, err := run(t.Context(), o, &out); status != failed || err == nil || domains(t, w) > 0 {
		t.Errorf("status %d, %v", status, err)
	}
	if !strings.Contains(out.String(), "account 111122223333, Region eu-west-1; in other Regions it neither looks nor writes") {
		t.Errorf("it is not said where it works:\n%s", out.String())
	}
	for _, c := range w.Calls() {
		if c.Region != region {
			t.Errorf("%s in %s", c.Operation, c.Region)
		}
	}
}

// What may pass is tried again.
func TestRemovingOutlastsATroubleThatPasses(t *testing.T) {
	w, s, o := stage(t)
	leftover(t, w, s)
	o.cleanup, o.again = true, time.Minute
	var faults []*localaws.Injected
	for operation, kind := range map[string]localaws.Kind{
		"DeletePackageGroup": localaws.Fail(503, "", "busy"),
		"DeleteRepository":   localaws.Fail(429, "ThrottlingException", "slower"),
		"DeleteDomain":       localaws.Fail(409, "ConflictException", "it still contains a repository"),
	} {
		faults = append(faults, w.Inject(localaws.Fault{Operation: operation, Times: 2, Kind: kind}))
	}
	if status, err := run(t.Context(), o, io.Discard); status != asAssumed || err != nil || domains(t, w) > 0 {
		t.Errorf("status %d, %v", status, err)
	}
	for _, f := range faults {
		if f.Count() != 2 {
			t.Errorf("%d faults", f.Count())
		}
	}
}

// What cannot be removed keeps nothing else, and is named.
func TestRemovingGoesOnAfterAFailure(t *testing.T) {
	for _, test := range []struct {
		name string
		kind localaws.Kind
	}{
		{"which will not pass", denied()},
		{"which does not pass in time", localaws.Fail(429, "ThrottlingException", "slower")},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, s, o := stage(t)
			d := leftover(t, w, s)
			o.cleanup = true
			of := func(member, value string) func(map[string]any) bool {
				return func(input map[string]any) bool { return input[member] == value }
			}
			w.Inject(localaws.Fault{Operation: "DeleteRepository", Match: of("repository", gateway), Kind: test.kind})
			w.Inject(localaws.Fault{Operation: "DeletePackageGroup", Match: of("packageGroup", blocked), Kind: test.kind})
			status, err := run(t.Context(), o, io.Discard)
			if status != failed || err == nil {
				t.Fatalf("status %d, %v", status, err)
			}
			for _, want := range []string{"repository gateway: ", "package group " + blocked + ": ", "make smoke ACCOUNT=111122223333 CLEANUP=1"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not said: %v", want, err)
				}
			}
			if got := d.Repositories(); !slices.Equal(got, []string{gateway}) {
				t.Errorf("the repositories %v are left", got)
			}
			if got := d.PackageGroups(); !slices.Equal(got, []string{"/*", blocked}) {
				t.Errorf("the package groups %v are left", got)
			}
		})
	}
}

// A list that cannot be read is not taken for one without anything in it.
func TestADomainWhoseRepositoriesAreNotKnownStays(t *testing.T) {
	w, s, o := stage(t)
	leftover(t, w, s)
	o.cleanup = true
	w.Inject(localaws.Fault{Operation: "ListRepositoriesInDomain", Kind: denied()})
	status, err := run(t.Context(), o, io.Discard)
	if status != failed || err == nil || !strings.Contains(err.Error(), "its repositories: ") || slices.Contains(wrote(w), "DeleteDomain") {
		t.Errorf("status %d, %v: %v", status, err, wrote(w))
	}
}

// A package group that cannot be removed goes with its domain.
func TestWhatGoesWithTheDomainIsNotLeft(t *testing.T) {
	w, s, o := stage(t)
	leftover(t, w, s)
	o.cleanup = true
	w.Inject(localaws.Fault{Operation: "DeletePackageGroup", Kind: denied()})
	if status, err := run(t.Context(), o, io.Discard); status != asAssumed || err != nil || domains(t, w) > 0 {
		t.Errorf("status %d, %v", status, err)
	}
}

// Whoever closes the terminal, or the program that reads what is printed, ends the run and not the removing.
func TestNothingIsLeftByAProgramThatIsSentAway(t *testing.T) {
	for name, send := range map[string]func(*exec.Cmd, io.Closer) error{
		"an interrupt":       func(c *exec.Cmd, _ io.Closer) error { return c.Process.Signal(os.Interrupt) },
		"a terminated one":   func(c *exec.Cmd, _ io.Closer) error { return c.Process.Signal(syscall.SIGTERM) },
		"a closed terminal":  func(c *exec.Cmd, _ io.Closer) error { return c.Process.Signal(syscall.SIGHUP) },
		"a reader that left": func(_ *exec.Cmd, out io.Closer) error { return out.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			w, s, o := stage(t)
			t.Setenv(asAProgram, "yes")
			program := exec.Command(os.Args[0], "-yes-this-is-a-sandbox", account, "-record", o.record) //nolint:gosec // it is this test
			out, err := program.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			w.Inject(localaws.Fault{Operation: "CreateRepository", Times: 1, When: localaws.After, Kind: localaws.Meanwhile(func() {
				if err := send(program, out); err != nil {
					t.Error(err)
				}
			})})
			if err := program.Start(); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, out)
			if err := program.Wait(); err == nil || program.ProcessState.ExitCode() != failed {
				t.Errorf("it ends with %v", err)
			}
			if len(wrote(w)) == 0 || domains(t, w) > 0 {
				t.Errorf("the repositories %v are left", s.Domain(account, region, domain).Repositories())
			}
		})
	}
}

// The file of a run is in the folder where it was begun, which is that of the repository with make.
func TestTheRecordIsIgnoredByGit(t *testing.T) {
	ignored, err := os.ReadFile("../../.gitignore")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(strings.Fields(string(ignored)), func(pattern string) bool {
		match, _ := path.Match(pattern, "/"+recordOf(time.Now()))
		return match
	}) {
		t.Errorf("%s is not ignored", recordOf(time.Now()))
	}
}
