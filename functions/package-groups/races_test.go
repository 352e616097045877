package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
)

// guarded is a ripe group under one that blocks everything. It may go, and what
// is around it may change.
func (s *stage) guarded() (g, parent codeartifact.PackageGroup) {
	parent = s.corp.PackageGroup("/npm/*").Add()
	setAll(parent, codeartifact.Block)
	return s.ripe("/npm/acme/*"), parent
}

func setAll(g codeartifact.PackageGroup, m codeartifact.Mode) {
	for _, r := range []codeartifact.Restriction{codeartifact.Publish, codeartifact.ExternalUpstream, codeartifact.InternalUpstream} {
		g.SetMode(r, m)
	}
}

func operations(undo []endtoend.Call) []string {
	var list []string
	for _, c := range undo {
		list = append(list, c.Operation)
	}
	return list
}

// Somebody changes the group after the second reading, at the moment of the
// DELETE. CodeArtifact has no conditional delete, so it is lost; the outcome says
// so, rings, and restores it.
func TestARaceAtTheMomentOfDeletionIsSaidAndUndone(t *testing.T) {
	t.Parallel()
	create, both := []string{"CreatePackageGroup"}, []string{"CreatePackageGroup", "UpdatePackageGroupOriginConfiguration"}
	for _, row := range []struct {
		name  string
		race  func(s *stage, g, parent codeartifact.PackageGroup)
		says  string
		undo  []string
		check func(*testing.T, codeartifact.GroupState) // after the undo
	}{
		{"a mode is set", func(_ *stage, g, _ codeartifact.PackageGroup) { g.SetMode(codeartifact.Publish, codeartifact.Allow) },
			`PUBLISH was "ALLOW"`, both, func(t *testing.T, g codeartifact.GroupState) {
				if m := g.Controls[codeartifact.Publish].Mode; m != codeartifact.Allow {
					t.Errorf("PUBLISH is %s after the undo", m)
				}
			}},
		{"a list of allowed repositories is set", func(_ *stage, g, _ codeartifact.PackageGroup) {
			g.SetMode(codeartifact.ExternalUpstream, codeartifact.AllowSpecific, "repo")
		},
			"its lists of allowed repositories (EXTERNAL_UPSTREAM) went with it and must be filled again by hand", both, func(t *testing.T, g codeartifact.GroupState) {
				if c := g.Controls[codeartifact.ExternalUpstream]; c.Mode != codeartifact.AllowSpecific || len(c.Repositories) > 0 {
					t.Errorf("EXTERNAL_UPSTREAM is %v after the undo", c)
				}
			}},
		{"it is made anew", func(s *stage, g, _ codeartifact.PackageGroup) { g.Remove(); s.World.Advance(time.Second); g.Add() },
			"it was made anew", create, nil},
		{"its description is changed", func(_ *stage, g, _ codeartifact.PackageGroup) { g.Inform("do not delete", "") },
			"its description or contact was changed", create, func(t *testing.T, g codeartifact.GroupState) {
				if g.Description != "do not delete" {
					t.Errorf("description %q after the undo", g.Description)
				}
			}},
		{"its contact is changed", func(_ *stage, g, _ codeartifact.PackageGroup) { g.Inform("", "me") },
			"its description or contact was changed", create, func(t *testing.T, g codeartifact.GroupState) {
				if g.Contact != "me" {
					t.Errorf("contact %q after the undo", g.Contact)
				}
			}},
		{"its parent is opened", func(_ *stage, _, parent codeartifact.PackageGroup) { setAll(parent, codeartifact.Allow) },
			`PUBLISH was "ALLOW" by inheritance, where "BLOCK" was decided on`, create, nil},
		{"its parent goes", func(_ *stage, _, parent codeartifact.PackageGroup) { parent.Remove() },
			"its parent is not /npm/* any more", create, nil},
		{"a group comes between it and its parent", func(s *stage, _, _ codeartifact.PackageGroup) { s.corp.PackageGroup("/npm/acme~").Add() },
			"its parent is not /npm/* any more", create, nil},
		{"a package comes in", func(s *stage, _, _ codeartifact.PackageGroup) { s.corp.AddPackage("repo", "npm", "acme", "ui") },
			"a package came in at the moment of the deletion: npm/acme/ui", create, nil},
		{"a package comes in, and the deletion does not show yet", func(s *stage, _, _ codeartifact.PackageGroup) {
			s.Artifact.SetConsistencyDelay(time.Hour)
			s.corp.AddPackage("repo", "npm", "acme", "ui")
		},
			"a package came in at the moment of the deletion: npm/acme/ui", create, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", rules)
			g, parent := s.guarded()
			g.Tag("team", "web")
			s.World.Inject(localaws.Fault{Operation: "DeletePackageGroup", Kind: localaws.Meanwhile(func() { row.race(s, g, parent) })})
			if _, err := s.Invoke(endtoend.Sweep); err == nil || !strings.Contains(err.Error(), "removed something that was changed in the last moment") {
				t.Errorf("error %v", err)
			}
			o := s.lastOutcome()
			if o.Status != "restore-needed" || o.Code != "changed-meanwhile" || !strings.Contains(o.Detail, row.says) {
				t.Fatalf("%s %s: %s", o.Status, o.Code, o.Detail)
			}
			if byHand := "must be filled again by hand"; strings.Contains(o.Detail, byHand) != strings.Contains(row.says, byHand) {
				t.Errorf("it says what is to be done by hand, or does not: %s", o.Detail)
			}
			if diff := cmp.Diff(row.undo, operations(o.Undo)); diff != "" {
				t.Fatalf("undo (-want +got):\n%s", diff)
			}
			s.restore()
			after := g.State()
			if !g.Exists() || after.Tags["team"] != "web" {
				t.Fatalf("after the undo it is %+v", after)
			}
			if row.check != nil {
				row.check(t, after)
			}
			t.Log("figure of fault 29: a race said and undone")
		})
	}
}

// What AWS answers to the DELETE is compared, and if it answers nothing of use,
// the outcome says that nothing could be compared.
func TestADeletionIsAttemptedOnceAndThenLookedAt(t *testing.T) {
	t.Parallel()
	const other = `{"packageGroup":{"arn":"a","pattern":"/npm/other/*","domainName":"corp","domainOwner":"111122223333","createdTime":1,"parent":{"pattern":"/*"}}}`
	remade := func(s *stage) localaws.Kind {
		return localaws.Meanwhile(func() { s.World.Advance(time.Second); s.corp.PackageGroup("/npm/*").Add() })
	}
	always := func(k localaws.Kind) func(*stage) localaws.Kind { return func(*stage) localaws.Kind { return k } }
	for _, row := range []struct {
		name    string
		kind    func(*stage) localaws.Kind
		when    localaws.When
		outcome string
		says    string
		failed  bool
	}{
		{"answer lost after the effect", always(localaws.Reset()), localaws.After, "applied answer-lost", "what was deleted could not be compared", false},
		{"connection lost before the effect", always(localaws.Reset()), localaws.Before, "failed unverified", "still listed", true},
		{"throttling", always(localaws.Fail(429, "ThrottlingException", "slow down")), localaws.Before, "failed refused", "", true},
		{"access denied", always(localaws.Fail(403, "AccessDeniedException", "no")), localaws.Before, "failed refused", "", true},
		{"conflict", always(localaws.Fail(409, "ConflictException", "busy")), localaws.Before, "failed unverified", "still listed", true},
		{"no such group, although it was there", always(localaws.Fail(404, "ResourceNotFoundException", "no")), localaws.After, "already-done refused", "what was deleted could not be compared", false},
		{"a conflict, although it was done", always(localaws.Fail(409, "ConflictException", "busy")), localaws.After, "already-done refused", "what was deleted could not be compared", false},
		{"an answer that says nothing", always(localaws.Body(200, `{}`)), localaws.After, "applied unverified", "does not say what it deleted", false},
		{"an answer of another group", always(localaws.Body(200, other)), localaws.After, "restore-needed changed-meanwhile", `AWS says that it deleted "/npm/other/*"`, true},
		{"it is made anew when it is gone", remade, localaws.After, "applied verified", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", rules)
			s.ripe("/npm/*")
			s.World.Inject(localaws.Fault{Operation: "DeletePackageGroup", Kind: row.kind(s), When: row.when})
			_, err := s.Invoke(endtoend.Sweep)
			if (err != nil) != row.failed {
				t.Errorf("error %v", err)
			}
			calls := 0
			for _, c := range s.ArtifactCalls() {
				if c == "DeletePackageGroup" {
					calls++
				}
			}
			o := s.lastOutcome()
			if calls != 1 || o.Status+" "+o.Code != row.outcome || !strings.Contains(o.Detail, row.says) {
				t.Errorf("%d calls, outcome %s %s (%s), want %s", calls, o.Status, o.Code, o.Detail, row.outcome)
			}
			if operations(o.Undo)[0] != "CreatePackageGroup" {
				t.Errorf("undo %v", o.Undo)
			}
			t.Logf("figure of fault 33: %d request of a deletion", calls)
		})
	}
}

// The look after a DELETE may fail, or see the group still. Then the outcome does
// not claim to have seen that it is gone.
func TestADeletionThatCannotBeSeenIsUnverified(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		blind func(*stage)
		says  string
	}{
		{"it does not show yet", func(s *stage) { s.Artifact.SetConsistencyDelay(time.Hour) }, "the group is still listed"},
		{"the groups may not be listed", func(s *stage) { s.refuse("ListPackageGroups") }, "listing the groups again"},
		{"the packages may not be listed", func(s *stage) { s.refuse("ListAssociatedPackages") }, "listing what the group would hold"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", rules)
			s.ripe("/npm/*")
			s.World.Inject(localaws.Fault{Operation: "DeletePackageGroup", Kind: localaws.Meanwhile(func() { row.blind(s) })})
			s.Sweep()
			s.wantWrites("DeletePackageGroup /npm/*")
			if o := s.lastOutcome(); o.Status+" "+o.Code != "applied unverified" || !strings.Contains(o.Detail, row.says) {
				t.Errorf("outcome %s %s: %s", o.Status, o.Code, o.Detail)
			}
		})
	}
}

// The answer is lost, or refuses what was done, and so there is no comparison; what
// came in is found even so.
func TestAPackageThatCameInIsFoundThoughTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]localaws.Kind{"lost": localaws.Reset(), "refused": localaws.Fail(404, "ResourceNotFoundException", "no")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aPackageThatCameInIsFound(t, answer)
		})
	}
}

func aPackageThatCameInIsFound(t *testing.T, answer localaws.Kind) {
	t.Helper()
	s := newStage(t, "enforce", rules)
	g := s.ripe("/npm/*")
	// The second of these is the second reading's look into the group.
	s.World.Inject(localaws.Fault{Operation: "ListAssociatedPackages", Skip: 1, Times: 1, When: localaws.After, Kind: localaws.Meanwhile(func() { s.corp.AddPackage("repo", "npm", "", "lodash") })})
	s.World.Inject(localaws.Fault{Operation: "DeletePackageGroup", Kind: answer, When: localaws.After})
	if _, err := s.Invoke(endtoend.Sweep); err == nil {
		t.Error("no error")
	}
	if o := s.lastOutcome(); o.Status != "restore-needed" || !strings.Contains(o.Detail, "npm//lodash") {
		t.Errorf("outcome %s %s: %s", o.Status, o.Code, o.Detail)
	}
	s.restore()
	if !g.Exists() {
		t.Error("it is not there after the undo")
	}
}

// Somebody is at work between the first reading and the second, or during the
// second.
func TestTheSecondReadingDecides(t *testing.T) {
	t.Parallel()
	// The first reading ends with its first look into the group.
	between := localaws.Fault{Operation: "ListAssociatedPackages", Times: 1, When: localaws.After}
	// The second reading reads the tags, looks into the group, and lists the groups again.
	during := localaws.Fault{Operation: "ListTagsForResource", Skip: 1, Times: 1}
	for _, row := range []struct {
		name      string
		moment    localaws.Fault
		meanwhile func(*stage, codeartifact.PackageGroup)
		outcome   string
		says      string
	}{
		{"a package came in", between, func(s *stage, _ codeartifact.PackageGroup) { s.corp.AddPackage("repo", "npm", "", "lodash") }, "withheld no-longer-asked", "npm//lodash"},
		{"a mode was set", between, func(_ *stage, g codeartifact.PackageGroup) { g.SetMode(codeartifact.Publish, codeartifact.Allow) }, "withheld no-longer-asked", "it sets PUBLISH to ALLOW"},
		{"a child was made", between, func(s *stage, _ codeartifact.PackageGroup) { s.corp.PackageGroup("/npm/acme/*").Add() }, "withheld no-longer-asked", "/npm/acme/*"},
		{"it was made anew", between, func(s *stage, g codeartifact.PackageGroup) { g.Remove(); s.World.Advance(time.Second); g.Add() }, "withheld no-longer-asked", "it was created on"},
		{"it was tagged to be kept", between, func(_ *stage, g codeartifact.PackageGroup) { g.Tag("portcullis:keep", "") }, "withheld no-longer-asked", "portcullis:keep"},
		{"its mark was taken off", between, func(_ *stage, g codeartifact.PackageGroup) { g.Untag("portcullis:empty-since") }, "withheld no-longer-asked", "it is marked first"},
		{"it was deleted", between, func(_ *stage, g codeartifact.PackageGroup) { g.Remove() }, "already-done gone", ""},
		{"the domain cannot be read", between, func(s *stage, _ codeartifact.PackageGroup) { s.refuse("ListPackageGroups") }, "withheld undetermined", "could not be listed"},
		{"its tags cannot be read", between, func(s *stage, _ codeartifact.PackageGroup) { s.refuse("ListTagsForResource") }, "withheld undetermined", "the tags of /npm/*"},
		{"it cannot be looked into", between, func(s *stage, _ codeartifact.PackageGroup) { s.refuse("ListAssociatedPackages") }, "withheld undetermined", "the packages of /npm/*"},
		{"a mode is set during the second", during, func(_ *stage, g codeartifact.PackageGroup) { g.SetMode(codeartifact.Publish, codeartifact.Block) }, "withheld no-longer-asked", "it sets PUBLISH to BLOCK"},
		{"a child is made during the second", during, func(s *stage, _ codeartifact.PackageGroup) { s.corp.PackageGroup("/npm/acme/*").Add() }, "withheld no-longer-asked", "/npm/acme/*"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", rules)
			g := s.ripe("/npm/*")
			row.moment.Kind = localaws.Meanwhile(func() { row.meanwhile(s, g) })
			s.World.Inject(row.moment)
			s.Sweep()
			s.wantWrites()
			if o := s.lastOutcome(); o.Status+" "+o.Code != row.outcome || !strings.Contains(o.Detail, row.says) {
				t.Errorf("outcome %s %s (%s), want %s", o.Status, o.Code, o.Detail, row.outcome)
			}
		})
	}
}

// A mark that is to come off may be right again when it is looked at for the second
// time. Then nothing is found about it any more; but neither it nor its group is gone.
func TestAMarkThatIsRightAgainIsNotGone(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", rules)
	s.ripe("/npm/*")
	s.corp.AddPackage("repo", "npm", "acme", "ui-kit")
	s.World.Inject(localaws.Fault{Operation: "ListAssociatedPackages", Times: 1, When: localaws.After,
		Kind: localaws.Meanwhile(func() { s.corp.PackageGroup("/npm/acme/*").Add() })})
	s.Sweep()
	s.wantWrites()
	if o := s.lastOutcome(); o.Status+" "+o.Code != "withheld no-longer-asked" || !strings.Contains(o.Detail, "/npm/acme/*") {
		t.Errorf("outcome %s %s (%s)", o.Status, o.Code, o.Detail)
	}
}

// Somebody else sets our tag at the moment when we do.
func TestAMarkThatIsNotOursIsNoSuccess(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", rules)
	g := s.old("/npm/*")
	s.World.Inject(localaws.Fault{Operation: "TagResource", When: localaws.After, Kind: localaws.Meanwhile(func() { g.Tag("portcullis:empty-since", s.markOf(g)) })})
	if _, err := s.Invoke(endtoend.Sweep); err == nil {
		t.Error("no error")
	}
	if o := s.lastOutcome(); o.Status+" "+o.Code != "failed unverified" {
		t.Errorf("outcome %s %s: %s", o.Status, o.Code, o.Detail)
	}
}
