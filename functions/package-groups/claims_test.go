package main_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
)

// loose is the policy that keeps the least, and the head of a list of guards.
const loose = rules + "  lookalikes: ignore\n  children: prune\npackage_origins:\n  guard:\n"

// What package_origins names is kept: the group that a package resolves to, and
// the group that it is to resolve to.
func TestWhatPackageOriginsNamesIsKept(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, guard string
		kept        map[string]int
		marked      []string
	}{
		{"a package without a namespace", `{package: "pkg:npm/lodash", domains: [corp], publish: block}`,
			map[string]int{"claimed": 1}, []string{"/npm/acme/%2a", "/pypi/%2a"}},
		{"a package with a namespace", `{package: "pkg:npm/%40acme/ui", domains: [corp], publish: block}`,
			map[string]int{"claimed": 1}, []string{"/npm/%2a", "/pypi/%2a"}},
		{"a group, and not the one that its package resolves to", `{package: "pkg:npm/%40acme/ui", domains: [corp], group: "/npm/*"}`,
			map[string]int{"claimed": 1, "keep-rule": 1}, []string{"/pypi/%2a"}},
		{"a package in domains of another name", `{package: "pkg:npm/lodash", domains: ["lab*"], publish: block}`,
			map[string]int{}, []string{"/npm/%2a", "/npm/acme/%2a", "/pypi/%2a"}},
		{"a package in domains of another account", `{package: "pkg:npm/lodash", domains: [corp], accounts: ["444455556666"], publish: block}`,
			map[string]int{}, []string{"/npm/%2a", "/npm/acme/%2a", "/pypi/%2a"}},
		{"a group in domains of another name", `{package: "pkg:npm/lodash", domains: ["lab*"], group: "/npm/*"}`,
			map[string]int{}, []string{"/npm/%2a", "/npm/acme/%2a", "/pypi/%2a"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", loose+"    - "+row.guard+"\n")
			s.corp.PackageGroup("/npm/*").Add()
			s.corp.PackageGroup("/npm/acme/*").Add()
			s.old("/pypi/*")
			out := s.Sweep()
			row.kept["root"] = 1
			if diff := cmp.Diff(row.kept, out.Details.Kept); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			var marked []string
			for _, w := range s.writes() {
				marked = append(marked, strings.TrimPrefix(w, "TagResource "))
			}
			slices.Sort(marked)
			if diff := cmp.Diff(row.marked, marked); diff != "" {
				t.Errorf("marked (-want +got):\n%s", diff)
			}
		})
	}
}

// Where it is not known what the named packages resolve to, nothing goes.
func TestABadAnswerOnANamedPackageKeepsEveryGroup(t *testing.T) {
	t.Parallel()
	const answer = `{"associationType":"STRONG","packageGroup":{"arn":"arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp/%2a","pattern":"/*","domainName":"corp","domainOwner":"111122223333"}}`
	for _, row := range []struct {
		name string
		kind localaws.Kind
		code string
	}{
		{"it may not be asked", localaws.Fail(403, "AccessDeniedException", "no"), "access-denied"},
		{"the answer is empty", localaws.Body(200, `{}`), "malformed"},
		{"the group is null", localaws.Body(200, `{"associationType":"STRONG","packageGroup":null}`), "malformed"},
		{"the group has no pattern", localaws.Body(200, strings.Replace(answer, `"pattern":"/*",`, "", 1)), "malformed"},
		{"the group is of another domain", localaws.Body(200, strings.Replace(answer, `"domainName":"corp"`, `"domainName":"lab"`, 1)), "malformed"},
		{"the group is of another account", localaws.Body(200, strings.Replace(answer, `"domainOwner":"111122223333"`, `"domainOwner":"444455556666"`, 1)), "malformed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", loose+`    - {package: "pkg:pypi/acme-core", domains: [corp], publish: block}`+"\n")
			s.ripe("/npm/*")
			s.World.Inject(localaws.Fault{Operation: "GetAssociatedPackageGroup", Kind: row.kind})
			out := s.Sweep()
			s.wantWrites()
			if out.Complete || s.codes()["/npm/%2a"] != row.code {
				t.Errorf("summary %+v, findings %v, want %s", out, s.codes(), row.code)
			}
		})
	}
	t.Run("none of these", func(t *testing.T) { // what the rows above would delete
		t.Parallel()
		s := newStage(t, "enforce", loose+`    - {package: "pkg:pypi/acme-core", domains: [corp], publish: block}`+"\n")
		s.ripe("/npm/*")
		s.World.Inject(localaws.Fault{Operation: "GetAssociatedPackageGroup", Kind: localaws.Body(200, answer)})
		s.Sweep()
		s.wantWrites("DeletePackageGroup /npm/*")
	})
}

// A package that resolved to another group at the first reading may resolve to
// this one at the second.
func TestTheSecondReadingResolvesTheNamedPackagesAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", loose+`    - {package: "pkg:npm/lodash", domains: [corp], publish: block}`+"\n")
	other := s.corp.PackageGroup("/npm//lodash$").Add()
	other.SetMode(codeartifact.Publish, codeartifact.Block)
	s.ripe("/npm/*")
	s.World.Inject(localaws.Fault{Operation: "ListAssociatedPackages", Times: 1, When: localaws.After, Kind: localaws.Meanwhile(other.Remove)})
	s.Sweep()
	s.wantWrites()
	if o := s.lastOutcome(); o.Status+" "+o.Code != "withheld no-longer-asked" || !strings.Contains(o.Detail, "pkg:npm/lodash") {
		t.Errorf("outcome %s %s: %s", o.Status, o.Code, o.Detail)
	}
}

// A policy may name many packages, and each costs a call: none of the four waits
// for another one's answer.
func TestNamedPackagesAreResolvedSideBySide(t *testing.T) {
	t.Parallel()
	const many = 4
	guards := ""
	for i := range many {
		guards += fmt.Sprintf("    - {package: \"pkg:pypi/acme-%d\", domains: [corp], publish: block}\n", i)
	}
	s := newStage(t, "monitor", loose+guards)
	s.old("/npm/*")
	// No answer comes before all have been asked for. Whoever waits for one is given none,
	// however often it asks, and gives up.
	var asked sync.WaitGroup
	asked.Add(many)
	all := make(chan struct{})
	go func() { asked.Wait(); close(all) }()
	for i := range many {
		var once sync.Once
		s.World.Inject(localaws.Fault{Operation: "GetAssociatedPackageGroup", Match: func(in map[string]any) bool { return in["package"] == fmt.Sprintf("acme-%d", i) },
			Kind: localaws.Meanwhile(func() {
				once.Do(asked.Done)
				select {
				case <-all:
				case <-t.Context().Done():
				}
			})})
	}
	if out := s.Sweep(); out.Verdicts["violation"] != 1 {
		t.Errorf("one is asked for only after the answer on another: summary %+v", out)
	}
}
