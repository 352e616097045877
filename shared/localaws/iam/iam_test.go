package iam_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/iam"
	"portcullis/shared/localaws/internal/awscli"
	"portcullis/shared/localaws/witness"
)

const (
	account = "111122223333"
	region  = "eu-central-1"
)

func newWorld(t *testing.T) *localaws.World {
	t.Helper()
	w, err := localaws.New(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	return w
}

// client is a configuration of the SDK for the account.
func client(w *localaws.World) aws.Config {
	c := w.Account(account)
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(w.URL()), HTTPClient: w.Client(), Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		}),
	}
}

func code(t *testing.T, err error) string {
	t.Helper()
	var got smithy.APIError
	if !errors.As(err, &got) {
		t.Fatalf("got %v, not an error of AWS", err)
	}
	return got.ErrorCode()
}

func TestARoleTellsWhatItMayDo(t *testing.T) {
	w := newWorld(t)
	s, c := iam.New(w), sdk.NewFromConfig(client(w))
	role := s.Role(account, "reader")
	role.Put("own", `{"a": "b+c"}`)
	role.Attach("arn:aws:iam::aws:policy/job-function/ViewOnlyAccess")
	name := aws.String("reader")

	inline, err := c.ListRolePolicies(t.Context(), &sdk.ListRolePoliciesInput{RoleName: name})
	if err != nil || !cmp.Equal(inline.PolicyNames, []string{"own"}) {
		t.Errorf("its own: %+v, %v", inline, err)
	}
	attached, err := c.ListAttachedRolePolicies(t.Context(), &sdk.ListAttachedRolePoliciesInput{RoleName: name})
	if err != nil || len(attached.AttachedPolicies) != 1 || *attached.AttachedPolicies[0].PolicyName != "ViewOnlyAccess" {
		t.Errorf("attached: %+v, %v", attached, err)
	}
	policy, err := c.GetRolePolicy(t.Context(), &sdk.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("own")})
	if err != nil || *policy.PolicyDocument != "%7B%22a%22%3A%20%22b%2Bc%22%7D" {
		t.Errorf("the document: %+v, %v", policy, err)
	}
	if _, err := c.GetRolePolicy(t.Context(), &sdk.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("x")}); code(t, err) != "NoSuchEntity" {
		t.Errorf("a policy that is not there: %v", err)
	}
	if _, err := c.GetRole(t.Context(), &sdk.GetRoleInput{RoleName: name}); code(t, err) != "InvalidAction" {
		t.Errorf("another operation: %v", err)
	}
	if _, err := c.ListRolePolicies(t.Context(), &sdk.ListRolePoliciesInput{RoleName: name, Marker: aws.String("x")}); code(t, err) != "ValidationError" {
		t.Errorf("a page that there is not: %v", err)
	}
	role.Remove()
	if _, err := c.ListRolePolicies(t.Context(), &sdk.ListRolePoliciesInput{RoleName: name}); code(t, err) != "NoSuchEntity" {
		t.Errorf("a role that is not there: %v", err)
	}
}

func TestTheAWSCLIUnderstands(t *testing.T) {
	w := newWorld(t)
	iam.New(w).Role(account, "reader").Put("own", `{"a": "b+c"}`)
	cli := awscli.Require(t, w)
	got := cli.Run(t, account, region, "iam", "get-role-policy", "--role-name", "reader", "--policy-name", "own", "--query", "PolicyDocument")
	if diff := cmp.Diff(any(map[string]any{"a": "b+c"}), got); diff != "" {
		t.Error(diff)
	}
}
