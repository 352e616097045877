package packageorigin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"golang.org/x/sync/errgroup"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// Observation is what one run read.
type Observation struct {
	Scope control.Scope `json:"scope"`

	// Domains are the names of all domains that the account owns. Nil where the
	// list was not read to its end or has an entry that cannot be right, and where only some domains were looked at.
	Domains []string `json:"domains"`

	// Packages are those of which everything that a guard asks about was read.
	Packages []Resolved `json:"packages"`

	// Unread is everything that could not be read. The observation is complete
	// only if it is empty.
	Unread []Unread `json:"unread"`
}

// Resolved is a package in one domain of the account, and what guards it there.
type Resolved struct {
	Domain  string
	Package policy.Package

	Group string // pattern of the package group that it is associated with

	// Weak says that its name is only a variation of what the group's pattern
	// matches. CodeArtifact blocks such a package whatever the restrictions are:
	// https://docs.aws.amazon.com/codeartifact/latest/ug/package-group-definition-syntax-matching-behavior.html
	Weak bool

	// Restrictions are what the group's restrictions come to: by "PUBLISH",
	// "EXTERNAL_UPSTREAM" and "INTERNAL_UPSTREAM", all three of them.
	Restrictions map[string]Restriction
}

func (r Resolved) association() string {
	if r.Weak {
		return string(types.PackageGroupAssociationTypeWeak)
	}
	return string(types.PackageGroupAssociationTypeStrong)
}

// Restriction is one of the three, with what is inherited filled in.
type Restriction struct {
	Mode string `json:"mode"` // "BLOCK", "ALLOW_SPECIFIC_REPOSITORIES" or "ALLOW"
	From string `json:"from"` // pattern of the group whose setting it is

	// Repositories are those that ALLOW_SPECIFIC_REPOSITORIES allows. They are
	// read only where a guard asks about them, and nil where they were not.
	Repositories []string `json:"-"`
}

// Unread is a part of the scope that nothing is known about.
type Unread struct {
	Resource string      `json:"resource"` // ARN of the domain, or of all domains of the account
	Subject  string      `json:"subject"`  // package URL; empty for the list of domains
	Class    awsio.Class `json:"code"`
	Reason   string      `json:"reason"`
}

// observer reads the state of one account and Region.
type observer struct {
	api   Reader
	scope control.Scope
	out   Observation
}

// ObserveAll reads what guards the packages of the policy, in every domain that
// the account owns. Domains of other accounts are for those accounts to look at.
func ObserveAll(ctx context.Context, api Reader, scope control.Scope, p policy.PackageOrigins) Observation {
	o := &observer{api: api, scope: scope, out: Observation{Scope: scope}}
	o.resolve(ctx, o.domains(ctx), p)
	return o.out
}

// ObserveDomains reads the same for the named domains of the account only.
func ObserveDomains(ctx context.Context, api Reader, scope control.Scope, domains []string, p policy.PackageOrigins) Observation {
	o := &observer{api: api, scope: scope, out: Observation{Scope: scope}}
	o.resolve(ctx, domains, p)
	return o.out
}

// domains returns the names of the account's domains, as far as they are known.
func (o *observer) domains(ctx context.Context) []string {
	const what = "the domains of the account could not be listed"
	list, err := awsio.ReadAll(ctx, "listing domains", func(ctx context.Context, token *string) ([]types.DomainSummary, *string, error) {
		out, err := o.api.ListDomains(ctx, &codeartifact.ListDomainsInput{MaxResults: aws.Int32(1000), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.Domains, out.NextToken, nil
	})
	if err != nil {
		o.unread(ctx, accountARN(o.scope), "", what, err)
		return nil
	}
	names, whole := []string{}, true
	for _, d := range list.Items() {
		owner, name := aws.ToString(d.Owner), aws.ToString(d.Name)
		switch {
		case strings.EqualFold(string(d.Status), "Deleted"):
		case owner != o.scope.Account || name == "":
			whole = false
			o.unread(ctx, accountARN(o.scope), "", what, awsio.ErrMalformed(fmt.Sprintf("the list has domain %q with owner %q in it", name, owner)))
		default:
			names = append(names, name)
		}
	}
	if whole {
		o.out.Domains = names
	}
	return names
}

// target is a package in a domain.
type target struct {
	domain string
	pkg    policy.Package
}

// list is one of the lists of repositories that a package group has.
type list struct{ domain, group, restriction string }

// resolve reads what guards each package of the policy in each of the domains.
func (o *observer) resolve(ctx context.Context, domains []string, p policy.PackageOrigins) {
	var targets []target
	for _, domain := range domains {
		for _, g := range p.Guards {
			if g.Covers(o.scope.Account, domain) {
				targets = append(targets, target{domain, g.Package})
			}
		}
	}
	associated := each(ctx, targets, o.associate)

	var lists []list
	for _, a := range associated {
		lists = append(lists, o.lists(a.value, p)...)
	}
	allowed := each(ctx, lists, o.allowed)

	for t, a := range associated {
		r, err := a.value, a.err
		for _, l := range o.lists(r, p) {
			if err == nil {
				err = r.fill(l, allowed[l])
			}
		}
		if err != nil {
			o.unread(ctx, domainARN(o.scope, t.domain), t.pkg.URL, fmt.Sprintf("what guards %s in domain %s could not be read", t.pkg.URL, t.domain), err)
			continue
		}
		o.out.Packages = append(o.out.Packages, r)
	}
}

// lists are those that guards of the package have to be compared with; none for
// what could not be read. The list that counts is that of the group whose setting
// it is.
func (o *observer) lists(r Resolved, p policy.PackageOrigins) []list {
	var lists []list
	for _, g := range guards(p, o.scope.Account, r.Domain, r.Package) {
		for _, want := range g.Require {
			if is := r.Restrictions[want.Restriction]; is.Mode == allowSpecific && !r.Weak {
				lists = append(lists, list{r.Domain, is.From, want.Restriction})
			}
		}
	}
	return lists
}

// fill puts a list where it belongs. An empty one that is inherited is not taken
// for proof that nobody is allowed: docs/decisions/0009-origins-by-group.md.
func (r Resolved) fill(l list, a *answer[[]string]) error {
	if a.err == nil && len(a.value) == 0 && l.group != r.Group {
		return awsio.ErrMalformed(fmt.Sprintf("%s is inherited from %s, whose list of repositories is empty, so it is not certain that this list is the one that counts", l.restriction, l.group))
	}
	is := r.Restrictions[l.restriction]
	is.Repositories = a.value
	r.Restrictions[l.restriction] = is
	return a.err
}

type answer[V any] struct {
	value V
	err   error
}

// each reads what belongs to each key, once, and a bounded number at a time. What
// was not begun before the run had to stop has the error of ctx.
func each[K comparable, V any](ctx context.Context, keys []K, read func(context.Context, K) (V, error)) map[K]*answer[V] {
	answers := make(map[K]*answer[V], len(keys))
	var workers errgroup.Group
	workers.SetLimit(awsio.Workers)
	for _, key := range keys {
		if answers[key] != nil {
			continue
		}
		a := &answer[V]{err: ctx.Err()}
		answers[key] = a
		if a.err == nil {
			workers.Go(func() error {
				a.value, a.err = read(ctx, key)
				return nil
			})
		}
	}
	_ = workers.Wait() // each error is in its answer
	return answers
}

// associate asks which group a package is associated with. The package need not
// exist: https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_GetAssociatedPackageGroup.html
func (o *observer) associate(ctx context.Context, t target) (Resolved, error) {
	in := &codeartifact.GetAssociatedPackageGroupInput{
		Domain: &t.domain, DomainOwner: &o.scope.Account, Format: types.PackageFormat(t.pkg.Format), Package: &t.pkg.Name,
	}
	if t.pkg.Namespace != "" {
		in.Namespace = &t.pkg.Namespace
	}
	out, err := o.api.GetAssociatedPackageGroup(ctx, in)
	if err != nil {
		return Resolved{}, err
	}
	return readAssociation(o.scope.Account, t, out)
}

// readAssociation takes over an answer only if it is whole, about the domain that
// was asked for, and in words that are known.
func readAssociation(owner string, t target, out *codeartifact.GetAssociatedPackageGroupOutput) (Resolved, error) {
	bad := func(format string, args ...any) (Resolved, error) {
		return Resolved{}, awsio.ErrMalformed(fmt.Sprintf(format, args...))
	}
	g := out.PackageGroup
	switch {
	case g == nil:
		return bad("the answer has no package group in it")
	case aws.ToString(g.DomainOwner) != owner || aws.ToString(g.DomainName) != t.domain:
		return bad("the answer is about another domain: %q of account %q", aws.ToString(g.DomainName), aws.ToString(g.DomainOwner))
	case aws.ToString(g.Pattern) == "":
		return bad("the answer has a package group without a pattern")
	case !slices.Contains(types.PackageGroupAssociationType("").Values(), out.AssociationType):
		return bad("the association type %q is not known", out.AssociationType)
	case g.OriginConfiguration == nil:
		return bad("the answer has no origin configuration in it")
	}
	r := Resolved{
		Domain: t.domain, Package: t.pkg, Group: *g.Pattern,
		Weak:         out.AssociationType == types.PackageGroupAssociationTypeWeak,
		Restrictions: map[string]Restriction{},
	}
	for _, kind := range types.PackageGroupOriginRestrictionType("").Values() {
		x, ok := g.OriginConfiguration.Restrictions[string(kind)]
		if !ok {
			return bad("the answer has no restriction %s in it", kind)
		}
		is := Restriction{Mode: string(x.EffectiveMode), From: r.Group}
		if x.Mode == types.PackageGroupOriginRestrictionModeInherit {
			is.From = ""
			if x.InheritedFrom != nil {
				is.From = aws.ToString(x.InheritedFrom.Pattern)
			}
		} else if x.Mode != x.EffectiveMode {
			return bad("the restriction %s is %q and %q at once", kind, x.Mode, x.EffectiveMode)
		}
		switch {
		case is.Mode != block && is.Mode != allowSpecific && is.Mode != allow:
			return bad("the mode %q of %s is not known", is.Mode, kind)
		case is.From == "":
			return bad("the answer does not say which group %s is inherited from", kind)
		}
		r.Restrictions[string(kind)] = is
	}
	return r, nil
}

// allowed reads a list of repositories.
func (o *observer) allowed(ctx context.Context, l list) ([]string, error) {
	what := fmt.Sprintf("listing the repositories that %s allows for %s", l.group, l.restriction)
	names, err := awsio.ReadAll(ctx, what, func(ctx context.Context, token *string) ([]string, *string, error) {
		out, err := o.api.ListAllowedRepositoriesForGroup(ctx, &codeartifact.ListAllowedRepositoriesForGroupInput{
			Domain: &l.domain, DomainOwner: &o.scope.Account, PackageGroup: &l.group,
			OriginRestrictionType: types.PackageGroupOriginRestrictionType(l.restriction),
			MaxResults:            aws.Int32(1000), NextToken: token,
		})
		if err != nil {
			return nil, nil, err
		}
		return out.AllowedRepositories, out.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	allowed := append([]string{}, names.Items()...) // never nil
	slices.Sort(allowed)
	return allowed, nil
}

// unread notes a part of the scope that nothing is known about.
func (o *observer) unread(ctx context.Context, resource, subject, what string, err error) {
	class, reason := awsio.Failure(ctx, what, err)
	if class == awsio.NotFound {
		reason += "; every package resolves to some group, so look whether the domain is still there"
	}
	o.out.Unread = append(o.out.Unread, Unread{Resource: resource, Subject: subject, Class: class, Reason: reason})
}
