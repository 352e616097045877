package codeartifact_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
)

func TestAnErrorIsTheOneThatAWSGives(t *testing.T) {
	w, s := newWorld(t)
	s.SetQuotas(codeartifact.Quotas{Domains: 1, RepositoriesPerDomain: 4, UpstreamsPerRepository: 1})
	corp := s.AddDomain(owner, region, "corp")
	corp.AddRepository("plain")
	corp.AddRepository("connected").Connect("public:npmjs")
	corp.AddRepository("downstream").Upstream("plain")
	corp.AddRepository("fourth")
	s.AddDomain(owner, "us-east-1", "elsewhere")

	type input struct{ domain, owner, repository, connection string }
	associate := func(in input) func(*sdk.Client) error {
		return func(c *sdk.Client) error {
			_, err := c.AssociateExternalConnection(t.Context(), &sdk.AssociateExternalConnectionInput{
				Domain: &in.domain, DomainOwner: optional(in.owner), Repository: &in.repository, ExternalConnection: &in.connection})
			return err
		}
	}
	disassociate := func(in input) func(*sdk.Client) error {
		return func(c *sdk.Client) error {
			_, err := c.DisassociateExternalConnection(t.Context(), &sdk.DisassociateExternalConnectionInput{
				Domain: &in.domain, DomainOwner: optional(in.owner), Repository: &in.repository, ExternalConnection: &in.connection})
			return err
		}
	}
	upstreams := func(repository string, names ...string) func(*sdk.Client) error {
		return func(c *sdk.Client) error {
			in := &sdk.UpdateRepositoryInput{Domain: aws.String("corp"), Repository: &repository}
			for _, name := range names {
				in.Upstreams = append(in.Upstreams, types.UpstreamRepository{RepositoryName: &name})
			}
			_, err := c.UpdateRepository(t.Context(), in)
			return err
		}
	}
	createRepository := func(domain, name string) func(*sdk.Client) error {
		return func(c *sdk.Client) error {
			_, err := c.CreateRepository(t.Context(), &sdk.CreateRepositoryInput{Domain: &domain, Repository: &name})
			return err
		}
	}
	createDomain := func(name string) func(*sdk.Client) error {
		return func(c *sdk.Client) error {
			_, err := c.CreateDomain(t.Context(), &sdk.CreateDomainInput{Domain: &name})
			return err
		}
	}
	tags := func(arn string) func(*sdk.Client) error {
		return func(c *sdk.Client) error {
			_, err := c.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceArn: &arn})
			return err
		}
	}

	domainMissing := &types.ResourceNotFoundException{ResourceId: aws.String("nowhere"), ResourceType: types.ResourceTypeDomain,
		Message: aws.String("Domain not found. Domain 'nowhere' owned by account '111122223333' does not exist")}
	repositoryMissing := &types.ResourceNotFoundException{ResourceId: aws.String("nothing"), ResourceType: types.ResourceTypeRepository,
		Message: aws.String("Repository not found. Repository 'nothing' in domain 'corp' does not exist")}
	for _, test := range []struct {
		name   string
		call   func(*sdk.Client) error
		status int
		want   error
	}{
		{"a domain that is not there", associate(input{"nowhere", "", "plain", "public:npmjs"}), 404, domainMissing},
		{"a repository that is not there", associate(input{"corp", "", "nothing", "public:npmjs"}), 404, repositoryMissing},
		{"a second connection", associate(input{"corp", "", "connected", "public:pypi"}), 400,
			&types.ValidationException{Reason: types.ValidationExceptionReasonOther,
				Message: aws.String("ExternalConnections for repositories are currently limited to 1")}},
		{"a connection beside upstreams", associate(input{"corp", "", "downstream", "public:npmjs"}), 400,
			&types.ValidationException{Reason: types.ValidationExceptionReasonOther,
				Message: aws.String("Repository 'downstream' can have upstream repositories or an external connection, not both")}},
		{"a connection that AWS does not offer", associate(input{"corp", "", "plain", "public:other"}), 400,
			&types.ValidationException{Reason: types.ValidationExceptionReasonOther,
				Message: aws.String(`there is no external connection "public:other"`)}},
		{"a connection that is not there", disassociate(input{"corp", "", "plain", "public:npmjs"}), 404,
			&types.ResourceNotFoundException{ResourceId: aws.String("plain"), ResourceType: types.ResourceTypeRepository,
				Message: aws.String("Repository 'plain' has no external connection 'public:npmjs'")}},
		{"a repository in another account", disassociate(input{"corp", other, "plain", "public:npmjs"}), 403,
			&types.AccessDeniedException{Message: aws.String("User: arn:aws:iam::111122223333:root is not authorized to perform: " +
				"codeartifact:DisassociateExternalConnection on resource: " +
				"arn:aws:codeartifact:eu-central-1:444455556666:repository/corp/plain")}},
		{"upstreams beside a connection", upstreams("connected", "plain"), 400,
			&types.ValidationException{Reason: types.ValidationExceptionReasonOther,
				Message: aws.String("Repository 'connected' can have upstream repositories or an external connection, not both")}},
		{"an upstream that is not there", upstreams("plain", "nothing"), 404, repositoryMissing},
		{"too many upstreams", upstreams("plain", "downstream", "fourth"), 402,
			&types.ServiceQuotaExceededException{ResourceId: aws.String("plain"), ResourceType: types.ResourceTypeRepository,
				Message: aws.String("a repository has at most 1 upstreams")}},
		{"a repository that exists", createRepository("corp", "plain"), 409,
			&types.ConflictException{ResourceId: aws.String("plain"), ResourceType: types.ResourceTypeRepository,
				Message: aws.String("Repository 'plain' already exists in domain 'corp'")}},
		{"too many repositories", createRepository("corp", "fifth"), 402,
			&types.ServiceQuotaExceededException{ResourceId: aws.String("fifth"), ResourceType: types.ResourceTypeRepository,
				Message: aws.String("domain 'corp' has 4 repositories")}},
		{"a domain that exists", createDomain("corp"), 409,
			&types.ConflictException{ResourceId: aws.String("corp"), ResourceType: types.ResourceTypeDomain,
				Message: aws.String("Domain 'corp' already exists")}},
		{"too many domains", createDomain("second"), 402,
			&types.ServiceQuotaExceededException{ResourceId: aws.String("second"), ResourceType: types.ResourceTypeDomain,
				Message: aws.String("the account has 1 domains")}},
		{"a domain that is not empty", func(c *sdk.Client) error {
			_, err := c.DeleteDomain(t.Context(), &sdk.DeleteDomainInput{Domain: aws.String("corp")})
			return err
		}, 409, &types.ConflictException{ResourceId: aws.String("corp"), ResourceType: types.ResourceTypeDomain,
			Message: aws.String("Domain 'corp' still contains 4 repositories")}},
		{"a name that is not valid", createDomain("C"), 400,
			&types.ValidationException{Reason: types.ValidationExceptionReasonFieldValidationFailed,
				Message: aws.String(`domain "C" does not match \A(?:[a-z][a-z0-9\-]{0,48}[a-z0-9])\z`)}},
		{"an account that is not valid", disassociate(input{"corp", "1234", "plain", "public:npmjs"}), 400,
			&types.ValidationException{Reason: types.ValidationExceptionReasonFieldValidationFailed,
				Message: aws.String(`domainOwner "1234" does not match \A(?:[0-9]{12})\z`)}},
		{"a page that is too long", func(c *sdk.Client) error {
			_, err := c.ListRepositories(t.Context(), &sdk.ListRepositoriesInput{MaxResults: aws.Int32(1001)})
			return err
		}, 400, &types.ValidationException{Reason: types.ValidationExceptionReasonFieldValidationFailed,
			Message: aws.String("maxResults 1001 is not from 1 to 1000")}},
		{"tags of another Region", tags("arn:aws:codeartifact:us-east-1:111122223333:domain/elsewhere"), 400,
			&types.ValidationException{Reason: types.ValidationExceptionReasonFieldValidationFailed,
				Message: aws.String(`"arn:aws:codeartifact:us-east-1:111122223333:domain/elsewhere" is no CodeArtifact ARN of eu-central-1`)}},
		{"tags of nothing", tags("arn:aws:codeartifact:eu-central-1:111122223333:repository/corp/nothing"), 404, repositoryMissing},
	} {
		t.Run(test.name, func(t *testing.T) {
			refused(t, w, test.call(client(w, owner)), test.status, test.want)
		})
	}
}

// refused checks the error of the last call, as the client and the journal have it.
func refused(t *testing.T, w *localaws.World, err error, status int, want error) {
	t.Helper()
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.HTTPStatusCode() != status {
		t.Fatalf("got %v, not status %d", err, status)
	}
	if diff := cmp.Diff(want, response.Unwrap(), cmpopts.IgnoreUnexported(types.ResourceNotFoundException{},
		types.ValidationException{}, types.AccessDeniedException{}, types.ConflictException{},
		types.ServiceQuotaExceededException{})); diff != "" {
		t.Error(diff)
	}
	var code smithy.APIError
	calls := w.Calls()
	if last := calls[len(calls)-1]; !errors.As(err, &code) || last.ErrorCode != code.ErrorCode() || last.Status != status ||
		last.Changed || !last.Executed {
		t.Errorf("the journal has %+v", last)
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func TestARequestThatNoClientSendsIsRefused(t *testing.T) {
	w, s := newWorld(t)
	s.AddDomain(owner, region, "corp").AddRepository("store")
	for _, test := range []struct{ name, method, uri, body, want string }{
		{"camel case in the query", "GET", "/v1/domain?domain=corp&domainOwner=111122223333", "",
			`400 ValidationException {"message":"DescribeDomain has no single query parameter \"domainOwner\"","reason":"CANNOT_PARSE"}`},
		{"a parameter twice", "GET", "/v1/domain?domain=corp&domain=corp", "",
			`400 ValidationException {"message":"DescribeDomain has no single query parameter \"domain\"","reason":"CANNOT_PARSE"}`},
		{"a member that is not there", "POST", "/v1/domains", `{"max-results":1}`,
			`400 ValidationException {"message":"the body of ListDomains has no member \"max-results\"","reason":"CANNOT_PARSE"}`},
		{"a required member left out", "GET", "/v1/repository?domain=corp", "",
			`400 ValidationException {"message":"repository is required","reason":"FIELD_VALIDATION_FAILED"}`},
		{"a number that is none", "POST", "/v1/repositories?max-results=all", "",
			`400 ValidationException {"message":"max-results is not a number","reason":"CANNOT_PARSE"}`},
		{"a truth value that is none", "GET", "/v1/list-associated-packages?domain=corp&package-group=/*&preview=yes", "",
			`400 ValidationException {"message":"preview is not true or false","reason":"CANNOT_PARSE"}`},
		{"a required member of the body left out", "POST", "/v1/package-group?domain=corp", "{}",
			`400 ValidationException {"message":"packageGroup is required","reason":"FIELD_VALIDATION_FAILED"}`},
		{"an asset without its hash", "POST", "/v1/package/version/publish?domain=corp&repository=store&format=generic&" +
			"namespace=acme&package=tool&version=1&asset=tool.tar", "what is published",
			`400 ValidationException {"message":"assetSHA256 \"\" does not match \\A(?:[0-9a-f]{64})\\z","reason":"FIELD_VALIDATION_FAILED"}`},
		{"a body that is no JSON", "POST", "/v1/domains", "maxResults=1",
			`400 ValidationException {"message":"the body is not a JSON object: invalid character 'm' looking for beginning of value","reason":"CANNOT_PARSE"}`},
		{"an operation that is not served", "PATCH", "/v1/domain?domain=corp", "",
			`404 UnknownOperationException {"message":"no operation PATCH /v1/domain"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := send(t, w, test.method, test.uri, test.body); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// send makes a request by hand and returns status, error type and body of the answer.
func send(t *testing.T, w *localaws.World, method, uri, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.URL()+uri, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+w.Account(owner).AccessKeyID+"/20261120/"+region+
		"/codeartifact/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s %s", resp.StatusCode, resp.Header.Get("X-Amzn-ErrorType"), text)
}
