package main_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/proton"
)

// bothSides makes one violation on each side.
func bothSides(s *stage) {
	s.asked(partner, home, "web")
	s.asked(home, stranger, "strange")
}

// of tells which side a list is of.
func of(side string) func(map[string]any) bool {
	return func(input map[string]any) bool { return input["requestedBy"] == side }
}

const (
	management  = "MANAGEMENT_ACCOUNT"
	environment = "ENVIRONMENT_ACCOUNT"
)

// A bad answer makes its own side undetermined. Nothing is done there, and the
// other side goes on.
func TestABadReadIsNeverNothingThere(t *testing.T) {
	t.Parallel()
	const list = "ListEnvironmentAccountConnections"
	denied := localaws.Fail(400, "AccessDeniedException", "User is not authorized to perform this action")
	entry := `{"environmentAccountConnections":[{"id":"00000000-0000-4000-9000-000000000001","arn":"arn:aws:proton:eu-west-1:444455556666:environment-account-connection/00000000-0000-4000-9000-000000000001",` +
		`"environmentAccountId":"444455556666","managementAccountId":"111122223333","environmentName":"web","roleArn":"arn:aws:iam::444455556666:role/x","status":"PENDING"`
	for _, row := range []struct {
		name   string
		fault  localaws.Fault
		writes []string
		code   string // of the undetermined finding
		whole  bool   // the list itself was read
	}{
		{"one side cannot be listed", localaws.Fault{Operation: list, Match: of(management), Kind: denied}, []string{remove + " strange"}, "access-denied", false},
		{"the other side cannot be listed", localaws.Fault{Operation: list, Match: of(environment), Kind: denied}, []string{reject + " web"}, "access-denied", false},
		{"the other side has no list", localaws.Fault{Operation: list, Match: of(environment), Kind: localaws.Body(200, `{}`)}, []string{reject + " web"}, "malformed", false},
		{"the other side is a web page", localaws.Fault{Operation: list, Match: of(environment), Kind: localaws.HTML(200)}, []string{reject + " web"}, "malformed", false},
		{"a page points back to itself", localaws.Fault{Operation: list, Match: of(management), Kind: localaws.Body(200, `{"environmentAccountConnections":[],"nextToken":"again"}`)}, []string{remove + " strange"}, "malformed", false},
		{"a connection has nothing known in it", localaws.Fault{Operation: list, Match: of(management), Kind: localaws.Body(200, `{"environmentAccountConnections":[{}]}`)}, []string{remove + " strange"}, "malformed", true},
		{"a connection has no dates", localaws.Fault{Operation: list, Match: of(management), Kind: localaws.Body(200, entry+`}]}`)}, []string{remove + " strange"}, "malformed", true},
		{"a connection is of another account", localaws.Fault{Operation: list, Match: of(management),
			Kind: localaws.Body(200, strings.Replace(entry, home, stranger, 1)+`,"requestedAt":1763629200,"lastModifiedAt":1763629200}]}`)}, []string{remove + " strange"}, "malformed", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", everything)
			bothSides(s)
			s.World.Inject(row.fault)
			out := s.Sweep()
			s.wantWrites(row.writes...)
			if out.Gone || out.Complete != row.whole || out.Verdicts["undetermined"] != 1 || out.Looked != 1 {
				t.Errorf("summary: %+v", out)
			}
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

func TestAnUnknownStatusIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.asked(partner, home, "web").SetStatus("SUSPENDED")
	s.asked(home, stranger, "strange").SetStatus("SUSPENDED")
	if out := s.Sweep(); out.Verdicts["undetermined"] != 2 || !out.Complete {
		t.Errorf("summary: %+v", out)
	}
	s.wantWrites()
}

func TestAWriteIsAttemptedOnceAndThenLookedAt(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{reject, remove} {
		for _, row := range []struct {
			name    string
			kind    localaws.Kind
			when    localaws.When
			outcome string
			failed  bool // the run ends with an error
		}{
			{"answer lost after the effect", localaws.Reset(), localaws.After, "applied answer-lost", false},
			{"server error after the effect", localaws.Fail(500, "InternalServerException", "oops"), localaws.After, "applied answer-lost", false},
			{"an empty object after the effect", localaws.Body(200, `{}`), localaws.After, "applied verified", false},
			{"an empty body after the effect", localaws.Body(200, ``), localaws.After, "applied verified", false},
			{"an empty object that did nothing", localaws.Body(200, `{}`), localaws.Before, "failed unverified", true},
			{"an empty body that did nothing", localaws.Body(200, ``), localaws.Before, "failed unverified", true},
			{"connection lost before the effect", localaws.Reset(), localaws.Before, "failed answer-lost", true},
			{"conflict", localaws.Fail(400, "ConflictException", "busy"), localaws.Before, "failed refused", true},
			{"a state that is found wrong", localaws.Fail(400, "ValidationException", "it is CONNECTED"), localaws.Before, "failed refused", true},
			{"throttling", localaws.Fail(400, "ThrottlingException", "slow down"), localaws.Before, "failed refused", true},
			{"access denied", localaws.Fail(400, "AccessDeniedException", "no"), localaws.Before, "failed refused", true},
			{"not found although it is there", localaws.Fail(400, "ResourceNotFoundException", "no"), localaws.Before, "failed refused", true},
			{"retired between the reading and the write", localaws.Fail(400, "ForbiddenException", "AWS Proton is only available to existing customers."), localaws.Before, "failed answer-lost", true},
		} {
			t.Run(operation+", "+row.name, func(t *testing.T) {
				t.Parallel()
				s := newStage(t, "enforce", everything)
				if operation == reject {
					s.asked(partner, home, "web")
				} else {
					s.asked(home, stranger, "web")
				}
				s.World.Inject(localaws.Fault{Operation: operation, Kind: row.kind, When: row.when})
				if _, err := s.Invoke(sweep); (err != nil) != row.failed {
					t.Errorf("error: %v", err)
				}
				calls := 0
				for _, c := range s.World.Calls() {
					if c.Operation == operation {
						calls++
					}
				}
				if calls != 1 {
					t.Errorf("%d calls, want 1", calls)
				}
				s.wantOutcomes(map[string]string{"web": row.outcome})
				t.Logf("figure of fault 33: %d request of a rejection or a deletion", calls)
			})
		}
	}
}

// A record of a rejection is there before it is deleted, so that its status says
// nothing about whether the deletion was done.
func TestADeletionOfARejectedConnectionIsLookedAt(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.asked(home, partner, "old").SetStatus(proton.Rejected)
	s.World.Advance(8 * day)
	s.World.Inject(localaws.Fault{Operation: remove, Kind: localaws.Body(200, `{}`)})
	if _, err := s.Invoke(sweep); err == nil {
		t.Error("the run ended well")
	}
	s.wantOutcomes(map[string]string{"old": "failed unverified"})
}

// Who uses a connection is told with it; where that cannot be read, the run says so.
func TestEnvironmentsThatCannotBeReadAreTold(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.connected(partner, home, "web")
	s.World.Inject(localaws.Fault{Operation: "ListEnvironments", Kind: localaws.Fail(400, "AccessDeniedException", "User is not authorized")})
	if out := s.Sweep(); out.Complete || out.Gone || out.Verdicts["violation"] != 1 || out.Verdicts["undetermined"] != 1 {
		t.Errorf("summary: %+v", out)
	}
	s.wantWrites()
}

// Somebody is at work between the reading and the write.
func TestTheSecondReadingDecides(t *testing.T) {
	t.Parallel()
	const list = "ListEnvironmentAccountConnections"
	approved := "proton_connections:\n  approve:\n    - {environment_accounts: [\"444455556666\"], management_accounts: [\"111122223333\"], environments: [\"web\"], roles: [\"arn:aws:iam::444455556666:role/good\"]}\n"
	for _, row := range []struct {
		name      string
		own       bool // it is a request of this account
		meanwhile func(*stage, proton.Connection)
		outcome   string
		writes    []string
	}{
		{"it was accepted", false, func(_ *stage, c proton.Connection) { c.SetStatus(proton.Connected) }, "withheld no-longer-asked", nil},
		{"it was rejected by hand", false, func(_ *stage, c proton.Connection) { c.SetStatus(proton.Rejected) }, "withheld no-longer-asked", nil},
		{"it was withdrawn", false, func(_ *stage, c proton.Connection) { c.Remove() }, "already-done gone", nil},
		{"it has the role that is approved", false, func(_ *stage, c proton.Connection) {
			c.SetRoles(proton.Roles{Role: "arn:aws:iam::444455556666:role/good"})
		}, "withheld no-longer-asked", nil},
		{"it is of a status that nobody knows", false, func(_ *stage, c proton.Connection) { c.SetStatus("SUSPENDED") }, "withheld undetermined", nil},
		{"it cannot be read any more", false, func(s *stage, _ proton.Connection) {
			s.World.Inject(localaws.Fault{Operation: list, Kind: localaws.Fail(400, "AccessDeniedException", "no")})
		}, "withheld undetermined", nil},
		{"the service is gone", false, func(s *stage, _ proton.Connection) { s.proton.Retire(proton.EmptyObject) }, "withheld undetermined", nil},
		{"nothing has changed", false, func(*stage, proton.Connection) {}, "applied verified", []string{reject + " web"}},
		{"of our own: it was accepted", true, func(_ *stage, c proton.Connection) { c.SetStatus(proton.Connected) }, "withheld no-longer-asked", nil},
		{"of our own: it was rejected", true, func(_ *stage, c proton.Connection) { c.SetStatus(proton.Rejected) }, "withheld no-longer-asked", nil},
		{"of our own: it was withdrawn", true, func(_ *stage, c proton.Connection) { c.Remove() }, "already-done gone", nil},
		{"of our own: nothing has changed", true, func(*stage, proton.Connection) {}, "applied verified", []string{remove + " web"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", strings.Replace(everything, "proton_connections:\n  approve:\n", approved, 1))
			var c proton.Connection
			if row.own {
				c = s.asked(home, stranger, "web")
			} else {
				c = s.asked(partner, home, "web")
			}
			// It happens once the first reading has its last answer, before the second.
			s.World.Inject(localaws.Fault{Operation: list, Match: of(environment), Times: 1, When: localaws.After,
				Kind: localaws.Meanwhile(func() { row.meanwhile(s, c) })})
			if _, err := s.Invoke(sweep); err != nil {
				t.Error(err)
			}
			s.wantWrites(row.writes...)
			s.wantOutcomes(map[string]string{"web": row.outcome})
		})
	}
}

// Somebody is at work between the second reading and the write. Proton answers by
// one of two errors; which is not documented.
func TestSomebodyElseActsAtTheSameMoment(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, operation string
		meanwhile       func(*stage, proton.Connection)
		outcome         string
		status          proton.Status
	}{
		{"and rejects it", reject, func(_ *stage, c proton.Connection) { c.SetStatus(proton.Rejected) }, "already-done refused", proton.Rejected},
		{"and withdraws it", reject, func(_ *stage, c proton.Connection) { c.Remove() }, "already-done refused", ""},
		{"and takes it into use", reject, func(s *stage, c proton.Connection) {
			c.SetStatus(proton.Connected)
			s.proton.AddEnvironment(home, region, "shop").Connect(c)
		}, "failed refused", proton.Connected},
		{"and takes away the right to look", reject, func(s *stage, _ proton.Connection) {
			s.World.Inject(localaws.Fault{Operation: "ListEnvironmentAccountConnections", Kind: localaws.Fail(400, "AccessDeniedException", "no")})
		}, "applied unverified", proton.Rejected},
		// An empty success is all that AWS says of a deletion of what is not there.
		{"and deletes it", remove, func(_ *stage, c proton.Connection) { c.Remove() }, "applied verified", ""},
	} {
		for name, unknowns := range map[string]proton.Unknowns{"a conflict": {}, "a validation error": {WrongStateIsInvalid: true}} {
			t.Run(row.name+", "+name, func(t *testing.T) {
				t.Parallel()
				s := newStage(t, "enforce", everything)
				s.proton.Assume(unknowns)
				c := s.asked(partner, home, "web")
				if row.operation == remove {
					c.Remove()
					c = s.asked(home, stranger, "web")
				}
				s.World.Inject(localaws.Fault{Operation: row.operation, Kind: localaws.Meanwhile(func() { row.meanwhile(s, c) })})
				_, err := s.Invoke(sweep)
				if failed := strings.HasPrefix(row.outcome, "failed"); (err != nil) != failed {
					t.Errorf("error: %v", err)
				}
				s.wantOutcomes(map[string]string{"web": row.outcome})
				if c.Status() != row.status {
					t.Errorf("it is %q, want %q", c.Status(), row.status)
				}

				// The next sweep looks again, and finds nothing that it may do.
				before := len(s.World.Calls())
				s.Sweep()
				for _, call := range s.World.Calls()[before:] {
					if call.Service == "proton" && call.Write {
						t.Errorf("the next sweep calls %s", call.Operation)
					}
				}
			})
		}
	}
}

// The process is killed at every call that it makes, before and after the call
// took effect. Whatever was written must have its intent in the log.
func TestAKillAtAnyPointLeavesNoWriteWithoutItsIntent(t *testing.T) {
	t.Parallel()
	endtoend.KillAtEveryCall(t, 8, func() (*endtoend.Stage, func(int) bool) {
		s := newStage(t, "enforce", everything)
		bothSides(s)
		return s.Stage, func(call int) bool {
			written := s.writes()
			for _, w := range written {
				if !slices.Contains(s.intended(), w) {
					t.Errorf("killed at call %d: %q has no intent", call, w)
				}
			}

			// The next sweep makes good what was left.
			s.Sweep()
			if again := s.Sweep(); again.Verdicts["violation"] != 0 || !again.Complete {
				t.Errorf("killed at call %d: after two more sweeps %+v", call, again)
			}
			s.wantWrites(remove+" strange", reject+" web")
			return len(written) > 0
		}
	})
}
