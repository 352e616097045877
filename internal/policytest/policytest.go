// Package policytest runs the cases that stand beside a policy: for each it makes
// up what a control would have seen, has the control decide, and compares.
//
// It knows nothing of what a policy means. Every verdict is that of the function
// that would be deployed.
package policytest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"portcullis/shared/control"
	"portcullis/shared/externalconn"
	"portcullis/shared/packagegroup"
	"portcullis/shared/packageorigin"
	"portcullis/shared/policy"
	"portcullis/shared/protonconn"
)

// region is where the cases are; no policy speaks of Regions.
const region = "us-east-1"

// worstFirst are the verdicts by what they ask of a person.
var worstFirst = []control.Verdict{control.Violation, control.Undetermined, control.Waived, control.Compliant}

// Result is a case and what came of it.
type Result struct {
	Case  policy.Case
	About string // the resource, in words

	Verdict control.Verdict // empty where the policy says nothing of it
	Code    string
	Reason  string
}

// OK tells whether the policy says what the case expects.
func (r Result) OK() bool {
	return string(r.Verdict) == r.Case.Expect && (r.Case.Code == "" || r.Case.Code == r.Code)
}

// Run judges every case, and returns them in the order of the file.
func Run(p *policy.Policy, c *policy.Cases) []Result {
	var results []Result
	for _, k := range c.Connections {
		results = append(results, connection(p, k))
	}
	for _, k := range c.Groups {
		results = append(results, group(p, k))
	}
	for _, k := range c.Packages {
		results = append(results, pkg(p, k))
	}
	for _, k := range c.Requests {
		results = append(results, request(p, k))
	}
	slices.SortFunc(results, func(a, b Result) int {
		return cmp.Or(cmp.Compare(a.Case.Line, b.Case.Line), cmp.Compare(a.Case.Column, b.Case.Column))
	})
	return results
}

// conclude takes from a plan what it says about the resource of a case. Of several
// findings it is the worst, so that no case passes beside a violation that it does not
// expect; a code says which of them the case is about.
func (r Result) conclude(plan control.Plan) Result {
	findings := plan.Findings
	if about := slices.DeleteFunc(slices.Clone(findings), func(f control.Finding) bool { return f.Code != r.Case.Code }); len(about) > 0 {
		findings = about
	}
	if len(findings) > 0 {
		worst := slices.MinFunc(findings, func(a, b control.Finding) int {
			return cmp.Compare(slices.Index(worstFirst, a.Verdict), slices.Index(worstFirst, b.Verdict))
		})
		r.Verdict, r.Code, r.Reason = worst.Verdict, worst.Code, worst.Reason
		return r
	}
	r.Reason = "the policy says nothing of it"
	return r
}

func (r Result) without(section string) Result {
	r.Reason = "the policy has no section " + section
	return r
}

func connection(p *policy.Policy, c policy.ConnectionCase) Result {
	r := Result{Case: c.Case, About: fmt.Sprintf("%s/%s with %s", c.Domain, c.Repository, c.Connection)}
	if p.ExternalConnections == nil {
		return r.without("external_connections")
	}
	name := externalconn.Name{Owner: c.Account, Domain: c.Domain, Repo: c.Repository}
	return r.conclude(externalconn.Observation{
		Scope:     scope(c.Account),
		Connected: []externalconn.Repository{{Name: name, ARN: name.ARN(region), Connections: []string{c.Connection}}},
	}.Judge(p, c.At))
}

func group(p *policy.Policy, c policy.GroupCase) Result {
	r := Result{Case: c.Case, About: fmt.Sprintf("package group %s in domain %s", c.Group, c.Domain)}
	if p.PackageGroups == nil {
		return r.without("package_groups")
	}
	tree := packagegroup.Tree{Domain: packagegroup.Domain{Owner: c.Account, Name: c.Domain}, Groups: map[string]packagegroup.Group{}}
	add := func(pattern, parent string, own map[string]string, above string) packagegroup.Group {
		g := packagegroup.Group{
			ARN:     fmt.Sprintf("arn:aws:codeartifact:%s:%s:package-group/%s%s", region, c.Account, c.Domain, pattern),
			Pattern: pattern, Parent: parent, Created: c.At.Add(-c.Age), Controls: map[string]packagegroup.Control{},
		}
		for _, kind := range []string{"PUBLISH", "EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM"} {
			mode := packagegroup.Control{Own: packagegroup.Inherit, Effective: packagegroup.Mode(above)}
			if m := packagegroup.Mode(own[kind]); m != "" {
				mode = packagegroup.Control{Own: m, Effective: m}
			}
			g.Controls[kind] = mode
		}
		tree.Groups[pattern] = g
		return g
	}
	all := map[string]string{"PUBLISH": c.Parent, "EXTERNAL_UPSTREAM": c.Parent, "INTERNAL_UPSTREAM": c.Parent}
	add(packagegroup.Root, "", all, c.Parent)
	for _, child := range c.Children {
		add(child, c.Group, nil, c.Parent)
	}
	g := tree.Groups[packagegroup.Root]
	if c.Group != packagegroup.Root {
		g = add(c.Group, packagegroup.Root, c.Own, c.Parent)
	}
	tree.Adopt()

	look := packagegroup.Close{Tags: map[string]string{}, Package: c.Holds}
	for _, key := range c.Tags {
		look.Tags[key] = "yes"
	}
	if c.Marked > 0 {
		look.Tags[packagegroup.MarkTag] = packagegroup.Mark{Since: c.At.Add(-c.Marked).Truncate(time.Second), Created: g.Created}.String()
	}
	// Nobody can say here which group a package resolves to, so none is claimed in
	// that way; that a guard names the group itself counts.
	nothing := map[string]string{}
	if p.PackageOrigins != nil {
		for _, guard := range p.PackageOrigins.Guards {
			nothing[guard.Package.URL] = packagegroup.Root
		}
	}
	return r.conclude(packagegroup.Observation{
		Scope: scope(c.Account), Only: c.Group,
		Domains: []packagegroup.Seen{{Tree: tree, Close: map[string]packagegroup.Close{c.Group: look}, Claims: nothing}},
	}.Judge(p, c.At))
}

func pkg(p *policy.Policy, c policy.PackageCase) Result {
	r := Result{Case: c.Case, About: fmt.Sprintf("%s in domain %s, guarded by %s", c.Package.URL, c.Domain, c.Group)}
	if p.PackageOrigins == nil {
		return r.without("package_origins")
	}
	// Guards may write the same package in several ways. Each of them is judged.
	var written []policy.Package
	for _, g := range p.PackageOrigins.Guards {
		is, as := g.Package, c.Package
		if is.Format == as.Format && is.Namespace == as.Namespace && is.Name == as.Name && g.Covers(c.Account, c.Domain) && !slices.Contains(written, is) {
			written = append(written, is)
		}
	}
	if written == nil {
		r.Reason = "no guard of the policy speaks of it in that domain"
		return r
	}
	restrictions := map[string]packageorigin.Restriction{}
	for _, kind := range []string{"PUBLISH", "EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM"} {
		is := packageorigin.Restriction{Mode: "ALLOW", From: c.Group, Repositories: []string{}}
		if only, narrowed := c.Only[kind]; narrowed {
			is.Mode, is.Repositories = "BLOCK", only
			if len(only) > 0 {
				is.Mode = "ALLOW_SPECIFIC_REPOSITORIES"
			}
		}
		restrictions[kind] = is
	}
	seen := packageorigin.Observation{Scope: scope(c.Account)}
	for _, as := range written {
		seen.Packages = append(seen.Packages, packageorigin.Resolved{Domain: c.Domain, Package: as, Group: c.Group, Weak: c.Weak, Restrictions: restrictions})
	}
	plan := seen.Judge(p, c.At)
	if i := slices.IndexFunc(plan.Findings, func(f control.Finding) bool { return f.Verdict == control.Violation }); i >= 0 {
		plan.Findings = plan.Findings[i : i+1] // however many hold, this one does not
	}
	return r.conclude(plan)
}

func request(p *policy.Policy, c policy.RequestCase) Result {
	side, account, seen := protonconn.Management, c.ManagementAccount, "as its management account sees it"
	if c.Own {
		side, account, seen = protonconn.Environment, c.EnvironmentAccount, "as its environment account sees it"
	}
	r := Result{Case: c.Case, About: fmt.Sprintf("connection of %s to %s for environment %s, %s, %s",
		c.EnvironmentAccount, c.ManagementAccount, c.Environment, strings.ToLower(c.Status), seen)}
	if p.ProtonConnections == nil {
		return r.without("proton_connections")
	}
	const id = "the-case"
	at := c.At.Add(-c.Age)
	return r.conclude(protonconn.Observation{
		Scope: scope(account), Users: map[string][]string{},
		Sides: map[protonconn.Side][]protonconn.Connection{side: {{
			ID: id, ARN: fmt.Sprintf("arn:aws:proton:%s:%s:environment-account-connection/%s", region, c.EnvironmentAccount, id),
			EnvironmentAccount: c.EnvironmentAccount, ManagementAccount: c.ManagementAccount, Name: c.Environment, Status: c.Status,
			Role: c.Role, ComponentRole: c.ComponentRole, Requested: at, Modified: at,
		}}},
	}.Judge(p, c.At))
}

func scope(account string) control.Scope { return control.Scope{Account: account, Region: region} }
