package logs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/internal/awscli"
	"portcullis/shared/localaws/logs"
	"portcullis/shared/localaws/witness"
)

const (
	account = "111122223333"
	region  = "eu-central-1"
	name    = "/aws/events/portcullis"
	arn     = "arn:aws:logs:eu-central-1:111122223333:log-group:" + name
)

func start() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

func newWorld(t *testing.T) (*localaws.World, *logs.Service, *sdk.Client) {
	t.Helper()
	w, err := localaws.New(start())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	c := w.Account(account)
	return w, logs.New(w), sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(w.URL()), HTTPClient: w.Client(), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		}),
	})
}

// search reads all pages, and says how many events each had.
func search(t *testing.T, c *sdk.Client, in sdk.FilterLogEventsInput) (messages []string, pages []int) {
	t.Helper()
	if in.LogGroupIdentifier == nil {
		in.LogGroupName = aws.String(name)
	}
	for {
		out, err := c.FilterLogEvents(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, len(out.Events))
		for _, e := range out.Events {
			messages = append(messages, *e.Message)
		}
		if out.NextToken == nil {
			return messages, pages
		}
		in.NextToken = out.NextToken
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

func TestTheEventsOfABusAreInTheLog(t *testing.T) {
	w, s, c := newWorld(t)
	bridge := eventbridge.New(w)
	bridge.AddBus(account, region, "portcullis")
	group := s.AddGroup(account, region, name)
	err := bridge.AddRule(account, region, "portcullis", eventbridge.Rule{Name: "EventsToLog",
		Pattern: []byte(`{"source":["portcullis"]}`), Target: group.Take})
	if err != nil {
		t.Fatal(err)
	}
	bridge.Put(eventbridge.Event{ID: "1", Account: account, Region: region, Bus: "portcullis", Source: "portcullis",
		DetailType: "Run Summary", Detail: []byte(`{"complete":true}`), Time: start().Add(-time.Minute)})
	bridge.Idle()

	out, err := c.FilterLogEvents(t.Context(), &sdk.FilterLogEventsInput{LogGroupName: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}
	want := []types.FilteredLogEvent{{
		EventId:       aws.String(fmt.Sprintf("%056d", 1)),
		IngestionTime: aws.Int64(start().UnixMilli()), Timestamp: aws.Int64(start().UnixMilli()),
		LogStreamName: aws.String("00000000-0000-4000-8000-000000000000"),
		Message: aws.String(`{"version":"0","id":"1","detail-type":"Run Summary","source":"portcullis","account":"111122223333",` +
			`"time":"2026-11-20T11:59:00Z","region":"eu-central-1","resources":[],"detail":{"complete":true}}`),
	}}
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return strings.HasSuffix(p.String(), "noSmithyDocumentSerde") }, cmp.Ignore())
	if diff := cmp.Diff(want, out.Events, ignore); diff != "" {
		t.Error(diff)
	}
}

// numbered fills a group with events a minute apart.
func numbered(s *logs.Service, n int) {
	group := s.AddGroup(account, region, name)
	for i := range n {
		group.Put(logs.Event{Time: start().Add(time.Duration(i) * time.Minute), Message: fmt.Sprint(i)})
	}
}

func TestASearchHasPages(t *testing.T) {
	_, s, c := newWorld(t)
	numbered(s, 5)
	for _, test := range []struct {
		name        string
		size, empty int
		in          sdk.FilterLogEventsInput
		messages    string
		pages       []int
	}{
		{"one if that is enough", 10, 0, sdk.FilterLogEventsInput{}, "0 1 2 3 4", []int{5}},
		{"as asked for", 10, 0, sdk.FilterLogEventsInput{Limit: aws.Int32(2)}, "0 1 2 3 4", []int{2, 2, 1}},
		{"of less than what was asked for", 3, 0, sdk.FilterLogEventsInput{Limit: aws.Int32(4)}, "0 1 2 3 4", []int{3, 2}},
		{"that may be empty", 3, 2, sdk.FilterLogEventsInput{}, "0 1 2 3 4", []int{0, 0, 3, 0, 0, 2}},
		{"in a range with both its ends", 10, 0, sdk.FilterLogEventsInput{StartTime: aws.Int64(start().Add(time.Minute).UnixMilli()),
			EndTime: aws.Int64(start().Add(3 * time.Minute).UnixMilli())}, "1 2 3", []int{3}},
		{"the latest first", 2, 0, sdk.FilterLogEventsInput{StartTime: aws.Int64(start().Add(time.Minute).UnixMilli()),
			StartFromHead: aws.Bool(false)}, "4 3 2 1", []int{2, 2}},
		{"by its ARN", 10, 0, sdk.FilterLogEventsInput{LogGroupIdentifier: aws.String(arn)}, "0 1 2 3 4", []int{5}},
		{"by its name as its identifier", 10, 0, sdk.FilterLogEventsInput{LogGroupIdentifier: aws.String(name)}, "0 1 2 3 4", []int{5}},
		{"of nothing", 10, 0, sdk.FilterLogEventsInput{FilterPattern: aws.String(`?"none"`)}, "", []int{0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.SetPageSize(test.size)
			s.SetEmptyPages(test.empty)
			messages, pages := search(t, c, test.in)
			if got := strings.Join(messages, " "); got != test.messages {
				t.Errorf("got %s", got)
			}
			if diff := cmp.Diff(test.pages, pages); diff != "" {
				t.Errorf("pages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPageHasAtMostOneMegabyte(t *testing.T) {
	_, s, c := newWorld(t)
	group := s.AddGroup(account, region, name)
	for range 3 {
		group.Put(logs.Event{Time: start(), Message: strings.Repeat("x", 400<<10)})
	}
	if _, pages := search(t, c, sdk.FilterLogEventsInput{}); !slices.Equal(pages, []int{2, 1}) {
		t.Errorf("got pages of %v", pages)
	}
}

func TestAPatternAsksForAnyOfItsPhrases(t *testing.T) {
	w, s, c := newWorld(t)
	group := s.AddGroup(account, region, name)
	for _, message := range []string{`{"a":"Round Planned"}`, `{"a":"Run Summary"}`, `{"a":"Round Summary"}`, `{"a":"round planned"}`} {
		group.Take([]byte(message))
		w.Advance(time.Second)
	}
	for pattern, want := range map[string][]string{
		``:                                {`{"a":"Round Planned"}`, `{"a":"Run Summary"}`, `{"a":"Round Summary"}`, `{"a":"round planned"}`},
		`?"Round Planned"`:                {`{"a":"Round Planned"}`},
		`?"Round Planned" ?"Run Summary"`: {`{"a":"Round Planned"}`, `{"a":"Run Summary"}`},
		`?"Summary" ?"Round"`:             {`{"a":"Round Planned"}`, `{"a":"Run Summary"}`, `{"a":"Round Summary"}`},
	} {
		got, _ := search(t, c, sdk.FilterLogEventsInput{FilterPattern: &pattern})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pattern, diff)
		}
	}
	for _, pattern := range []string{`Round`, `"Round"`, `?Round`, `{ $.a = "Round" }`, `-"Round"`, `?"a" "b"`, `?"a\"b"`, `%R%`} {
		_, err := c.FilterLogEvents(t.Context(), &sdk.FilterLogEventsInput{LogGroupName: aws.String(name), FilterPattern: &pattern})
		if code(t, err) != "InvalidParameterException" {
			t.Errorf("%s: got %v", pattern, err)
		}
	}
}

func TestTheLogIsInTheOrderOfTime(t *testing.T) {
	_, s, _ := newWorld(t)
	group := s.AddGroup(account, region, name)
	group.Take([]byte("second"))
	group.Put(logs.Event{Time: start().Add(time.Hour), Message: "last"}, logs.Event{Time: start().Add(-time.Hour), Message: "first"})
	s.AddGroup(account, region, name).Take([]byte("third")) // the same group
	var got []string
	for _, e := range group.Events() {
		got = append(got, e.Message)
	}
	if diff := cmp.Diff([]string{"first", "second", "third", "last"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestASearchIsBehind(t *testing.T) {
	w, s, c := newWorld(t)
	s.SetDelay(time.Minute)
	group := s.AddGroup(account, region, name)
	group.Put(logs.Event{Time: start().Add(-time.Hour), Message: "old"})
	w.Advance(time.Minute)
	group.Take([]byte("new"))
	if got, _ := search(t, c, sdk.FilterLogEventsInput{}); !slices.Equal(got, []string{"old"}) {
		t.Errorf("at once: got %q", got)
	}
	w.Advance(time.Minute)
	if got, _ := search(t, c, sdk.FilterLogEventsInput{}); !slices.Equal(got, []string{"old", "new"}) {
		t.Errorf("a minute later: got %q", got)
	}
	if n := len(group.Events()); n != 2 {
		t.Errorf("the group has %d events", n)
	}
}

func TestARequestIsValidated(t *testing.T) {
	w, s, c := newWorld(t)
	numbered(s, 3)
	s.AddGroup("444455556666", region, "another")
	first, err := c.FilterLogEvents(t.Context(), &sdk.FilterLogEventsInput{LogGroupName: aws.String(name), Limit: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		in   sdk.FilterLogEventsInput
		code string
	}{
		{"no group", sdk.FilterLogEventsInput{}, "InvalidParameterException"},
		{"a group said twice", sdk.FilterLogEventsInput{LogGroupName: aws.String(name), LogGroupIdentifier: aws.String(arn)}, "InvalidParameterException"},
		{"what is no name", sdk.FilterLogEventsInput{LogGroupName: aws.String("a group")}, "InvalidParameterException"},
		{"a group that does not exist", sdk.FilterLogEventsInput{LogGroupName: aws.String("nowhere")}, "ResourceNotFoundException"},
		{"a group of somebody else", sdk.FilterLogEventsInput{
			LogGroupIdentifier: aws.String("arn:aws:logs:eu-central-1:444455556666:log-group:another")}, "ResourceNotFoundException"},
		{"a limit of nothing", sdk.FilterLogEventsInput{LogGroupName: aws.String(name), Limit: aws.Int32(0)}, "InvalidParameterException"},
		{"a limit above the maximum", sdk.FilterLogEventsInput{LogGroupName: aws.String(name), Limit: aws.Int32(10_001)}, "InvalidParameterException"},
		{"a stream", sdk.FilterLogEventsInput{LogGroupName: aws.String(name), LogStreamNames: []string{"x"}}, "InvalidParameterException"},
		{"the latest first without a start", sdk.FilterLogEventsInput{LogGroupName: aws.String(name), StartFromHead: aws.Bool(false)}, "InvalidParameterException"},
		{"the token of another search", sdk.FilterLogEventsInput{LogGroupName: aws.String(name), FilterPattern: aws.String(`?"1"`),
			NextToken: first.NextToken}, "InvalidParameterException"},
		{"what is no token", sdk.FilterLogEventsInput{LogGroupName: aws.String(name), NextToken: aws.String("?")}, "InvalidParameterException"},
	} {
		if _, err := c.FilterLogEvents(t.Context(), &test.in); code(t, err) != test.code {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
	if _, err := c.DescribeLogGroups(t.Context(), nil); code(t, err) != "UnknownOperationException" {
		t.Errorf("another operation: got %v", err)
	}
	s.RemoveGroup(account, region, name)
	if _, err := c.FilterLogEvents(t.Context(), &sdk.FilterLogEventsInput{LogGroupName: aws.String(name)}); code(t, err) != "ResourceNotFoundException" {
		t.Errorf("a group that was removed: got %v", err)
	}
	if n := len(w.Writes()); n != 0 {
		t.Errorf("%d searches count as writes", n)
	}
}

func TestTheAWSCLIUnderstands(t *testing.T) {
	w, s, _ := newWorld(t)
	numbered(s, 3)
	s.SetPageSize(2)
	cli := awscli.Require(t, w)
	want := []any{"0", "1", "2"}
	got := cli.Run(t, account, region, "logs", "filter-log-events", "--log-group-name", name, "--query", "events[].message")
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Error(diff)
	}
}
