package eventbridge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
)

const (
	member   = "444455556666"
	outsider = "777788889999"
	changes  = `{"source":["aws.codeartifact"]}`
)

// clientOf acts as an account or a role.
func clientOf(w *localaws.World, c localaws.Credentials) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(w.URL()), HTTPClient: w.Client(), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		}),
	})
}

// forward has the default bus of an account hand the changes there to another bus.
func forward(t *testing.T, s *eventbridge.Service, from string, to eventbridge.Bus) {
	t.Helper()
	err := s.AddRule(from, region, "default", eventbridge.Rule{Name: "Forward", Pattern: []byte(changes), Bus: to.ARN()})
	if err != nil {
		t.Fatal(err)
	}
}

// of is an event of AWS itself in another account.
func of(from string, id int) eventbridge.Event {
	e := numbered(id)
	e.Account, e.Resources = from, []string{"arn:aws:codeartifact:eu-central-1:" + from + ":domain/corp"}
	return e
}

func TestARuleHandsAnEventToABusOfAnotherAccount(t *testing.T) {
	_, s, _ := newWorld(t)
	hub := s.AddBus(account, region, "hub")
	var asked []string
	hub.Admit(func(from string, e eventbridge.Event, byRule bool) bool {
		asked = append(asked, fmt.Sprint(from, " ", e.Account, " ", e.ID, " ", byRule))
		return from == member
	})
	for _, from := range []string{account, member, outsider} {
		forward(t, s, from, hub)
	}
	var onHub target
	add(t, s, "hub", changes, onHub.take)

	another := of(member, 4)
	another.Source = "aws.proton"
	s.Put(of(member, 1), of(outsider, 2), numbered(3), another)
	s.Idle()

	want := []string{
		`{"version":"0","id":"1","detail-type":"Some Change","source":"aws.codeartifact","account":"444455556666",` +
			`"time":"2026-11-20T12:00:00Z","region":"eu-central-1",` +
			`"resources":["arn:aws:codeartifact:eu-central-1:444455556666:domain/corp"],"detail":{"state":"new"}}`,
		`{"version":"0","id":"3","detail-type":"Some Change","source":"aws.codeartifact","account":"111122223333",` +
			`"time":"2026-11-20T12:00:00Z","region":"eu-central-1","resources":[],"detail":{"state":"new"}}`,
	}
	if diff := cmp.Diff(want, onHub.got); diff != "" {
		t.Errorf("on the hub (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"444455556666 444455556666 1 true", "777788889999 777788889999 2 true"}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	events := s.Events(account, region, "hub")
	if len(events) != 2 || events[0].Account != member || events[0].Owner != account || events[1].Owner != "" {
		t.Errorf("the bus has %+v", events)
	}
	if n := len(s.Events(member, region, "default")); n != 2 {
		t.Errorf("its own bus has %d events", n)
	}
	hub.Admit(nil)
	s.Put(of(member, 5), numbered(6))
	if n := len(s.Events(account, region, "hub")); n != 3 {
		t.Errorf("a bus that admits nobody has %d events", n)
	}
}

func TestAnEventGoesToNoThirdBus(t *testing.T) {
	_, s, _ := newWorld(t)
	all := func(string, eventbridge.Event, bool) bool { return true }
	second, third := s.AddBus(account, region, "second"), s.AddBus(outsider, region, "third")
	second.Admit(all)
	third.Admit(all)
	forward(t, s, member, second)
	err := s.AddRule(account, region, "second", eventbridge.Rule{Name: "on", Pattern: []byte(changes), Bus: third.ARN()})
	if err != nil {
		t.Fatal(err)
	}
	s.Put(of(member, 1))
	if a, b := len(s.Events(account, region, "second")), len(s.Events(outsider, region, "third")); a != 1 || b != 0 {
		t.Errorf("the second bus has %d events and the third %d", a, b)
	}
	direct := of(account, 2)
	direct.Bus = "second"
	s.Put(direct)
	if n := len(s.Events(outsider, region, "third")); n != 1 {
		t.Errorf("of an event that was put on the second bus itself, the third has %d", n)
	}
}

func TestARuleToABusIsRefused(t *testing.T) {
	_, s, _ := newWorld(t)
	for _, test := range []struct{ name, bus, want string }{
		{"in another Region", "arn:aws:events:us-east-1:444455556666:event-bus/hub", "in another Region"},
		{"that is no bus", "arn:aws:sqs:eu-central-1:444455556666:queue", "is not the ARN of a bus"},
		{"without an ARN", "hub", "is not the ARN of a bus"},
	} {
		err := s.AddRule(account, region, "default", eventbridge.Rule{Name: "r", Pattern: []byte(changes), Bus: test.bus})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
	both := eventbridge.Rule{Name: "r", Pattern: []byte(changes), Bus: s.AddBus(account, region, "own").ARN(), Target: func([]byte) {}}
	for _, r := range []eventbridge.Rule{both, {Name: "r", Pattern: []byte(changes)}} {
		if err := s.AddRule(account, region, "default", r); err == nil || !strings.Contains(err.Error(), "either a target or a bus") {
			t.Errorf("got %v", err)
		}
	}
}

func TestABusAdmitsWhatAnotherAccountPuts(t *testing.T) {
	w, s, _ := newWorld(t)
	hub := s.AddBus(account, region, "hub")
	c := clientOf(w, w.Account(member))
	put := func() string {
		e := entry("portcullis")
		e.EventBusName = aws.String(hub.ARN())
		out, err := c.PutEvents(t.Context(), &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{e}})
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(out.Entries[0].ErrorCode)
	}
	if got := put(); got != "AccessDeniedException" {
		t.Errorf("without a policy: got %q", got)
	}
	hub.Admit(func(_ string, _ eventbridge.Event, byRule bool) bool { return byRule })
	if got := put(); got != "AccessDeniedException" {
		t.Errorf("under a policy for rules only: got %q", got)
	}
	hub.Admit(func(from string, e eventbridge.Event, _ bool) bool { return from == member && e.Source == "portcullis" })
	if got := put(); got != "" {
		t.Errorf("under a policy that admits it: got %q", got)
	}
	events := s.Events(account, region, "hub")
	if len(events) != 1 || events[0].Account != member || events[0].Owner != account {
		t.Errorf("the bus has %+v", events)
	}
}

func TestARolePutsOnlyTheDetailTypesThatItMay(t *testing.T) {
	w, s, _ := newWorld(t)
	role := w.Role(account, "sweep").Limit("codeartifact:*").AllowEvents("Finding", "Summary")
	c := clientOf(w, role.Session("sweep"))
	put := func(detailTypes ...string) error {
		var entries []types.PutEventsRequestEntry
		for _, d := range detailTypes {
			e := entry("portcullis")
			e.DetailType = aws.String(d)
			entries = append(entries, e)
		}
		_, err := c.PutEvents(t.Context(), &sdk.PutEventsInput{Entries: entries})
		return err
	}
	if err := put("Finding", "Summary"); err != nil {
		t.Error(err)
	}
	for _, types := range [][]string{{"Sweep Requested"}, {"Finding", "Sweep Requested"}} {
		var got smithy.APIError
		var answer *awshttp.ResponseError
		err := put(types...)
		if !errors.As(err, &got) || got.ErrorCode() != "AccessDeniedException" || !errors.As(err, &answer) || answer.HTTPStatusCode() != 403 {
			t.Errorf("%v: got %v", types, err)
		}
	}
	if n := len(s.Events(account, region, "default")); n != 2 {
		t.Errorf("the bus has %d events", n)
	}
	role.Limit("events:PutEvents")
	if err := put("Sweep Requested"); err != nil {
		t.Errorf("without a condition: %v", err)
	}
}
