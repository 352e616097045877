// Package explain says how the controls come to what they say about one resource:
// it finds the resource that a person names, in AWS or in a saved estate, and asks
// its control.
//
// It judges nothing. Which rules were tried, and what came of each, is taken down by
// the decision itself.
package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"portcullis/internal/estate"
	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/externalconn"
	"portcullis/shared/packagegroup"
	"portcullis/shared/packageorigin"
	"portcullis/shared/policy"
	"portcullis/shared/protonconn"
)

// Explanation is what the policy makes of one resource, and how.
type Explanation struct {
	Resource Resource
	ARN      string // empty for a package
	Control  string
	Scope    control.Scope
	At       time.Time // by AWS's clock; zero where it is not known
	Saved    bool      // it was looked up in an estate

	Verdict  control.Verdict // the worst of the findings; empty where the policy says nothing of it
	Summary  string          // what is to be said where there is no finding
	Findings []Finding
	Missing  []string // what is not known, and what to do about it

	// What there is to know of the resource. One of them is there.
	Repository *AroundRepository
	Group      *packagegroup.Explanation
	Package    *OfPackage
	Connection []protonconn.Seen
}

// Finding is a finding, how it came about, and what enforcement would do.
type Finding struct {
	control.Explained
	Action   *control.Action // nil where there is none
	Withheld string          // why enforcement would not carry it out; empty where it would, one run's limit aside
}

// AroundRepository is what a repository gets packages from, and what gets them from
// it.
type AroundRepository struct {
	Upstreams  []string
	Registries []externalconn.Registry
	Numbered   bool // the Registries are all of them, and their numbers are right
	Downstream []externalconn.Drawing
	Whole      bool // Downstream is all of it
}

// OfPackage is what is to be known of a package beside the findings.
type OfPackage struct {
	packageorigin.Explanation
	Unguarded []packageorigin.Resolved // in the domains of which no guard speaks
}

// Look explains a resource as it is now. The Region is that of the scope.
func Look(ctx context.Context, s *awsio.Session, scope control.Scope, p *policy.Policy, r Resource) (Explanation, error) {
	e := Explanation{Resource: r, Scope: scope, Control: controlOf(r.Kind)}
	switch r.Kind {
	case Repository:
		if r.Owner == "" {
			owners, err := externalconn.Owners(ctx, s, scope, r.Domain, r.Name)
			switch {
			case len(owners) > 1:
				return e, ambiguous(r, owners)
			case len(owners) == 1:
				r.Owner = owners[0]
			case err != nil:
				_, reason := awsio.Failure(ctx, fmt.Sprintf("the account owns no %s, and which repositories it administers elsewhere could not be listed", r), err)
				return e, errors.New(reason)
			default:
				return e, notThere(scope, r)
			}
			if err != nil {
				_, reason := awsio.Failure(ctx, "whether a domain of another account has one of that name, too, is not known", err)
				e.Missing = append(e.Missing, reason)
			}
		}
		name := externalconn.Name{Owner: r.Owner, Domain: r.Domain, Repo: r.Name}
		seen, around := externalconn.LookAround(ctx, s, scope, name)
		e.At, e.Resource = s.Clock.Now(), r
		return e.repository(p, seen, around, name)
	case Group:
		if r.Owner == "" {
			r.Owner = scope.Account
		}
		if r.Owner != scope.Account {
			return e, fmt.Errorf("domain %s is owned by account %s, and its package groups are judged there; sign in to that account", r.Domain, r.Owner)
		}
		d := packagegroup.Domain{Owner: r.Owner, Name: r.Domain}
		seen := packagegroup.LookAt(ctx, s, scope, p, d, r.Name)
		e.At = s.Clock.Now()
		return e.group(p, seen, d)
	case Package:
		seen, elsewhere, unread := packageorigin.LookAt(ctx, s, scope, p, r.Package)
		e.At, e.Missing = s.Clock.Now(), unread
		return e.pkg(p, seen, elsewhere)
	default:
		seen := protonconn.LookAt(ctx, s, scope, p, r.Name)
		e.At = s.Clock.Now()
		return e.connection(p, seen)
	}
}

// Saved explains a resource as an estate has it. File is where the estate is.
func Saved(saved estate.Estate, file string, p *policy.Policy, r Resource) (Explanation, error) {
	parts := slices.DeleteFunc(slices.Clone(saved.Parts), func(part estate.Part) bool {
		return part.Control != controlOf(r.Kind) || r.Region != "" && part.Scope.Region != r.Region
	})
	if len(parts) == 0 {
		where := ""
		if r.Region != "" {
			where = " in " + r.Region
		}
		return Explanation{}, fmt.Errorf("%s does not hold what %s saw%s; run without --estate, or write it again with `portcullis plan --save`", file, controlOf(r.Kind), where)
	}
	var found []Explanation
	var failed error
	hidden := false
	for _, part := range parts {
		e, err := savedIn(part, p, r)
		if err != nil {
			failed = err
			continue
		}
		unsure := e.ARN == "" && r.Kind != Package // nothing but what may hold it
		if unsure && (hidden || len(found) > 0) {
			continue
		}
		if hidden && !unsure {
			found = nil
		}
		hidden = unsure
		found = append(found, e)
	}
	switch {
	case len(found) == 0:
		var several severalError
		if errors.As(failed, &several) {
			return Explanation{}, failed
		}
		return Explanation{}, fmt.Errorf("%s is not in %s%s; run without --estate", r, file, leftOut(r.Kind))
	case len(found) > 1 && r.Kind == Package:
		var regions []string
		for _, e := range found {
			regions = append(regions, e.Scope.Region)
		}
		return Explanation{}, fmt.Errorf("%s holds several Regions (%s); name one with --region", file, strings.Join(regions, ", "))
	case len(found) > 1:
		var names []string
		for _, e := range found {
			names = append(names, e.ARN)
		}
		return Explanation{}, fmt.Errorf("%s names several in %s: %s; write the ARN of one", r, file, strings.Join(names, ", "))
	}
	return found[0], nil
}

func leftOut(k Kind) string {
	if k == Repository {
		return ": of the repositories without an external connection an estate keeps only those that draw from one with a connection"
	}
	return ""
}

// savedIn explains a resource as one part of an estate has it.
func savedIn(part estate.Part, p *policy.Policy, r Resource) (Explanation, error) {
	e := Explanation{Resource: r, Scope: part.Scope, Control: part.Control, At: part.At, Saved: true}
	switch seen := part.Seen.(type) {
	case externalconn.Observation:
		if r.Owner == "" {
			switch owners := seen.Owners(r.Domain, r.Name); len(owners) {
			case 0:
				r.Owner = part.Scope.Account
			case 1:
				r.Owner = owners[0]
			default:
				return e, ambiguous(r, owners)
			}
			e.Resource = r
		}
		name := externalconn.Name{Owner: r.Owner, Domain: r.Domain, Repo: r.Name}
		return e.repository(p, seen, seen.Around(r.Owner, r.Domain), name)
	case packagegroup.Observation:
		if r.Owner == "" {
			r.Owner = part.Scope.Account
		}
		return e.group(p, seen, packagegroup.Domain{Owner: r.Owner, Name: r.Domain})
	case packageorigin.Observation:
		return e.pkg(p, seen, nil)
	case protonconn.Observation:
		return e.connection(p, seen)
	default:
		return e, fmt.Errorf("nobody knows here what %s saw", part.Control)
	}
}

func (e Explanation) repository(p *policy.Policy, seen externalconn.Observation, around externalconn.Around, name externalconn.Name) (Explanation, error) {
	plan, explained := seen.Explain(p, e.At, name)
	repo, known := around.Repositories[name.Repo]
	if !known && len(explained) == 0 {
		hiding := seen.Hiding(name)
		if !e.Saved || len(hiding) == 0 {
			return e, notThere(e.Scope, e.Resource)
		}
		e.hide(hiding)
		return e, nil
	}
	e.ARN = name.ARN(e.Scope.Region)
	e.conclude(p, plan, explained)
	if !known {
		return e, nil
	}
	if len(repo.Connections) == 0 {
		e.Verdict, e.Summary = control.Compliant, name.String()+" has no external connection, so there is nothing to judge"
	}
	registries, unknown := around.Reach(name.Repo)
	e.Repository = &AroundRepository{
		Upstreams: append([]string{}, repo.Upstreams...), Registries: append([]externalconn.Registry{}, registries...),
		Numbered: (around.Ordered || len(repo.Upstreams) == 0 && len(repo.Connections) > 0) && len(unknown) == 0, Downstream: around.Drawing(name.Repo), Whole: around.Whole && (around.Ordered || len(repo.Connections) > 0),
	}
	if len(unknown) > 0 && !e.Saved {
		e.Missing = append(e.Missing, fmt.Sprintf("where these upstreams lead is not known, as they could not be read: %s", strings.Join(unknown, ", ")))
	}
	if !around.Ordered && len(repo.Upstreams) > 0 {
		e.Missing = append(e.Missing, "upstreams that lead to no external connection, and the order in which all of them are searched, are not kept in the estate; run without --estate")
	}
	if !around.Ordered && len(repo.Connections) == 0 {
		e.Missing = append(e.Missing, "who draws from it is known only as far as the estate keeps it: downstream of external connections")
	}
	if !around.Whole {
		why := "the domain was not read to its end, so more may draw from it"
		for _, u := range seen.Unread {
			if strings.HasSuffix(u.Resource, fmt.Sprintf(":%s:domain/%s", name.Owner, name.Domain)) {
				why = u.Reason
			}
		}
		e.Missing = append(e.Missing, why)
	}
	return e, nil
}

func (e Explanation) group(p *policy.Policy, seen packagegroup.Observation, d packagegroup.Domain) (Explanation, error) {
	plan, explanation, known := seen.Explain(p, e.At, d, e.Resource.Name)
	if !known {
		hiding := seen.Hiding(d)
		if len(hiding) == 0 {
			return e, notThere(e.Scope, e.Resource)
		}
		e.hide(hiding)
		return e, nil
	}
	e.ARN, e.Group = explanation.Group.ARN, &explanation
	e.conclude(p, plan, explanation.Findings)
	if explanation.Tags == nil && e.Saved {
		e.Missing = append(e.Missing, "its tags and packages are not kept in the estate; run without --estate")
	}
	return e, nil
}

func (e Explanation) pkg(p *policy.Policy, seen packageorigin.Observation, elsewhere []packageorigin.Resolved) (Explanation, error) {
	plan, explanation := seen.Explain(p, e.Resource.Package)
	e.Package = &OfPackage{explanation, elsewhere}
	var explained []control.Explained
	for _, f := range explanation.Findings {
		explained = append(explained, f.Explained)
	}
	e.conclude(p, plan, explained)
	if e.Findings == nil {
		e.Summary = "no guard of the policy is about it here, so nothing is asked of it"
	}
	if e.Saved {
		e.Missing = append(e.Missing, "the groups that it resolves to in domains of which no guard speaks are not kept in the estate; run without --estate")
	}
	return e, nil
}

func (e Explanation) connection(p *policy.Policy, seen protonconn.Observation) (Explanation, error) {
	plan, sides, explained := seen.Explain(p, e.At, e.Resource.Name)
	for _, s := range sides {
		if r := e.Resource; r.Owner != "" && s.EnvironmentAccount != "" && s.EnvironmentAccount != r.Owner {
			return e, notThere(e.Scope, r) // the id is that of another account's connection
		}
	}
	if len(sides) == 0 && len(explained) == 0 {
		return e, notThere(e.Scope, e.Resource)
	}
	e.Connection = sides
	if len(sides) > 0 {
		e.ARN = sides[0].ARN
		var missing []string
		explained = slices.DeleteFunc(explained, func(x control.Explained) bool {
			about := slices.ContainsFunc(sides, func(s protonconn.Seen) bool { return s.ARN == x.Resource || s.ARN == "" })
			if !about {
				missing = append(missing, x.Reason) // the other side, or what uses it
			}
			return !about
		})
		e.Missing = append(e.Missing, missing...)
	}
	e.conclude(p, plan, explained)
	return e, nil
}

// conclude takes over findings, with what enforcement would do about each.
func (e *Explanation) conclude(p *policy.Policy, plan control.Plan, explained []control.Explained) {
	gate := control.Gate{Mode: control.Enforce, Limit: control.Limit{Count: p.Limits.Count, Share: 1}, Covers: p.EnforceOn.Covers}
	for _, x := range explained {
		f := Finding{Explained: x}
		for _, a := range plan.Actions {
			if a.ID != x.ID {
				continue
			}
			f.Action = &a
			// Alone, so that only what is said of this resource counts.
			for _, o := range gate.Pass(control.Plan{Looked: 1, Findings: plan.Findings, Actions: []control.Action{a}}).Withheld {
				f.Withheld = o.Detail
			}
		}
		e.Findings = append(e.Findings, f)
	}
	for _, v := range []control.Verdict{control.Violation, control.Undetermined, control.Waived, control.Compliant} {
		if slices.ContainsFunc(e.Findings, func(f Finding) bool { return f.Verdict == v }) {
			e.Verdict = v
			return
		}
	}
}

// hide has an explanation say that what may hold the resource could not be read.
func (e *Explanation) hide(hiding []control.Finding) {
	e.Verdict = control.Undetermined
	for _, f := range hiding {
		e.Findings = append(e.Findings, Finding{Explained: control.Explained{Finding: f}})
	}
}

func controlOf(k Kind) string {
	return map[Kind]string{Repository: externalconn.Control, Group: packagegroup.Name, Package: packageorigin.Control, Connection: protonconn.Control}[k]
}

// Section tells whether a policy speaks of such resources at all.
func (r Resource) Section(p *policy.Policy) (name string, there bool) {
	c, _ := estate.Find(controlOf(r.Kind))
	return c.Section, c.Has(p)
}

// severalError is that a name is that of several resources.
type severalError struct{ error }

func ambiguous(r Resource, owners []string) error {
	var names []string
	for _, owner := range owners {
		names = append(names, owner+"/"+r.Domain+"/"+r.Name)
	}
	return severalError{fmt.Errorf("%s names %d repositories; write one of %s", r, len(names), strings.Join(names, ", "))}
}

func notThere(scope control.Scope, r Resource) error {
	what := map[Kind]string{
		Repository: fmt.Sprintf("repository %s", r),
		Group:      fmt.Sprintf("package group %s in domain %s", r.Name, r.Domain),
		Connection: fmt.Sprintf("connection %s on either side", r),
	}[r.Kind]
	next := map[Kind]string{
		Repository: fmt.Sprintf("`aws codeartifact list-repositories-in-domain --domain %s`", r.Domain),
		Group:      "`portcullis plan --all package-groups`",
		Connection: "`portcullis plan --all proton-connections`",
	}[r.Kind]
	return fmt.Errorf("account %s sees no %s in %s; see that --region and --profile are right, and what %s lists", scope.Account, what, scope.Region, next)
}
