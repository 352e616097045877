package policy

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Whether a rule matches, and why it does not, is one question with one answer: the fields of the rule that do not fit
// the resource. A rule without such a field matches. The fields are found one by one, so that who only wants to know
// whether there is any waits for no other.

// misfit is a field of a rule that does not fit a resource.
type misfit struct {
	field string   // its key in the policy
	has   []string // what the rule has there
	is    string   // what the resource has there; may be empty
}

// String says it in words, such as: repositories: corp/web is not among corp/npm-store, corp/*-gateway
func (m misfit) String() string {
	if m.is == "" {
		return m.field + ": there is none, so nothing fits"
	}
	const most = 10 // so that a sentence stays one
	has := strings.Join(m.has[:min(most, len(m.has))], ", ")
	if more := len(m.has) - most; more > 0 {
		has += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%s: %s is not among %s", m.field, m.is, has)
}

// fits tells whether there is no misfit.
func fits(misfits iter.Seq[misfit]) bool {
	for range misfits {
		return false
	}
	return true
}

// sentence says all misfits; "" where there is none.
func sentence(misfits ...iter.Seq[misfit]) string {
	var all []string
	for _, some := range misfits {
		for m := range some {
			all = append(all, m.String())
		}
	}
	return strings.Join(all, "; ")
}

// Why says why the rule does not speak of this connection of this repository; "" if it does, see [Rule.Matches].
func (r Rule) Why(account, domain, repository, connection string) string {
	return sentence(r.misfits(account, domain, repository, connection))
}

func (r Rule) misfits(account, domain, repository, connection string) iter.Seq[misfit] {
	return func(yield func(misfit) bool) {
		name := ""
		if domain != "" && repository != "" {
			name = domain + "/" + repository
		}
		if (name == "" || !matchAny(r.Repositories, name)) && !yield(misfit{"repositories", r.Repositories, name}) {
			return
		}
		if (connection == "" || !matchAny(r.Connections, connection)) && !yield(misfit{"connections", r.Connections, connection}) {
			return
		}
		if len(r.Accounts) > 0 && !slices.Contains(r.Accounts, account) {
			yield(misfit{"accounts", r.Accounts, account})
		}
	}
}

// Why says why the rule does not keep this group; "" if it does, see [KeepRule.Matches].
func (k KeepRule) Why(domain, pattern string) string { return sentence(k.misfits(domain, pattern)) }

func (k KeepRule) misfits(domain, pattern string) iter.Seq[misfit] {
	return func(yield func(misfit) bool) {
		if len(k.Domains) > 0 && !matchAny(k.Domains, domain) && !yield(misfit{"domains", k.Domains, domain}) {
			return
		}
		among := slices.ContainsFunc(k.Groups, func(g string) bool {
			if prefix, ok := strings.CutSuffix(g, "**"); ok {
				return strings.HasPrefix(pattern, prefix)
			}
			return pattern == g
		})
		if !among {
			yield(misfit{"groups", k.Groups, pattern})
		}
	}
}

// Why says why the guard does not speak of that domain of that owning account; "" if it does, see [Guard.Covers].
func (g Guard) Why(account, domain string) string { return sentence(g.misfits(account, domain)) }

func (g Guard) misfits(account, domain string) iter.Seq[misfit] {
	return func(yield func(misfit) bool) {
		if (domain == "" || !matchAny(g.Domains, domain)) && !yield(misfit{"domains", g.Domains, domain}) {
			return
		}
		if !g.Concerns(account) {
			yield(misfit{"accounts", g.Accounts, account})
		}
	}
}

// Why says why the approval does not speak of a connection between these accounts for this environment, or not of all
// of its roles; "" if it does, see [Approval.Names] and [Approval.CoversRoles].
func (a Approval) Why(environmentAccount, managementAccount, environment string, roles ...string) string {
	return sentence(a.misfits(environmentAccount, managementAccount, environment), a.roleMisfits(roles))
}

func (a Approval) misfits(environmentAccount, managementAccount, environment string) iter.Seq[misfit] {
	return func(yield func(misfit) bool) {
		if !slices.Contains(a.EnvironmentAccounts, environmentAccount) && !yield(misfit{"environment_accounts", a.EnvironmentAccounts, environmentAccount}) {
			return
		}
		for m := range a.managementMisfits(managementAccount) {
			if !yield(m) {
				return
			}
		}
		if environment == "" || !matchAny(a.Environments, environment) {
			yield(misfit{"environments", a.Environments, environment})
		}
	}
}

// WhyManagement says why the approval does not name this management account; "" if it does.
func (a Approval) WhyManagement(account string) string { return sentence(a.managementMisfits(account)) }

func (a Approval) managementMisfits(account string) iter.Seq[misfit] {
	return func(yield func(misfit) bool) {
		if !slices.Contains(a.ManagementAccounts, account) {
			yield(misfit{"management_accounts", a.ManagementAccounts, account})
		}
	}
}

func (a Approval) roleMisfits(roles []string) iter.Seq[misfit] {
	return func(yield func(misfit) bool) {
		for _, role := range roles {
			if len(a.Roles) > 0 && role != "" && !matchAny(a.Roles, role) && !yield(misfit{"roles", a.Roles, role}) {
				return
			}
		}
	}
}
