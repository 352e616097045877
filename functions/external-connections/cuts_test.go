package main_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
)

// Every answer that a removal depends on is cut at every byte, in the first reading
// and in the second one. Nothing is removed on any of them; on the whole answer, the
// violation is.
func TestNoPlaceToCutAnAnswerLeadsToAWrite(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"ListDomains", "ListRepositoriesInDomain", "DescribeRepository"} {
		endtoend.CutEverywhere(t, operation, func(t *testing.T) *endtoend.Stage {
			s := newStage(t, "enforce", everything)
			s.repo("app", "public:npmjs")
			return s.Stage
		}, "DisassociateExternalConnection")
	}
	// A repository in a domain of another account is known from one list only.
	endtoend.CutEverywhere(t, "ListRepositories", func(t *testing.T) *endtoend.Stage {
		s := newStage(t, "enforce", everything)
		ours := s.Artifact.AddDomain(partner, region, "shared").AddRepositoryOf(home, "app")
		ours.Connect("public:npmjs")
		ours.Grant(home, codeartifact.Write)
		return s.Stage
	}, "DisassociateExternalConnection")
}

// The second reading is one DescribeRepository: cut off, it withholds the write that
// the first one asked for.
func TestNoPlaceToCutTheSecondReadingLeadsToAWrite(t *testing.T) {
	t.Parallel()
	endtoend.CutEverywhereAfter(t, 1, "DescribeRepository", func(t *testing.T) *endtoend.Stage {
		s := newStage(t, "enforce", everything)
		s.repo("app", "public:npmjs")
		return s.Stage
	}, "DisassociateExternalConnection")
}

// The credentials end before each call of a sweep in turn, and with them everything
// after it. What was written before has its intent, nothing is written after it, the
// run says that it was not complete or fails, and the next one makes it good.
func TestCredentialsMayEndAtEveryCall(t *testing.T) {
	t.Parallel()
	wrote, ends, calls := false, false, 0
	for call := 0; !ends; call++ {
		s := newStage(t, "enforce", everything)
		twoDomains(s)
		fault := s.World.Inject(localaws.Fault{Service: "codeartifact", Skip: call, Kind: localaws.Fail(403, "ExpiredTokenException", "the token is too old")})
		out, err := s.Invoke(sweep)
		ends = fault.Count() == 0
		fault.Remove()
		written := s.writes()
		wrote = wrote || len(written) > 0
		intents := intended(s)
		for _, w := range written {
			if countOf(intents, w) == 0 {
				t.Errorf("call %d: %q has no intent", call, w)
			}
		}
		if !ends && err == nil && out.Complete && len(written) < 2 {
			t.Errorf("call %d: the run says that it was complete: %+v", call, out)
		}
		calls = call
		if ends && call < 10 {
			t.Errorf("a sweep makes only %d calls", call)
		}
		s.Sweep()
		s.wantWrites(inCorp, inLab)
	}
	t.Logf("figure of fault 38: a sweep of %d calls", calls)
	if !wrote {
		t.Error("the credentials never ended after a write: the test proves nothing")
	}
}

// Each call is denied in each domain, or for each repository, in turn: what it is
// about is undetermined, and everything else is done.
func TestADenialIsAboutWhatItNames(t *testing.T) {
	t.Parallel()
	names := []string{"app", "web", "tool"}
	for _, operation := range []string{"ListRepositoriesInDomain", "DescribeRepository", "DisassociateExternalConnection"} {
		for _, domain := range []string{"corp", "lab"} {
			for _, repository := range names {
				if operation == "ListRepositoriesInDomain" && repository != "app" {
					continue // it is about no repository
				}
				t.Run(fmt.Sprintf("%s of %s %s", operation, domain, repository), func(t *testing.T) {
					t.Parallel()
					s := newStage(t, "enforce", everything)
					lab := s.Artifact.AddDomain(home, region, "lab")
					var want []string
					for _, name := range names {
						s.repo(name, "public:npmjs")
						lab.AddRepository(name).Connect("public:npmjs")
						for _, d := range []string{"corp", "lab"} {
							if d != domain || name != repository && operation != "ListRepositoriesInDomain" {
								want = append(want, "DisassociateExternalConnection "+d+"/"+name+" public:npmjs")
							}
						}
					}
					s.World.Inject(localaws.Fault{Operation: operation, Kind: localaws.Fail(403, "AccessDeniedException", "no"), Match: func(in map[string]any) bool {
						return in["domain"] == domain && (in["repository"] == nil || in["repository"] == repository)
					}})
					out, err := s.Invoke(sweep)
					if err == nil && out.Complete {
						t.Errorf("the run says that all is well: %+v", out)
					}
					got := s.writes()
					for _, w := range want {
						if countOf(got, w) != 1 {
							t.Errorf("%q was not done; %q", w, got)
						}
					}
					if len(got) != len(want) {
						t.Errorf("writes %q, want %q", got, want)
					}
				})
			}
		}
	}
}

// Answers of 64 MiB are not taken into memory: the process stays far below what the
// function has, which is 256 MB.
func TestAFloodOfAnswersTakesLittleMemory(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	twoDomains(s)
	s.World.Inject(localaws.Fault{Operation: "DescribeRepository", Match: describing("app"), Kind: localaws.Pad(64)})
	if out := s.Sweep(); out.Complete {
		t.Errorf("summary: %+v", out)
	}
	s.wantWrites(inLab)
	peak := s.Function.PeakMemory()
	t.Logf("figure of fault 24: %d MiB resident at most", peak>>20)
	if peak > 96<<20 {
		t.Errorf("it took %d MiB", peak>>20)
	}
}

// Every second read is answered with a server error, for as long as the sweep lasts.
func TestABurstOfServerErrorsLosesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", strings.Replace(everything, "count: 10", "count: 100", 1))
	const repositories = 60
	for i := range repositories {
		s.repo(fmt.Sprintf("app%02d", i), "public:npmjs")
	}
	var n atomic.Int32
	s.World.Inject(localaws.Fault{Service: "codeartifact", Kind: localaws.Fail(503, "InternalServerException", "oops"), Match: func(input map[string]any) bool {
		_, write := input["externalConnection"]
		return !write && n.Add(1)%2 == 0
	}})
	out := s.Sweep()
	if !out.Complete || out.Outcomes["applied"] != repositories || len(s.writes()) != repositories {
		t.Errorf("%d writes, summary %+v", len(s.writes()), out)
	}
	t.Logf("figure of fault 19: %d repositories, %d of %d reads refused: %d writes", repositories, n.Load()/2, n.Load(), len(s.writes()))
}

// The credentials are refused for one call of a sweep, each in turn, and accepted again
// for all that come after it, so that those could write. What the refused call was to
// tell of is left alone, in the first reading and in the second one.
func TestCredentialsThatComeBackProveNothing(t *testing.T) {
	t.Parallel()
	fresh := func() *stage {
		s := newStage(t, "enforce", everything)
		twoDomains(s)
		return s
	}
	undisturbed := fresh()
	undisturbed.Sweep()
	withheld := 0
	for _, fault := range endtoend.EachCall(undisturbed.Stage, "codeartifact") {
		s := fresh()
		fault.Kind = localaws.Fail(403, "ExpiredTokenException", "the token is too old")
		injected := s.World.Inject(fault)
		out, err := s.Invoke(sweep)
		if injected.Count() != 1 {
			t.Errorf("%s was refused %d times", fault.Operation, injected.Count())
		}
		var refused *localaws.Call
		for _, c := range s.World.Calls() {
			about := refused != nil && (refused.Operation == "ListDomains" ||
				refused.Input["domain"] == c.Input["domain"] && (refused.Input["repository"] == nil || refused.Input["repository"] == c.Input["repository"]))
			switch {
			case c.ErrorCode == "ExpiredTokenException":
				refused = &c
			case c.Operation == "DisassociateExternalConnection" && about:
				t.Errorf("%s %v was refused, and then there is %v", refused.Operation, refused.Input, c.Input)
			}
		}
		if len(s.writes()) < 2 {
			withheld++
			if err == nil && out.Complete {
				t.Errorf("%s: the run says that it was complete: %+v", fault.Operation, out)
			}
		}
		s.Sweep()
		s.wantWrites(inCorp, inLab)
	}
	if withheld != 9 { // the list of domains, one of each domain, and two readings and a write of each repository
		t.Errorf("%d refused calls kept back a write", withheld)
	}
}
