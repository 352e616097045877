package codeartifact_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
)

func TestEveryOperationOnOneRepository(t *testing.T) {
	w, s := newWorld(t)
	c, ctx := client(w, owner), t.Context()
	const domainARN = "arn:aws:codeartifact:eu-central-1:111122223333:domain/corp"
	const repositoryARN = "arn:aws:codeartifact:eu-central-1:111122223333:repository/corp/store"

	domain := &types.DomainDescription{
		Arn: aws.String(domainARN), Name: aws.String("corp"), Owner: aws.String(owner), Status: types.DomainStatusActive,
		CreatedTime: aws.Time(start()), EncryptionKey: aws.String("arn:aws:kms:eu-central-1:111122223333:key/mine"),
		S3BucketArn: aws.String("arn:aws:s3:::assets-111122223333-eu-central-1"),
	}
	created := must(c.CreateDomain(ctx, &sdk.CreateDomainInput{
		Domain: aws.String("corp"), EncryptionKey: domain.EncryptionKey,
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("build")}},
	}))(t)
	same(t, domain, created.Domain)

	w.Advance(time.Hour)
	repository := &types.RepositoryDescription{
		Arn: aws.String(repositoryARN), Name: aws.String("store"), DomainName: aws.String("corp"), DomainOwner: aws.String(owner),
		AdministratorAccount: aws.String(owner), CreatedTime: aws.Time(start().Add(time.Hour)), Description: aws.String("of npm"),
		ExternalConnections: []types.RepositoryExternalConnectionInfo{}, Upstreams: []types.UpstreamRepositoryInfo{},
	}
	same(t, repository, must(c.CreateRepository(ctx, &sdk.CreateRepositoryInput{
		Domain: aws.String("corp"), Repository: aws.String("store"), Description: aws.String("of npm"),
	}))(t).Repository)

	domain.RepositoryCount = 1
	same(t, domain, must(c.DescribeDomain(ctx, &sdk.DescribeDomainInput{Domain: aws.String("corp")}))(t).Domain)
	same(t, []types.DomainSummary{{
		Arn: domain.Arn, Name: domain.Name, Owner: domain.Owner, Status: domain.Status,
		CreatedTime: domain.CreatedTime, EncryptionKey: domain.EncryptionKey,
	}}, must(c.ListDomains(ctx, &sdk.ListDomainsInput{}))(t).Domains)

	connected := must(c.AssociateExternalConnection(ctx, &sdk.AssociateExternalConnectionInput{
		Domain: aws.String("corp"), Repository: aws.String("store"), ExternalConnection: aws.String("public:npmjs"),
	}))(t)
	repository.ExternalConnections = []types.RepositoryExternalConnectionInfo{{
		ExternalConnectionName: aws.String("public:npmjs"), PackageFormat: types.PackageFormatNpm,
		Status: types.ExternalConnectionStatusAvailable,
	}}
	same(t, repository, connected.Repository)
	describe := &sdk.DescribeRepositoryInput{Domain: aws.String("corp"), DomainOwner: aws.String(owner), Repository: aws.String("store")}
	same(t, repository, must(c.DescribeRepository(ctx, describe))(t).Repository)

	repository.ExternalConnections = []types.RepositoryExternalConnectionInfo{}
	same(t, repository, must(c.DisassociateExternalConnection(ctx, &sdk.DisassociateExternalConnectionInput{
		Domain: aws.String("corp"), Repository: aws.String("store"), ExternalConnection: aws.String("public:npmjs"),
	}))(t).Repository)

	s.Domain(owner, region, "corp").AddRepository("base")
	repository.Upstreams = []types.UpstreamRepositoryInfo{{RepositoryName: aws.String("base")}}
	same(t, repository, must(c.UpdateRepository(ctx, &sdk.UpdateRepositoryInput{
		Domain: aws.String("corp"), Repository: aws.String("store"),
		Upstreams: []types.UpstreamRepository{{RepositoryName: aws.String("base")}},
	}))(t).Repository)
	repository.Description = aws.String("of everything")
	same(t, repository, must(c.UpdateRepository(ctx, &sdk.UpdateRepositoryInput{
		Domain: aws.String("corp"), Repository: aws.String("store"), Description: repository.Description, // and not upstreams
	}))(t).Repository)
	repository.Upstreams = []types.UpstreamRepositoryInfo{}
	same(t, repository, must(c.UpdateRepository(ctx, &sdk.UpdateRepositoryInput{
		Domain: aws.String("corp"), Repository: aws.String("store"), Upstreams: []types.UpstreamRepository{},
	}))(t).Repository)

	summary := types.RepositorySummary{
		Arn: repository.Arn, Name: repository.Name, DomainName: repository.DomainName, DomainOwner: repository.DomainOwner,
		AdministratorAccount: repository.AdministratorAccount, CreatedTime: repository.CreatedTime, Description: repository.Description,
	}
	prefix := aws.String("st")
	same(t, []types.RepositorySummary{summary},
		must(c.ListRepositories(ctx, &sdk.ListRepositoriesInput{RepositoryPrefix: prefix}))(t).Repositories)
	same(t, []types.RepositorySummary{summary}, must(c.ListRepositoriesInDomain(ctx, &sdk.ListRepositoriesInDomainInput{
		Domain: aws.String("corp"), RepositoryPrefix: prefix,
	}))(t).Repositories)

	for arn, tags := range map[string][]types.Tag{
		domainARN:     {{Key: aws.String("team"), Value: aws.String("build")}},
		repositoryARN: {},
	} {
		same(t, tags, must(c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: aws.String(arn)}))(t).Tags)
	}
	must(c.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: aws.String(repositoryARN), Tags: []types.Tag{
		{Key: aws.String("b"), Value: aws.String("2")}, {Key: aws.String("a"), Value: aws.String("")},
	}}))(t)
	must(c.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: aws.String(repositoryARN), TagKeys: []string{"b", "c"}}))(t)
	same(t, []types.Tag{{Key: aws.String("a"), Value: aws.String("")}},
		must(c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: aws.String(repositoryARN)}))(t).Tags)

	for _, name := range []string{"store", "base"} {
		deleted := must(c.DeleteRepository(ctx, &sdk.DeleteRepositoryInput{Domain: aws.String("corp"), Repository: aws.String(name)}))(t)
		if got := aws.ToString(deleted.Repository.Name); got != name {
			t.Errorf("deleting %s answered with %s", name, got)
		}
	}
	same(t, []types.RepositorySummary{}, must(c.ListRepositories(ctx, nil))(t).Repositories)
	same(t, []types.RepositorySummary{},
		must(c.ListRepositoriesInDomain(ctx, &sdk.ListRepositoriesInDomainInput{Domain: aws.String("corp")}))(t).Repositories)
	deleted := must(c.DeleteDomain(ctx, &sdk.DeleteDomainInput{Domain: aws.String("corp")}))(t)
	if deleted.Domain.Status != types.DomainStatusDeleted {
		t.Errorf("the deleted domain is %s", deleted.Domain.Status)
	}
	same(t, []types.DomainSummary{}, must(c.ListDomains(ctx, &sdk.ListDomainsInput{}))(t).Domains)

	for _, call := range w.Writes() {
		if !call.Changed {
			t.Errorf("%s changed nothing", call.Operation)
		}
	}
	if again := must(c.DeleteDomain(ctx, &sdk.DeleteDomainInput{Domain: aws.String("corp")}))(t); again.Domain != nil {
		t.Errorf("deleting what does not exist answered with %v", *again.Domain)
	}
	if writes := w.Writes(); writes[len(writes)-1].Changed {
		t.Error("deleting what does not exist changed something")
	}
}
