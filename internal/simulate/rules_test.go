package simulate

import (
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"
)

// rules is a deployment: a policy, and how far its controls may go. What it means is
// said in oracle_test.go, and not by package policy.
type rules struct {
	modes   map[string]string // by control
	writers map[string]bool   // members that let the controls write

	count, share int // share in percent
	areas        []area

	allow   []allowance
	waivers []waiver

	minAge, grace        time.Duration
	keep                 []string
	children, lookalikes bool // prune, and ignore
	guards               []guard

	approve                     []approval
	rejectedAfter, pendingAfter time.Duration
	deleteConnected             bool
}

const keepTag = "team:owned"

type area struct{ domains, accounts []string }

type allowance struct{ repositories, connections, accounts []string }

type waiver struct {
	allowance
	until time.Time
}

type guard struct {
	url    string
	of     pkg
	domain string
	group  string
}

type approval struct {
	from, to, names, roles []string
	until                  time.Time // of a waiver
}

func some[T any](r *rand.Rand, from []T) []T {
	return slices.Clone(from[:1+r.IntN(len(from))])
}

// newRules draws a deployment. Most of it lets things be done, because nothing can
// be learnt from what does nothing.
func newRules(r *rand.Rand) *rules {
	one := func(n int) bool { return r.IntN(n) == 0 }
	p := &rules{
		modes: map[string]string{}, writers: map[string]bool{web: !one(6), lab: !one(3)},
		count: pick([]int{1, 2, 10, 10, 10, 10}, r.IntN(6)), share: pick([]int{20, 50, 100, 100, 100}, r.IntN(5)),
		minAge: time.Hour * time.Duration(1+r.IntN(30)), grace: time.Hour * time.Duration(1+r.IntN(48)),
		children: one(3), lookalikes: one(3),
		rejectedAfter: time.Hour * time.Duration(1+r.IntN(48)), pendingAfter: time.Hour * time.Duration(1+r.IntN(96)),
		deleteConnected: one(2),
	}
	for _, control := range controls {
		p.modes[control] = "enforce"
		if control == origins || one(8) {
			p.modes[control] = "monitor"
		}
	}
	if one(3) {
		p.areas = []area{pick([]area{{domains: []string{"corp"}}, {accounts: []string{hub, web}}, {domains: []string{"*"}, accounts: []string{web}}, {domains: []string{"w*", "c*"}}}, r.IntN(4))}
	}
	for range r.IntN(3) {
		p.allow = append(p.allow, randomAllowance(r))
	}
	for range r.IntN(3) {
		p.waivers = append(p.waivers, waiver{randomAllowance(r), start().Add(time.Duration(r.IntN(200)) * time.Hour)})
	}
	if one(4) {
		p.keep = []string{pick([]string{"/npm/acme/*", "/npm/acme**", "/maven/*"}, r.IntN(3))}
	}
	for _, i := range r.Perm(3)[:r.IntN(3)] {
		p.guards = append(p.guards, []guard{
			{"pkg:npm/%40acme/ui", pkg{"npm", "acme", "ui"}, "*", ""},
			{"pkg:npm/lodash", pkg{"npm", "", "lodash"}, "corp", ""},
			{"pkg:maven/com.acme/core", pkg{"maven", "com.acme", "core"}, "w*", "/maven/com.acme/*"},
		}[i])
	}
	for range r.IntN(3) {
		p.approve = append(p.approve, randomApproval(r))
	}
	if one(3) {
		a := randomApproval(r)
		a.until = start().Add(time.Duration(r.IntN(200)) * time.Hour)
		p.approve = append(p.approve, a)
	}
	return p
}

// changed is the next deployment: with other modes, another policy, or both.
func (p *rules) changed(r *rand.Rand) *rules {
	next, other := *p, newRules(r)
	which := 1 + r.IntN(3)
	if which&1 != 0 {
		next = *other
		next.modes, next.writers = p.modes, p.writers
	}
	if which&2 != 0 {
		next.modes, next.writers = other.modes, other.writers
		for _, control := range controls { // from enforce to monitor, and back again
			if p.modes[control] == "enforce" && r.IntN(2) == 0 {
				next.modes[control] = "monitor"
			}
		}
	}
	return &next
}

func randomAllowance(r *rand.Rand) allowance {
	a := allowance{
		repositories: []string{pick([]string{"corp/store", "*/gate", "web/*", "lab/s*"}, r.IntN(4))},
		connections:  some(r, registries),
	}
	if r.IntN(3) == 0 {
		a.accounts = []string{pick(everybody, r.IntN(3))}
	}
	return a
}

func randomApproval(r *rand.Rand) approval {
	a := approval{from: some(r, everybody), to: []string{pick(everybody, r.IntN(3))}, names: []string{pick([]string{"dev", "prod", "*"}, r.IntN(3))}}
	if r.IntN(2) == 0 {
		for _, from := range a.from {
			a.roles = append(a.roles, "arn:aws:iam::"+from+":role/proton*")
		}
	}
	return a
}

func (p *rules) mode(control string) string { return p.modes[control] }

// yaml is the policy as its file says it.
func (p *rules) yaml() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	list := func(names []string) string {
		quoted := make([]string, len(names))
		for i, n := range names {
			quoted[i] = fmt.Sprintf("%q", n)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	line("version: 1\nlimits: {count: %d, share: %d%%}", p.count, p.share)
	if p.areas != nil {
		line("enforce_on:")
		for _, a := range p.areas {
			var keys []string
			if a.domains != nil {
				keys = append(keys, "domains: "+list(a.domains))
			}
			if a.accounts != nil {
				keys = append(keys, "accounts: "+list(a.accounts))
			}
			line("  - {%s}", strings.Join(keys, ", "))
		}
	}
	rule := func(a allowance) {
		line("    - repositories: %s\n      connections: %s\n      reason: because", list(a.repositories), list(a.connections))
		if a.accounts != nil {
			line("      accounts: %s", list(a.accounts))
		}
	}
	line("external_connections:\n  allow:%s", empty(len(p.allow)))
	for _, a := range p.allow {
		rule(a)
	}
	if p.waivers != nil {
		line("  waivers:")
	}
	for _, w := range p.waivers {
		rule(w.allowance)
		line("      owner: somebody\n      expires: %s", w.until.Format(time.RFC3339))
	}
	line("package_groups:\n  min_age: %dh\n  grace: %dh\n  keep_tag: %q", p.minAge/time.Hour, p.grace/time.Hour, keepTag)
	if p.children {
		line("  children: prune")
	}
	if p.lookalikes {
		line("  lookalikes: ignore")
	}
	if p.keep != nil {
		line("  keep: [{groups: %s}]", list(p.keep))
	}
	line("package_origins:\n  guard:%s", empty(len(p.guards)))
	for _, g := range p.guards {
		line("    - package: %q\n      domains: [%q]\n      external_upstream: block", g.url, g.domain)
		if g.group != "" {
			line("      group: %q", g.group)
		}
	}
	var approvals, waived []approval
	for _, a := range p.approve {
		if a.until.IsZero() {
			approvals = append(approvals, a)
		} else {
			waived = append(waived, a)
		}
	}
	write := func(a approval) {
		line("    - environment_accounts: %s\n      management_accounts: %s\n      environments: %s\n      reason: because", list(a.from), list(a.to), list(a.names))
		if a.roles != nil {
			line("      roles: %s", list(a.roles))
		}
		if !a.until.IsZero() {
			line("      owner: somebody\n      expires: %s", a.until.Format(time.RFC3339))
		}
	}
	line("proton_connections:\n  rejected_after: %dh\n  pending_after: %dh\n  approve:%s", p.rejectedAfter/time.Hour, p.pendingAfter/time.Hour, empty(len(approvals)))
	for _, a := range approvals {
		write(a)
	}
	if waived != nil {
		line("  waivers:")
	}
	for _, a := range waived {
		write(a)
	}
	if p.deleteConnected {
		line("  connected: delete")
	}
	return b.String()
}

func empty(n int) string {
	if n == 0 {
		return " []"
	}
	return ""
}

// fits says whether one of the globs matches. They are those of the shell.
func fits(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool {
		ok, err := path.Match(g, name)
		return ok && err == nil
	})
}
