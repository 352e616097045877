package main_test

import (
	"strings"
	"testing"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
)

// Every answer that a deletion depends on is cut at every byte, in the first reading
// and in the second one. Nothing is deleted, marked or unmarked on any of them; on
// the whole answer, the group goes, or loses its mark where it is in use.
func TestNoPlaceToCutAnAnswerLeadsToAWrite(t *testing.T) {
	t.Parallel()
	prepare := func(t *testing.T) *endtoend.Stage {
		s := newStage(t, "enforce", rules)
		s.ripe("/npm/*")
		return s.Stage
	}
	for _, operation := range []string{"ListDomains", "ListPackageGroups", "ListAssociatedPackages", "ListTagsForResource"} {
		endtoend.CutEverywhere(t, operation, prepare, "DeletePackageGroup")
	}
	// Where the policy names packages, what they resolve to keeps a group.
	guarded := func(t *testing.T) *endtoend.Stage {
		s := newStage(t, "enforce", loose+`    - {package: "pkg:pypi/acme-core", domains: [corp], publish: block}`+"\n")
		s.ripe("/npm/*")
		return s.Stage
	}
	endtoend.CutEverywhere(t, "GetAssociatedPackageGroup", guarded, "DeletePackageGroup")
	t.Run("of a group that is in use again", func(t *testing.T) {
		t.Parallel()
		endtoend.CutEverywhere(t, "ListAssociatedPackages", func(t *testing.T) *endtoend.Stage {
			s := newStage(t, "enforce", rules)
			s.ripe("/npm/*")
			s.corp.AddPackage("repo", "npm", "", "lodash")
			return s.Stage
		}, "UntagResource")
	})
	t.Run("in the second reading", func(t *testing.T) {
		t.Parallel()
		for _, operation := range []string{"ListPackageGroups", "ListAssociatedPackages", "ListTagsForResource"} {
			endtoend.CutEverywhereAfter(t, 1, operation, prepare, "DeletePackageGroup")
		}
		endtoend.CutEverywhereAfter(t, 1, "GetAssociatedPackageGroup", guarded, "DeletePackageGroup")
	})
}

// The credentials end before each call of a sweep in turn, and with them everything
// after it. A group is never deleted without its intent, and the next sweep ends what
// was left.
func TestCredentialsMayEndAtEveryCall(t *testing.T) {
	t.Parallel()
	wrote, ends, calls := false, false, 0
	for call := 0; !ends; call++ {
		s := newStage(t, "enforce", rules)
		s.ripe("/npm/*")
		fault := s.World.Inject(localaws.Fault{Service: "codeartifact", Skip: call, Kind: localaws.Fail(403, "ExpiredTokenException", "the token is too old")})
		out, err := s.Invoke(endtoend.Sweep)
		ends = fault.Count() == 0
		fault.Remove()
		if written := s.writes(); len(written) > 0 {
			wrote = true
			if logs := strings.Join(s.Function.Logs(), "\n"); !strings.Contains(logs, `"message":"intent"`) {
				t.Errorf("call %d: %q has no intent", call, written)
			}
		} else if err == nil && out.Complete {
			t.Errorf("call %d: nothing was done, and the run says that it was complete: %+v", call, out)
		}
		calls = call
		if ends && call < 8 {
			t.Errorf("a sweep makes only %d calls", call)
		}
		s.Sweep()
		s.wantWrites("DeletePackageGroup /npm/*")
	}
	t.Logf("figure of fault 38: a sweep of %d calls", calls)
	if !wrote {
		t.Error("the credentials never ended after a write: the test proves nothing")
	}
}

// The credentials are refused for one call of a sweep, each in turn, and accepted again
// for all that come after it, so that those could delete. They do not.
func TestCredentialsThatComeBackProveNothing(t *testing.T) {
	t.Parallel()
	fresh := func() *stage {
		s := newStage(t, "enforce", rules)
		s.ripe("/npm/*")
		return s
	}
	undisturbed := fresh()
	undisturbed.Sweep()
	withheld := 0
	for _, fault := range endtoend.EachCall(undisturbed.Stage, "codeartifact") {
		s := fresh()
		fault.Kind = localaws.Fail(403, "ExpiredTokenException", "the token is too old")
		injected := s.World.Inject(fault)
		out, err := s.Invoke(endtoend.Sweep)
		if injected.Count() != 1 {
			t.Errorf("%s was refused %d times", fault.Operation, injected.Count())
		}
		refused := false
		for _, c := range s.World.Calls() {
			refused = refused || c.ErrorCode == "ExpiredTokenException"
			if refused && c.Write && c.Executed && c.Service == "codeartifact" {
				t.Errorf("%s was refused, and then there is %s", fault.Operation, c.Operation)
			}
		}
		if len(s.writes()) == 0 {
			withheld++
			if err == nil && out.Complete {
				t.Errorf("%s: the run says that it was complete: %+v", fault.Operation, out)
			}
		}
		s.Sweep()
		s.wantWrites("DeletePackageGroup /npm/*")
	}
	if withheld != 9 { // the domains, the groups three times, their tags and packages twice, and the write
		t.Errorf("%d refused calls kept back the deletion", withheld)
	}
}
