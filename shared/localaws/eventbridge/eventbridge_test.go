package eventbridge_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/witness"
)

const (
	account = "111122223333"
	region  = "eu-central-1"
)

func start() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

func newWorld(t *testing.T) (*localaws.World, *eventbridge.Service, *sdk.Client) {
	t.Helper()
	w, err := localaws.New(start())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	c := w.Account(account)
	client := sdk.New(sdk.Options{
		Region:       region,
		BaseEndpoint: aws.String(w.URL()),
		HTTPClient:   w.Client(),
		Retryer:      aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		}),
	})
	return w, eventbridge.New(w), client
}

func entry(source string) types.PutEventsRequestEntry {
	return types.PutEventsRequestEntry{Source: &source, DetailType: aws.String("Summary"), Detail: aws.String(`{"findings":1}`)}
}

func TestAnAcceptedEventIsOnItsBus(t *testing.T) {
	w, s, c := newWorld(t)
	s.AddBus(account, region, "own")
	s.AddBus(account, region, "own") // changes nothing
	plain, full := entry("portcullis"), entry("portcullis")
	full.EventBusName = aws.String("own")
	full.Time = aws.Time(start().Add(-time.Hour))
	full.Resources = []string{"arn:aws:codeartifact:eu-central-1:111122223333:domain/corp"}
	byARN := entry("portcullis")
	byARN.EventBusName = aws.String("arn:aws:events:eu-central-1:111122223333:event-bus/own")

	out, err := c.PutEvents(t.Context(), &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{plain, full, byARN}})
	if err != nil || out.FailedEntryCount != 0 {
		t.Fatalf("got %v, %+v", err, out)
	}
	event := eventbridge.Event{
		ID: *out.Entries[0].EventId, Account: account, Region: region, Bus: "default",
		Source: "portcullis", DetailType: "Summary", Detail: []byte(`{"findings":1}`), Time: start(),
	}
	if diff := cmp.Diff([]eventbridge.Event{event}, s.Events(account, region, "default")); diff != "" {
		t.Error(diff)
	}
	second, third := event, event
	second.ID, third.ID = *out.Entries[1].EventId, *out.Entries[2].EventId
	second.Bus, third.Bus = "own", "own"
	second.Time, second.Resources = *full.Time, full.Resources
	if diff := cmp.Diff([]eventbridge.Event{second, third}, s.Events(account, region, "own")); diff != "" {
		t.Error(diff)
	}
	if writes := w.Writes(); len(writes) != 1 || writes[0].Operation != "PutEvents" || !writes[0].Changed {
		t.Errorf("the journal has %+v", writes)
	}
}

func TestAnEventForABusThatDoesNotExistIsAcceptedAndLost(t *testing.T) {
	w, s, c := newWorld(t)
	lost, far := entry("portcullis"), entry("portcullis")
	lost.EventBusName = aws.String("nowhere")
	far.EventBusName = aws.String("arn:aws:events:us-east-1:111122223333:event-bus/default") // not in this Region
	out, err := c.PutEvents(t.Context(), &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{lost, far}})
	if err != nil || out.FailedEntryCount != 0 || out.Entries[0].EventId == nil || out.Entries[1].EventId == nil {
		t.Errorf("got %v, %+v", err, out)
	}
	if s.Events(account, region, "nowhere") != nil || s.Events(account, "us-east-1", "default") != nil || w.Writes()[0].Changed {
		t.Error("the event is somewhere")
	}
}

func TestAnEntryFailsAlone(t *testing.T) {
	_, s, c := newWorld(t)
	s.FailEntries(func(i int, e eventbridge.Event) string {
		if i == 7 && e.Source == "unlucky" {
			return "ThrottlingException"
		}
		return ""
	})
	change := func(f func(*types.PutEventsRequestEntry)) types.PutEventsRequestEntry {
		e := entry("portcullis")
		f(&e)
		return e
	}
	entries := []types.PutEventsRequestEntry{
		entry("portcullis"),
		change(func(e *types.PutEventsRequestEntry) { e.Source = nil }),
		change(func(e *types.PutEventsRequestEntry) { e.DetailType = aws.String("") }),
		change(func(e *types.PutEventsRequestEntry) { e.Detail = nil }),
		change(func(e *types.PutEventsRequestEntry) { e.Detail = aws.String("null") }),
		entry("aws.codeartifact"),
		change(func(e *types.PutEventsRequestEntry) { e.DetailType = aws.String(strings.Repeat("x", 129)) }),
		entry("unlucky"),
		change(func(e *types.PutEventsRequestEntry) {
			e.EventBusName = aws.String("arn:aws:events:eu-central-1:444455556666:event-bus/default")
		}),
		entry("portcullis"),
	}
	out, err := c.PutEvents(t.Context(), &sdk.PutEventsInput{Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, r := range out.Entries {
		codes = append(codes, aws.ToString(r.ErrorCode))
		if (r.EventId == nil) != (r.ErrorCode != nil) {
			t.Errorf("an entry has id %v and code %v", r.EventId, r.ErrorCode)
		}
	}
	want := []string{"", "InvalidArgument", "InvalidArgument", "InvalidArgument", "MalformedDetail",
		"NotAuthorizedForSourceException", "InvalidArgument", "ThrottlingException", "AccessDeniedException", ""}
	if diff := cmp.Diff(want, codes); diff != "" || out.FailedEntryCount != 8 {
		t.Errorf("%d failed: %s", out.FailedEntryCount, diff)
	}
	if n := len(s.Events(account, region, "default")); n != 2 {
		t.Errorf("the bus has %d events", n)
	}
}

func TestARequestFailsAsAWhole(t *testing.T) {
	_, s, c := newWorld(t)
	large := entry("portcullis")
	large.Time, large.Resources = aws.Time(start()), []string{"arn"} // 14 bytes and 3
	large.Detail = aws.String(`{"padding":"` + strings.Repeat("x", 1<<20-14-len(`{"padding":""}`+"portcullis"+"Summary"+"arn")) + `"}`)
	var eleven []types.PutEventsRequestEntry
	for range 11 {
		eleven = append(eleven, entry("portcullis"))
	}
	for _, test := range []struct {
		name    string
		entries []types.PutEventsRequestEntry
	}{
		{"no entries", []types.PutEventsRequestEntry{}},
		{"eleven entries", eleven},
		{"one MB", []types.PutEventsRequestEntry{large}},
		{"no complete entry", make([]types.PutEventsRequestEntry, 2)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got smithy.APIError
			_, err := c.PutEvents(t.Context(), &sdk.PutEventsInput{Entries: test.entries})
			if !errors.As(err, &got) || got.ErrorCode() != "ValidationException" {
				t.Errorf("got %v", err)
			}
		})
	}
	large.Source = aws.String("portculli") // one byte less
	if _, err := c.PutEvents(t.Context(), &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{large}}); err != nil {
		t.Errorf("just under one MB: %v", err)
	}
	if n := len(s.Events(account, region, "default")); n != 1 {
		t.Errorf("the bus has %d events", n)
	}
}

func TestAnotherOperationIsUnknown(t *testing.T) {
	_, _, c := newWorld(t)
	var got smithy.APIError
	if _, err := c.ListRules(t.Context(), nil); !errors.As(err, &got) || got.ErrorCode() != "UnknownOperationException" {
		t.Errorf("got %v", err)
	}
}
