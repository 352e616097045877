package policy_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/policy"
)

// sound tells what is wrong with a policy that was accepted: what no operator can
// have meant, and what the rest of the program relies on.
func sound(p *policy.Policy) (wrong []string) {
	check := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, what)
		}
	}
	accounts := func(place string, ids []string) {
		for _, id := range ids {
			check(len(id) == 12 && strings.Trim(id, "0123456789") == "", place+" names account "+id)
		}
	}
	named := func(place string, lists ...[]string) {
		for _, list := range lists {
			check(len(list) > 0 && !slices.Contains(list, ""), place+" has an empty list, or an empty name")
		}
	}
	check(len(p.Hash) == 64, "hash "+p.Hash)
	check(p.Limits.Count >= 0 && p.Limits.Count <= 1000 && p.Limits.Share >= 0 && p.Limits.Share <= 1, "limits out of bounds")
	if p.EnforceOn != nil {
		for _, a := range p.EnforceOn.Areas {
			accounts("enforce_on", a.Accounts)
			check(len(a.Accounts)+len(a.Domains) > 0, "an area is everything")
		}
	}
	term := func(w policy.Term) {
		check(w.ID != "" && w.Owner != "" && !w.Expires.IsZero(), "waiver "+w.ID+" has no id, owner or end")
	}
	if e := p.ExternalConnections; e != nil {
		for _, r := range e.Allow {
			named(r.Place, r.Repositories, r.Connections)
			accounts(r.Place, r.Accounts)
		}
		for _, w := range e.Waivers {
			named(w.Place, w.Repositories, w.Connections)
			accounts(w.Place, w.Accounts)
			term(w.Term)
		}
	}
	if g := p.PackageGroups; g != nil {
		check(g.MinAge.Hours() >= 1 && g.Grace.Hours() >= 1, "a group may go at once")
		for _, k := range g.Keep {
			named(k.Place, k.Groups)
		}
	}
	if o := p.PackageOrigins; o != nil {
		for _, g := range o.Guards {
			named(g.Place, g.Domains)
			accounts(g.Place, g.Accounts)
			check(possible(g.Package), g.Place+" guards what cannot be: "+g.Package.URL)
		}
	}
	if c := p.ProtonConnections; c != nil {
		check(c.RejectedAfter.Hours() >= 1 && c.PendingAfter.Hours() >= 1, "a connection may go at once")
		for _, a := range c.Approve {
			named(a.Place, a.EnvironmentAccounts, a.ManagementAccounts, a.Environments)
			accounts(a.Place, slices.Concat(a.EnvironmentAccounts, a.ManagementAccounts))
		}
		for _, w := range c.Waivers {
			named(w.Place, w.EnvironmentAccounts, w.ManagementAccounts, w.Environments)
			accounts(w.Place, slices.Concat(w.EnvironmentAccounts, w.ManagementAccounts))
			term(w.Term)
		}
	}
	return wrong
}

// possible tells whether CodeArtifact can have a package of that name:
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_GetAssociatedPackageGroup.html
func possible(p policy.Package) bool {
	fits := func(s string) bool {
		return utf8.ValidString(s) && utf8.RuneCountInString(s) <= 255 && !strings.ContainsAny(s, "#/*") &&
			!strings.ContainsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) })
	}
	formats := []string{"npm", "pypi", "maven", "nuget", "generic", "swift", "ruby", "cargo"}
	return slices.Contains(formats, p.Format) && p.Name != "" && fits(p.Name) && fits(p.Namespace)
}

// FuzzParsePackage: a package URL is refused with what to write instead, or is of a
// package that CodeArtifact can have, and then every way to write it is the same one.
func FuzzParsePackage(f *testing.F) {
	for _, url := range []string{"pkg:npm/%40acme/ui", "pkg:npm/@acme/ui", "pkg:pypi/Acme_Core", "pkg:maven/com.acme/core", "pkg:nuget/Acme.Core",
		"pkg:generic/acme/tool", "pkg:swift/acme/core", "pkg:gem/acme", "pkg:cargo/acme", "pkg:npm/ui@1", "pkg:npm/%2F", "pkg:npm/a%00b", "pkg:npm/*",
		"pkg:pypi/%E2%80%8B", "pkg:npm/a?b=c#d", "PKG:NPM/x", "pkg://npm/x", "pkg:generic/a/b/c"} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		p, err := policy.ParsePackage(url)
		if err != nil {
			if p != (policy.Package{}) || err.Error() == "" || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %+v beside error %q", url, p, err)
			}
			return
		}
		if !possible(p) || p.URL != strings.TrimSpace(url) {
			t.Errorf("%q is %+v", url, p)
		}
		if again, err := policy.ParsePackage(p.URL); err != nil || !again.Same(p) {
			t.Errorf("%q is %+v, then %+v (%v)", url, p, again, err)
		}
	})
}

// FuzzParseCases: cases are read the same each time, or refused with where and why.
func FuzzParseCases(f *testing.F) {
	shipped, err := os.ReadFile("../../policy/policy_test.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shipped)
	for _, text := range []string{
		casesHead + "external_connections: [{repository: corp/npm, connection: 'public:npmjs', expect: compliant}]\n",
		casesHead + "package_groups: [{group: '/npm/acme/*', domain: corp, age: 30d, marked: 36h, holds: 'pkg:npm/%40acme/ui', tags: [a], publish: block, parent: block, expect: compliant}]\n",
		casesHead + "package_origins: [{package: 'pkg:npm/ui', domain: corp, group: '/npm/*', match: weak, external_upstream: [npm-store], expect: violation}]\n",
		casesHead + "proton_connections: [{environment_account: '222222222222', management_account: '111122223333', environment: prod, status: rejected, age: 8d, expect: undetermined}]\n",
		"at: 2026-11-20\n", "version: 1\nat: 0000-00-00\n", "- x\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := policy.ParseCases("policy_test.yaml", data)
		again, errAgain := policy.ParseCases("policy_test.yaml", data)
		if diff := cmp.Diff(c, again); diff != "" {
			t.Errorf("-once +again:\n%s", diff)
		}
		if err != nil {
			var problems policy.Problems
			if c != nil || !errors.As(err, &problems) || len(problems) == 0 || err.Error() != errAgain.Error() {
				t.Fatalf("%+v beside error %v, then %v", c, err, errAgain)
			}
			for _, p := range problems {
				if p.Line < 1 || p.Column < 1 || p.What == "" || p.Fix == "" || strings.Contains(p.String(), "\n") {
					t.Errorf("%+v", p)
				}
			}
			return
		}
		if len(c.Connections)+len(c.Groups)+len(c.Packages)+len(c.Requests) == 0 {
			t.Error("there is no case in it")
		}
		verdicts := []string{"compliant", "violation", "waived", "undetermined"}
		check := func(one policy.Case) {
			if one.At.IsZero() || one.Line < 1 || !slices.Contains(verdicts, one.Expect) {
				t.Errorf("case %+v", one)
			}
		}
		for _, one := range c.Connections {
			check(one.Case)
			if one.Domain == "" || one.Repository == "" || one.Connection == "" {
				t.Errorf("case %+v", one)
			}
		}
		for _, one := range c.Groups {
			check(one.Case)
			if one.Domain == "" || !strings.HasPrefix(one.Group, "/") || one.Age < 0 || one.Marked < 0 {
				t.Errorf("case %+v", one)
			}
		}
		for _, one := range c.Packages {
			check(one.Case)
			if !possible(one.Package) {
				t.Errorf("case %+v", one)
			}
		}
		for _, one := range c.Requests {
			check(one.Case)
			if !digits(one.EnvironmentAccount) || !digits(one.ManagementAccount) {
				t.Errorf("case %+v", one)
			}
		}
	})
}

func digits(id string) bool { return len(id) == 12 && strings.Trim(id, "0123456789") == "" }
