package codeartifact

import (
	"fmt"
	"net/url"
	"strings"
)

type groupOutput struct {
	PackageGroup groupDescription `json:"packageGroup"`
}

// createPackageGroup makes a group that inherits all three restrictions [assumed]: the API takes no other here.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_CreatePackageGroup.html
func (s *Service) createPackageGroup(rq request) (any, bool, error) {
	d, err := s.domain(rq, Write)
	if err != nil {
		return nil, false, err
	}
	p, err := parsePattern(rq.PackageGroup)
	if err != nil {
		return nil, false, invalid("FIELD_VALIDATION_FAILED", "%v", err)
	}
	if d.groups.groups[p] != nil {
		return nil, false, conflict("", rq.PackageGroup,
			fmt.Sprintf("Package group '%s' already exists in domain '%s'", rq.PackageGroup, d.name))
	}
	g := newGroup(d, p, rq.Now)
	g.inform(rq)
	setTags(g.tags, rq.Tags)
	s.change(g, false, rq.Now)
	return groupOutput{d.groups.description(g)}, true, nil
}

func (s *Service) describePackageGroup(rq request) (any, bool, error) {
	t, g, err := s.group(rq, Read)
	if err != nil {
		return nil, false, err
	}
	return groupOutput{t.description(g)}, false, nil
}

// updatePackageGroup leaves alone what was not sent. It changes neither the pattern nor the origin controls.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_UpdatePackageGroup.html
func (s *Service) updatePackageGroup(rq request) (any, bool, error) {
	t, g, err := s.group(rq, Write)
	if err != nil {
		return nil, false, err
	}
	changed := g.inform(rq)
	return groupOutput{t.description(g)}, changed, nil
}

// inform sets the description and the contact, and says whether that changed anything.
func (g *group) inform(rq request) bool {
	description, contact := g.description, g.contact
	if rq.Description != nil {
		g.description = *rq.Description
	}
	if rq.ContactInfo != nil {
		g.contact = *rq.ContactInfo
	}
	return g.description != description || g.contact != contact
}

// deletePackageGroup answers with the group as it was. AWS says that the root cannot be deleted, but not with which
// error; it is a ValidationException here.
// https://docs.aws.amazon.com/codeartifact/latest/ug/delete-package-group.html
func (s *Service) deletePackageGroup(rq request) (any, bool, error) {
	t, g, err := s.group(rq, Write)
	if err != nil {
		return nil, false, err
	}
	if g.pattern == rootPattern() {
		return nil, false, invalid("OTHER", "the root package group cannot be deleted")
	}
	out := groupOutput{t.description(g)}
	s.change(g, true, rq.Now)
	return out, true, nil
}

func (s *Service) listPackageGroups(rq request) (any, bool, error) {
	d, err := s.domain(rq, Read)
	if err != nil {
		return nil, false, err
	}
	t := d.shown(rq.Now)
	return s.groupPage(rq, t, rq.Prefix, func(*group) bool { return true })
}

// listSubPackageGroups lists the direct children only.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_ListSubPackageGroups.html
func (s *Service) listSubPackageGroups(rq request) (any, bool, error) {
	t, parent, err := s.group(rq, Read)
	if err != nil {
		return nil, false, err
	}
	within := parent.pattern.literal
	if parent.pattern == rootPattern() {
		within = "" // set up groups may have a pattern without a slash
	}
	return s.groupPage(rq, t, within, func(g *group) bool { return t.parent(g) == parent })
}

func (s *Service) groupPage(rq request, t *tree, prefix string, keep func(*group) bool) (any, bool, error) {
	groups, next, err := page(s, rq, t.list.within(prefix), keep)
	if err != nil {
		return nil, false, err
	}
	out := struct {
		PackageGroups []groupDescription `json:"packageGroups"`
		NextToken     *string            `json:"nextToken,omitempty"`
	}{[]groupDescription{}, next}
	for _, g := range groups {
		out.PackageGroups = append(out.PackageGroups, t.description(g))
	}
	return out, false, nil
}

// getAssociatedPackageGroup takes a package that need not exist. It takes the name as it is: the caller has to
// normalize it.
// https://docs.aws.amazon.com/codeartifact/latest/ug/view-edit-package-group.html
func (s *Service) getAssociatedPackageGroup(rq request) (any, bool, error) {
	d, err := s.domain(rq, Read)
	if err != nil {
		return nil, false, err
	}
	c, err := rq.coordinate()
	if err != nil {
		return nil, false, err
	}
	t := d.shown(rq.Now)
	g, strong := t.associated(c)
	return struct {
		groupOutput
		AssociationType string `json:"associationType"`
	}{groupOutput{t.description(g)}, strength(strong)}, false, nil
}

type associatedPackage struct {
	packageName
	AssociationType string `json:"associationType"`
}

// listAssociatedPackages lists the packages that some repository of the domain has, also those without a version
// [assumed]. As a preview it lists what would be associated with a group that need not exist.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_ListAssociatedPackages.html
func (s *Service) listAssociatedPackages(rq request) (any, bool, error) {
	d, err := s.domainFor(rq, Read, groupARN(rq.owner(), rq.Region, rq.Domain, rq.PackageGroup))
	if err != nil {
		return nil, false, err
	}
	t := d.shown(rq.Now)
	g, found := t.list.find(rq.PackageGroup)
	switch {
	case !found && !rq.Preview:
		return nil, false, noGroup(d, rq.PackageGroup)
	case !found:
		p, err := parsePattern(rq.PackageGroup)
		if err != nil {
			return nil, false, invalid("FIELD_VALIDATION_FAILED", "%v", err)
		}
		g = newGroup(d, p, rq.Now)
		t.add(g)
		defer t.remove(g)
	}
	packages, next, err := page(s, rq, d.packages.within(g.variation().literal), func(p *presence) bool {
		associated, _ := t.associated(p.coordinate)
		return associated == g
	})
	if err != nil {
		return nil, false, err
	}
	out := struct {
		Packages  []associatedPackage `json:"packages"`
		NextToken *string             `json:"nextToken,omitempty"`
	}{[]associatedPackage{}, next}
	for _, p := range packages {
		_, strong := t.associated(p.coordinate)
		out.Packages = append(out.Packages, associatedPackage{p.packageName(), strength(strong)})
	}
	return out, false, nil
}

func strength(strong bool) string {
	if strong {
		return "STRONG"
	}
	return "WEAK"
}

// groupARN is that of a package group.
// https://docs.aws.amazon.com/codeartifact/latest/ug/auth-and-access-control-permissions-reference.html#package-group-arns
func groupARN(owner, region, domain, pattern string) string {
	return fmt.Sprintf("arn:aws:codeartifact:%s:%s:package-group/%s%s", region, owner, domain, encodePattern(pattern))
}

// encodePattern encodes "%", "*" and "$", in lower case. The page above says that nothing else can be encoded.
func encodePattern(pattern string) string {
	return strings.NewReplacer("%", "%25", "*", "%2a", "$", "%24").Replace(pattern)
}

func decodePattern(encoded string) (string, error) {
	pattern, err := url.PathUnescape(encoded)
	if err != nil || encodePattern(pattern) != encoded {
		return "", invalid("FIELD_VALIDATION_FAILED", "%q is not a pattern as ARNs encode it: %s", encoded, encodePattern(pattern))
	}
	return pattern, nil
}
