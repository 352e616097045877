package protonconn

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// The accounts: the two that the policy names, and one that it does not.
const (
	management  = "111111111111"
	environment = "222222222222"
	foreign     = "333333333333"
	region      = "eu-west-1"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// rules approves prod-* with certain roles, and build-* if it has a certain
// CodeBuild role, waives lab-* and has waived old-*.
const rules = `version: 1
limits: {count: 10, share: 100%}
proton_connections:
  approve:
    - environment_accounts: ["222222222222"]
      management_accounts: ["111111111111"]
      environments: ["prod-*"]
      roles: ["arn:aws:iam::222222222222:role/proton-*"]
    - environment_accounts: ["222222222222"]
      management_accounts: ["111111111111"]
      environments: ["build-*"]
      codebuild_roles: ["arn:aws:iam::222222222222:role/codebuild"]
  waivers:
    - id: lab
      environment_accounts: ["222222222222"]
      management_accounts: ["111111111111", "333333333333"]
      environments: ["lab-*"]
      roles: ["arn:aws:iam::222222222222:role/proton-*"]
      reason: "the trial"
      owner: "team-web"
      expires: 2026-12-31
    - id: old
      environment_accounts: ["222222222222"]
      management_accounts: ["111111111111", "333333333333"]
      environments: ["old-*"]
      reason: "the last trial"
      owner: "team-web"
      expires: 2026-10-31
    - id: images
      environment_accounts: ["222222222222"]
      management_accounts: ["111111111111", "333333333333"]
      environments: ["images-*"]
      codebuild_roles: ["arn:aws:iam::222222222222:role/codebuild"]
      reason: "the image trial"
      owner: "team-web"
      expires: 2026-12-31
  rejected_after: 7d
  pending_after: 30d
`

func parse(t testing.TB, text string) policy.ProtonConnections {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return *p.ProtonConnections
}

func role(name string) string { return "arn:aws:iam::" + environment + ":role/" + name }

// request is a connection of environment to management that was asked for a day
// ago, with a role that prod-* may have.
func request(status, name string) Connection {
	return numbered(1, Connection{
		EnvironmentAccount: environment, ManagementAccount: management, Name: name, Status: status,
		Role: role("proton-run"), Requested: noon.Add(-day), Modified: noon.Add(-day),
	})
}

// numbered gives a connection the id and the ARN that it would have.
func numbered(n int, c Connection) Connection {
	c.ID = fmt.Sprintf("00000000-0000-4000-9000-%012d", n)
	c.ARN = fmt.Sprintf("arn:aws:proton:%s:%s:environment-account-connection/%s", region, c.EnvironmentAccount, c.ID)
	return c
}

func (c Connection) number(n int) Connection      { return numbered(n, c) }
func (c Connection) to(account string) Connection { c.ManagementAccount = account; return c }
func (c Connection) from(account string) Connection {
	c.EnvironmentAccount = account
	return numbered(1, c)
}
func (c Connection) runs(role string) Connection   { c.Role = role; return c }
func (c Connection) builds(role string) Connection { c.ComponentRole = role; return c }
func (c Connection) aged(d time.Duration) Connection {
	c.Requested = noon.Add(-d)
	c.Modified = c.Requested
	return c
}
func (c Connection) changed(d time.Duration) Connection {
	c.Modified = noon.Add(-d)
	return c
}

// seen is what the account of a side reads of the connections.
func seen(side Side, list ...Connection) Observation {
	account := management
	if side == Environment {
		account = environment
	}
	return Observation{Scope: control.Scope{Account: account, Region: region}, Sides: map[Side][]Connection{side: list}}
}

const (
	reject = "RejectEnvironmentAccountConnection"
	remove = "DeleteEnvironmentAccountConnection"
)

// A row is one connection and what is concluded about it.
type row struct {
	name      string
	c         Connection
	verdict   control.Verdict
	code      string
	operation string // empty where nothing is done
}

func (r row) check(t *testing.T, side Side, p policy.ProtonConnections, now time.Time) {
	t.Helper()
	plan := Decide(seen(side, r.c), p, now)
	if len(plan.Findings) != 1 {
		t.Fatalf("got %d findings, want 1: %+v", len(plan.Findings), plan.Findings)
	}
	f := plan.Findings[0]
	if f.Verdict != r.verdict || f.Code != r.code || f.Reason == "" || f.Subject != string(side) {
		t.Errorf("got %s, %s of %s (%s), want %s, %s", f.Verdict, f.Code, f.Subject, f.Reason, r.verdict, r.code)
	}
	operation := ""
	for _, a := range plan.Actions {
		operation += a.Call.Operation
		want := control.Action{
			ID: f.ID, Control: Control, Account: f.Account, Region: region, Resource: r.c.ARN, Subject: string(side),
			Owner: r.c.EnvironmentAccount, Reason: f.Reason, Before: r.c,
			Call: control.Call{Service: "proton", Operation: r.operation, Input: map[string]string{"id": r.c.ID}}, Undo: []control.Call{},
		}
		if diff := cmp.Diff(want, a); diff != "" {
			t.Errorf("action (-want +got):\n%s", diff)
		}
	}
	if operation != r.operation {
		t.Errorf("it asks for %q, want %q", operation, r.operation)
	}
	looked := 1
	if r.verdict == control.Undetermined {
		looked = 0
	}
	if plan.Looked != looked {
		t.Errorf("looked at %d, want %d", plan.Looked, looked)
	}
	if (f.Effect != "") != (r.operation != "") {
		t.Errorf("effect %q of %q", f.Effect, r.operation)
	}
}

// The rows are those of the first table above Decide, in the same order.
func TestDecideInTheManagementAccount(t *testing.T) {
	never := time.Time{} // the time is not known
	for _, r := range []struct {
		row
		now time.Time
	}{
		{row{"an approved request", request(pending, "prod-web"), control.Compliant, "approved", ""}, noon},
		{row{"a request that is approved as far as its roles can be seen", request(pending, "build-web"), control.Undetermined, "role-unseen", ""}, noon},
		{row{"a request under a waiver", request(pending, "lab-web"), control.Waived, "waived", ""}, noon},
		{row{"a request under a waiver, while the time is not known", request(pending, "lab-web"), control.Undetermined, "time-unknown", ""}, never},
		{row{"a request that nobody approved", request(pending, "web"), control.Violation, "not-approved", reject}, noon},
		{row{"a connected one that is approved", request(connected, "prod-web"), control.Compliant, "approved", ""}, noon},
		{row{"a connected one that is approved as far as its roles can be seen", request(connected, "build-web"), control.Undetermined, "role-unseen", ""}, noon},
		{row{"a connected one under a waiver", request(connected, "lab-web"), control.Waived, "waived", ""}, noon},
		{row{"a connected one under a waiver, while the time is not known", request(connected, "lab-web"), control.Undetermined, "time-unknown", ""}, never},
		{row{"a connected one that nobody approved", request(connected, "web"), control.Violation, "not-approved", ""}, noon},
		{row{"a rejected one", request(rejected, "web"), control.Compliant, "rejected", ""}, noon},
		{row{"any other status", request("SUSPENDED", "web"), control.Undetermined, "unknown-status", ""}, noon},

		// Beyond the table: the edges between its rows.
		{row{"a rejected one that was approved", request(rejected, "prod-web"), control.Compliant, "rejected", ""}, noon},
		{row{"an unknown status of an approved one", request("SUSPENDED", "prod-web"), control.Undetermined, "unknown-status", ""}, noon},
		{row{"a status in other letters", request("Pending", "web"), control.Undetermined, "unknown-status", ""}, noon},
		{row{"the status of an event", request("DELETED", "web"), control.Undetermined, "unknown-status", ""}, noon},
		{row{"no status", request("", "web"), control.Undetermined, "unknown-status", ""}, noon},
		{row{"an approved name in other letters", request(pending, "Prod-web"), control.Violation, "not-approved", reject}, noon},
		{row{"an approved request of another account", request(pending, "prod-web").from(foreign), control.Violation, "not-approved", reject}, noon},
		{row{"an approved request with another role", request(pending, "prod-web").runs(role("admin")), control.Violation, "not-approved", reject}, noon},
		{row{"an approved request with another role for components", request(pending, "prod-web").builds(role("admin")), control.Violation, "not-approved", reject}, noon},
		{row{"an approved request with both roles right", request(pending, "prod-web").builds(role("proton-parts")), control.Compliant, "approved", ""}, noon},
		{row{"a request whose role the list leaves out, where the approval constrains it", request(pending, "prod-web").runs(""), control.Undetermined, "role-unseen", ""}, noon},
		{row{"an approved request with a role of another account", request(pending, "prod-web").runs(strings.Replace(role("proton-run"), environment, foreign, 1)), control.Violation, "not-approved", reject}, noon},
		{row{"a role in a folder, which the glob does not reach", request(pending, "prod-web").runs(role("proton-a/admin")), control.Violation, "not-approved", reject}, noon},
		{row{"an accepted one whose role was swapped", request(connected, "prod-web").runs(role("admin")).changed(time.Hour), control.Violation, "not-approved", ""}, noon},
		{row{"any role that is seen, where only the unseen one is constrained", request(pending, "build-web").runs(role("admin")), control.Undetermined, "role-unseen", ""}, noon},
		{row{"a waived name with another role", request(pending, "lab-web").runs(role("admin")), control.Violation, "not-approved", reject}, noon},
		{row{"a waiver that is over", request(pending, "old-web"), control.Violation, "not-approved", reject}, noon},
		{row{"a waiver that may be over", request(pending, "old-web"), control.Undetermined, "time-unknown", ""}, never},
		{row{"a waiver on a role that is not seen", request(pending, "images-web"), control.Undetermined, "role-unseen", ""}, noon},
		{row{"an approval needs no time", request(pending, "prod-web"), control.Compliant, "approved", ""}, never},
		{row{"a rejection needs no time", request(pending, "web"), control.Violation, "not-approved", reject}, never},
		{row{"a request of this second", request(pending, "web").aged(0), control.Violation, "not-approved", reject}, noon},
	} {
		t.Run(r.name, func(t *testing.T) { r.check(t, Management, parse(t, rules), r.now) })
	}
}

// The rows are those of the second table above Decide, in the same order.
func TestDecideInTheEnvironmentAccount(t *testing.T) {
	never := time.Time{}
	reporting, deleting := parse(t, rules), parse(t, rules+"  connected: delete\n")
	for _, r := range []struct {
		row
		p   policy.ProtonConnections
		now time.Time
	}{
		{row{"a rejected one, long ago", request(rejected, "web").aged(8 * day), control.Violation, "stale", remove}, reporting, noon},
		{row{"a rejected one, lately", request(rejected, "web").aged(6 * day), control.Compliant, "rejected", ""}, reporting, noon},
		{row{"a request to an account that nobody named", request(pending, "web").to(foreign), control.Violation, "not-named", remove}, reporting, noon},
		{row{"a request that has waited long", request(pending, "web").aged(31 * day), control.Violation, "stale", remove}, reporting, noon},
		{row{"a request that has not", request(pending, "web").aged(29 * day), control.Compliant, "pending", ""}, reporting, noon},
		{row{"a connected one to an account that is named", request(connected, "web"), control.Compliant, "named", ""}, deleting, noon},
		{row{"a connected one to an account that nobody named, where the policy says connected: delete", request(connected, "web").to(foreign), control.Violation, "not-named", remove}, deleting, noon},
		{row{"a connected one to an account that nobody named, where it does not", request(connected, "web").to(foreign), control.Violation, "not-named", ""}, reporting, noon},
		{row{"any other status", request("SUSPENDED", "web").to(foreign), control.Undetermined, "unknown-status", ""}, deleting, noon},

		// Beyond the table: waivers, ages at the second, and time that is not known.
		{row{"a waived request to an account that nobody named", request(pending, "lab-web").to(foreign), control.Waived, "waived", ""}, reporting, noon},
		{row{"a waived one that has waited long", request(pending, "lab-web").to(foreign).aged(365 * day), control.Waived, "waived", ""}, reporting, noon},
		{row{"a waived one that is connected", request(connected, "lab-web").to(foreign), control.Waived, "waived", ""}, deleting, noon},
		{row{"a waived name with another role", request(pending, "lab-web").to(foreign).runs(role("admin")), control.Violation, "not-named", remove}, reporting, noon},
		{row{"a waiver that is over", request(pending, "old-web").to(foreign), control.Violation, "not-named", remove}, reporting, noon},
		{row{"a waiver on a role that is not seen", request(connected, "images-web").to(foreign), control.Undetermined, "role-unseen", ""}, deleting, noon},
		{row{"a waiver, while the time is not known", request(connected, "lab-web").to(foreign), control.Undetermined, "time-unknown", ""}, deleting, never},
		{row{"a waiver keeps no rejected one", request(rejected, "lab-web").to(foreign).aged(8 * day), control.Violation, "stale", remove}, reporting, noon},
		{row{"a rejected one to an account that nobody named, lately", request(rejected, "web").to(foreign), control.Compliant, "rejected", ""}, reporting, noon},
		{row{"exactly as old as a rejected one may be", request(rejected, "web").aged(7 * day), control.Compliant, "rejected", ""}, reporting, noon},
		{row{"a second older", request(rejected, "web").aged(7*day + time.Second), control.Violation, "stale", remove}, reporting, noon},
		{row{"asked for long ago and rejected lately", request(rejected, "web").aged(90 * day).changed(day), control.Compliant, "rejected", ""}, reporting, noon},
		{row{"changed before it was asked for", request(rejected, "web").aged(6 * day).changed(90 * day), control.Compliant, "rejected", ""}, reporting, noon},
		{row{"exactly as old as a request may be", request(pending, "web").aged(30 * day), control.Compliant, "pending", ""}, reporting, noon},
		{row{"a request a second older", request(pending, "web").aged(30*day + time.Second), control.Violation, "stale", remove}, reporting, noon},
		{row{"an old request that was changed lately", request(pending, "web").aged(31 * day).changed(0), control.Violation, "stale", remove}, reporting, noon},
		{row{"a request from the future", request(pending, "web").aged(-day), control.Compliant, "pending", ""}, reporting, noon},
		{row{"a rejected one, while the time is not known", request(rejected, "web").aged(90 * day), control.Undetermined, "time-unknown", ""}, reporting, never},
		{row{"a request, while the time is not known", request(pending, "web").aged(90 * day), control.Undetermined, "time-unknown", ""}, reporting, never},
		{row{"a connected one needs no time", request(connected, "web"), control.Compliant, "named", ""}, reporting, never},
		{row{"what is not named needs no time", request(pending, "web").to(foreign), control.Violation, "not-named", remove}, reporting, never},
		{row{"a connected one with any role", request(connected, "web").runs(role("admin")), control.Compliant, "named", ""}, deleting, noon},
	} {
		t.Run(r.name, func(t *testing.T) { r.check(t, Environment, r.p, r.now) })
	}
}

func TestAConnectionThatCannotBeOfTheListIsUndetermined(t *testing.T) {
	for name, change := range map[string]func(*Connection){
		"without an id":                  func(c *Connection) { c.ID = "" },
		"without an ARN":                 func(c *Connection) { c.ARN = "" },
		"with the ARN of another one":    func(c *Connection) { c.ARN = numbered(2, *c).ARN },
		"without an environment account": func(c *Connection) { c.EnvironmentAccount = "" },
		"without a management account":   func(c *Connection) { c.ManagementAccount = "" },
		"without a name":                 func(c *Connection) { c.Name = "" },
		"without the time of asking":     func(c *Connection) { c.Requested = time.Time{} },
		"without the time of its change": func(c *Connection) { c.Modified = time.Time{} },
	} {
		for _, side := range []Side{Management, Environment} {
			t.Run(name+", on the side "+string(side), func(t *testing.T) {
				c := request(pending, "web").aged(90 * day)
				change(&c)
				row{name, c, control.Undetermined, "malformed", ""}.check(t, side, parse(t, rules), noon)
				says := Decide(seen(side, c), parse(t, rules), noon).Findings[0].Reason
				if lacks := strings.HasSuffix(says, "the list leaves out what it must have"); lacks != strings.HasPrefix(name, "without") {
					t.Errorf("reason %q", says)
				}
			})
		}
	}
	t.Run("of another management account", func(t *testing.T) {
		row{"", request(pending, "web").to(foreign), control.Undetermined, "malformed", ""}.check(t, Management, parse(t, rules), noon)
	})
	t.Run("of another environment account", func(t *testing.T) {
		row{"", request(pending, "web").from(foreign).aged(90 * day), control.Undetermined, "malformed", ""}.check(t, Environment, parse(t, rules), noon)
	})
}

func TestAnApprovalThatSuitsIsFoundBesideOneThatDoesNot(t *testing.T) {
	text := strings.Replace(rules, "  approve:\n", `  approve:
    - environment_accounts: ["222222222222"]
      management_accounts: ["111111111111"]
      environments: ["*"]
      roles: ["arn:aws:iam::222222222222:role/nobody"]
    - environment_accounts: ["222222222222"]
      management_accounts: ["111111111111"]
      environments: ["*"]
      roles: ["arn:aws:iam::222222222222:role/proton-*"]
      codebuild_roles: ["arn:aws:iam::222222222222:role/codebuild"]
`, 1)
	row{"", request(pending, "prod-web"), control.Compliant, "approved", ""}.check(t, Management, parse(t, text), noon)
	row{"", request(pending, "web"), control.Undetermined, "role-unseen", ""}.check(t, Management, parse(t, text), noon)
	row{"", request(pending, "web").runs(role("admin")), control.Violation, "not-approved", reject}.check(t, Management, parse(t, text), noon)
}

func TestTheReasonSaysWhatAPersonNeeds(t *testing.T) {
	users := map[string][]string{request(connected, "web").ID: {"web", "web-2"}}
	for _, r := range []struct {
		name  string
		side  Side
		c     Connection
		users map[string][]string
		want  string
	}{
		{"whose it is", Management, request(pending, "web"), nil, "connection 00000000-0000-4000-9000-000000000001 of account 222222222222 to 111111111111 for environment web is PENDING: no approval of the policy speaks of it"},
		{"which approval is nearest", Management, request(pending, "prod-web").runs(role("admin")).builds(role("parts")), nil, "proton_connections.approve[0] speaks of it, but not of all its roles (" + role("admin") + " " + role("parts") + ")"},
		{"which approval cannot be judged", Management, request(pending, "build-web"), nil, "proton_connections.approve[1] constrains a role of it that the list does not show"},
		{"what uses it", Management, request(connected, "web"), users, "these environments use it and must go first: web, web-2"},
		{"that nothing is known to use it", Management, request(connected, "web"), map[string][]string{}, "no environment is listed that uses it"},
		{"that what uses it could not be read", Management, request(connected, "web"), nil, "which environments use it could not be read, so nothing is done"},
		{"how it could be ended", Environment, request(connected, "web").to(foreign), nil, "`connected: delete` would end it"},
		{"since when it is stale", Environment, request(rejected, "web").aged(8 * day), nil, "nothing is known to have changed about it since 2026-11-12 12:00:00"},
	} {
		t.Run(r.name, func(t *testing.T) {
			o := seen(r.side, r.c)
			o.Users = r.users
			f := Decide(o, parse(t, rules), noon).Findings[0]
			if !strings.Contains(f.Reason, r.want) {
				t.Errorf("reason %q does not say %q", f.Reason, r.want)
			}
			want := details{ID: r.c.ID, EnvironmentAccount: environment, ManagementAccount: r.c.ManagementAccount, Environment: r.c.Name, Status: r.c.Status, UsedBy: r.users[r.c.ID]}
			if diff := cmp.Diff(want, f.Details); diff != "" {
				t.Errorf("details (-want +got):\n%s", diff)
			}
		})
	}
}

// What uses a connection matters where there is one.
func TestOfARequestItIsNotToldWhatUsesIt(t *testing.T) {
	o := seen(Management, request(pending, "web"), request(connected, "lab-1").number(2))
	o.Users = map[string][]string{o.Sides[Management][0].ID: {"web"}, o.Sides[Management][1].ID: {"lab"}}
	for _, f := range Decide(o, parse(t, rules), noon).Findings {
		if strings.Contains(f.Reason, "environments use it") || f.Details.(details).UsedBy != nil {
			t.Errorf("it is %s: %s", f.Verdict, f.Reason)
		}
	}
}

func TestAnApprovalOfAnyRoleNeedsNone(t *testing.T) {
	text := strings.Replace(rules, `      roles: ["arn:aws:iam::222222222222:role/proton-*"]
    -`, "    -", 1)
	row{"", request(pending, "prod-web").runs(""), control.Compliant, "approved", ""}.check(t, Management, parse(t, text), noon)
	row{"", request(pending, "prod-web").runs(""), control.Undetermined, "role-unseen", ""}.check(t, Management, parse(t, rules), noon)
}

// A list that shows a connection twice was read while it changed. Whatever the
// entries say, nothing is done.
func TestAConnectionThatIsListedTwiceIsUndetermined(t *testing.T) {
	for _, side := range []Side{Management, Environment} {
		for _, other := range []string{pending, connected, rejected} {
			first, second := request(pending, "web").to(foreign).aged(90*day), request(other, "web").to(foreign).aged(90*day)
			if side == Management {
				first, second = first.to(management), second.to(management)
			}
			plan := Decide(seen(side, first, second), parse(t, rules), noon)
			if len(plan.Actions) != 0 || plan.Looked != 0 || len(plan.Findings) != 2 {
				t.Errorf("%s, PENDING and %s: %d actions, looked at %d", side, other, len(plan.Actions), plan.Looked)
			}
			for _, f := range plan.Findings {
				if f.Verdict != control.Undetermined || f.Code != "malformed" {
					t.Errorf("%s, PENDING and %s: %s %s", side, other, f.Verdict, f.Code)
				}
			}
		}
	}
}

func TestAnARNOfSomethingElseIsMalformed(t *testing.T) {
	c := request(pending, "web")
	for _, arn := range []string{
		"arn:aws:proton:us-east-1:" + environment + ":environment-account-connection/" + c.ID,
		"arn:aws:proton:" + region + ":999999999999:environment-account-connection/" + c.ID,
		"arn:aws:proton:" + region + ":" + environment + ":environment/zzz/" + c.ID,
		"arn:aws:s3:" + region + ":" + environment + ":environment-account-connection/" + c.ID,
		"urn:aws:proton:" + region + ":" + environment + ":environment-account-connection/" + c.ID,
		"arn:aws",
	} {
		c.ARN = arn
		row{arn, c, control.Undetermined, "malformed", ""}.check(t, Management, parse(t, rules), noon)
	}
}

// A waiver that settles it counts, whichever of several comes first, and also where
// an approval leaves something unseen.
func TestAWaiverThatSettlesItComesBeforeOneThatDoesNot(t *testing.T) {
	waiver := func(id, more string) string {
		return `    - id: ` + id + `
      environment_accounts: ["222222222222"]
      management_accounts: ["111111111111"]
      environments: ["build-*"]
      reason: "for now"
      owner: "team"
      expires: 2027-03-01
` + more
	}
	unseen := waiver("unseen", "      codebuild_roles: [\"arn:aws:iam::222222222222:role/x\"]\n")
	for _, order := range []string{unseen + waiver("plain", ""), waiver("plain", "") + unseen} {
		p := parse(t, `version: 1
limits: {count: 10, share: 100%}
proton_connections:
  rejected_after: 7d
  pending_after: 30d
  approve:
    - environment_accounts: ["222222222222"]
      management_accounts: ["111111111111"]
      environments: ["build-*"]
      codebuild_roles: ["arn:aws:iam::222222222222:role/x"]
  waivers:
`+order)
		row{"", request(pending, "build-web"), control.Waived, "waived", ""}.check(t, Management, p, noon)
	}
}

func TestARequestThatIsMadeAgainAfterARejectionSaysSo(t *testing.T) {
	again := request(pending, "web").number(9)
	before := request(rejected, "web").aged(5 * day)
	for _, r := range []struct {
		name   string
		others []Connection
		want   []string
	}{
		{"the same, twice", []Connection{before.number(2), before}, []string{
			"the same was asked for before, and rejected: " + before.ID, "the same was asked for before, and rejected: " + before.number(2).ID}},
		{"the same, with another role", []Connection{before.runs(role("admin"))}, nil},
		{"the same, with another component role", []Connection{before.builds(role("admin"))}, nil},
		{"another environment", []Connection{request(rejected, "other").aged(5 * day)}, nil},
		{"another account", []Connection{before.from(foreign)}, nil},
		{"the same, which waits as well", []Connection{request(pending, "web").aged(5 * day)}, nil},
		{"the same, asked for later", []Connection{before.aged(time.Hour)}, nil},
	} {
		t.Run(r.name, func(t *testing.T) {
			for _, f := range Decide(seen(Management, append(r.others, again)...), parse(t, rules), noon).Findings {
				if f.Resource == again.ARN {
					if diff := cmp.Diff(r.want, f.Notes); diff != "" {
						t.Errorf("notes (-want +got):\n%s", diff)
					}
				}
			}
		})
	}
}

func TestWhatWasAcceptedIsNoRequestAgain(t *testing.T) {
	o := seen(Management, request(rejected, "web").aged(5*day), request(connected, "web").number(2))
	for _, f := range Decide(o, parse(t, rules), noon).Findings {
		if f.Notes != nil {
			t.Errorf("%s: %q", f.Resource, f.Notes)
		}
	}
}

func TestAWaiverIsNamedAndItsEndIsTold(t *testing.T) {
	for _, r := range []struct {
		name, of, waiver string
		now              time.Time
		notes            []string
	}{
		{"in force", "lab-web", "lab", noon, nil},
		{"in force, and soon over", "lab-web", "lab", time.Date(2026, 12, 20, 0, 0, 0, 0, time.UTC), []string{"waiver lab ends on 2026-12-31"}},
		{"in its last second", "lab-web", "lab", time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC), []string{"waiver lab ends on 2026-12-31"}},
		{"over", "lab-web", "lab", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), []string{"waiver lab of team-web ran out on 2026-12-31"}},
		{"none", "web", "", noon, nil},
	} {
		t.Run(r.name, func(t *testing.T) {
			f := Decide(seen(Management, request(pending, r.of)), parse(t, rules), r.now).Findings[0]
			if f.Waiver != r.waiver {
				t.Errorf("waiver %q, want %q", f.Waiver, r.waiver)
			}
			if diff := cmp.Diff(r.notes, f.Notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatCouldNotBeReadIsUndetermined(t *testing.T) {
	o := seen(Environment, request(rejected, "web").aged(8*day))
	o.Unread = []Unread{{Resource: "arn:list", Side: Management, Code: "access-denied", Reason: "no right"}}
	plan := Decide(o, parse(t, rules), noon)
	if len(plan.Findings) != 2 {
		t.Fatalf("findings: %+v", plan.Findings)
	}
	f := plan.Findings[1]
	if f.Verdict != control.Undetermined || f.Code != "access-denied" || f.Subject != string(Management) || f.Reason != "no right" {
		t.Errorf("got %+v", f)
	}
	if len(plan.Actions) != 1 || plan.Looked != 1 {
		t.Errorf("the other side is not judged: %+v", plan)
	}
}

func TestAServiceThatIsGoneIsOneUndeterminedFinding(t *testing.T) {
	o := Observation{Scope: control.Scope{Account: management, Region: region}, Gone: &Unread{Resource: "arn:list", Side: Management, Code: "service-retired", Reason: "over"}}
	plan := Decide(o, parse(t, rules), noon)
	if len(plan.Findings) != 1 || plan.Findings[0].Verdict != control.Undetermined || plan.Findings[0].Code != "service-retired" || len(plan.Actions) != 0 || plan.Looked != 0 {
		t.Errorf("got %+v", plan)
	}
}

func TestAnEventRunDecidesOnTheOneConnectionThatIsNamed(t *testing.T) {
	o := seen(Management, request(pending, "web"), request(pending, "web").number(2), request(rejected, "web").number(3).aged(5*day))
	o.Only = request(pending, "web").ID
	plan := Decide(o, parse(t, rules), noon)
	if len(plan.Findings) != 1 || len(plan.Actions) != 1 || plan.Looked != 1 || plan.Findings[0].Resource != request(pending, "web").ARN {
		t.Errorf("got %+v", plan)
	}
	if n := plan.Findings[0].Notes; len(n) != 1 {
		t.Errorf("of the others it does not even know what was rejected: %q", n)
	}
	o.Only = "00000000-0000-4000-9000-000000000099"
	if plan := Decide(o, parse(t, rules), noon); len(plan.Findings)+len(plan.Actions)+plan.Looked != 0 {
		t.Errorf("of one that is not there: %+v", plan)
	}
}

func TestTheSameConnectionIsJudgedOnceForEachSideItIsSeenFrom(t *testing.T) {
	// One account may ask itself.
	c := request(pending, "web").from(management)
	o := seen(Management, c)
	o.Sides[Environment] = []Connection{c.to(management)}
	plan := Decide(o, parse(t, rules), noon)
	if len(plan.Findings) != 2 || plan.Findings[0].ID == plan.Findings[1].ID || plan.Findings[0].Subject != string(Environment) {
		t.Errorf("findings: %+v", plan.Findings)
	}
	if len(plan.Actions) != 1 || plan.Actions[0].Call.Operation != reject {
		t.Errorf("actions: %+v", plan.Actions)
	}
}

// What follows is about any observation, policy and time.

// drawPolicy draws a policy of a few approvals and waivers.
func drawPolicy(t *rapid.T) policy.ProtonConnections {
	approval := rapid.Custom(func(t *rapid.T) policy.Approval {
		roles := rapid.SampledFrom([][]string{nil, nil, {role("proton-*")}, {role("admin")}})
		return policy.Approval{
			Place:               "approve",
			EnvironmentAccounts: rapid.SliceOfNDistinct(rapid.SampledFrom(accounts), 1, 2, rapid.ID).Draw(t, "environment accounts"),
			ManagementAccounts:  rapid.SliceOfNDistinct(rapid.SampledFrom(accounts), 1, 2, rapid.ID).Draw(t, "management accounts"),
			Environments:        []string{rapid.SampledFrom([]string{"*", "web", "prod-*"}).Draw(t, "environments")},
			Roles:               roles.Draw(t, "roles"), CodebuildRoles: roles.Draw(t, "CodeBuild roles"),
		}
	})
	waiver := rapid.Custom(func(t *rapid.T) policy.ConnectionWaiver {
		return policy.ConnectionWaiver{Approval: approval.Draw(t, "of"), Term: policy.Term{ID: "waiver", Owner: "somebody",
			Expires: noon.Add(time.Duration(rapid.IntRange(-48, 48).Draw(t, "hours")) * time.Hour)}}
	})
	return policy.ProtonConnections{
		Approve: rapid.SliceOfN(approval, 0, 3).Draw(t, "approve"), Waivers: rapid.SliceOfN(waiver, 0, 2).Draw(t, "waivers"),
		RejectedAfter: 7 * day, PendingAfter: 30 * day, DeleteConnected: rapid.Bool().Draw(t, "connected: delete"),
	}
}

var accounts = []string{management, environment, foreign}

// drawObservation draws what the management account reads: requests of others to
// it, and its own to others.
func drawObservation(t *rapid.T) Observation {
	o := Observation{Scope: control.Scope{Account: management, Region: region}, Sides: map[Side][]Connection{}}
	n := 0
	for _, side := range []Side{Management, Environment} {
		o.Sides[side] = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Connection {
			n++
			other := rapid.SampledFrom([]string{environment, foreign}).Draw(t, "other account")
			c := Connection{
				EnvironmentAccount: other, ManagementAccount: management,
				Name:      rapid.SampledFrom([]string{"web", "prod-web", "lab"}).Draw(t, "name"),
				Status:    rapid.SampledFrom([]string{pending, pending, connected, rejected, "SUSPENDED"}).Draw(t, "status"),
				Role:      rapid.SampledFrom([]string{"", role("proton-run"), role("admin")}).Draw(t, "role"),
				Requested: noon.Add(-time.Duration(rapid.IntRange(0, 40).Draw(t, "days")) * day),
			}
			c.Modified = c.Requested.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "days since")) * day)
			if side == Environment {
				c.EnvironmentAccount, c.ManagementAccount = management, other
			}
			if rapid.IntRange(0, 9).Draw(t, "broken") == 0 {
				c.Requested = time.Time{}
			}
			return numbered(n, c)
		}), 0, 6).Draw(t, string(side))
	}
	return o
}

func drawNow(t *rapid.T) time.Time {
	return rapid.SampledFrom([]time.Time{noon, noon, noon, {}}).Draw(t, "now")
}

// approves is a second opinion on whether a policy approves a connection.
func approves(p policy.ProtonConnections, c Connection) bool {
	return slices.ContainsFunc(p.Approve, func(a policy.Approval) bool { return speaks(a, c) && a.CodebuildRoles == nil })
}

// speaks is the same of one approval, but for the role that nobody sees.
func speaks(a policy.Approval, c Connection) bool {
	matches := func(globs []string, s string) bool {
		return slices.ContainsFunc(globs, func(glob string) bool { ok, _ := path.Match(glob, s); return ok })
	}
	return slices.Contains(a.EnvironmentAccounts, c.EnvironmentAccount) && slices.Contains(a.ManagementAccounts, c.ManagementAccount) &&
		matches(a.Environments, c.Name) && (a.Roles == nil ||
		(c.Role == "" || matches(a.Roles, c.Role)) && (c.ComponentRole == "" || matches(a.Roles, c.ComponentRole)))
}

func TestNothingButAViolationEverYieldsAnAction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, p, now := drawObservation(t), drawPolicy(t), drawNow(t)
		plan := Decide(o, p, now)
		verdicts := map[string]control.Verdict{}
		for _, f := range plan.Findings {
			verdicts[f.ID] = f.Verdict
		}
		if len(verdicts) != len(o.Sides[Management])+len(o.Sides[Environment]) {
			t.Fatalf("%d findings about %+v", len(verdicts), o.Sides)
		}
		for _, a := range plan.Actions {
			c := a.Before.(Connection)
			if verdicts[a.ID] != control.Violation {
				t.Errorf("the verdict on %+v is %s, and it asks for %s", c, verdicts[a.ID], a.Call.Operation)
			}
			if c.Requested.IsZero() || c.Status != pending && c.Status != connected && c.Status != rejected {
				t.Errorf("it asks for %s of %+v", a.Call.Operation, c)
			}
			covered := slices.ContainsFunc(p.Waivers, func(w policy.ConnectionWaiver) bool {
				return speaks(w.Approval, c) && (now.IsZero() || now.Before(w.Expires))
			})
			switch Side(a.Subject) {
			case Management:
				if c.Status != pending || approves(p, c) || covered {
					t.Errorf("it rejects %+v", c)
				}
			case Environment:
				stale := c.Status == pending && noon.Sub(c.Requested) > p.PendingAfter || c.Status == rejected && noon.Sub(c.Requested) > p.RejectedAfter
				if approves(p, c) && !stale || c.Status == connected && (!p.DeleteConnected || covered) {
					t.Errorf("it deletes %+v", c)
				}
			}
		}
	})
}

func TestTheOrderOfReadingDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, p, now := drawObservation(t), drawPolicy(t), drawNow(t)
		want := Decide(o, p, now)
		for _, side := range []Side{Management, Environment} {
			o.Sides[side] = rapid.Permutation(o.Sides[side]).Draw(t, "permutation")
		}
		if diff := cmp.Diff(want, Decide(o, p, now)); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
	})
}

func TestAPlanThatWasCarriedOutLeavesNothingToDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, p, now := drawObservation(t), drawPolicy(t), drawNow(t)
		for _, a := range Decide(o, p, now).Actions {
			side := Side(a.Subject)
			i := slices.IndexFunc(o.Sides[side], func(c Connection) bool { return c.ARN == a.Resource })
			if a.Call.Operation == reject {
				o.Sides[side][i].Status = rejected
			} else {
				o.Sides[side] = slices.Delete(o.Sides[side], i, i+1)
			}
		}
		if again := Decide(o, p, now).Actions; len(again) != 0 {
			t.Errorf("it asks for more: %+v", again)
		}
	})
}
