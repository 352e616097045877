package policytest

import (
	"fmt"
	"testing"

	"portcullis/shared/policy"
)

func TestTheShippedPolicySaysWhatItsCasesExpect(t *testing.T) {
	p, err := policy.Load("../../policy/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := policy.LoadCases("../../policy/policy_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	results := Run(p, cases)
	if len(results) < 10 {
		t.Errorf("there are %d cases", len(results))
	}
	for _, r := range results {
		if !r.OK() {
			t.Errorf("line %d: %s is %s (%s): %s; expected %s %s", r.Case.Line, r.About, r.Verdict, r.Code, r.Reason, r.Case.Expect, r.Case.Code)
		}
	}
}

const rules = `version: 1
limits: {count: 10, share: 10%}
external_connections:
  allow:
    - {repositories: [corp/npm], connections: ["public:npmjs"], accounts: ["111122223333"]}
  waivers:
    - {repositories: [corp/old], connections: ["public:pypi"], reason: r, owner: o, expires: 2026-11-30}
package_groups:
  min_age: 14d
  grace: 14d
  keep: [{groups: ["/maven/*"]}]
package_origins:
  guard:
    - {package: "pkg:npm/%40acme/ui", domains: [corp], group: "/npm/acme/*", publish: [npm-internal], external_upstream: block}
    - {package: "pkg:pypi/Acme_Core", domains: [corp], external_upstream: block}
    - {package: "pkg:pypi/acme-core", domains: [corp], publish: block}
proton_connections:
  approve:
    - {environment_accounts: ["222222222222"], management_accounts: ["111122223333"], environments: ["prod-*"], roles: ["arn:aws:iam::222222222222:role/proton-*"]}
  rejected_after: 7d
  pending_after: 30d
`

// Each row changes the verdict or the code by one key, so that no key is read in
// vain.
func TestEveryKeyOfACaseCounts(t *testing.T) {
	const (
		group   = `package_groups: [{group: "/npm/*", domain: corp, %s}]`
		ui      = `package_origins: [{package: "pkg:npm/%%40acme/ui", domain: corp, group: "/npm/acme/*", %s}]`
		request = `proton_connections: [{environment_account: "222222222222", management_account: "111122223333", environment: prod-eu, %s}]`
	)
	for _, test := range []struct{ format, keys, verdict, code string }{
		{`external_connections: [{repository: corp/npm, connection: "public:npmjs", %s}]`, "", "compliant", "allowed"},
		{`external_connections: [{repository: corp/npm, connection: "public:npmjs", %s}]`, `account: "444455556666"`, "violation", "not-allowed"},
		{`external_connections: [{repository: corp/npm, connection: "public:pypi", %s}]`, "", "violation", "not-allowed"},
		{`external_connections: [{repository: dev/npm, connection: "public:npmjs", %s}]`, "", "violation", "not-allowed"},
		{`external_connections: [{repository: corp/old, connection: "public:pypi", %s}]`, "", "waived", "waived"},
		{`external_connections: [{repository: corp/old, connection: "public:pypi", %s}]`, "at: 2026-12-01", "violation", "waiver-expired"},

		{group, "", "violation", "dead"},
		{group, "age: 13d", "compliant", "young"},
		{group, "marked: 13d", "violation", "waiting"},
		{group, "marked: 15d", "violation", "prune"},
		{group, "marked: 15d, age: 16d", "violation", "prune"},
		{group, `holds: "pkg:npm/x"`, "compliant", "in-use"},
		{group, `children: ["/npm/acme/*"]`, "compliant", "children"},
		{group, `tags: ["portcullis:keep"]`, "compliant", "keep-tag"},
		{group, "publish: block", "compliant", "own-control"},
		{group, "external_upstream: allow", "compliant", "own-control"},
		{group, "internal_upstream: block", "compliant", "own-control"},
		{`package_groups: [{group: "/npm/x/*", domain: corp, %s}]`, "", "compliant", "lookalikes"},
		{`package_groups: [{group: "/npm/x/*", domain: corp, %s}]`, "parent: block", "violation", "dead"},
		{`package_groups: [{group: "/maven/*", domain: corp, %s}]`, "", "compliant", "keep-rule"},
		{`package_groups: [{group: "/npm/acme/*", domain: corp, %s}]`, "", "compliant", "keep-rule"}, // by the guard
		{`package_groups: [{group: "/*", domain: corp, %s}]`, "", "compliant", "root"},

		{ui, "publish: block, external_upstream: block", "compliant", "guarded"},
		{ui, "publish: [npm-internal], external_upstream: block", "compliant", "guarded"},
		{ui, "publish: [npm-other], external_upstream: block", "violation", "looser"},
		{ui, "publish: allow, external_upstream: block", "violation", "looser"},
		{ui, "external_upstream: block", "violation", "looser"},
		{ui, "publish: block", "violation", "looser"},
		{ui, "match: weak", "compliant", "guarded"},
		{`package_origins: [{package: "pkg:npm/%%40acme/ui", domain: corp, group: "/npm/*", %s}]`, "publish: block, external_upstream: block", "violation", "other-group"},
		{`package_origins: [{package: "pkg:npm/%%40acme/ui", domain: dev, group: "/npm/*", %s}]`, "", "", ""},
		{`package_origins: [{package: "pkg:pypi/acme.core", domain: corp, group: "/pypi/*", %s}]`, "publish: block, external_upstream: block", "compliant", "guarded"},
		{`package_origins: [{package: "pkg:pypi/acme.core", domain: corp, group: "/pypi/*", %s}]`, "publish: block", "violation", "looser"},
		{`package_origins: [{package: "pkg:pypi/acme.core", domain: corp, group: "/pypi/*", %s}]`, "external_upstream: block", "violation", "looser"},

		{request, `role: "arn:aws:iam::222222222222:role/proton-a"`, "compliant", "approved"},
		{request, "", "undetermined", "role-unseen"},
		{request, `role: "arn:aws:iam::222222222222:role/admin"`, "violation", "not-approved"},
		{request, `role: "arn:aws:iam::222222222222:role/proton-a", component_role: "arn:aws:iam::222222222222:role/admin"`, "violation", "not-approved"},
		{request, "status: rejected", "compliant", "rejected"},
		{request, "seen_from: environment_account", "compliant", "pending"},
		{request, "seen_from: environment_account, age: 31d", "violation", "stale"},
		{request, "seen_from: environment_account, status: connected", "compliant", "named"},
		{`proton_connections: [{environment_account: "222222222222", management_account: "333333333333", environment: prod-eu, %s}]`, "seen_from: environment_account", "violation", "not-named"},
	} {
		text := "version: 1\nat: 2026-11-20\n" + fmt.Sprintf(test.format, test.keys+", expect: compliant") + "\n"
		if test.keys == "" {
			text = "version: 1\nat: 2026-11-20\n" + fmt.Sprintf(test.format, "expect: compliant") + "\n"
		}
		p, err := policy.Parse("policy.yaml", []byte(rules))
		if err != nil {
			t.Fatal(err)
		}
		cases, err := policy.ParseCases("policy_test.yaml", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		r := Run(p, cases)[0]
		if string(r.Verdict) != test.verdict || r.Code != test.code {
			t.Errorf("%s%s (%s): %s; want %s (%s)", text, r.Verdict, r.Code, r.Reason, test.verdict, test.code)
		}
		if r.OK() != (test.verdict == "compliant") {
			t.Errorf("%s: passes: %v", text, r.OK())
		}
	}
}

// A group that is in use and still bears a mark is well and is not.
func TestACaseIsAboutTheWorstFindingOrTheOneOfItsCode(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		expect, code string // of the finding
		passes       bool
	}{
		{"compliant", "stale-mark", false},
		{"violation", "stale-mark", true},
		{"undetermined", "stale-mark", false},
		{"violation, code: stale-mark", "stale-mark", true},
		{"compliant, code: in-use", "in-use", true},
		{"violation, code: in-use", "in-use", false},
		{"violation, code: dead", "stale-mark", false},
	} {
		text := `{version: 1, at: 2026-11-20, package_groups: [{group: "/npm/*", domain: corp, holds: "pkg:npm/x", marked: 13d, expect: ` + test.expect + "}]}"
		cases, err := policy.ParseCases("policy_test.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if r := Run(p, cases)[0]; r.OK() != test.passes || r.Code != test.code {
			t.Errorf("expect %s: passes %t, by %s %s", test.expect, r.OK(), r.Verdict, r.Code)
		}
	}
}

// A case never passes because the policy does not speak of it at all.
func TestACaseWithoutASectionFails(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte("version: 1\nlimits: {count: 0, share: 0%}\n"))
	if err != nil {
		t.Fatal(err)
	}
	cases, err := policy.LoadCases("../../policy/policy_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Run(p, cases) {
		if r.OK() || r.Verdict != "" {
			t.Errorf("%s is %q", r.About, r.Verdict)
		}
	}
}
