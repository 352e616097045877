package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ProtonConnections says which environment account connections of AWS Proton are approved. What no approval matches
// and no waiver in force covers is not approved.
type ProtonConnections struct {
	Approve []Approval
	Waivers []ConnectionWaiver

	RejectedAfter time.Duration // how long a rejected connection may lie in the environment account
	PendingAfter  time.Duration // how long a request may wait there

	DeleteConnected bool // a connected one that nobody approved is deleted too, not only reported
}

// Approval matches environment account connections.
type Approval struct {
	Place        string // where it stands, such as "proton_connections.approve[0]"
	Line, Column int    // of the file, from 1
	Reason       string

	EnvironmentAccounts []string // ids of the accounts that asked
	ManagementAccounts  []string // ids of the accounts that they asked; not those of AWS Organizations
	Environments        []string // globs on the environment's name

	// Roles are globs on the ARNs of the role and the component role. Every role that a connection has must match
	// one; none here means any role.
	Roles []string

	// CodebuildRoles are the same for the CodeBuild role. Lists do not show that role, so where there are any, whether
	// the connection is approved cannot be told.
	CodebuildRoles []string
}

// Names tells whether the approval speaks of a connection between these accounts for this environment. Whether it
// approves the roles as well is another question.
func (a Approval) Names(environmentAccount, managementAccount, environment string) bool {
	return fits(a.misfits(environmentAccount, managementAccount, environment))
}

// CoversRoles tells whether every role that is there, of the given ones, is approved.
func (a Approval) CoversRoles(roles ...string) bool {
	return fits(a.roleMisfits(roles))
}

// NamesManagement tells whether any approval speaks of this management account.
func (p ProtonConnections) NamesManagement(account string) bool {
	return slices.ContainsFunc(p.Approve, func(a Approval) bool { return fits(a.managementMisfits(account)) })
}

// ConnectionWaiver permits for a time what no approval covers.
type ConnectionWaiver struct {
	Approval
	Term
}

func (r *reader) protonConnections(v value) *ProtonConnections {
	p := &ProtonConnections{}
	r.mapping(v,
		field{"approve", "a list of approvals, or approve: [] to approve nothing", required, func(v value) {
			r.list(v, func(v value) {
				a := Approval{Place: v.place, Line: v.node.Line, Column: v.node.Column}
				r.mapping(v, r.approvalFields(&a, optional)...)
				p.Approve = append(p.Approve, a)
			})
		}},
		field{"waivers", "a list of waivers, or remove the key", optional, func(v value) {
			ids := map[string]int{}
			r.list(v, func(v value) {
				w := ConnectionWaiver{Approval: Approval{Place: v.place, Line: v.node.Line, Column: v.node.Column}, Term: Term{ID: v.place}}
				r.mapping(v, append(r.approvalFields(&w.Approval, required), r.termFields(&w.Term, ids)...)...)
				p.Waivers = append(p.Waivers, w)
			})
		}},
		field{"rejected_after", "rejected_after: 7d (days, or hours as in 36h; at least 1h)", required, func(v value) { p.RejectedAfter = r.duration(v) }},
		field{"pending_after", "pending_after: 30d (days, or hours as in 36h; at least 1h)", required, func(v value) { p.PendingAfter = r.duration(v) }},
		field{"connected", "connected: report, or connected: delete", optional, func(v value) { p.DeleteConnected = r.choice(v, "report", "delete") }},
	)
	r.shadowedApprovals(*p)
	return p
}

func (r *reader) approvalFields(a *Approval, reason bool) []field {
	return []field{
		{"environment_accounts", `environment_accounts: ["222222222222"] (in quotes)`, required, func(v value) { a.EnvironmentAccounts = r.names(v, r.account) }},
		{"management_accounts", `management_accounts: ["111111111111"] (in quotes)`, required, func(v value) { a.ManagementAccounts = r.names(v, r.account) }},
		{"environments", `environments: ["prod-*"]`, required, func(v value) { a.Environments = r.names(v, r.domain) }},
		{"roles", `roles: ["arn:aws:iam::222222222222:role/proton-*"]`, optional, func(v value) { a.Roles = r.names(v, r.roleARN) }},
		{"codebuild_roles", `codebuild_roles: ["arn:aws:iam::222222222222:role/proton-*"]`, optional, func(v value) { a.CodebuildRoles = r.names(v, r.roleARN) }},
		{"reason", `reason: "Why this is needed."`, reason, func(v value) { a.Reason = r.text(v) }},
	}
}

// roleARN refuses what is not a glob on the ARN of a role. The * of a glob does not cross a slash, so the path of a
// role is written out.
func (r *reader) roleARN(v value, pattern string) {
	rest, ok := strings.CutPrefix(pattern, "arn:aws:iam::")
	account, role, _ := strings.Cut(rest, ":role/")
	if !ok || role == "" || !isAccount(account) {
		r.refuse(v.node, fmt.Sprintf("%.80q is not the ARN of a role", pattern), "write it with the account, like "+v.example)
		return
	}
	for _, part := range strings.Split(role, "/") {
		if !r.glob(v, strings.NewReplacer("+", "", "=", "", ",", "", "@", "").Replace(part)) { // a role's name may have these
			return
		}
	}
}
