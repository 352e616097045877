package packageorigin

import (
	"fmt"
	"slices"
	"strings"

	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// Control is the name of this control in findings, metrics and the policy.
const Control = "package-origins"

// The modes that a restriction can have in effect, as CodeArtifact names them:
// https://docs.aws.amazon.com/codeartifact/latest/ug/package-group-origin-controls.html
const (
	block         = "BLOCK"
	allowSpecific = "ALLOW_SPECIFIC_REPOSITORIES"
	allow         = "ALLOW"
)

// details is what findings about a package that was read say beyond the common
// fields.
type details struct {
	Domain       string                 `json:"domain"`
	Owner        string                 `json:"owner"`  // account that owns the domain
	Format       string                 `json:"format"` // this and the next two are CodeArtifact's name for the package
	Namespace    string                 `json:"namespace"`
	Package      string                 `json:"package"`
	Group        string                 `json:"group"`       // pattern of the group that the package resolves to
	Association  string                 `json:"association"` // "STRONG" or "WEAK"
	Restrictions map[string]Restriction `json:"restrictions"`
}

// Decide concludes what the policy says about everything that was observed.
//
//	what was read           | the guard asks for | what is in effect               | verdict      | code
//	------------------------+--------------------+---------------------------------+--------------+------------------
//	could not be read       |                    |                                 | undetermined | the error's class
//	no domain that it names |                    |                                 | undetermined | no-domain
//	the package's group     | a restriction      | BLOCK                           | compliant    | guarded
//	                        | a restriction      | anything, the match is weak     | compliant    | guarded
//	                        | block              | a list with no repository       | compliant    | guarded
//	                        | block              | a list with any repository      | violation    | looser
//	                        | only some          | a list with no others           | compliant    | guarded
//	                        | only some          | a list with another one         | violation    | looser
//	                        | block or only some | ALLOW                           | violation    | looser
//	                        | a group            | that group                      | compliant    | guarded
//	                        | a group            | another group                   | violation    | other-group
//
// A package has one finding in each domain. It is a violation if anything that
// any guard asks for does not hold, the reason says all of it, and looser goes
// before other-group. The plan is sorted by resource and subject. It has no
// actions.
func Decide(o Observation, p policy.PackageOrigins) control.Plan {
	plan := control.Plan{Looked: len(o.Packages)}
	for _, u := range o.Unread {
		f := finding(o.Scope, u.Resource, u.Subject)
		f.Verdict, f.Code, f.Reason = control.Undetermined, string(u.Class), u.Reason
		plan.Findings = append(plan.Findings, f)
	}
	plan.Findings = append(plan.Findings, nowhere(o, p)...)
	for _, r := range o.Packages {
		plan.Findings = append(plan.Findings, judge(o.Scope, r, guards(p, o.Scope.Account, r.Domain, r.Package), nil))
	}
	slices.SortStableFunc(plan.Findings, func(a, b control.Finding) int {
		if c := strings.Compare(a.Resource, b.Resource); c != 0 {
			return c
		}
		return strings.Compare(a.Subject, b.Subject)
	})
	return plan
}

// guards returns the guards that speak of a package in a domain.
func guards(p policy.PackageOrigins, account, domain string, pkg policy.Package) []policy.Guard {
	return slices.DeleteFunc(slices.Clone(p.Guards), func(g policy.Guard) bool {
		return g.Package != pkg || !g.Covers(account, domain)
	})
}

// nowhere finds the packages with a guard that speaks of no domain there is. A
// guard that is never looked at must not look like one that holds.
func nowhere(o Observation, p policy.PackageOrigins) []control.Finding {
	if o.Domains == nil {
		return nil // not known, or not asked
	}
	var found []control.Finding
	for _, g := range p.Guards {
		covered := slices.ContainsFunc(o.Domains, func(d string) bool { return g.Covers(o.Scope.Account, d) })
		if covered || !g.Concerns(o.Scope.Account) {
			continue
		}
		reason := fmt.Sprintf("%s guards %s in %s, and account %s owns no such domain in %s",
			g.Place, g.Package.URL, strings.Join(g.Domains, ", "), o.Scope.Account, o.Scope.Region)
		f := finding(o.Scope, accountARN(o.Scope), g.Package.URL)
		if i := slices.IndexFunc(found, func(other control.Finding) bool { return other.ID == f.ID }); i >= 0 {
			found[i].Reason += "; " + reason
			continue
		}
		f.Verdict, f.Code, f.Reason = control.Undetermined, "no-domain", reason
		found = append(found, f)
	}
	return found
}

// judge concludes about one package in one domain. The trace, which may be nil,
// takes down how.
func judge(scope control.Scope, r Resolved, guards []policy.Guard, trace *control.Trace) control.Finding {
	f := finding(scope, domainARN(scope, r.Domain), r.Package.URL)
	f.Details = details{
		Domain: r.Domain, Owner: scope.Account,
		Format: r.Package.Format, Namespace: r.Package.Namespace, Package: r.Package.Name,
		Group: r.Group, Association: r.association(), Restrictions: r.Restrictions,
	}
	f.Verdict, f.Code = control.Compliant, "guarded"
	f.Reason = fmt.Sprintf("%s in domain %s resolves to %s", r.Package.URL, r.Domain, r.Group)
	for _, g := range guards {
		looser, elsewhere := r.missing(g)
		switch {
		case len(looser) > 0:
			f.Verdict, f.Code = control.Violation, "looser"
		case len(elsewhere) > 0 && f.Code != "looser":
			f.Verdict, f.Code = control.Violation, "other-group"
		}
		missing := append(elsewhere, looser...)
		if len(missing) == 0 {
			trace.Add(g.Place, control.Holds, "", func() string { return g.Reason })
		} else {
			trace.Add(g.Place, control.Fails, control.Violation, func() string { return strings.Join(missing, "; ") })
			f.Reason += fmt.Sprintf("; %s asks for more: %s", g.Place, strings.Join(missing, "; "))
		}
	}
	if r.Weak {
		f.Notes = append(f.Notes, fmt.Sprintf("%s matches %s only as a look-alike, so CodeArtifact blocks it whatever the group says; most likely the policy spells it in another way than the package that is meant",
			r.Package.URL, r.Group))
	}
	if f.Verdict == control.Violation {
		f.Notes = append(f.Notes, "only package groups are looked at; what is set on the package itself may be stricter")
	}
	return f
}

// missing says what a guard asks for and the package does not have: restrictions
// that are looser, and a group that is another one.
func (r Resolved) missing(g policy.Guard) (looser, elsewhere []string) {
	if g.Group != "" && g.Group != r.Group {
		s := fmt.Sprintf("it must resolve to %s", g.Group)
		if r.Group == "/*" {
			s += ", and the group that guarded it is gone or never existed"
		}
		elsewhere = append(elsewhere, s)
	}
	for _, want := range g.Require {
		if is := r.Restrictions[want.Restriction]; !r.Weak && !is.holds(want.Only) {
			looser = append(looser, fmt.Sprintf("%s must be %s, but is %s", want.Restriction, required(want.Only), is.describe(r.Group, want.Only)))
		}
	}
	return looser, elsewhere
}

// holds tells whether the restriction is open to none but the named repositories.
// What is not known to be closed is open.
func (x Restriction) holds(only []string) bool {
	switch x.Mode {
	case block:
		return true
	case allowSpecific:
		return len(x.beyond(only)) == 0
	default:
		return false
	}
}

// beyond returns the repositories that the restriction is open to and that are
// not among the named ones.
func (x Restriction) beyond(only []string) []string {
	return slices.DeleteFunc(slices.Clone(x.Repositories), func(name string) bool { return slices.Contains(only, name) })
}

func required(only []string) string {
	if len(only) == 0 {
		return block
	}
	return "open to no more than " + enumerate(only)
}

// describe says what is in effect, and which group says so.
func (x Restriction) describe(group string, only []string) string {
	is := x.Mode
	if x.Mode == allowSpecific {
		is = "open to " + enumerate(x.beyond(only))
	}
	if x.From != group {
		return fmt.Sprintf("%s, inherited from %s", is, x.From)
	}
	return fmt.Sprintf("%s, set on %s", is, group)
}

// enumerate names five, so that a sentence stays one however long the list is.
func enumerate(names []string) string {
	s := strings.Join(names[:min(5, len(names))], ", ")
	if more := len(names) - 5; more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

func finding(scope control.Scope, resource, subject string) control.Finding {
	return control.Finding{
		ID: control.FindingID(Control, resource, subject), Control: Control,
		Account: scope.Account, Region: scope.Region, Resource: resource, Subject: subject,
	}
}

// domainARN is what a finding about a package is filed under. A package that
// exists nowhere has no ARN, and the ARN of its group changes with the group.
func domainARN(scope control.Scope, domain string) string {
	return fmt.Sprintf("arn:aws:codeartifact:%s:%s:domain/%s", scope.Region, scope.Account, domain)
}

func accountARN(scope control.Scope) string { return domainARN(scope, "*") }
