package policy

import (
	"fmt"
	"slices"
	"strings"
)

// A rule is shadowed where everything that it matches is settled by another one, which comes before it. It changes no
// verdict, so whoever wrote it most likely meant something else. What is found here is certain; not everything that is
// shadowed is found, such as a rule that two others cover only together.

func (r *reader) shadowedRules(e ExternalConnections) {
	for i, rule := range e.Allow {
		for _, other := range e.Allow[:i] {
			if other.covers(rule) {
				r.shadow(rule.Place, rule.Line, rule.Column, other.Place, other.Line)
				break
			}
		}
	}
	for i, w := range e.Waivers {
		if a := slices.IndexFunc(e.Allow, func(rule Rule) bool { return rule.covers(w.Rule) }); a >= 0 {
			r.needless(w.Place, w.Line, w.Column, e.Allow[a].Place, e.Allow[a].Line)
			continue
		}
		for _, other := range e.Waivers[:i] {
			if other.covers(w.Rule) && !other.Expires.Before(w.Expires) {
				r.shadow(w.Place, w.Line, w.Column, other.Place, other.Line)
				break
			}
		}
	}
}

func (r *reader) shadowedKeeps(g PackageGroups) {
	for i, k := range g.Keep {
		for _, other := range g.Keep[:i] {
			if other.covers(k) {
				r.shadow(k.Place, k.Line, k.Column, other.Place, other.Line)
				break
			}
		}
	}
}

func (r *reader) shadowedApprovals(p ProtonConnections) {
	for i, a := range p.Approve {
		for _, other := range p.Approve[:i] {
			if other.covers(a) {
				r.shadow(a.Place, a.Line, a.Column, other.Place, other.Line)
				break
			}
		}
	}
	for i, w := range p.Waivers {
		if a := slices.IndexFunc(p.Approve, func(a Approval) bool { return a.covers(w.Approval) }); a >= 0 {
			r.needless(w.Place, w.Line, w.Column, p.Approve[a].Place, p.Approve[a].Line)
			continue
		}
		for _, other := range p.Waivers[:i] {
			if other.covers(w.Approval) && !other.Expires.Before(w.Expires) {
				r.shadow(w.Place, w.Line, w.Column, other.Place, other.Line)
				break
			}
		}
	}
}

func (r *reader) shadow(place string, line, column int, by string, byLine int) {
	r.warnings = append(r.warnings, Problem{r.file, line, column,
		fmt.Sprintf("%s is shadowed: %s on line %d covers all of it", place, by, byLine), "remove it, or narrow the other one"})
}

func (r *reader) needless(place string, line, column int, by string, byLine int) {
	r.warnings = append(r.warnings, Problem{r.file, line, column,
		fmt.Sprintf("%s is not needed: %s on line %d permits all of it for good", place, by, byLine), "remove it, or narrow the other one"})
}

func (r Rule) covers(other Rule) bool {
	return coverAll(r.Repositories, other.Repositories) && coverAll(r.Connections, other.Connections) && coverAccounts(r.Accounts, other.Accounts)
}

func (k KeepRule) covers(other KeepRule) bool {
	if len(k.Domains) > 0 && (len(other.Domains) == 0 || !coverAll(k.Domains, other.Domains)) {
		return false
	}
	return len(other.Groups) > 0 && every(other.Groups, func(group string) bool {
		return slices.ContainsFunc(k.Groups, func(g string) bool {
			prefix, open := strings.CutSuffix(g, "**")
			return g == group || open && strings.HasPrefix(group, prefix)
		})
	})
}

// covers leaves approvals alone that constrain the role for CodeBuild: what such a role is cannot be seen.
func (a Approval) covers(other Approval) bool {
	return subset(other.EnvironmentAccounts, a.EnvironmentAccounts) && subset(other.ManagementAccounts, a.ManagementAccounts) &&
		coverAll(a.Environments, other.Environments) && len(a.CodebuildRoles) == 0 &&
		(len(a.Roles) == 0 || coverAll(a.Roles, other.Roles))
}

func coverAccounts(of, other []string) bool { return len(of) == 0 || subset(other, of) }

// subset tells whether all of some, of which there must be any, are among all.
func subset(some, all []string) bool {
	return len(some) > 0 && every(some, func(s string) bool { return slices.Contains(all, s) })
}

// coverAll tells whether each of the others, of which there must be any, is covered by one of the globs.
func coverAll(globs, others []string) bool {
	return len(others) > 0 && every(others, func(other string) bool {
		return slices.ContainsFunc(globs, func(glob string) bool { return coverGlob(glob, other) })
	})
}

func every(list []string, is func(string) bool) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !is(s) })
}

// coverGlob tells whether a glob surely matches everything that the other matches, slash by slash.
func coverGlob(glob, other string) bool {
	a, b := strings.Split(glob, "/"), strings.Split(other, "/")
	if glob == other || len(a) != len(b) {
		return glob == other
	}
	for i := range a {
		if !coverSymbols(symbols(a[i]), symbols(b[i])) {
			return false
		}
	}
	return true
}

// coverSymbols matches one glob against another as if that were a name: * takes in anything but a class, of which
// nobody knows here what it matches; ? takes in itself and a letter; all else takes in itself.
func coverSymbols(a, b []string) bool {
	star, retry := -1, 0 // the last * that was met, and where in b to go on if what follows it does not fit
	i, j := 0, 0
	for j < len(b) {
		switch {
		case i < len(a) && a[i] == "*":
			star, retry = i, j
			i++
		case i < len(a) && (a[i] == b[j] || a[i] == "?" && len(b[j]) == 1 && b[j] != "*"):
			i, j = i+1, j+1
		case star >= 0 && len(b[retry]) == 1:
			retry++
			i, j = star+1, retry
		default:
			return false
		}
	}
	for i < len(a) && a[i] == "*" {
		i++
	}
	return i == len(a)
}

// symbols takes a glob apart: letters, *, ? and classes such as [a-z]. A letter after a backslash keeps it where the
// letter alone would mean something else. The characters of names have one byte each.
func symbols(glob string) []string {
	var list []string
	for i := 0; i < len(glob); i++ {
		end := i + 1
		switch glob[i] {
		case '\\':
			if end < len(glob) {
				end++
			}
			if end-i == 2 && !strings.ContainsRune(`*?[]\^-`, rune(glob[i+1])) {
				i++
			}
		case '[':
			for end < len(glob) && glob[end] != ']' {
				if glob[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(glob))
		}
		list = append(list, glob[i:end])
		i = end - 1
	}
	return list
}
