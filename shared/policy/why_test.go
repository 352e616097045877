package policy

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// someOf draws a list, which may be empty, of the given words.
func someOf(t *rapid.T, what string, words ...string) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(words), 0, 2, rapid.ID[string]).Draw(t, what)
}

// What is said of a rule is told by the fields alone here, one by one, and apart from how the rule itself goes
// through them.
func TestWhyNamesExactlyTheFieldsThatDoNotFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := func(what string, words ...string) string { return rapid.SampledFrom(words).Draw(t, what) }
		check := func(what, why string, matches bool, misses map[string]bool) {
			t.Helper()
			none := true
			for field, miss := range misses {
				none = none && !miss
				if said := strings.Contains("; "+why, "; "+field+": "); said != miss {
					t.Errorf("%s: %q speaks of %s: %v, want %v", what, why, field, said, miss)
				}
			}
			if matches != none || (why == "") != none {
				t.Errorf("%s matches: %v, and why is %q; want %v", what, matches, why, none)
			}
		}
		account, domain := one("account", "1", "2"), one("domain", "", "corp", "lab")

		r := Rule{
			Repositories: someOf(t, "repositories", "corp/*", "*/web", "lab/npm"), Connections: someOf(t, "connections", "public:npmjs", "public:*"),
			Accounts: someOf(t, "accounts", "1", "3"),
		}
		repository, connection := one("repository", "", "web", "npm"), one("connection", "", "public:npmjs", "private")
		named := slices.Contains(r.Repositories, "corp/*") && domain == "corp" || slices.Contains(r.Repositories, "*/web") && repository == "web" ||
			slices.Contains(r.Repositories, domain+"/"+repository)
		connected := slices.Contains(r.Connections, connection) || slices.Contains(r.Connections, "public:*") && connection == "public:npmjs"
		check("the rule", r.Why(account, domain, repository, connection), r.Matches(account, domain, repository, connection), map[string]bool{
			"repositories": domain == "" || repository == "" || !named,
			"connections":  connection == "" || !connected,
			"accounts":     len(r.Accounts) > 0 && !slices.Contains(r.Accounts, account),
		})

		k := KeepRule{Domains: someOf(t, "domains", "corp", "l*"), Groups: someOf(t, "groups", "/npm/**", "/npm/*", "/maven/*")}
		pattern := one("pattern", "/npm/*", "/npm/acme/*", "/maven/*", "/pypi/*")
		inDomain := slices.Contains(k.Domains, domain) || slices.Contains(k.Domains, "l*") && domain == "lab"
		below := slices.Contains(k.Groups, "/npm/**") && strings.HasPrefix(pattern, "/npm/")
		check("the keep rule", k.Why(domain, pattern), k.Matches(domain, pattern), map[string]bool{
			"domains": len(k.Domains) > 0 && !inDomain,
			"groups":  !slices.Contains(k.Groups, pattern) && !below,
		})

		g := Guard{Domains: k.Domains, Accounts: r.Accounts}
		check("the guard", g.Why(account, domain), g.Covers(account, domain), map[string]bool{
			"domains":  domain == "" || !inDomain,
			"accounts": len(g.Accounts) > 0 && !slices.Contains(g.Accounts, account),
		})

		a := Approval{
			EnvironmentAccounts: someOf(t, "environment accounts", "1", "3"), ManagementAccounts: someOf(t, "management accounts", "2", "3"),
			Environments: someOf(t, "environments", "prod-*", "web"), Roles: someOf(t, "roles", "role/proton-*", "role/x"),
		}
		environment, roles := one("environment", "", "prod-eu", "web", "lab"), []string{one("role", "", "role/proton-1", "role/admin"), one("component role", "", "role/x")}
		missRole := func(role string) bool {
			like := slices.Contains(a.Roles, "role/proton-*") && role == "role/proton-1"
			return len(a.Roles) > 0 && role != "" && !slices.Contains(a.Roles, role) && !like
		}
		placed := slices.Contains(a.Environments, environment) || slices.Contains(a.Environments, "prod-*") && environment == "prod-eu"
		check("the approval", a.Why(account, "2", environment, roles...), a.Names(account, "2", environment) && a.CoversRoles(roles...), map[string]bool{
			"environment_accounts": !slices.Contains(a.EnvironmentAccounts, account),
			"management_accounts":  !slices.Contains(a.ManagementAccounts, "2"),
			"environments":         environment == "" || !placed,
			"roles":                missRole(roles[0]) || missRole(roles[1]),
		})
		if got, want := a.WhyManagement("2") == "", (ProtonConnections{Approve: []Approval{a}}).NamesManagement("2"); got != want {
			t.Errorf("the approval says that it names the account: %v, and the section: %v", got, want)
		}
	})
}

func TestWhySaysWhatWasComparedWithWhat(t *testing.T) {
	r := Rule{Repositories: []string{"corp/npm-store", "lab/*"}, Connections: []string{"public:npmjs"}, Accounts: []string{"111122223333"}}
	for _, test := range []struct{ account, connection, want string }{
		{"111122223333", "public:npmjs", "repositories: corp/web is not among corp/npm-store, lab/*"},
		{"999999999999", "", "repositories: corp/web is not among corp/npm-store, lab/*; connections: there is none, so nothing fits; accounts: 999999999999 is not among 111122223333"},
	} {
		if got := r.Why(test.account, "corp", "web", test.connection); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestParsePackageReadsWhatAGuardReads(t *testing.T) {
	p, err := ParsePackage("pkg:npm/%40acme/ui")
	if want := (Package{"pkg:npm/%40acme/ui", "npm", "acme", "ui"}); err != nil || p != want {
		t.Errorf("got %v, %v", p, err)
	}
	q, err := ParsePackage("pkg:npm/@acme/ui")
	if err != nil || !p.Same(q) || p.Same(Package{}) {
		t.Errorf("%v and %v are not the same (%v)", p, q, err)
	}
	for url, want := range map[string]string{
		"pkg:npm/ui@1.2.3":     `names more than a package: a version, qualifiers or a subpath; write "pkg:npm/ui"`,
		"pkg:docker/ui":        "which CodeArtifact has no format for",
		"pkg:npm/$(id)\x1b[2J": "package",
		"":                     "package",
	} {
		if _, err := ParsePackage(url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %s", url, err, want)
		}
	}
}

func TestPackagesAreTheSameOnlyIfTheirWholeNamesAre(t *testing.T) {
	p := Package{"pkg:npm/%40acme/ui", "npm", "acme", "ui"}
	for _, other := range []Package{{"", "generic", "acme", "ui"}, {"", "npm", "other", "ui"}, {"", "npm", "acme", "core"}, {"", "generic", "other", "ui"}} {
		if p.Same(other) {
			t.Errorf("%v and %v are the same", p, other)
		}
	}
}

func TestWhyStaysASentenceHoweverLongTheRuleIs(t *testing.T) {
	for n, want := range map[int]string{10: ", /npm/a/*", 12: ", /npm/a/* and 2 more"} {
		k := KeepRule{Groups: strings.Split(strings.Repeat("/npm/a/* ", n), " ")[:n]}
		if got := k.Why("corp", "/npm/b/*"); !strings.HasSuffix(got, want) {
			t.Error(got)
		}
	}
}
