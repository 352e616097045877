package packagegroup

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

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
	Scope   control.Scope `json:"scope"`
	Domains []Seen        `json:"domains"` // each domain whose groups were listed to the end
	Unread  []Unread      `json:"unread"`  // what could not be read; the observation is complete only if it is empty

	// Only restricts what is decided to one pattern, for a second reading. The
	// whole tree is needed all the same.
	Only string `json:"only,omitempty"`
}

// Seen is one domain.
type Seen struct {
	Tree   Tree              `json:"tree"`
	Close  map[string]Close  `json:"close"`  // the groups that were looked at closely, by pattern
	Claims map[string]string `json:"claims"` // by package of package_origins that was asked about: the pattern of the group that it resolves to
}

// Close is a close look at one group.
type Close struct {
	Unread  *Unread           `json:"unread,omitempty"` // the look failed; the other fields say nothing
	Package string            `json:"package"`          // a package that is associated with the group; empty if there is none
	Tags    map[string]string `json:"tags"`
	Claim   string            `json:"claim"` // a named package that resolves to the group; empty if none does
}

// Unread is a part of the scope that nothing is known about.
type Unread struct {
	Resource string      `json:"resource"` // ARN of the group, the domain or the account
	Class    awsio.Class `json:"code"`
	Reason   string      `json:"reason"`
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
	var ours []Domain
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
		ours = append(ours, domain)
	}

	// Side by side, so that a domain that answers badly does not hold up the others.
	seen, unread := make([]*Seen, len(ours)), make([]*Unread, len(ours))
	var workers errgroup.Group
	workers.SetLimit(awsio.Workers / lookers)
	for i, d := range ours {
		workers.Go(func() error {
			seen[i], unread[i] = o.domain(ctx, d, "")
			return nil
		})
	}
	_ = workers.Wait() // they keep their own errors
	for i := range ours {
		out.add(seen[i], unread[i])
	}
	return out
}

func (o *Observation) add(s *Seen, u *Unread) {
	if s != nil {
		o.Domains = append(o.Domains, *s)
	}
	if u != nil {
		o.Unread = append(o.Unread, *u)
	}
}

// one reads a domain for the second reading of one of its groups. The tree is read
// again when everything else is, so that what a deletion rests on most, the modes
// and the parent, is the newest of it.
func (o *observer) one(ctx context.Context, d Domain, pattern string) Observation {
	out := Observation{Scope: o.scope, Only: pattern}
	seen, unread := o.domain(ctx, d, pattern)
	if seen != nil {
		if tree, err := o.tree(ctx, d); err != nil {
			seen, unread = nil, o.treeless(ctx, d, err)
		} else {
			seen.Tree = tree
		}
	}
	out.add(seen, unread)
	return out
}

// lookers is how many groups of one domain are looked at closely at a time.
const lookers = 4

// domain reads one domain: its tree, and what no condition keeps by the tree
// alone. No call is spent on the other groups.
func (o *observer) domain(ctx context.Context, d Domain, only string) (*Seen, *Unread) {
	tree, err := o.tree(ctx, d)
	if err != nil {
		return nil, o.treeless(ctx, d, err)
	}
	var candidates []string
	now := o.clock.Now()
	l := listingOf(tree)
	for _, pattern := range patterns(tree) {
		if (only == "" || pattern == only) && screen(l, tree.Groups[pattern], o.policy, now).code == "" {
			candidates = append(candidates, pattern)
		}
	}
	seen := &Seen{Tree: tree, Close: map[string]Close{}}
	if candidates == nil {
		return seen, nil
	}
	resolved, err := o.claimed(ctx, d)
	if err != nil {
		u := o.unread(ctx, o.arn(d, "domain/"+d.Name), "it is not known which groups the packages of package_origins resolve to", err)
		for _, pattern := range candidates {
			seen.Close[pattern] = Close{Unread: &u}
		}
		return seen, nil
	}
	seen.Claims = resolved
	claimed := claimants(resolved)
	var mu sync.Mutex
	var workers errgroup.Group
	workers.SetLimit(lookers)
	for _, pattern := range candidates {
		workers.Go(func() error {
			c := o.look(ctx, d, tree.Groups[pattern])
			c.Claim = claimed[pattern]
			mu.Lock()
			defer mu.Unlock()
			seen.Close[pattern] = c
			return nil
		})
	}
	_ = workers.Wait() // they keep their own errors, in Close
	return seen, nil
}

func (o *observer) treeless(ctx context.Context, d Domain, err error) *Unread {
	u := o.unread(ctx, o.arn(d, "domain/"+d.Name), fmt.Sprintf("the package groups of domain %s could not be listed", d.Name), err)
	return &u
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
	t := Tree{Domain: d, Groups: map[string]Group{}}
	for _, s := range list.Items() {
		g, err := readGroup(s)
		// Tags are read and written by the ARN, packages by the pattern. How the ARN of a
		// pattern without a slash reads is not documented; screen keeps such a group.
		of, pattern, _ := ParseARN(g.ARN)
		misnamed := strings.HasPrefix(g.Pattern, "/") && (of != d || pattern != g.Pattern)
		if err == nil && (aws.ToString(s.DomainOwner) != d.Owner || aws.ToString(s.DomainName) != d.Name || misnamed) {
			err = awsio.ErrMalformed("it is of another domain, or its ARN is of another group")
		}
		if err != nil {
			// One group that cannot be understood may be the parent or the look-alike
			// of any other, so nothing is known of the domain.
			return Tree{}, fmt.Errorf("package group %q: %w", aws.ToString(s.Pattern), err)
		}
		if _, twice := t.Groups[g.Pattern]; twice {
			return Tree{}, fmt.Errorf("package group %q: %w", g.Pattern, awsio.ErrMalformed("it is in the list twice"))
		}
		t.Groups[g.Pattern] = g
	}
	for _, g := range t.Groups {
		if _, ok := t.Groups[g.Parent]; !ok && g.Pattern != Root {
			return Tree{}, fmt.Errorf("package group %q: %w", g.Pattern, awsio.ErrMalformed(fmt.Sprintf("its parent %q is not in the list", g.Parent)))
		}
	}
	if _, ok := t.Groups[Root]; !ok {
		return Tree{}, awsio.ErrMalformed("the list lacks the group /*, which every domain has")
	}
	t.Adopt()
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

// claimants returns one package for each group that any resolves to.
func claimants(resolved map[string]string) map[string]string {
	claimed := map[string]string{}
	for _, pkg := range slices.Backward(slices.Sorted(maps.Keys(resolved))) {
		claimed[resolved[pkg]] = pkg
	}
	return claimed
}

// claimed returns the pattern of the group that each package resolves to which the
// policy names.
func (o *observer) claimed(ctx context.Context, d Domain) (map[string]string, error) {
	claimed := map[string]string{}
	var mu sync.Mutex
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(lookers)
	for _, c := range o.claims {
		if !c.Covers(d.Owner, d.Name) {
			continue
		}
		workers.Go(func() error {
			in := &codeartifact.GetAssociatedPackageGroupInput{Domain: &d.Name, DomainOwner: &d.Owner, Format: types.PackageFormat(c.Format), Package: aws.String(c.Name)}
			if c.Namespace != "" {
				in.Namespace = aws.String(c.Namespace)
			}
			out, err := o.api.GetAssociatedPackageGroup(ctx, in)
			if err != nil {
				return fmt.Errorf("resolving %s: %w", c.Package, err)
			}
			g := out.PackageGroup
			if g == nil || aws.ToString(g.Pattern) == "" || aws.ToString(g.DomainOwner) != d.Owner || aws.ToString(g.DomainName) != d.Name {
				return fmt.Errorf("resolving %s: %w", c.Package, awsio.ErrMalformed("the answer names no package group of that domain"))
			}
			mu.Lock()
			defer mu.Unlock()
			claimed[c.Package] = *g.Pattern
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return nil, err
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
	class, reason := awsio.Failure(ctx, what, err)
	return Unread{Resource: resource, Class: class, Reason: reason}
}

func (o *observer) arn(d Domain, path string) string {
	return fmt.Sprintf("arn:aws:codeartifact:%s:%s:%s", o.scope.Region, d.Owner, path)
}

// patterns returns the patterns of a tree, so that leaves come before what is
// above them.
func patterns(t Tree) []string { return slices.SortedFunc(maps.Keys(t.Groups), t.leavesFirst) }

// leavesFirst orders patterns by their depth in the tree, and then by the alphabet.
func (t Tree) leavesFirst(a, b string) int {
	return cmp.Or(cmp.Compare(t.depth(b), t.depth(a)), strings.Compare(a, b))
}

// depth is how many groups stand above a pattern. It ends where parents go round
// in a circle.
func (t Tree) depth(pattern string) int {
	n := 0
	for ; pattern != Root && n <= len(t.Groups); pattern = t.Groups[pattern].Parent {
		n++
	}
	return n
}
