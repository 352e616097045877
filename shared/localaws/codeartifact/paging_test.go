package codeartifact_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/google/go-cmp/cmp"
)

func TestPaging(t *testing.T) {
	w, s := newWorld(t)
	c, ctx := client(w, owner), t.Context()
	corp := s.AddDomain(owner, region, "corp")
	var all []string
	for i := range 250 {
		name := fmt.Sprintf("r%03d", i)
		corp.AddRepository(name)
		all = append(all, name)
	}
	for i := range 5 {
		s.AddDomain(owner, region, fmt.Sprintf("d%d", i))
	}
	names := func(list []types.RepositorySummary) []string {
		var names []string
		for _, r := range list {
			names = append(names, *r.Name)
		}
		return names
	}
	// walk reads all pages of the domain and returns their lengths too.
	walk := func(t *testing.T, size *int32, between func()) (found []string, pages []int) {
		p := sdk.NewListRepositoriesInDomainPaginator(c, &sdk.ListRepositoriesInDomainInput{Domain: aws.String("corp"), MaxResults: size})
		for p.HasMorePages() {
			list := names(must(p.NextPage(ctx))(t).Repositories)
			found, pages = append(found, list...), append(pages, len(list))
			between()
		}
		return found, pages
	}
	nothing := func() {}

	t.Run("pages have 100 items by default", func(t *testing.T) {
		found, pages := walk(t, nil, nothing)
		if diff := cmp.Diff([]int{100, 100, 50}, pages) + cmp.Diff(all, found); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a full last page has no token", func(t *testing.T) {
		if _, pages := walk(t, aws.Int32(125), nothing); !cmp.Equal(pages, []int{125, 125}) {
			t.Errorf("got pages of %v", pages)
		}
	})
	t.Run("a limit holds whatever the request asks for", func(t *testing.T) {
		s.SetPageLimit(100)
		defer s.SetPageLimit(0)
		for size, want := range map[int32][]int{200: {100, 100, 50}, 90: {90, 90, 70}} {
			if _, pages := walk(t, aws.Int32(size), nothing); !cmp.Equal(pages, want) {
				t.Errorf("got pages of %v where %d were asked for", pages, size)
			}
		}
	})
	t.Run("what goes between two pages hides nothing else", func(t *testing.T) {
		removed := false
		found, _ := walk(t, aws.Int32(200), func() {
			if !removed {
				corp.Repository("r199").Remove()
				removed = true
			}
		})
		corp.AddRepository("r199")
		if diff := cmp.Diff(all, found); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("ListRepositories and ListDomains have pages, too", func(t *testing.T) {
		s.SetPageSize(2)
		defer s.SetPageSize(100)
		repositories := must(c.ListRepositories(ctx, &sdk.ListRepositoriesInput{RepositoryPrefix: aws.String("r24")}))(t)
		repositories = must(c.ListRepositories(ctx, &sdk.ListRepositoriesInput{
			RepositoryPrefix: aws.String("r24"), NextToken: repositories.NextToken}))(t)
		if diff := cmp.Diff([]string{"r242", "r243"}, names(repositories.Repositories)); diff != "" {
			t.Error(diff)
		}
		var found []string
		for p := sdk.NewListDomainsPaginator(c, nil); p.HasMorePages(); {
			for _, d := range must(p.NextPage(ctx))(t).Domains {
				found = append(found, *d.Name)
			}
		}
		if diff := cmp.Diff([]string{"corp", "d0", "d1", "d2", "d3", "d4"}, found); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a token is good for its own list only", func(t *testing.T) {
		token := must(c.ListRepositories(ctx, &sdk.ListRepositoriesInput{}))(t).NextToken
		var want *types.ValidationException
		for name, in := range map[string]*sdk.ListRepositoriesInDomainInput{
			"nonsense":     {Domain: aws.String("corp"), NextToken: aws.String("nonsense")},
			"another list": {Domain: aws.String("corp"), NextToken: token},
		} {
			if _, err := c.ListRepositoriesInDomain(ctx, in); !errors.As(err, &want) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if _, err := client(w, other).ListRepositories(ctx, &sdk.ListRepositoriesInput{NextToken: token}); !errors.As(err, &want) {
			t.Errorf("another account: got %v", err)
		}
	})
}
