package lambda_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/internal/awscli"
	"portcullis/shared/localaws/lambda"
	"portcullis/shared/localaws/witness"
)

func TestAFunctionTellsHowItIsConfigured(t *testing.T) {
	const account, region = "111122223333", "eu-central-1"
	w, err := localaws.New(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	witness.Watch(t, w)
	s, who := lambda.New(w), w.Account(account)
	c := sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(w.URL()), HTTPClient: w.Client(), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}, nil
		}),
	})
	missing := func(what string, err error) {
		t.Helper()
		var got smithy.APIError
		if !errors.As(err, &got) || got.ErrorCode() != "ResourceNotFoundException" {
			t.Errorf("%s: %v", what, err)
		}
	}
	f, id := aws.String("f"), aws.String("m")
	s.Set(account, region, lambda.Configuration{Name: "f", Env: map[string]string{"A": "b"}, Layers: []string{"arn:layer:1"}})
	out, err := c.GetFunctionConfiguration(t.Context(), &sdk.GetFunctionConfigurationInput{FunctionName: f})
	if err != nil {
		t.Fatal(err)
	}
	if out.State != "Active" || out.LastUpdateStatus != "Successful" || *out.Layers[0].Arn != "arn:layer:1" || !cmp.Equal(out.Environment.Variables, map[string]string{"A": "b"}) {
		t.Errorf("got %+v", out)
	}
	reserved, err := c.GetFunctionConcurrency(t.Context(), &sdk.GetFunctionConcurrencyInput{FunctionName: f})
	if err != nil || reserved.ReservedConcurrentExecutions != nil {
		t.Errorf("nothing is reserved: %+v, %v", reserved, err)
	}
	s.Change(account, region, "f", func(f *lambda.Configuration) { f.Reserved = new(int) })
	reserved, err = c.GetFunctionConcurrency(t.Context(), &sdk.GetFunctionConcurrencyInput{FunctionName: f})
	if err != nil || reserved.ReservedConcurrentExecutions == nil || *reserved.ReservedConcurrentExecutions != 0 {
		t.Errorf("it is stopped: %+v, %v", reserved, err)
	}
	_, err = c.GetEventSourceMapping(t.Context(), &sdk.GetEventSourceMappingInput{UUID: id})
	missing("a mapping that is not there", err)
	s.SetMapping(account, region, lambda.Mapping{ID: "m", Source: "arn:queue", Function: "f"})
	m, err := c.GetEventSourceMapping(t.Context(), &sdk.GetEventSourceMappingInput{UUID: id})
	if err != nil || *m.State != "Enabled" || *m.EventSourceArn != "arn:queue" {
		t.Errorf("the mapping: %+v, %v", m, err)
	}
	cli := awscli.Require(t, w)
	if got := cli.Run(t, account, region, "lambda", "get-function-configuration", "--function-name", "f", "--query", "State"); got != "Active" {
		t.Errorf("the AWS CLI: %v", got)
	}
	s.Remove(account, region, "f")
	_, err = c.GetFunctionConfiguration(t.Context(), &sdk.GetFunctionConfigurationInput{FunctionName: f})
	missing("the configuration of a function that is not there", err)
	_, err = c.GetFunctionConcurrency(t.Context(), &sdk.GetFunctionConcurrencyInput{FunctionName: f})
	missing("the concurrency of a function that is not there", err)
}
