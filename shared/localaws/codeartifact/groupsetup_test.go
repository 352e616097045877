package codeartifact_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
)

func TestSetupMakesGroupsThatTheAPIRefuses(t *testing.T) {
	w, s := newWorld(t)
	domain := s.AddDomain(owner, region, "corp")
	domain.AddRepository("team")
	domain.AddPackage("team", "npm", "acme", "ui")
	slashless := domain.PackageGroup("npm/acme/*").Add()
	root := domain.PackageGroup("/*")
	root.SetMode(codeartifact.Publish, codeartifact.Inherit)
	root.SetMode(codeartifact.InternalUpstream, codeartifact.AllowSpecific, "gone", "absent")

	same(t, []string{"/*", "npm/acme/*"}, domain.PackageGroups())
	pattern, strong, controls := domain.Effective("npm", "acme", "ui")
	same(t, []any{"/*", true}, []any{pattern, strong})
	same(t, map[codeartifact.Restriction]codeartifact.Control{
		"PUBLISH": {Mode: "INHERIT"}, "EXTERNAL_UPSTREAM": {Mode: "ALLOW"},
		"INTERNAL_UPSTREAM": {Mode: "ALLOW_SPECIFIC_REPOSITORIES", Repositories: []string{"absent", "gone"}}}, controls)
	children := must(client(w, owner).ListSubPackageGroups(t.Context(), &sdk.ListSubPackageGroupsInput{
		Domain: aws.String("corp"), PackageGroup: aws.String("/*")}))(t).PackageGroups
	if len(children) != 1 || *children[0].Pattern != "npm/acme/*" || children[0].OriginConfiguration.Restrictions["PUBLISH"].InheritedFrom == nil {
		t.Errorf("the root has the children %v", children)
	}
	slashless.Remove()
	root.Remove() // stays
	same(t, []string{"/*"}, domain.PackageGroups())
}

func TestSetupShowsTheWholeStateOfAGroup(t *testing.T) {
	w, s := newWorld(t)
	domain := s.AddDomain(owner, region, "corp")
	w.Advance(time.Hour)
	group := domain.PackageGroup("/npm/acme/*").Add()
	group.Inform("of acme", "build@corp")
	group.SetMode(codeartifact.Publish, codeartifact.AllowSpecific, "b", "a")
	group.Tag("team", "build")
	group.Tag("keep", "yes")
	group.Untag("keep")
	want := codeartifact.GroupState{
		Parent: "/*", Created: start().Add(time.Hour), Description: "of acme", Contact: "build@corp", Tags: map[string]string{"team": "build"},
		Controls: map[codeartifact.Restriction]codeartifact.Control{
			"PUBLISH":           {Mode: "ALLOW_SPECIFIC_REPOSITORIES", Repositories: []string{"a", "b"}},
			"EXTERNAL_UPSTREAM": {Mode: "INHERIT"}, "INTERNAL_UPSTREAM": {Mode: "INHERIT"}},
	}
	same(t, want, group.State())
	same(t, want, group.Add().State()) // which exists
	group.Remove()
	same(t, codeartifact.GroupState{}, group.State())
	group.Tag("team", "build") // does nothing
	if group.Exists() || group.Tags() != nil {
		t.Error("tagging brought the group back")
	}
	s.Domain(owner, region, "none").PackageGroup("/npm/*").Add() // nor is there a domain
	if pattern, _, controls := s.Domain(owner, region, "none").Effective("npm", "", "ui"); pattern != "" || controls != nil {
		t.Errorf("a domain that is not there enforces %s", pattern)
	}
}

// A domain of 5,000 groups and 50,000 packages is set up, and every group is asked for its packages once.
func BenchmarkALargeDomain(b *testing.B) {
	for b.Loop() {
		w, err := localaws.New(start())
		if err != nil {
			b.Fatal(err)
		}
		s := codeartifact.New(w)
		domain := s.AddDomain(owner, region, "corp")
		domain.AddRepository("team")
		for i := range 5000 {
			domain.PackageGroup(fmt.Sprintf("/npm/scope-%d/*", i)).Add()
		}
		for i := range 50000 {
			domain.AddPackage("team", "npm", fmt.Sprintf("scope-%d", i%6000), fmt.Sprintf("package-%d", i))
		}
		c := client(w, owner)
		groups := sdk.NewListPackageGroupsPaginator(c, &sdk.ListPackageGroupsInput{Domain: aws.String("corp"), MaxResults: aws.Int32(1000)})
		for groups.HasMorePages() {
			page, err := groups.NextPage(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			for _, g := range page.PackageGroups {
				if _, err := c.ListAssociatedPackages(b.Context(), &sdk.ListAssociatedPackagesInput{
					Domain: aws.String("corp"), PackageGroup: g.Pattern}); err != nil {
					b.Fatal(err)
				}
			}
		}
		w.Close()
	}
}
