package main_test

import (
	"slices"
	"testing"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
)

// The list that a rejection depends on is cut at every byte, in the first reading and
// in the second one. Nothing is rejected on any of them; on the whole list, the
// request is.
func TestNoPlaceToCutAnAnswerLeadsToAWrite(t *testing.T) {
	t.Parallel()
	const list = "ListEnvironmentAccountConnections"
	prepare := func(t *testing.T) *endtoend.Stage {
		s := newStage(t, "enforce", everything)
		s.asked(partner, home, "web")
		return s.Stage
	}
	endtoend.CutEverywhere(t, list, prepare, reject)
	t.Run("in the second reading", func(t *testing.T) {
		t.Parallel()
		endtoend.CutEverywhereAfter(t, 2, list, prepare, reject) // one for each side
	})
}

// The credentials end before each call of a sweep in turn, and with them everything
// after it. What cannot be undone is not done without its intent, and the next sweep
// ends what was left.
func TestCredentialsMayEndAtEveryCall(t *testing.T) {
	t.Parallel()
	wrote, ends, calls := false, false, 0
	for call := 0; !ends; call++ {
		s := newStage(t, "enforce", everything)
		bothSides(s)
		fault := s.World.Inject(localaws.Fault{Service: "proton", Skip: call, Kind: localaws.Fail(403, "ExpiredTokenException", "the token is too old")})
		out, err := s.Invoke(sweep)
		ends = fault.Count() == 0
		fault.Remove()
		written := s.writes()
		wrote = wrote || len(written) > 0
		intents := s.intended()
		for _, w := range written {
			if !slices.Contains(intents, w) {
				t.Errorf("call %d: %q has no intent", call, w)
			}
		}
		if len(written) < 2 && err == nil && out.Complete {
			t.Errorf("call %d: %q, and the run says that it was complete: %+v", call, written, out)
		}
		calls = call
		if ends && call < 5 {
			t.Errorf("a sweep makes only %d calls", call)
		}
		s.Sweep()
		s.wantWrites(remove+" strange", reject+" web")
	}
	t.Logf("figure of fault 38: a sweep of %d calls", calls)
	if !wrote {
		t.Error("the credentials never ended after a write: the test proves nothing")
	}
}

// The credentials are refused for one call of a sweep, each in turn, and accepted again
// for all that come after it, so that those could write. On the side that the refused
// call was to tell of, they do not.
func TestCredentialsThatComeBackProveNothing(t *testing.T) {
	t.Parallel()
	dependsOn := map[string]string{reject: management, remove: environment}
	fresh := func() *stage {
		s := newStage(t, "enforce", everything)
		bothSides(s)
		return s
	}
	undisturbed := fresh()
	undisturbed.Sweep()
	withheld := 0
	for _, fault := range endtoend.EachCall(undisturbed.Stage, "proton") {
		s := fresh()
		fault.Kind = localaws.Fail(403, "ExpiredTokenException", "the token is too old")
		injected := s.World.Inject(fault)
		out, err := s.Invoke(sweep)
		if injected.Count() != 1 {
			t.Errorf("%s was refused %d times", fault.Operation, injected.Count())
		}
		var refused *localaws.Call
		for _, c := range s.World.Calls() {
			switch side := dependsOn[c.Operation]; {
			case c.ErrorCode == "ExpiredTokenException":
				refused = &c
			case side != "" && refused != nil && (refused.Input["requestedBy"] == side || refused.Operation == c.Operation):
				t.Errorf("%s %v was refused, and then there is %s", refused.Operation, refused.Input, c.Operation)
			}
		}
		if len(s.writes()) < 2 {
			withheld++
			if err == nil && out.Complete {
				t.Errorf("%s: the run says that it was complete: %+v", fault.Operation, out)
			}
		}
		s.Sweep()
		s.wantWrites(remove+" strange", reject+" web")
	}
	if withheld != 6 { // two lists, and a second reading and a write of each side
		t.Errorf("%d refused calls kept back a write", withheld)
	}
}
