package main

import (
	"fmt"
	"reflect"
	"slices"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
)

// The package groups of the play. The first two are there from the beginning.
const (
	guard     = "/npm/acme/*"      // blocks what comes from outside, for packages that are yet to come
	lookalike = "/maven/com.acme~" // sets nothing itself
	unused    = "/nuget/*"
	trial     = "/pypi/*"
)

// groupScenes is the second act: one function that prunes package groups, and one
// that notices when a guard is gone.
func groupScenes() []scene {
	return []scene{
		{"empty groups that protect", func(s *stage) (row, error) {
			s.say("operator", "sets package-groups to enforce")
			if err := s.deploy(groups, "enforce"); err != nil {
				return row{}, err
			}
			r, err := s.sweep(groups)
			if err != nil {
				return row{}, err
			}
			blocks, err := s.kept(groups, "corp"+guard)
			if err != nil {
				return row{}, err
			}
			resembles, err := s.kept(groups, "corp"+lookalike)
			if err != nil {
				return row{}, err
			}
			s.say("kept", "%s", blocks.Reason)
			s.say("kept", "%s", resembles.Reason)
			return row{
				expected: "both kept, each with its reason",
				seen:     fmt.Sprintf("%s and %s, %s", blocks.Code, resembles.Code, r.wrote()),
				ok:       blocks.Code == "own-control" && resembles.Code == "lookalikes" && len(r.findings) == 0 && len(r.writes) == 0,
			}, nil
		}},
		{"dead groups", func(s *stage) (row, error) {
			s.say("somebody", "makes corp%s and corp%s, and nobody uses them", unused, trial)
			for _, pattern := range []string{unused, trial} {
				err := s.person("CreatePackageGroup", map[string]string{
					"domain": "corp", "domainOwner": account, "packageGroup": pattern, "description": "for a trial", "contactInfo": "team-web@example.com",
				})
				if err != nil {
					return row{}, err
				}
			}
			if _, err := s.report(nil); err != nil {
				return row{}, err
			}
			if err := s.later(8 * day); err != nil {
				return row{}, err
			}
			r, err := s.sweep(groups)
			return row{
				expected: "marked, and still there",
				seen:     r.wrote(),
				ok: slices.Equal(r.writes, []string{"TagResource corp" + unused, "TagResource corp" + trial}) && r.count("applied") == 2 &&
					s.corp.PackageGroup(unused).Exists() && s.corp.PackageGroup(trial).Exists(),
			}, err
		}},
		{"a marked group is filled", func(s *stage) (row, error) {
			s.say("somebody", "publishes churn-model to corp/data-science, for Python")
			s.corp.AddPackage("data-science", "pypi", "", "churn-model")
			if err := s.later(2 * day); err != nil {
				return row{}, err
			}
			r, err := s.sweep(groups)
			return row{
				expected: "its mark is taken off",
				seen:     r.wrote(),
				ok:       slices.Equal(r.writes, []string{"UntagResource corp" + trial}) && r.count("applied") == 1 && len(s.corp.PackageGroup(trial).Tags()) == 0,
			}, err
		}},
		{"the grace is over", func(s *stage) (row, error) {
			s.say("somebody", "takes churn-model away again")
			s.corp.RemovePackage("data-science", "pypi", "", "churn-model")
			if err := s.later(12 * day); err != nil {
				return row{}, err
			}
			r, err := s.sweep(groups)
			return row{
				expected: "one deleted; the other waits anew",
				seen:     r.wrote(),
				ok: slices.Equal(r.writes, []string{"DeletePackageGroup corp" + unused, "TagResource corp" + trial}) &&
					len(r.outcome("corp"+unused).Undo) == 1 && !s.corp.PackageGroup(unused).Exists(),
			}, err
		}},
		{"a race at the deletion", func(s *stage) (row, error) {
			g := s.corp.PackageGroup(trial)
			if err := s.later(14 * day); err != nil {
				return row{}, err
			}
			s.say("somebody", "will set PUBLISH of corp%s to BLOCK between the function's second look and its DELETE", trial)
			var lost codeartifact.GroupState
			s.world.Inject(localaws.Fault{Operation: "DeletePackageGroup", Times: 1, Kind: localaws.Meanwhile(func() {
				g.SetMode(codeartifact.Publish, codeartifact.Block)
				lost = g.State()
			})})
			r, err := s.sweep(groups)
			if err != nil {
				return row{}, err
			}
			o := r.outcome("corp" + trial)
			s.say("operator", "makes the %d calls that the outcome carries", len(o.Undo))
			if err := s.undo(o); err != nil {
				return row{}, err
			}
			if _, err := s.report(nil); err != nil {
				return row{}, err
			}
			restored := g.State()
			lost.Created = restored.Created
			delete(lost.Tags, "portcullis:empty-since")
			same := reflect.DeepEqual(lost, restored)
			s.say("state", "the same as when it went, but for its creation time and our mark: %t", same)
			return row{
				expected: "said, and undone",
				seen:     fmt.Sprintf("%s; %d calls, same state: %t", o.Status, len(o.Undo), same),
				ok:       o.Status == "restore-needed" && r.err != nil && g.Exists() && same,
			}, nil
		}},
		{"a guard is deleted", func(s *stage) (row, error) {
			if err := s.later(2 * day); err != nil { // and what waits in the queue is done with
				return row{}, err
			}
			before, err := s.report(nil)
			if err != nil {
				return row{}, err
			}
			s.say("somebody", "deletes corp%s", guard)
			if err := s.person("DeletePackageGroup", map[string]string{"domain": "corp", "domainOwner": account, "packageGroup": guard}); err != nil {
				return row{}, err
			}
			s.events.Idle()
			events := len(s.queue.waiting)
			if err := s.later(s.queue.delay); err != nil {
				return row{}, err
			}
			r, err := s.report(nil)
			_, _, controls := s.corp.Effective("npm", "acme", "ui")
			s.say("server", "lets @acme/ui in from outside: %s is %s", codeartifact.ExternalUpstream, controls[codeartifact.ExternalUpstream].Mode)
			after := s.lastCall("GetAssociatedPackageGroup").Time.Sub(s.lastCall("DeletePackageGroup").Time)
			return row{
				expected: "reported within one event",
				seen:     fmt.Sprintf("%d event, %d finding, %s later", events, len(r.findings), span(after)),
				ok: len(before.findings) == 0 && events == 1 && len(r.findings) == 1 && r.findings[0].Code == "looser" && after > 0 &&
					controls[codeartifact.ExternalUpstream].Mode == codeartifact.Allow,
			}, err
		}},
	}
}

// lastCall is the last call of an operation in the server's journal.
func (s *stage) lastCall(operation string) localaws.Call {
	for _, c := range slices.Backward(s.world.Calls()) {
		if c.Operation == operation {
			return c
		}
	}
	return localaws.Call{}
}
