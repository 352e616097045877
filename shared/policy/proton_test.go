package policy_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/policy"
)

// protonHead is a policy up to its section on connections, whose keys count from
// line 4; ends has the two keys that it must have.
const (
	protonHead = "version: 1\nlimits: {count: 10, share: 10%}\nproton_connections:\n"
	ends       = "  rejected_after: 7d\n  pending_after: 30d\n"
)

func TestReadsTheSectionOnProtonConnections(t *testing.T) {
	p := parse(t, protonHead+ends+`  connected: delete
  approve:
    - environment_accounts: ["222222222222"]
      management_accounts: ["111111111111", "333333333333"]
      environments: ["prod-*"]
      roles: ["arn:aws:iam::222222222222:role/service-role/proton-*"]
      codebuild_roles: ["arn:aws:iam::222222222222:role/a+b=c,d.e@f-*"]
      reason: "Production."
  waivers:
    - id: lab
      environment_accounts: ["222222222222"]
      management_accounts: ["111111111111"]
      environments: ["lab"]
      reason: "The trial."
      owner: "team-web@example.com"
      expires: 2027-01-31
`)
	want := &policy.ProtonConnections{
		RejectedAfter: 7 * 24 * time.Hour, PendingAfter: 30 * 24 * time.Hour, DeleteConnected: true,
		Approve: []policy.Approval{{
			Place: "proton_connections.approve[0]", Line: 8, Column: 7, Reason: "Production.",
			EnvironmentAccounts: []string{"222222222222"}, ManagementAccounts: []string{"111111111111", "333333333333"},
			Environments: []string{"prod-*"}, Roles: []string{"arn:aws:iam::222222222222:role/service-role/proton-*"},
			CodebuildRoles: []string{"arn:aws:iam::222222222222:role/a+b=c,d.e@f-*"},
		}},
		Waivers: []policy.ConnectionWaiver{{
			Approval: policy.Approval{
				Place: "proton_connections.waivers[0]", Line: 15, Column: 7, Reason: "The trial.",
				EnvironmentAccounts: []string{"222222222222"}, ManagementAccounts: []string{"111111111111"}, Environments: []string{"lab"},
			},
			Term: policy.Term{ID: "lab", Owner: "team-web@example.com", Expires: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)},
		}},
	}
	if diff := cmp.Diff(want, p.ProtonConnections); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(p.Warnings) > 0 {
		t.Errorf("warnings: %v", p.Warnings)
	}
}

func TestConnectedOnesAreOnlyReportedUnlessThePolicySaysOtherwise(t *testing.T) {
	for text, want := range map[string]bool{"": false, "  connected: report\n": false, "  connected: delete\n": true} {
		if p := parse(t, protonHead+ends+"  approve: []\n"+text).ProtonConnections; p.DeleteConnected != want || p.Approve != nil || p.Waivers != nil {
			t.Errorf("%q: got %+v", text, p)
		}
	}
}

func TestRefusesASectionOnProtonConnectionsWith(t *testing.T) {
	const (
		approve  = "  approve:\n    - {environment_accounts: [\"222222222222\"], management_accounts: [\"111111111111\"], environments: [web]"
		accounts = "environment_accounts: [\"222222222222\"], management_accounts: [\"111111111111\"]"
		waive    = "  approve: []\n  waivers:\n    - {" + accounts + ", environments: [web], owner: me, expires: 2027-01-31"
	)
	for _, test := range []struct{ name, text, want string }{
		{"nothing approved and nothing said of it", ends, `4:3: proton_connections lacks "approve"; add a list of approvals, or approve: [] to approve nothing`},
		{"no age of what was rejected", "  approve: []\n  pending_after: 30d\n", `4:3: proton_connections lacks "rejected_after"; add rejected_after: 7d (days, or hours as in 36h; at least 1h)`},
		{"no age of what waits", "  approve: []\n  rejected_after: 7d\n", `4:3: proton_connections lacks "pending_after"; add pending_after: 30d (days, or hours as in 36h; at least 1h)`},
		{"an age of nothing", "  approve: []\n  rejected_after: 0h\n  pending_after: 30d\n", `5:19: proton_connections.rejected_after "0h" is not a number of days or hours from 1 to 10000; write rejected_after: 7d (days, or hours as in 36h; at least 1h)`},
		{"something else for what is connected", ends + "  approve: []\n  connected: reject\n", `7:14: proton_connections.connected is "reject"; write connected: report, or connected: delete`},
		{"an approval of any account", ends + "  approve: [{management_accounts: [\"111111111111\"], environments: [web]}]\n", `6:13: proton_connections.approve[0] lacks "environment_accounts"; add environment_accounts: ["222222222222"] (in quotes)`},
		{"an approval of any management account", ends + "  approve: [{environment_accounts: [\"222222222222\"], environments: [web]}]\n", `6:13: proton_connections.approve[0] lacks "management_accounts"; add management_accounts: ["111111111111"] (in quotes)`},
		{"an approval of any environment", ends + "  approve: [{" + accounts + "}]\n", `6:13: proton_connections.approve[0] lacks "environments"; add environments: ["prod-*"]`},
		{"a glob for an account", ends + "  approve: [{environment_accounts: [\"*\"], management_accounts: [\"111111111111\"], environments: [web]}]\n", `6:37: account id "*" is not 12 digits; write environment_accounts: ["222222222222"] (in quotes)`},
		{"an account without quotes", ends + "  approve: [{environment_accounts: [222222222222], management_accounts: [\"111111111111\"], environments: [web]}]\n", `6:37: proton_connections.approve[0].environment_accounts[0] is a number; write environment_accounts: ["222222222222"] (in quotes)`},
		{"no accounts at all", ends + "  approve: [{environment_accounts: [], management_accounts: [\"111111111111\"], environments: [web]}]\n", `6:36: proton_connections.approve[0].environment_accounts is an empty list; write environment_accounts: ["222222222222"] (in quotes)`},
		{"an environment in two parts", ends + "  approve: [{" + accounts + ", environments: [\"a/b\"]}]\n", `6:108: pattern "a/b" holds a character that no name has; write letters, digits and ".", "_", "-", ":", with *, ? and [a-z] as wildcards`},
		{"no roles, in brackets", ends + approve + ", roles: []}\n", `7:115: proton_connections.approve[0].roles is an empty list; write roles: ["arn:aws:iam::222222222222:role/proton-*"]`},
		{"a role without its ARN", ends + approve + ", roles: [\"proton-*\"]}\n", `7:116: "proton-*" is not the ARN of a role; write it with the account, like roles: ["arn:aws:iam::222222222222:role/proton-*"]`},
		{"a role of any account", ends + approve + ", roles: [\"arn:aws:iam::*:role/proton-*\"]}\n", `7:116: "arn:aws:iam::*:role/proton-*" is not the ARN of a role; write it with the account, like roles: ["arn:aws:iam::222222222222:role/proton-*"]`},
		{"a user for a role", ends + approve + ", roles: [\"arn:aws:iam::222222222222:user/proton\"]}\n", `7:116: "arn:aws:iam::222222222222:user/proton" is not the ARN of a role; write it with the account, like roles: ["arn:aws:iam::222222222222:role/proton-*"]`},
		{"a role without a name", ends + approve + ", roles: [\"arn:aws:iam::222222222222:role/\"]}\n", `7:116: "arn:aws:iam::222222222222:role/" is not the ARN of a role; write it with the account, like roles: ["arn:aws:iam::222222222222:role/proton-*"]`},
		{"a role of another partition", ends + approve + ", roles: [\"arn:aws-cn:iam::222222222222:role/x\"]}\n", `7:116: "arn:aws-cn:iam::222222222222:role/x" is not the ARN of a role; write it with the account, like roles: ["arn:aws:iam::222222222222:role/proton-*"]`},
		{"two stars in a role", ends + approve + ", codebuild_roles: [\"arn:aws:iam::222222222222:role/**\"]}\n", `7:126: ** in pattern "**"; write one *, which matches within one name and never across a slash`},
		{"a space in a role", ends + approve + ", roles: [\"arn:aws:iam::222222222222:role/a b\"]}\n", `7:116: pattern "a b" holds a character that no name has; write letters, digits and ".", "_", "-", ":", with *, ? and [a-z] as wildcards`},
		{"a bracket that is open", ends + approve + ", roles: [\"arn:aws:iam::222222222222:role/[a/b]\"]}\n", `7:116: bad pattern "[a"; close the [, with at least one character in it, and do not end in a backslash`},
		{"a waiver without a reason", ends + waive + "}\n", `8:7: proton_connections.waivers[0] lacks "reason"; add reason: "Why this is needed."`},
		{"a tag for an approval", ends + approve + ", tags: [approved]}\n", `7:108: unknown key "tags"; the names here are "environment_accounts", "management_accounts", "environments", "roles", "codebuild_roles", "reason"`},
		{"an id for an approval", ends + approve + ", connections: [x]}\n", `7:108: unknown key "connections"; the names here are "environment_accounts", "management_accounts", "environments", "roles", "codebuild_roles", "reason"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseAndHold(t, protonHead+test.text)
			var problems policy.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v", err)
			}
			if got := problems.Error(); got != "policy.yaml:"+test.want {
				t.Errorf("got  %s\nwant policy.yaml:%s", got, test.want)
			}
		})
	}
}

func TestAnApprovalNamesByAccountsAndEnvironment(t *testing.T) {
	a := policy.Approval{EnvironmentAccounts: []string{"222222222222"}, ManagementAccounts: []string{"111111111111"}, Environments: []string{"prod-*", "web"}}
	for _, row := range []struct {
		environmentAccount, managementAccount, environment string
		want                                               bool
	}{
		{"222222222222", "111111111111", "prod-eu", true},
		{"222222222222", "111111111111", "web", true},
		{"222222222222", "111111111111", "Web", false},
		{"222222222222", "111111111111", "webs", false},
		{"222222222222", "111111111111", "", false},
		{"222222222222", "333333333333", "web", false},
		{"333333333333", "111111111111", "web", false},
		{"111111111111", "222222222222", "web", false}, // the other way round
	} {
		if got := a.Names(row.environmentAccount, row.managementAccount, row.environment); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
	a.Environments = []string{"*"}
	if a.Names("222222222222", "111111111111", "") {
		t.Error("a name that is not known is approved")
	}
}

func TestEveryRoleThatIsThereMustMatch(t *testing.T) {
	const role = "arn:aws:iam::222222222222:role/"
	for _, row := range []struct {
		globs, roles []string
		want         bool
	}{
		{nil, []string{role + "admin"}, true},
		{[]string{role + "proton-*"}, []string{role + "proton-run", ""}, true},
		{[]string{role + "proton-*"}, []string{"", ""}, true},
		{[]string{role + "proton-*"}, []string{role + "proton-run", role + "proton-parts"}, true},
		{[]string{role + "proton-*"}, []string{role + "proton-run", role + "admin"}, false},
		{[]string{role + "proton-*", role + "admin"}, []string{role + "proton-run", role + "admin"}, true},
		{[]string{role + "proton-*"}, []string{role + "proton-a/admin"}, false},      // * does not cross a slash
		{[]string{role + "proton[^a]admin"}, []string{role + "proton/admin"}, false}, // nor does a class
		{[]string{role + "proton[^a]admin"}, []string{role + "proton-admin"}, true},
		{[]string{role + "a[^b]*/proton"}, []string{role + "a/b/proton"}, false},
		{[]string{role + "*/proton-*"}, []string{role + "service-role/proton-run"}, true},
		{[]string{role + "proton-*"}, []string{"arn:aws:iam::333333333333:role/proton-run"}, false},
		{[]string{role + "a+b=c,d.e@f-*"}, []string{role + "a+b=c,d.e@f-g"}, true},
	} {
		if got := (policy.Approval{Roles: row.globs}).CoversRoles(row.roles...); got != row.want {
			t.Errorf("%q of %q: %v", row.roles, row.globs, got)
		}
	}
}

func TestAManagementAccountIsNamedByAnApprovalAndNotByAWaiver(t *testing.T) {
	p := policy.ProtonConnections{
		Approve: []policy.Approval{{ManagementAccounts: []string{"111111111111"}}, {ManagementAccounts: []string{"444444444444"}}},
		Waivers: []policy.ConnectionWaiver{{Approval: policy.Approval{ManagementAccounts: []string{"333333333333"}}}},
	}
	for account, want := range map[string]bool{"111111111111": true, "444444444444": true, "333333333333": false, "": false} {
		if got := p.NamesManagement(account); got != want {
			t.Errorf("%q: %v", account, got)
		}
	}
}
