package cloudtrail_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/cloudtrail"
	"portcullis/shared/localaws/internal/awscli"
	"portcullis/shared/localaws/witness"
)

func TestTrailsTellWhatTheyLog(t *testing.T) {
	const here, management, region = "111122223333", "999999999999", "eu-central-1"
	w, err := localaws.New(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	witness.Watch(t, w)
	s, who := cloudtrail.ServeTrails(w), w.Account(here)
	c := sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(w.URL()), HTTPClient: w.Client(), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}, nil
		}),
	})
	for _, trail := range []cloudtrail.Configuration{
		{Name: "own", Account: here, Region: region, Stopped: true},
		{Name: "shadow", Account: here, Region: "us-east-1", MultiRegion: true, Selectors: []cloudtrail.Selector{{ReadWriteType: "WriteOnly", IncludeManagementEvents: true}}},
		{Name: "elsewhere", Account: here, Region: "us-east-1"},
		{Name: "org", Account: management, Region: "us-east-1", MultiRegion: true, Members: []string{here},
			Advanced: []cloudtrail.Advanced{{FieldSelectors: []cloudtrail.Field{{Field: "eventCategory", Equals: []string{"Management"}}}}}},
		{Name: "foreign", Account: management, Region: region},
	} {
		s.Set(trail)
	}
	list, err := c.DescribeTrails(t.Context(), &sdk.DescribeTrailsInput{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, trail := range list.TrailList {
		status, err := c.GetTrailStatus(t.Context(), &sdk.GetTrailStatusInput{Name: trail.TrailARN})
		if err != nil {
			t.Fatal(err)
		}
		selectors, err := c.GetEventSelectors(t.Context(), &sdk.GetEventSelectorsInput{TrailName: trail.TrailARN})
		if err != nil {
			t.Fatal(err)
		}
		text := map[bool]string{true: "logs", false: "does not log"}[*status.IsLogging]
		for _, b := range selectors.EventSelectors {
			text += " " + string(b.ReadWriteType)
		}
		for _, a := range selectors.AdvancedEventSelectors {
			text += " " + a.FieldSelectors[0].Equals[0]
		}
		got[*trail.Name] = text
	}
	if diff := cmp.Diff(map[string]string{"own": "does not log All", "shadow": "logs WriteOnly", "org": "logs Management"}, got); diff != "" {
		t.Errorf("trails (-want +got):\n%s", diff)
	}
	var missing smithy.APIError
	if _, err := c.GetTrailStatus(t.Context(), &sdk.GetTrailStatusInput{Name: aws.String("arn:x")}); !errors.As(err, &missing) || missing.ErrorCode() != "TrailNotFoundException" {
		t.Errorf("a trail that is not there: %v", err)
	}
	if _, err := c.ListTrails(t.Context(), nil); !errors.As(err, &missing) || missing.ErrorCode() != "UnknownOperationException" {
		t.Errorf("another operation: %v", err)
	}
	cli := awscli.Require(t, w)
	if diff := cmp.Diff(any([]any{"own", "shadow", "org"}), cli.Run(t, here, region, "cloudtrail", "describe-trails", "--query", "trailList[].Name")); diff != "" {
		t.Errorf("the AWS CLI: %s", diff)
	}
	s.Remove()
	if list, err := c.DescribeTrails(t.Context(), &sdk.DescribeTrailsInput{}); err != nil || len(list.TrailList) != 0 {
		t.Errorf("none: %+v, %v", list, err)
	}
}
