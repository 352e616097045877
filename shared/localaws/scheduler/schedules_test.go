package scheduler_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/smithy-go"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/internal/awscli"
	"portcullis/shared/localaws/scheduler"
	"portcullis/shared/localaws/witness"
)

const (
	account = "111122223333"
	region  = "eu-central-1"
)

func TestAScheduleTellsWhatItStarts(t *testing.T) {
	w, err := localaws.New(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	witness.Watch(t, w)
	s, who := scheduler.New(w), w.Account(account)
	c := sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(w.URL()), HTTPClient: w.Client(), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}, nil
		}),
	})
	missing := func(what string, in sdk.GetScheduleInput) {
		t.Helper()
		var got smithy.APIError
		if _, err := c.GetSchedule(t.Context(), &in); !errors.As(err, &got) || got.ErrorCode() != "ResourceNotFoundException" {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.Set(account, region, scheduler.Schedule{Name: "hourly", Expression: "rate(1 hour)", Target: "arn:target"})
	out, err := c.GetSchedule(t.Context(), &sdk.GetScheduleInput{Name: aws.String("hourly")})
	if err != nil {
		t.Fatal(err)
	}
	if out.State != "ENABLED" || *out.Target.Arn != "arn:target" || *out.ScheduleExpression != "rate(1 hour)" {
		t.Errorf("got %+v", out)
	}
	missing("another group", sdk.GetScheduleInput{Name: aws.String("hourly"), GroupName: aws.String("x")})
	cli := awscli.Require(t, w)
	if got := cli.Run(t, account, region, "scheduler", "get-schedule", "--name", "hourly", "--query", "Target.Arn"); got != "arn:target" {
		t.Errorf("the AWS CLI: %v", got)
	}
	s.Remove(account, region, "hourly")
	missing("a schedule that was removed", sdk.GetScheduleInput{Name: aws.String("hourly")})
}
