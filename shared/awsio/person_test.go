package awsio

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/smithy-go"

	"portcullis/shared/control"
)

func somebody(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "secret"}, nil
}

// A person's rights are mostly wider than a function's, so here the client is all
// that keeps a look from writing.
func TestAPersonWhoOnlyLooksCannotWrite(t *testing.T) {
	home := control.Scope{Account: "111122223333", Region: "eu-west-1"}
	s, err := ForPerson(aws.CredentialsProviderFunc(somebody), home, "http://127.0.0.1:1", control.Monitor).Session(home)
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]aws.Config{"Reads": s.Reads, "Writes": s.Writes} {
		_, err := codeartifact.NewFromConfig(cfg).DeleteDomain(t.Context(), &codeartifact.DeleteDomainInput{Domain: aws.String("corp")})
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: error %v, want %v", name, err, ErrReadOnly)
		}
	}
}

func TestAPersonReachesTheEndpointThatIsNamed(t *testing.T) {
	server := serve(t, works())
	s, err := ForPerson(aws.CredentialsProviderFunc(somebody), home(), server.url, control.Monitor).Session(home())
	if err != nil {
		t.Fatal(err)
	}
	if err := describe(t.Context(), s.Reads); err != nil || len(server.requests()) != 1 {
		t.Errorf("%d requests, error %v", len(server.requests()), err)
	}
	if s, err := ForPerson(aws.CredentialsProviderFunc(somebody), home(), "", control.Monitor).Session(home()); err != nil || s.Reads.BaseEndpoint != nil {
		t.Errorf("without an endpoint it goes to %v, error %v", s.Reads.BaseEndpoint, err)
	}
}

func TestAPersonIsToldWhatAPersonCanDo(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"}
	_, byHand := Failure(ByHand(t.Context()), "it could not be read", denied)
	_, byFunction := Failure(t.Context(), "it could not be read", denied)
	if strings.Contains(byHand, "function") || !strings.Contains(byHand, "these credentials lack the right") || !strings.Contains(byFunction, "the function's role") {
		t.Errorf("a person is told %q, a function %q", byHand, byFunction)
	}
	for _, c := range []Class{Denied, Credentials, Throttled, Unavailable, Timeout, Unreachable, Malformed, Deadline} {
		if next := nextStepByHand(c); next == "" || strings.Contains(next, "function") || strings.Contains(next, "sweep") {
			t.Errorf("%s: %q", c, next)
		}
	}
}

// Somebody who waits is shown that AWS answers, be it with a page or with an error.
func TestAnswersAreCounted(t *testing.T) {
	var n atomic.Int64
	aws := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Load() == 0 {
			answer(500, `{"message":"no"}`)(w, r)
			return
		}
		answer(200, repository)(w, r)
	})
	if err := describe(Counting(t.Context(), &n), aws.session(t, control.Monitor).Reads); err != nil {
		t.Fatal(err)
	}
	if n.Load() != 2 {
		t.Errorf("%d answers were counted, want 2", n.Load())
	}
}
