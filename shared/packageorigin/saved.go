package packageorigin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// An observation can be kept as JSON and read back without loss, so that what was
// seen once can be judged again, under another policy. Under that policy more may
// be wanted than was read; see under.

// savedResolved is a package with the lists of repositories, which findings leave
// out.
type savedResolved struct {
	Domain       string                      `json:"domain"`
	Package      savedPackage                `json:"package"`
	Group        string                      `json:"group"`
	Weak         bool                        `json:"weak"`
	Restrictions map[string]savedRestriction `json:"restrictions"`
}

type savedPackage struct {
	URL       string `json:"url"`
	Format    string `json:"format"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

type savedRestriction struct {
	Restriction
	Repositories []string `json:"repositories"` // null where they were not read
}

type plainObservation Observation // without the methods

// MarshalJSON writes all that was observed, in an order that does not depend on
// which answer came first.
func (o Observation) MarshalJSON() ([]byte, error) {
	o.Packages = slices.SortedFunc(slices.Values(o.Packages), func(a, b Resolved) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Package.URL, b.Package.URL))
	})
	o.Unread = slices.SortedFunc(slices.Values(o.Unread), func(a, b Unread) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Reason, b.Reason))
	})
	return json.Marshal(plainObservation(o))
}

// MarshalJSON writes all that was read about the package.
func (r Resolved) MarshalJSON() ([]byte, error) {
	saved := savedResolved{Domain: r.Domain, Package: savedPackage(r.Package), Group: r.Group, Weak: r.Weak, Restrictions: map[string]savedRestriction{}}
	for kind, is := range r.Restrictions {
		saved.Restrictions[kind] = savedRestriction{is, is.Repositories}
	}
	return json.Marshal(saved)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Resolved) UnmarshalJSON(data []byte) error {
	var saved savedResolved
	if err := json.Unmarshal(data, &saved); err != nil {
		return err
	}
	*r = Resolved{Domain: saved.Domain, Package: policy.Package(saved.Package), Group: saved.Group, Weak: saved.Weak, Restrictions: map[string]Restriction{}}
	for kind, is := range saved.Restrictions {
		is.Restriction.Repositories = is.Repositories
		r.Restrictions[kind] = is.Restriction
	}
	for _, kind := range []string{"PUBLISH", "EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM"} {
		if _, ok := r.Restrictions[kind]; !ok {
			return fmt.Errorf("%s in domain %s has no %s", r.Package.URL, r.Domain, kind)
		}
	}
	return nil
}

// Judge says what a policy makes of an observation that was made under the same
// policy or another one. What that policy would have had read, and was not, is
// undetermined. Nothing here depends on the time.
func (o Observation) Judge(p *policy.Policy, _ time.Time) control.Plan {
	return Decide(o.under(*p.PackageOrigins), *p.PackageOrigins)
}

// notObserved is the code of what another policy would have had read.
const notObserved = "not-observed"

// under is the observation as another policy would have had it made: only what a
// guard speaks of is in it. Packages are resolved, and lists of repositories read,
// only where a guard asks for it.
func (o Observation) under(p policy.PackageOrigins) Observation {
	var packages []Resolved
	unread := slices.DeleteFunc(slices.Clone(o.Unread), func(u Unread) bool {
		return u.Subject != "" && !slices.ContainsFunc(p.Guards, func(g policy.Guard) bool { return g.Package.URL == u.Subject })
	})
	miss := func(domain string, pkg policy.Package, what string) {
		u := Unread{Resource: domainARN(o.Scope, domain), Subject: pkg.URL, Class: notObserved, Reason: what + "; look again under this policy"}
		if !slices.ContainsFunc(unread, func(other Unread) bool { return other.Resource == u.Resource && other.Subject == u.Subject }) {
			unread = append(unread, u)
		}
	}
	for _, r := range o.Packages {
		speaking := guards(p, o.Scope.Account, r.Domain, r.Package)
		if len(speaking) == 0 {
			continue
		}
		whole := true
		for _, g := range speaking {
			for _, want := range g.Require {
				if is := r.Restrictions[want.Restriction]; is.Mode == allowSpecific && is.Repositories == nil && !r.Weak {
					whole = false
				}
			}
		}
		if whole {
			packages = append(packages, r)
		} else {
			miss(r.Domain, r.Package, fmt.Sprintf("nobody asked which repositories %s in domain %s is open to", r.Package.URL, r.Domain))
		}
	}
	for _, domain := range o.Domains {
		for _, g := range p.Guards {
			read := slices.ContainsFunc(o.Packages, func(r Resolved) bool { return r.Domain == domain && r.Package == g.Package })
			if !read && g.Covers(o.Scope.Account, domain) {
				miss(domain, g.Package, fmt.Sprintf("nobody asked which group %s resolves to in domain %s", g.Package.URL, domain))
			}
		}
	}
	o.Packages, o.Unread = packages, unread
	return o
}

// Complete tells whether everything in scope was read.
func (o Observation) Complete() bool { return len(o.Unread) == 0 && o.Domains != nil }

// Matches returns the places of the guards that speak of a domain that there is.
func (o Observation) Matches(p *policy.Policy) map[string]bool {
	places := map[string]bool{}
	for _, g := range p.PackageOrigins.Guards {
		if slices.ContainsFunc(o.Domains, func(d string) bool { return g.Covers(o.Scope.Account, d) }) {
			places[g.Place] = true
		}
	}
	return places
}
