package codeartifact_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws/codeartifact"
)

// Every list of groups, packages and allowed repositories is read in pages of two, of the five items that it has.
func TestTheListsAboutGroupsHavePages(t *testing.T) {
	w, s := newWorld(t)
	s.SetPageSize(2)
	c, ctx := client(w, owner), t.Context()
	corp, team, npm := aws.String("corp"), aws.String("team"), aws.String("/npm/*")
	domain := s.AddDomain(owner, region, "corp")
	domain.AddRepository("team")
	domain.PackageGroup("/npm/*").Add()
	domain.PackageGroup("/npm/n1/ui$").Add() // no direct child of it
	domain.PackageGroup("/maven/*").Add()
	domain.AddPackage("team", "npm", "n1", "ui")
	domain.AddPackage("team", "pypi", "", "ui")
	var groups, packages, repositories []string
	for i := range 5 {
		name := fmt.Sprint("n", i)
		domain.PackageGroup("/npm/" + name + "/*").Add()
		domain.AddPackage("team", "npm", "", name)
		groups, packages, repositories = append(groups, "/npm/"+name+"/*"), append(packages, name), append(repositories, name)
	}
	domain.PackageGroup("/npm/*").SetMode(codeartifact.Publish, codeartifact.AllowSpecific, repositories...)

	type page struct {
		items []string
		next  *string
	}
	patterns := func(list []types.PackageGroupSummary) (names []string) {
		for _, g := range list {
			names = append(names, *g.Pattern)
		}
		return names
	}
	lists := []struct {
		name string
		want []string
		read func(token *string) (page, error)
	}{
		{"ListPackageGroups", slices.Insert(slices.Clone(groups), 2, "/npm/n1/ui$"), func(token *string) (page, error) {
			out, err := c.ListPackageGroups(ctx, &sdk.ListPackageGroupsInput{Domain: corp, Prefix: aws.String("/npm/n"), NextToken: token})
			if err != nil {
				return page{}, err
			}
			return page{patterns(out.PackageGroups), out.NextToken}, nil
		}},
		{"ListSubPackageGroups", groups, func(token *string) (page, error) {
			out, err := c.ListSubPackageGroups(ctx, &sdk.ListSubPackageGroupsInput{Domain: corp, PackageGroup: npm, NextToken: token})
			if err != nil {
				return page{}, err
			}
			return page{patterns(out.PackageGroups), out.NextToken}, nil
		}},
		{"ListAssociatedPackages", packages, func(token *string) (page, error) {
			out, err := c.ListAssociatedPackages(ctx, &sdk.ListAssociatedPackagesInput{Domain: corp, PackageGroup: npm, NextToken: token})
			if err != nil {
				return page{}, err
			}
			var names []string
			for _, p := range out.Packages {
				names = append(names, *p.Package)
			}
			return page{names, out.NextToken}, nil
		}},
		{"ListAllowedRepositoriesForGroup", repositories, func(token *string) (page, error) {
			out, err := c.ListAllowedRepositoriesForGroup(ctx, &sdk.ListAllowedRepositoriesForGroupInput{
				Domain: corp, PackageGroup: npm, OriginRestrictionType: "PUBLISH", NextToken: token})
			if err != nil {
				return page{}, err
			}
			return page{out.AllowedRepositories, out.NextToken}, nil
		}},
		{"ListPackages", packages, func(token *string) (page, error) {
			out, err := c.ListPackages(ctx, &sdk.ListPackagesInput{Domain: corp, Repository: team, PackagePrefix: aws.String("n"), NextToken: token})
			if err != nil {
				return page{}, err
			}
			var names []string
			for _, p := range out.Packages {
				names = append(names, *p.Package)
			}
			return page{names, out.NextToken}, nil
		}},
	}
	tokens := map[string]*string{}
	for _, list := range lists {
		first := must(list.read(nil))(t)
		tokens[list.name] = first.next
		got := first.items
		for next := first.next; next != nil; {
			p := must(list.read(next))(t)
			if len(p.items) > 2 {
				t.Errorf("%s: a page has %d items", list.name, len(p.items))
			}
			got, next = append(got, p.items...), p.next
		}
		if diff := cmp.Diff(list.want, got); diff != "" {
			t.Errorf("%s: %s", list.name, diff)
		}
	}
	for _, list := range lists {
		for of, token := range tokens {
			_, err := list.read(token)
			var refused *types.ValidationException
			if of != list.name && !errors.As(err, &refused) {
				t.Errorf("%s took a token of %s: %v", list.name, of, err)
			}
		}
	}
	_, err := c.ListAssociatedPackages(ctx, &sdk.ListAssociatedPackagesInput{
		Domain: corp, PackageGroup: aws.String("/*"), NextToken: tokens["ListAssociatedPackages"]})
	var refused *types.ValidationException
	if !errors.As(err, &refused) {
		t.Errorf("a list took the token of another group: %v", err)
	}
}
