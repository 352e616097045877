package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portcullis/shared/policy"
)

// guarding is a policy up to its list of guards, whose items count from line 5.
const guarding = head + "package_origins:\n  guard:\n"

// guard is one item with all that is required, on lines 5 to 7.
const guard = "    - package: \"pkg:npm/%40acme/ui\"\n      domains: [corp]\n      publish: block\n"

func TestReadsEveryKeyOfAGuard(t *testing.T) {
	got := parse(t, guarding+`
    - package: "pkg:npm/%40acme/ui"
      domains: ["corp", "lab-*"]
      accounts: ["111122223333"]
      group: "/npm/acme/*"
      publish: ["npm-internal"]
      external_upstream: block
      internal_upstream: ["npm-internal", "npm-store"]
      reason: "Ours alone."
    - package: "pkg:pypi/Acme_Core"
      domains: ["*"]
      external_upstream: block
    - {package: "pkg:maven/com.acme/billing", domains: [corp], group: "/maven/com.acme~"}
`)
	want := &policy.PackageOrigins{Guards: []policy.Guard{
		{
			Place: "package_origins.guard[0]", Line: 6, Column: 7,
			Package: policy.Package{URL: "pkg:npm/%40acme/ui", Format: "npm", Namespace: "acme", Name: "ui"},
			Domains: []string{"corp", "lab-*"}, Accounts: []string{"111122223333"}, Group: "/npm/acme/*",
			Require: []policy.Requirement{
				{Restriction: "PUBLISH", Only: []string{"npm-internal"}},
				{Restriction: "EXTERNAL_UPSTREAM"},
				{Restriction: "INTERNAL_UPSTREAM", Only: []string{"npm-internal", "npm-store"}},
			},
			Reason: "Ours alone.",
		},
		{
			Place: "package_origins.guard[1]", Line: 14, Column: 7,
			Package: policy.Package{URL: "pkg:pypi/Acme_Core", Format: "pypi", Name: "acme-core"},
			Domains: []string{"*"}, Require: []policy.Requirement{{Restriction: "EXTERNAL_UPSTREAM"}},
		},
		{
			Place: "package_origins.guard[2]", Line: 17, Column: 7,
			Package: policy.Package{URL: "pkg:maven/com.acme/billing", Format: "maven", Namespace: "com.acme", Name: "billing"},
			Domains: []string{"corp"}, Group: "/maven/com.acme~",
		},
	}}
	if diff := cmp.Diff(want, got.PackageOrigins); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(got.Warnings) > 0 {
		t.Errorf("warnings: %v", got.Warnings)
	}
}

func TestGuardingNothingIsSaidByAnEmptyList(t *testing.T) {
	if p := parse(t, head+"package_origins: {guard: []}\n"); p.PackageOrigins == nil || len(p.PackageOrigins.Guards) > 0 || len(p.Warnings) > 0 {
		t.Errorf("%+v, warnings %v", p.PackageOrigins, p.Warnings)
	}
}

// CodeArtifact's user guide has a page for each format that is normalised:
// https://docs.aws.amazon.com/codeartifact/latest/ug/python-name-normalization.html,
// https://docs.aws.amazon.com/codeartifact/latest/ug/nuget-name-normalization.html and
// https://docs.aws.amazon.com/codeartifact/latest/ug/swift-name-normalization.html.
func TestAPackageURLBecomesWhatCodeArtifactCallsThePackage(t *testing.T) {
	for url, want := range map[string]string{
		"pkg:npm/%40acme/ui":           "npm acme ui",
		"pkg:npm/@acme/ui":             "npm acme ui",
		"pkg:npm/JSONStream":           "npm  JSONStream",
		"PKG:NPM/lodash":               "npm  lodash",
		"pkg:npm/%40Acme/a.b_c":        "npm Acme a.b_c",
		"pkg:pypi/Acme_Core":           "pypi  acme-core",
		"pkg:pypi/acme.-_core":         "pypi  acme-core",
		"pkg:pypi/acme-core":           "pypi  acme-core",
		"pkg:maven/com.Acme/Billing":   "maven com.Acme Billing",
		"pkg:nuget/Acme.Core_X":        "nuget  acme.core_x",
		"pkg:generic/Acme/My%2BTool":   "generic Acme My+Tool",
		"pkg:swift/Acme/Core-Kit":      "swift acme core-kit",
		"pkg:gem/Acme_core":            "ruby  Acme_core",
		"pkg:cargo/Acme_core":          "cargo  Acme_core",
		"pkg:generic/acme/b%C3%BCcher": "generic acme bücher",
	} {
		p := parse(t, guarding+strings.Replace(guard, "pkg:npm/%40acme/ui", url, 1)).PackageOrigins.Guards[0].Package
		if got := p.Format + " " + p.Namespace + " " + p.Name; got != want || p.URL != url {
			t.Errorf("%s is %q under %q, want %q", url, got, p.URL, want)
		}
	}
}

func TestPackageNamesAreNormalisedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{"pypi/", "nuget/", "swift/acme/", "npm/", "cargo/"}).Draw(t, "type")
		name := rapid.StringMatching(`[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?`).Draw(t, "name")
		read := func(name string) policy.Package {
			text := guarding + strings.Replace(guard, "npm/%40acme/ui", kind+name, 1)
			p, err := policy.Parse("policy.yaml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			return p.PackageOrigins.Guards[0].Package
		}
		once := read(name)
		again := read(once.Name)
		again.URL = once.URL
		if diff := cmp.Diff(once, again); diff != "" {
			t.Errorf("-once +again:\n%s", diff)
		}
	})
}

func TestAGuardCovers(t *testing.T) {
	const here, there = "111122223333", "444455556666"
	for _, test := range []struct {
		name, domains, accounts string
		account, domain         string
		want                    bool
	}{
		{"a domain by name", "[corp]", "", here, "corp", true},
		{"a domain by a pattern", `[x, "lab-*"]`, "", here, "lab-web", true},
		{"not a domain that only begins alike", "[lab]", "", here, "lab-web", false},
		{"not a domain without a name", `["*"]`, "", here, "", false},
		{"a domain of a named account", "[corp]", `["111122223333"]`, here, "corp", true},
		{"not the same name in another account", "[corp]", `["111122223333"]`, there, "corp", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := guarding + strings.Replace(guard, "[corp]", test.domains, 1)
			if test.accounts != "" {
				text += "      accounts: " + test.accounts + "\n"
			}
			if got := parse(t, text).PackageOrigins.Guards[0].Covers(test.account, test.domain); got != test.want {
				t.Errorf("covers %v, want %v", got, test.want)
			}
		})
	}
}

func TestRefusesAGuardWith(t *testing.T) {
	const guards = `"package", "domains", "accounts", "group", "publish", "external_upstream", "internal_upstream", "reason"`
	url := func(url string) string { return guarding + strings.Replace(guard, "pkg:npm/%40acme/ui", url, 1) }
	line := func(line string) string { return guarding + guard + "      " + line + "\n" }
	publish := func(value string) string { return guarding + strings.Replace(guard, "block", value, 1) }
	for _, test := range []struct {
		name, text string
		want       string // without the name of the file
	}{
		{"no list of guards", head + "package_origins: {}\n",
			`3:18: package_origins lacks "guard"; add a list of guards, or guard: [] to guard nothing`},
		{"a list that is null", head + "package_origins:\n  guard:\n",
			"4:9: package_origins.guard has no value; write a list of guards, or guard: [] to guard nothing"},
		{"no package", guarding + "    - domains: [corp]\n      publish: block\n",
			`5:7: package_origins.guard[0] lacks "package"; add package: "pkg:npm/%40acme/ui"`},
		{"no domains", guarding + "    - package: \"pkg:npm/lodash\"\n      publish: block\n",
			`5:7: package_origins.guard[0] lacks "domains"; add domains: ["corp"]`},
		{"an empty list of domains", guarding + strings.Replace(guard, "[corp]", "[]", 1),
			`6:16: package_origins.guard[0].domains is an empty list; write domains: ["corp"]`},
		{"nothing to hold", guarding + strings.Replace(guard, "publish: block", "reason: Ours.", 1),
			"5:7: package_origins.guard[0] asks for nothing; add group, publish, external_upstream or internal_upstream"},
		{"a misspelt key", line("external-upstream: block"),
			`8:7: unknown key "external-upstream"; write "external_upstream"`},
		{"a key of another control", line("waivers: []"),
			`8:7: unknown key "waivers"; the names here are ` + guards},
		{"an account without quotes", line("accounts: [111122223333]"),
			`8:18: package_origins.guard[0].accounts[0] is a number; write accounts: ["111122223333"] (in quotes)`},

		{"allow, which asks for nothing", publish("allow"),
			`7:16: package_origins.guard[0].publish is allow, which asks for nothing; remove it, or write publish: block, or publish: ["npm-internal"]`},
		{"a word that is no restriction", publish("BLOCK"),
			`7:16: package_origins.guard[0].publish is "BLOCK"; write publish: block, or publish: ["npm-internal"]`},
		{"a mapping as a restriction", publish("{only: x}"),
			`7:16: package_origins.guard[0].publish is a mapping; write publish: block, or publish: ["npm-internal"]`},
		{"an empty list as a restriction", publish("[]"),
			`7:16: package_origins.guard[0].publish is an empty list; write publish: block, or publish: ["npm-internal"]`},
		{"a pattern as a repository", publish(`["npm-*"]`),
			`7:17: "npm-*" is not the name of a repository; write each name out, without the domain, like publish: block, or publish: ["npm-internal"]`},
		{"a domain before a repository", publish(`[corp/npm]`),
			`7:17: "corp/npm" is not the name of a repository; write each name out, without the domain, like publish: block, or publish: ["npm-internal"]`},
		{"a repository of one letter", publish(`[n]`),
			`7:17: "n" is not the name of a repository; write each name out, without the domain, like publish: block, or publish: ["npm-internal"]`},
		{"a repository that begins with a dot", publish(`[.npm]`),
			`7:17: ".npm" is not the name of a repository; write each name out, without the domain, like publish: block, or publish: ["npm-internal"]`},

		{"a group without its first slash", line(`group: "npm/acme/*"`),
			`8:14: group "npm/acme/*" is not the pattern of a package group; begin with a slash and end in *, ~ or $, like group: "/npm/acme/*"`},
		{"a group without an end", line("group: /npm/acme/"),
			`8:14: group "/npm/acme/" is not the pattern of a package group; begin with a slash and end in *, ~ or $, like group: "/npm/acme/*"`},
		{"a group with a space", line(`group: "/npm/acme /*"`),
			`8:14: group "/npm/acme /*" is not the pattern of a package group; begin with a slash and end in *, ~ or $, like group: "/npm/acme/*"`},
		{"a group with the @ of a scope", line(`group: "/npm/@acme/*"`),
			`8:14: group "/npm/@acme/*" can hold no package; write the scope without @, like group: "/npm/acme/*"`},

		{"a name that is no package URL", url("@acme/ui"),
			`5:16: package "@acme/ui" is not a package URL: purl scheme is not "pkg": "@acme/ui"; write one like package: "pkg:npm/%40acme/ui"`},
		{"a package URL without a name", url("pkg:npm/"),
			`5:16: package "pkg:npm/" is not a package URL: purl is missing name; write one like package: "pkg:npm/%40acme/ui"`},
		{"a broken escape", url("pkg:npm/%4xacme/ui"),
			`5:16: package "pkg:npm/%4xacme/ui" is not a package URL: error unescaping namespace: invalid URL escape "%4x"; write one like package: "pkg:npm/%40acme/ui"`},
		{"a type that CodeArtifact does not have", url("pkg:docker/acme/ui"),
			`5:16: package "pkg:docker/acme/ui" is of type "docker", which CodeArtifact has no format for; the names here are "cargo", "gem", "generic", "maven", "npm", "nuget", "pypi", "swift"`},
		{"a type that is misspelt", url("pkg:pipy/acme"),
			`5:16: package "pkg:pipy/acme" is of type "pipy", which CodeArtifact has no format for; write "pypi"`},
		{"a version", url("pkg:npm/%40acme/ui@1.0.0"),
			`5:16: package "pkg:npm/%40acme/ui@1.0.0" names more than a package: a version, qualifiers or a subpath; write "pkg:npm/%40acme/ui"`},
		{"an empty version", url("pkg:npm/lodash@"),
			`5:16: package "pkg:npm/lodash@" names more than a package: a version, qualifiers or a subpath; write "pkg:npm/lodash"`},
		{"qualifiers", url("pkg:gem/acme?platform=java"),
			`5:16: package "pkg:gem/acme?platform=java" names more than a package: a version, qualifiers or a subpath; write "pkg:gem/acme"`},
		{"a subpath", url("pkg:npm/lodash#fp"),
			`5:16: package "pkg:npm/lodash#fp" names more than a package: a version, qualifiers or a subpath; write "pkg:npm/lodash"`},
		{"a scope without @", url("pkg:npm/acme/ui"),
			`5:16: package "pkg:npm/acme/ui" has the scope "acme", which is not an @ and a name; write one like pkg:npm/%40acme/ui`},
		{"an empty scope", url("pkg:npm/%40/ui"),
			`5:16: package "pkg:npm/%40/ui" has the scope "@", which is not an @ and a name; write one like pkg:npm/%40acme/ui`},
		{"no group id", url("pkg:maven/billing"),
			`5:16: package "pkg:maven/billing" has no namespace, without which CodeArtifact has no maven package; write one like pkg:maven/com.acme/billing`},
		{"a namespace that the format does not have", url("pkg:pypi/acme/core"),
			`5:16: package "pkg:pypi/acme/core" has the namespace "acme", but pypi packages have none in CodeArtifact; write one like pkg:pypi/acme-core`},
		{"a group id written as a path", url("pkg:maven/com/acme/billing"),
			`5:16: package "pkg:maven/com/acme/billing" has a namespace or a name that CodeArtifact cannot have; write namespace and name as CodeArtifact shows them, each in one piece`},
		{"a host before the scope", url("pkg:swift/github.com/acme/core"),
			`5:16: package "pkg:swift/github.com/acme/core" has a namespace or a name that CodeArtifact cannot have; write namespace and name as CodeArtifact shows them, each in one piece`},
		{"a line break in the name", url("pkg:npm/a%0Ab"),
			`5:16: package "pkg:npm/a%0Ab" has a namespace or a name that CodeArtifact cannot have; write namespace and name as CodeArtifact shows them, each in one piece`},
		{"a slash in the name", url("pkg:npm/a%2Fb"),
			`5:16: package "pkg:npm/a%2Fb" has a namespace or a name that CodeArtifact cannot have; write namespace and name as CodeArtifact shows them, each in one piece`},
		{"bytes that are no text in the name", url("pkg:npm/a%FF"),
			`5:16: package "pkg:npm/a%FF" has a namespace or a name that CodeArtifact cannot have; write namespace and name as CodeArtifact shows them, each in one piece`},
		{"a pattern", url("pkg:npm/%40acme/*"),
			`5:16: package "pkg:npm/%40acme/*" is a pattern, but a guard is about one package; write one package of those that are meant; it need not exist`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseAndHold(t, test.text)
			var problems policy.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff("policy.yaml:"+test.want, fmt.Sprint(problems)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
