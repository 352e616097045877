package packageorigin

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// LookAt reads what a sweep would of one package, and in the domains of which no
// guard speaks the group that it resolves to, too; and says of which of those that
// could not be read.
func LookAt(ctx context.Context, s *awsio.Session, scope control.Scope, p *policy.Policy, pkg policy.Package) (seen Observation, elsewhere []Resolved, unread []string) {
	about := only(*p.PackageOrigins, pkg)
	o := &observer{api: codeartifact.NewFromConfig(s.Reads), scope: scope, out: Observation{Scope: scope}}
	domains := o.domains(ctx)
	o.resolve(ctx, domains, about)

	var unguarded []target
	for _, domain := range domains {
		if !slices.ContainsFunc(about.Guards, func(g policy.Guard) bool { return g.Covers(scope.Account, domain) }) {
			unguarded = append(unguarded, target{domain, pkg})
		}
	}
	answers := each(ctx, unguarded, o.associate)
	for _, t := range unguarded {
		a := answers[t]
		if a.err == nil {
			elsewhere = append(elsewhere, a.value)
			continue
		}
		_, reason := awsio.Failure(ctx, fmt.Sprintf("which group %s resolves to in domain %s, of which no guard speaks, could not be read", pkg.URL, t.domain), a.err)
		unread = append(unread, reason)
	}
	return o.out, elsewhere, unread
}

// only returns the guards about one package, however they write it.
func only(p policy.PackageOrigins, pkg policy.Package) policy.PackageOrigins {
	return policy.PackageOrigins{Guards: slices.DeleteFunc(slices.Clone(p.Guards), func(g policy.Guard) bool { return !g.Package.Same(pkg) })}
}

// Explanation is what the policy makes of one package, and how.
type Explanation struct {
	Guards   []policy.Guard // those that name the package
	Others   int            // guards about other packages
	Domains  []string       // of the account; nil where they are not known
	Findings []Explained
}

// Explained is what was concluded in one domain.
type Explained struct {
	control.Explained
	Domain string    // empty where it is about none
	Read   *Resolved // what guards the package there; nil where it is not known

	// Settings are what all guards that speak of the package there ask for, beside
	// what is in effect. Where guards write it in several ways, only the first of the
	// findings of a domain has them.
	Settings []Setting
}

// Setting is one restriction of a package in one domain.
type Setting struct {
	Restriction  string   `json:"restriction"`
	Effective    string   `json:"effective"`
	From         string   `json:"from"`         // pattern of the group whose setting it is
	Inherited    bool     `json:"inherited"`    // that group is not the one that the package resolves to
	Repositories []string `json:"repositories"` // those that it is open to; null where they were not asked for
	Required     []string `json:"required"`     // what each guard asks for, in words
	Holds        bool     `json:"holds"`
}

// Explain says what the policy makes of a package in each domain, and how.
func (o Observation) Explain(p *policy.Policy, pkg policy.Package) (control.Plan, Explanation) {
	about := only(*p.PackageOrigins, pkg)
	o = o.under(about)
	plan := Decide(o, about)
	e := Explanation{Guards: about.Guards, Others: len(p.PackageOrigins.Guards) - len(about.Guards), Domains: o.Domains}
	for _, f := range plan.Findings {
		one := Explained{Explained: control.Explained{Finding: f}}
		for _, r := range o.Packages {
			if f.Resource != domainARN(o.Scope, r.Domain) || f.Subject != r.Package.URL {
				continue
			}
			speaking := guards(about, o.Scope.Account, r.Domain, r.Package)
			trace := &control.Trace{}
			judge(o.Scope, r, speaking, trace)
			for _, g := range about.Guards {
				if why := g.Why(o.Scope.Account, r.Domain); why != "" {
					trace.Add(g.Place, control.NotMatched, "", func() string { return why })
				} else if g.Package != r.Package {
					trace.Add(g.Place, control.NotMatched, "", func() string { return "it writes the package as " + g.Package.URL + ", and is judged under that name" })
				}
			}
			slices.SortStableFunc(trace.Trials, func(a, b control.Trial) int { return placeOf(about, a.Rule) - placeOf(about, b.Rule) })
			one.Domain, one.Read, one.Trials = r.Domain, &r, trace.Trials
			one.Settings = r.Settings(speaking)
			for i, before := range e.Findings {
				if before.Domain == r.Domain && before.Settings != nil {
					e.Findings[i].Settings, one.Settings = merged(before.Settings, one.Settings), nil
				}
			}
		}
		e.Findings = append(e.Findings, one)
	}
	return plan, e
}

// merged returns the settings of one package in one domain as guards ask for it that
// write it in two ways.
func merged(a, b []Setting) []Setting {
	a = slices.Clone(a)
	for i := range a {
		a[i].Required = append(slices.Clone(a[i].Required), b[i].Required...)
		a[i].Holds = a[i].Holds && b[i].Holds
		if a[i].Repositories == nil {
			a[i].Repositories = b[i].Repositories
		}
	}
	return a
}

// placeOf is where a guard stands among the others.
func placeOf(p policy.PackageOrigins, rule string) int {
	return slices.IndexFunc(p.Guards, func(g policy.Guard) bool { return g.Place == rule })
}

// Settings says of each restriction what is in effect, and what guards ask for.
func (r Resolved) Settings(guards []policy.Guard) []Setting {
	var list []Setting
	for _, kind := range []string{"PUBLISH", "EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM"} {
		is := r.Restrictions[kind]
		s := Setting{Restriction: kind, Effective: is.Mode, From: is.From, Inherited: is.From != r.Group, Repositories: is.Repositories, Required: []string{}, Holds: true}
		for _, g := range guards {
			for _, want := range g.Require {
				if want.Restriction == kind {
					s.Required = append(s.Required, fmt.Sprintf("%s (%s)", required(want.Only), g.Place))
					s.Holds = s.Holds && (r.Weak || is.holds(want.Only))
				}
			}
		}
		list = append(list, s)
	}
	return list
}
