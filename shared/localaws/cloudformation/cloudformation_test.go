package cloudformation_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/cloudformation"
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

func stack() cloudformation.Stack {
	return cloudformation.Stack{
		Name: "s", Parameters: []cloudformation.Parameter{{Key: "Mode", Value: "off"}},
		Resources: []cloudformation.Resource{{LogicalID: "A", PhysicalID: "a&b", Type: "AWS::SQS::Queue"}, {LogicalID: "B", PhysicalID: "b", Type: "AWS::SQS::Queue"}},
	}
}

func TestAStackTellsWhatItIs(t *testing.T) {
	w := newWorld(t)
	s, c := cloudformation.New(w), sdk.NewFromConfig(client(w))
	s.Set(account, region, stack())
	out, err := c.DescribeStacks(t.Context(), &sdk.DescribeStacksInput{StackName: aws.String("s")})
	if err != nil {
		t.Fatal(err)
	}
	if st := out.Stacks[0]; len(out.Stacks) != 1 || st.StackStatus != "CREATE_COMPLETE" || *st.Parameters[0].ParameterKey != "Mode" || *st.Parameters[0].ParameterValue != "off" {
		t.Errorf("got %+v", out.Stacks)
	}
	s.Remove(account, region, "s")
	if _, err := c.DescribeStacks(t.Context(), &sdk.DescribeStacksInput{StackName: aws.String("s")}); code(t, err) != "ValidationError" || !strings.Contains(err.Error(), "Stack with id s does not exist") {
		t.Errorf("a stack that is not there: %v", err)
	}
	if _, err := c.ListStacks(t.Context(), nil); code(t, err) != "InvalidAction" {
		t.Errorf("another operation: %v", err)
	}
	if _, err := c.DescribeStacks(t.Context(), nil); code(t, err) != "ValidationError" {
		t.Errorf("no stack: %v", err)
	}
}

func TestTheResourcesOfAStackHavePages(t *testing.T) {
	w := newWorld(t)
	s, c := cloudformation.New(w), sdk.NewFromConfig(client(w))
	s.Set(account, region, stack())
	for _, size := range []int{100, 1} {
		s.SetPageSize(size)
		var got []string
		in := &sdk.ListStackResourcesInput{StackName: aws.String("s")}
		for {
			out, err := c.ListStackResources(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range out.StackResourceSummaries {
				got = append(got, *r.LogicalResourceId+" "+*r.PhysicalResourceId)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if diff := cmp.Diff([]string{"A a&b", "B b"}, got); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
	if _, err := c.ListStackResources(t.Context(), &sdk.ListStackResourcesInput{StackName: aws.String("s"), NextToken: aws.String("9")}); code(t, err) != "ValidationError" {
		t.Errorf("a token of another list: %v", err)
	}
}

func TestTheAWSCLIUnderstands(t *testing.T) {
	w := newWorld(t)
	s := cloudformation.New(w)
	s.SetPageSize(1)
	s.Set(account, region, stack())
	cli := awscli.Require(t, w)
	got := cli.Run(t, account, region, "cloudformation", "list-stack-resources", "--stack-name", "s", "--query", "StackResourceSummaries[].PhysicalResourceId")
	if diff := cmp.Diff(any([]any{"a&b", "b"}), got); diff != "" {
		t.Error(diff)
	}
	got = cli.Run(t, account, region, "cloudformation", "describe-stacks", "--stack-name", "s", "--query", "Stacks[].Parameters[].ParameterValue")
	if diff := cmp.Diff(any([]any{"off"}), got); diff != "" {
		t.Error(diff)
	}
}
