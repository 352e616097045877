package codeartifact_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws/codeartifact"
)

func TestSetupGoesPastWhatTheAPIRefuses(t *testing.T) {
	w, s := newWorld(t)
	s.SetQuotas(codeartifact.Quotas{})
	repository := s.AddDomain(owner, region, "corp").AddRepository("store")
	repository.Connect("public:npmjs", "public:unheard-of")
	repository.Upstream("nothing")
	got := must(client(w, owner).DescribeRepository(t.Context(), &sdk.DescribeRepositoryInput{
		Domain: aws.String("corp"), Repository: aws.String("store")}))(t).Repository
	if len(got.ExternalConnections) != 2 || len(got.Upstreams) != 1 {
		t.Errorf("got %d connections and %d upstreams", len(got.ExternalConnections), len(got.Upstreams))
	}
	if diff := cmp.Diff([]string{"public:npmjs", "public:unheard-of"}, repository.Connections()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"store"}, repository.Domain.Repositories()); diff != "" {
		t.Error(diff)
	}
	repository.Remove()
	if repository.Exists() || repository.Connections() != nil {
		t.Error("the repository is still there")
	}
	repository.Connect("public:npmjs") // does nothing
	if repository.Exists() {
		t.Error("connecting brought the repository back")
	}
}

func TestANewConnectionCanBeOffered(t *testing.T) {
	w, s := newWorld(t)
	s.OfferConnection("public:swift-index", "swift")
	s.AddDomain(owner, region, "corp").AddRepository("store")
	out := must(client(w, owner).AssociateExternalConnection(t.Context(), &sdk.AssociateExternalConnectionInput{
		Domain: aws.String("corp"), Repository: aws.String("store"), ExternalConnection: aws.String("public:swift-index"),
	}))(t)
	if got := out.Repository.ExternalConnections[0].PackageFormat; got != types.PackageFormatSwift {
		t.Errorf("got format %s", got)
	}
}
