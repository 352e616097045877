package sqs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/internal/awscli"
	"portcullis/shared/localaws/sqs"
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

func TestAQueueTellsWhatWaits(t *testing.T) {
	w := newWorld(t)
	s, c := sqs.New(w), sdk.NewFromConfig(client(w))
	q := s.AddQueue(account, region, "q")
	q.Send(2)
	s.AddQueue(account, region, "q").Send(1) // the same
	for _, test := range []struct {
		names []types.QueueAttributeName
		want  map[string]string
	}{
		{nil, map[string]string{}},
		{[]types.QueueAttributeName{"ApproximateNumberOfMessages"}, map[string]string{"ApproximateNumberOfMessages": "3"}},
		{[]types.QueueAttributeName{"All"}, map[string]string{
			"ApproximateNumberOfMessages": "3", "ApproximateNumberOfMessagesDelayed": "0", "ApproximateNumberOfMessagesNotVisible": "0", "QueueArn": q.ARN,
		}},
	} {
		out, err := c.GetQueueAttributes(t.Context(), &sdk.GetQueueAttributesInput{QueueUrl: &q.URL, AttributeNames: test.names})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, out.Attributes); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.names, diff)
		}
	}
	if _, err := c.ListQueues(t.Context(), nil); code(t, err) != "InvalidAction" {
		t.Errorf("another operation: %v", err)
	}
	q.Remove()
	if _, err := c.GetQueueAttributes(t.Context(), &sdk.GetQueueAttributesInput{QueueUrl: &q.URL}); code(t, err) != "QueueDoesNotExist" {
		t.Errorf("a queue that is not there: %v", err)
	}
}

func TestTheAWSCLIUnderstands(t *testing.T) {
	w := newWorld(t)
	q := sqs.New(w).AddQueue(account, region, "q")
	q.Send(1)
	cli := awscli.Require(t, w)
	got := cli.Run(t, account, region, "--endpoint-url", w.URL(), "sqs", "get-queue-attributes", "--queue-url", q.URL, "--attribute-names", "All", "--query", "Attributes.ApproximateNumberOfMessages")
	if got != "1" {
		t.Errorf("got %v", got)
	}
}
