package policy_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/policy"
)

const casesHead = "version: 1\nat: 2026-11-20\n"

func TestReadsEveryKeyOfACase(t *testing.T) {
	got, err := policy.ParseCases("policy_test.yaml", []byte(`version: 1
external_connections:
  - {case: one, repository: corp/npm, connection: "public:npmjs", account: "444455556666", at: 2027-01-01T12:00:00+01:00, expect: waived, code: waived}
package_groups:
  - {group: "/npm/acme/*", domain: corp, age: 30d, marked: 36h, holds: "pkg:npm/%40acme/ui", children: ["/npm/acme/ui*"], tags: [owned], publish: block, external_upstream: allow, internal_upstream: inherit, parent: block, expect: compliant}
  - {group: "/*", domain: corp, expect: compliant}
package_origins:
  - {package: "pkg:npm/%40acme/ui", domain: corp, group: "/npm/acme/*", match: weak, publish: block, external_upstream: [npm-store], internal_upstream: allow, expect: violation}
proton_connections:
  - {environment_account: "222222222222", management_account: "111122223333", environment: prod, seen_from: environment_account, status: rejected, age: 8d, role: "arn:aws:iam::222222222222:role/a", component_role: "arn:aws:iam::222222222222:role/b", expect: undetermined}
at: 2026-11-20
`))
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	at := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	want := &policy.Cases{
		At: at,
		Connections: []policy.ConnectionCase{{
			Case: policy.Case{
				Place: "external_connections[0]", Line: 3, Column: 5, Name: "one", At: time.Date(2027, 1, 1, 11, 0, 0, 0, time.UTC),
				Account: "444455556666", Expect: "waived", Code: "waived",
			},
			Domain: "corp", Repository: "npm", Connection: "public:npmjs",
		}},
		Groups: []policy.GroupCase{
			{
				Case:   policy.Case{Place: "package_groups[0]", Line: 5, Column: 5, At: at, Account: "111122223333", Expect: "compliant"},
				Domain: "corp", Group: "/npm/acme/*", Age: 30 * day, Marked: 36 * time.Hour, Holds: "pkg:npm/%40acme/ui",
				Children: []string{"/npm/acme/ui*"}, Tags: []string{"owned"},
				Own: map[string]string{"PUBLISH": "BLOCK", "EXTERNAL_UPSTREAM": "ALLOW"}, Parent: "BLOCK",
			},
			{
				Case:   policy.Case{Place: "package_groups[1]", Line: 6, Column: 5, At: at, Account: "111122223333", Expect: "compliant"},
				Domain: "corp", Group: "/*", Age: 10_000 * day, Own: map[string]string{}, Parent: "ALLOW",
			},
		},
		Packages: []policy.PackageCase{{
			Case:   policy.Case{Place: "package_origins[0]", Line: 8, Column: 5, At: at, Account: "111122223333", Expect: "violation"},
			Domain: "corp", Package: policy.Package{URL: "pkg:npm/%40acme/ui", Format: "npm", Namespace: "acme", Name: "ui"}, Group: "/npm/acme/*", Weak: true,
			Only: map[string][]string{"PUBLISH": {}, "EXTERNAL_UPSTREAM": {"npm-store"}},
		}},
		Requests: []policy.RequestCase{{
			Case:               policy.Case{Place: "proton_connections[0]", Line: 10, Column: 5, At: at, Account: "111122223333", Expect: "undetermined"},
			EnvironmentAccount: "222222222222", ManagementAccount: "111122223333", Environment: "prod", Own: true, Status: "REJECTED", Age: 8 * day,
			Role: "arn:aws:iam::222222222222:role/a", ComponentRole: "arn:aws:iam::222222222222:role/b",
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestOneCaseOfAnyKindsIsEnough(t *testing.T) {
	connection := "external_connections: [{repository: corp/x, connection: x, expect: compliant}]\n"
	for _, other := range []string{
		"package_groups: [{group: \"/*\", domain: corp, expect: compliant}]\n",
		"package_origins: [{package: \"pkg:npm/ui\", domain: corp, group: \"/*\", expect: compliant}]\n",
		"proton_connections: [{environment_account: \"222222222222\", management_account: \"111122223333\", environment: prod, status: pending, expect: compliant}]\n",
	} {
		for _, text := range []string{other, connection + other} {
			if _, err := policy.ParseCases("x", []byte(casesHead+text)); err != nil {
				t.Errorf("%s%v", text, err)
			}
		}
	}
}

func TestLoadCases(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "cases.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(casesHead + "external_connections: [{repository: corp/x, connection: x, expect: compliant}]\n")
	if c, err := policy.LoadCases(file); err != nil || len(c.Connections) != 1 {
		t.Errorf("cases %v, error %v", c, err)
	}
	for _, path := range []string{filepath.Join(dir, "none.yaml"), dir} {
		_, err := policy.LoadCases(path)
		for _, want := range []string{"reading cases: ", path, "; write cases beside the policy, or name a file that exists and can be read"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %q", err, want)
			}
		}
	}
	write(casesHead + strings.Repeat("#", 64<<10))
	if _, err := policy.LoadCases(file); err == nil || !strings.Contains(err.Error(), "larger than 64 KiB") {
		t.Errorf("a file that is too large: %v", err)
	}
}

// Every message that a writer of cases can meet beside those of policies.
func TestRefusesCasesWith(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"no case", casesHead, []string{"1:1: there is no case; add one, such as external_connections: [{repository: corp/npm-store, connection: public:npmjs, expect: compliant}]"}},
		{"nothing in it", "", []string{"1:1: the file holds no case; begin with version: 1"}},
		{"a list", "- case: x\n", []string{`1:1: the file is a list; write version: 1, then "at" and a list of cases for each control`}},
		{"no time", "version: 1\nexternal_connections: [{repository: corp/x, connection: x, expect: compliant}]\n", []string{
			`1:1: the file lacks "at"; add at: 2026-11-20 (the time at which the cases are judged)`,
		}},
		{"a time that is none, told once", "version: 1\nat: yesterday\nexternal_connections: [{repository: corp/x, connection: x, expect: compliant}]\n", []string{
			`2:5: at "yesterday" is not a date; write at: 2026-11-20 (its first moment, UTC) or 2026-11-20T12:00:00Z`,
		}},
		{"the moment that stands for no time", "version: 1\nat: 0001-01-01\nexternal_connections: [{repository: corp/x, connection: x, at: 0001-01-01T00:00:00Z, expect: compliant}]\n", []string{
			`2:5: at "0001-01-01" is not a date; write at: 2026-11-20 (its first moment, UTC) or 2026-11-20T12:00:00Z`,
			`3:64: external_connections[0].at "0001-01-01T00:00:00Z" is not a date; write at: 2026-11-20 (its first moment, UTC) or 2026-11-20T12:00:00Z`,
		}},
		{"patterns", casesHead + "external_connections: [{repository: corp/*, connection: \"public:*\", expect: compliant}]\npackage_groups: [{group: \"/npm/**\", domain: \"c*\", expect: compliant}]\n", []string{
			`3:37: external_connections[0].repository "corp/*" is a pattern, and a case is about one resource; write repository: corp/npm-store`,
			`3:57: external_connections[0].connection "public:*" is a pattern, and a case is about one resource; write connection: "public:npmjs"`,
			`4:26: package_groups[0].group "/npm/**" ends in **, and a case is about one group; write group: "/npm/acme/*"`,
			`4:45: package_groups[0].domain "c*" is a pattern, and a case is about one resource; write domain: corp`,
		}},
		{"values of other kinds", casesHead + "external_connections: [{repository: [corp/x], connection: x, expect: compliant}]\npackage_origins: [{package: 'pkg:npm/ui', domain: corp, group: {a: b}, expect: compliant}]\n", []string{
			`3:37: external_connections[0].repository is a list; write repository: corp/npm-store`,
			`4:64: package_origins[0].group is a mapping; write group: "/npm/acme/*" (the one that it resolves to)`,
		}},
		{"a time that is a list", "version: 1\nat: [2026]\nexternal_connections: [{repository: corp/x, connection: x, expect: compliant}]\n", []string{
			`2:5: at is a list; write at: 2026-11-20 (the time at which the cases are judged)`,
		}},
		{"verdicts that there are not", casesHead + "external_connections: [{repository: corp/x, connection: x, expect: violated}, {repository: corp/x, connection: x}]\n", []string{
			`3:68: external_connections[0].expect is "violated"; the names here are "compliant", "violation", "waived", "undetermined"`,
			`3:79: external_connections[1] lacks "expect"; add expect: violation (or compliant, waived, undetermined)`,
		}},
		{"keys that there are not", casesHead + "external_connections: [{repo: corp/x, connection: x, expect: compliant}]\n", []string{
			`3:24: external_connections[0] lacks "repository"; add repository: corp/npm-store`,
			`3:25: unknown key "repo"; write "repository"`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := policy.ParseCases("x", []byte(test.text))
			var problems policy.Problems
			if !errors.As(err, &problems) || c != nil {
				t.Fatalf("cases %v, error %v", c, err)
			}
			if diff := cmp.Diff("x:"+strings.Join(test.want, "\nx:"), err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
