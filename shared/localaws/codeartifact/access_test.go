package codeartifact_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws/codeartifact"
)

func TestAnotherAccountNeedsAGrantOnTheVeryResource(t *testing.T) {
	w, s := newWorld(t)
	corp := s.AddDomain(owner, region, "corp")
	repository := corp.AddRepository("store")
	c := client(w, other)
	list := func() error {
		_, err := c.ListRepositoriesInDomain(t.Context(), &sdk.ListRepositoriesInDomainInput{
			Domain: aws.String("corp"), DomainOwner: aws.String(owner)})
		return err
	}
	create := func() error {
		_, err := c.CreateRepository(t.Context(), &sdk.CreateRepositoryInput{
			Domain: aws.String("corp"), DomainOwner: aws.String(owner), Repository: aws.String("theirs")})
		return err
	}
	describe := func(name string) func() error {
		return func() error {
			_, err := c.DescribeRepository(t.Context(), &sdk.DescribeRepositoryInput{
				Domain: aws.String("corp"), DomainOwner: aws.String(owner), Repository: &name})
			return err
		}
	}
	associate := func() error {
		_, err := c.AssociateExternalConnection(t.Context(), &sdk.AssociateExternalConnectionInput{
			Domain: aws.String("corp"), DomainOwner: aws.String(owner), Repository: aws.String("store"),
			ExternalConnection: aws.String("public:npmjs")})
		return err
	}
	denied := func(call func() error) {
		t.Helper()
		var want *types.AccessDeniedException
		if err := call(); !errors.As(err, &want) {
			t.Errorf("got %v, not AccessDeniedException", err)
		}
	}
	allowed := func(call func() error) {
		t.Helper()
		if err := call(); err != nil {
			t.Error(err)
		}
	}

	denied(list)
	denied(describe("store"))
	denied(describe("nothing")) // and learns nothing about what is there
	corp.Grant(other, codeartifact.Read)
	allowed(list)
	denied(create)
	denied(describe("store"))
	repository.Grant(other, codeartifact.Read)
	allowed(describe("store"))
	denied(associate)
	repository.Grant(other, codeartifact.Write)
	allowed(associate)
	corp.Grant(other, codeartifact.Write)
	allowed(create)
	allowed(describe("theirs")) // which it administers
	repository.Grant(other, 0)
	denied(describe("store"))
}

func TestAListHoldsWhatAWSSaysItHolds(t *testing.T) {
	w, s := newWorld(t)
	corp := s.AddDomain(owner, region, "corp")
	corp.AddRepository("ours")
	corp.AddRepositoryOf(other, "theirs")
	s.AddDomain(other, region, "corp").AddRepository("apart") // the same name, another domain
	s.AddDomain(owner, "us-east-1", "corp").AddRepository("far")

	for _, test := range []struct {
		name, account string
		inDomain      *sdk.ListRepositoriesInDomainInput // or else ListRepositories
		want          []string
	}{
		{"the owner administers what it made, in this Region", owner, nil, []string{"111122223333 ours 111122223333"}},
		{"an administrator finds its repositories in every domain", other, nil,
			[]string{"111122223333 theirs 444455556666", "444455556666 apart 444455556666"}},
		{"a domain shows all of its repositories", owner, &sdk.ListRepositoriesInDomainInput{},
			[]string{"111122223333 ours 111122223333", "111122223333 theirs 444455556666"}},
		{"a domain shows the repositories of one administrator", owner,
			&sdk.ListRepositoriesInDomainInput{AdministratorAccount: aws.String(other)}, []string{"111122223333 theirs 444455556666"}},
		{"the domain is the caller's own by default", other, &sdk.ListRepositoriesInDomainInput{},
			[]string{"444455556666 apart 444455556666"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var list []types.RepositorySummary
			if test.inDomain == nil {
				list = must(client(w, test.account).ListRepositories(t.Context(), nil))(t).Repositories
			} else {
				test.inDomain.Domain = aws.String("corp")
				list = must(client(w, test.account).ListRepositoriesInDomain(t.Context(), test.inDomain))(t).Repositories
			}
			var got []string
			for _, r := range list {
				got = append(got, *r.DomainOwner+" "+*r.Name+" "+*r.AdministratorAccount)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	domains := must(client(w, other).ListDomains(t.Context(), nil))(t).Domains
	if len(domains) != 1 || *domains[0].Owner != other {
		t.Errorf("got %d domains, not the one that the caller owns", len(domains))
	}
}
