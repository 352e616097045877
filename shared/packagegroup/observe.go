package packagegroup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// Observation is what one run read.
type Observation struct {
	Scope   control.Scope
	Domains []Seen   // each domain whose groups were listed to the end
	Unread  []Unread // what could not be read; the observation is complete only if it is empty

	// Only restricts what is decided to one pattern, for a second reading. The
	// whole tree is needed all the same.
	Only string
}

// Seen is one domain.
type Seen struct {
	Tree  Tree
	Close map[string]Close // the groups that were looked at closely, by pattern
}

// Close is a close look at one group.
type Close struct {
	Unread  *Unread // the look failed; the other fields say nothing
	Package string  // a package that is associated with the group; empty if there is none
	Tags    map[string]string
	Claim   string // a named package that resolves to the group; empty if none does
}

// Unread is a part of the scope that nothing is known about.
type Unread struct {
	Resource string // ARN of the group, the domain or the account
	Class    awsio.Class
	Reason   string
}

// Claim is a package that the policy names elsewhere. The group that it resolves
// to is never pruned.
type Claim struct {
	Package                 string // as the policy writes it
	Format, Namespace, Name string // as CodeArtifact wants them
	Covers                  func(owner, domain string) bool
}

// observer reads the groups of one account and Region.
type observer struct {
	api    Reader
	scope  control.Scope
	policy policy.PackageGroups
	claims []Claim
	clock  *awsio.Clock
}

// all reads every domain of the account. The groups of another account's domain
// are that account's business.
func (o *observer) all(ctx context.Context) Observation {
	out := Observation{Scope: o.scope}
	domains, err := awsio.ReadAll(ctx, "listing domains", func(ctx context.Context, token *string) ([]types.DomainSummary, *string, error) {
		page, err := o.api.ListDomains(ctx, &codeartifact.ListDomainsInput{MaxResults: aws.Int32(1000), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return page.Domains, page.NextToken, nil
	})
	if err != nil {
		out.Unread = append(out.Unread, o.unread(ctx, o.arn(Domain{Owner: o.scope.Account}, "domain/*"), "the domains of the account could not be listed", err))
	}
	for _, d := range domains.Items() {
		if strings.EqualFold(string(d.Status), "Deleted") {
			continue
		}
		domain := Domain{Owner: aws.ToString(d.Owner), Name: aws.ToString(d.Name)}
		if domain.Owner != o.scope.Account || domain.Name == "" {
			out.Unread = append(out.Unread, o.unread(ctx, o.arn(Domain{Owner: o.scope.Account}, "domain/*"), "the list of domains has an entry that cannot be right",
				awsio.ErrMalformed(fmt.Sprintf("domain %q with owner %q", domain.Name, domain.Owner))))
			continue
		}
		o.domain(ctx, domain, "", &out)
	}
	return out
}

// one reads the tree of a domain, and of its groups looks closely at one.
func (o *observer) one(ctx context.Context, d Domain, pattern string) Observation {
	out := Observation{Scope: o.scope, Only: pattern}
	o.domain(ctx, d, pattern, &out)
	return out
}

// domain reads one domain: its tree, and what no condition keeps by the tree
// alone. No call is spent on the other groups.
func (o *observer) domain(ctx context.Context, d Domain, only string, out *Observation) {
	tree, err := o.tree(ctx, d)
	if err != nil {
		out.Unread = append(out.Unread, o.unread(ctx, o.arn(d, "domain/"+d.Name), fmt.Sprintf("the package groups of domain %s could not be listed", d.Name), err))
		return
	}
	seen := Seen{Tree: tree, Close: map[string]Close{}}
	var claimed map[string]string
	var unclaimed *Unread
	now := o.clock.Now()
	for _, pattern := range patterns(tree) {
		if only != "" && pattern != only {
			continue
		}
		if kept := screen(tree, tree.Groups[pattern], o.policy, now); kept.code != "" {
			continue
		}
		if claimed == nil && unclaimed == nil {
			if claimed, err = o.claimed(ctx, d); err != nil {
				u := o.unread(ctx, o.arn(d, "domain/"+d.Name), "it is not known which groups the packages of package_origins resolve to", err)
				unclaimed = &u
			}
		}
		c := Close{Unread: unclaimed}
		if c.Unread == nil {
			c = o.look(ctx, d, tree.Groups[pattern])
			c.Claim = claimed[pattern]
		}
		seen.Close[pattern] = c
	}
	out.Domains = append(out.Domains, seen)
}

// tree lists all groups of a domain. The entries of the list hold modes and
// parents, so one pass is enough:
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_PackageGroupSummary.html
func (o *observer) tree(ctx context.Context, d Domain) (Tree, error) {
	list, err := awsio.ReadAll(ctx, "listing package groups of domain "+d.Name, func(ctx context.Context, token *string) ([]types.PackageGroupSummary, *string, error) {
		page, err := o.api.ListPackageGroups(ctx, &codeartifact.ListPackageGroupsInput{
			Domain: &d.Name, DomainOwner: &d.Owner, MaxResults: aws.Int32(1000), NextToken: token,
		})
		if err != nil {
			return nil, nil, err
		}
		return page.PackageGroups, page.NextToken, nil
	})
	if err != nil {
		return Tree{}, err
	}
	t := Tree{Domain: d, Groups: map[string]Group{}, Children: map[string][]string{}}
	for _, s := range list.Items() {
		g, err := readGroup(s)
		if err == nil && (aws.ToString(s.DomainOwner) != d.Owner || aws.ToString(s.DomainName) != d.Name) {
			err = awsio.ErrMalformed("it is of another domain")
		}
		if err != nil {
			// One group that cannot be understood may be the parent or the look-alike
			// of any other, so nothing is known of the domain.
			return Tree{}, fmt.Errorf("package group %q: %w", aws.ToString(s.Pattern), err)
		}
		t.Groups[g.Pattern] = g
	}
	for _, g := range t.Groups {
		if _, ok := t.Groups[g.Parent]; !ok && g.Pattern != Root {
			return Tree{}, fmt.Errorf("package group %q: %w", g.Pattern, awsio.ErrMalformed(fmt.Sprintf("its parent %q is not in the list", g.Parent)))
		}
		if g.Pattern != Root {
			t.Children[g.Parent] = append(t.Children[g.Parent], g.Pattern)
		}
	}
	if _, ok := t.Groups[Root]; !ok {
		return Tree{}, awsio.ErrMalformed("the list lacks the group /*, which every domain has")
	}
	for _, children := range t.Children {
		slices.Sort(children)
	}
	return t, nil
}

// readGroup takes over an entry only if everything that a decision needs is there
// and known.
func readGroup(s types.PackageGroupSummary) (Group, error) {
	g := Group{
		ARN: aws.ToString(s.Arn), Pattern: aws.ToString(s.Pattern),
		Contact: aws.ToString(s.ContactInfo), Description: aws.ToString(s.Description),
	}
	switch {
	case g.ARN == "" || g.Pattern == "":
		return g, awsio.ErrMalformed("it has no ARN or no pattern")
	case s.CreatedTime == nil:
		return g, awsio.ErrMalformed("it has no creation time")
	case s.OriginConfiguration == nil:
		return g, awsio.ErrMalformed("it has no origin configuration")
	case g.Pattern != Root && (s.Parent == nil || aws.ToString(s.Parent.Pattern) == ""):
		return g, awsio.ErrMalformed("it has no parent")
	}
	g.Created = s.CreatedTime.UTC()
	if s.Parent != nil && g.Pattern != Root {
		g.Parent = aws.ToString(s.Parent.Pattern)
	}
	controls, err := readControls(s.OriginConfiguration)
	g.Controls = controls
	return g, err
}

func readControls(c *types.PackageGroupOriginConfiguration) (map[string]Control, error) {
	controls := map[string]Control{}
	for _, r := range restrictions {
		got, ok := c.Restrictions[r]
		own, effective := Mode(got.Mode), Mode(got.EffectiveMode)
		if !ok || !slices.Contains([]Mode{Allow, Specific, Block, Inherit}, own) || !slices.Contains([]Mode{Allow, Specific, Block}, effective) {
			return nil, awsio.ErrMalformed(fmt.Sprintf("its mode of %s is %q, in effect %q", r, own, effective))
		}
		controls[r] = Control{Own: own, Effective: effective}
	}
	return controls, nil
}

// claimed returns the packages that the policy names, by the pattern of the group
// that they resolve to.
func (o *observer) claimed(ctx context.Context, d Domain) (map[string]string, error) {
	claimed := map[string]string{}
	for _, c := range o.claims {
		if !c.Covers(d.Owner, d.Name) {
			continue
		}
		in := &codeartifact.GetAssociatedPackageGroupInput{Domain: &d.Name, DomainOwner: &d.Owner, Format: types.PackageFormat(c.Format), Package: aws.String(c.Name)}
		if c.Namespace != "" {
			in.Namespace = aws.String(c.Namespace)
		}
		out, err := o.api.GetAssociatedPackageGroup(ctx, in)
		if err == nil && (out.PackageGroup == nil || aws.ToString(out.PackageGroup.Pattern) == "") {
			err = awsio.ErrMalformed("the answer has no package group in it")
		}
		if err != nil {
			return nil, fmt.Errorf("resolving %s: %w", c.Package, err)
		}
		claimed[aws.ToString(out.PackageGroup.Pattern)] = c.Package
	}
	return claimed, nil
}

// look reads what the list does not say: the group's tags, and whether anything
// is in it. Preview is never set: it would answer for a group that does not exist.
func (o *observer) look(ctx context.Context, d Domain, g Group) Close {
	fail := func(what string, err error) Close {
		u := o.unread(ctx, g.ARN, what, err)
		return Close{Unread: &u}
	}
	tags, err := o.api.ListTagsForResource(ctx, &codeartifact.ListTagsForResourceInput{ResourceArn: &g.ARN})
	if err == nil && tags.Tags == nil {
		err = awsio.ErrMalformed("the answer has no list of tags in it")
	}
	if err != nil {
		return fail(fmt.Sprintf("the tags of %s in domain %s could not be read", g.Pattern, d.Name), err)
	}
	c := Close{Tags: map[string]string{}}
	for _, t := range tags.Tags {
		c.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}

	found, err := o.packages(ctx, d, g.Pattern, false)
	if err != nil {
		return fail(fmt.Sprintf("the packages of %s in domain %s could not be listed", g.Pattern, d.Name), err)
	}
	if len(found) > 0 {
		c.Package = found[0]
	}
	return c
}

// packages lists what is associated with a pattern, strongly or weakly; with
// preview, what would be if the group existed.
func (o *observer) packages(ctx context.Context, d Domain, pattern string, preview bool) ([]string, error) {
	list, err := awsio.ReadAll(ctx, "listing packages of "+pattern, func(ctx context.Context, token *string) ([]types.AssociatedPackage, *string, error) {
		in := &codeartifact.ListAssociatedPackagesInput{Domain: &d.Name, DomainOwner: &d.Owner, PackageGroup: &pattern, MaxResults: aws.Int32(1000), NextToken: token}
		if preview {
			in.Preview = aws.Bool(true)
		}
		page, err := o.api.ListAssociatedPackages(ctx, in)
		if err != nil {
			return nil, nil, err
		}
		if len(page.Packages) > 0 {
			return page.Packages, nil, nil // one is enough
		}
		return page.Packages, page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range list.Items() {
		names = append(names, fmt.Sprintf("%s/%s/%s", p.Format, aws.ToString(p.Namespace), aws.ToString(p.Package)))
	}
	return names, nil
}

func (o *observer) unread(ctx context.Context, resource, what string, err error) Unread {
	class := awsio.Classify(err)
	if ctx.Err() != nil {
		class = awsio.Deadline
	}
	return Unread{Resource: resource, Class: class, Reason: awsio.Explain(what, err, class)}
}

func (o *observer) arn(d Domain, path string) string {
	return fmt.Sprintf("arn:aws:codeartifact:%s:%s:%s", o.scope.Region, d.Owner, path)
}

// patterns returns the patterns of a tree, the longest first, so that leaves come
// before what is above them.
func patterns(t Tree) []string {
	list := make([]string, 0, len(t.Groups))
	for p := range t.Groups {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return list
}
