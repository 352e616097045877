package eventbridge_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws/eventbridge"
)

// A target keeps what it was called with.
type target struct{ got []string }

func (g *target) take(event []byte) { g.got = append(g.got, string(event)) }

// ids lists the events that came, by their ids.
func (g *target) ids(t *testing.T) []string {
	t.Helper()
	var ids []string
	for _, text := range g.got {
		var event struct{ ID string }
		if err := json.Unmarshal([]byte(text), &event); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, event.ID)
	}
	return ids
}

// add makes a rule on a bus of the account.
func add(t *testing.T, s *eventbridge.Service, bus, pattern string, target func([]byte)) {
	t.Helper()
	if err := s.AddRule(account, region, bus, eventbridge.Rule{Name: "r", Pattern: []byte(pattern), Target: target}); err != nil {
		t.Fatal(err)
	}
}

// numbered is an event of AWS itself on the default bus.
func numbered(id int) eventbridge.Event {
	return eventbridge.Event{
		ID: fmt.Sprint(id), Account: account, Region: region, Bus: "default", Source: "aws.codeartifact",
		DetailType: "Some Change", Detail: []byte(`{"state":"new"}`), Time: start(),
	}
}

func TestATargetGetsTheEventAsEventBridgeSendsIt(t *testing.T) {
	_, s, c := newWorld(t)
	s.AddBus(account, region, "own")
	var onDefault, onOwn target
	add(t, s, "default", `{"source":["aws.codeartifact"]}`, onDefault.take)
	add(t, s, "own", `{"detail":{"findings":[1]}}`, onOwn.take)

	s.Put(numbered(1))
	e := entry("portcullis")
	e.EventBusName, e.Resources = aws.String("own"), []string{"arn:1"}
	out, err := c.PutEvents(t.Context(), &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{e}})
	if err != nil {
		t.Fatal(err)
	}
	s.Idle()

	const of = `"account":"111122223333","time":"2026-11-20T12:00:00Z","region":"eu-central-1",`
	want := []string{`{"version":"0","id":"1","detail-type":"Some Change","source":"aws.codeartifact",` + of +
		`"resources":[],"detail":{"state":"new"}}`}
	if diff := cmp.Diff(want, onDefault.got); diff != "" {
		t.Errorf("from AWS (-want +got):\n%s", diff)
	}
	want = []string{`{"version":"0","id":"` + *out.Entries[0].EventId + `","detail-type":"Summary","source":"portcullis",` + of +
		`"resources":["arn:1"],"detail":{"findings":1}}`}
	if diff := cmp.Diff(want, onOwn.got); diff != "" {
		t.Errorf("from PutEvents (-want +got):\n%s", diff)
	}
}

func TestARuleSeesOnlyWhatMatchesOnItsOwnBus(t *testing.T) {
	_, s, _ := newWorld(t)
	s.AddBus(account, region, "own")
	s.Put(numbered(0)) // before there is a rule
	var all, changes, other, own target
	add(t, s, "default", `{"source":[{"exists":true}]}`, all.take)
	add(t, s, "default", `{"detail-type":["Some Change"]}`, changes.take)
	add(t, s, "own", `{"source":[{"exists":true}]}`, own.take)
	if err := s.AddRule("444455556666", region, "default", eventbridge.Rule{Pattern: []byte(`{"source":[{"exists":true}]}`), Target: other.take}); err != nil {
		t.Fatal(err)
	}

	another, elsewhere, nowhere, broken := numbered(2), numbered(3), numbered(4), numbered(5)
	another.DetailType = "Another Change"
	elsewhere.Region = "us-east-1"
	nowhere.Bus = "nowhere"
	broken.Detail = []byte("{")
	s.Put(numbered(1), another, elsewhere, nowhere, broken)
	s.Idle()

	for _, test := range []struct {
		name   string
		target *target
		want   []string
	}{
		{"everything", &all, []string{"1", "2"}},
		{"one detail-type", &changes, []string{"1"}},
		{"another account", &other, nil},
		{"another bus", &own, nil},
	} {
		if diff := cmp.Diff(test.want, test.target.ids(t)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestTargetsAreCalledInOrderAndNobodyWaitsForThem(t *testing.T) {
	_, s, _ := newWorld(t)
	var calls []string
	release := make(chan struct{})
	add(t, s, "default", `{"detail-type":["Some Change"]}`, func([]byte) {
		<-release
		calls = append(calls, "first rule")
		if len(calls) == 1 { // what a target does may wake another
			later := numbered(2)
			later.DetailType = "Later Change"
			s.Put(later)
		}
	})
	add(t, s, "default", `{"detail-type":["Some Change"]}`, func([]byte) { calls = append(calls, "second rule") })
	add(t, s, "default", `{"detail-type":["Later Change"]}`, func([]byte) { calls = append(calls, "later") })

	s.Put(numbered(0), numbered(1)) // and does not wait, or it would for ever
	close(release)
	s.Idle()
	want := []string{"first rule", "second rule", "first rule", "second rule", "later"}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	s.Idle() // at once, as there is nothing
	s.Put(numbered(3))
	s.Idle()
	if len(calls) != 7 {
		t.Errorf("after a rest, %d calls", len(calls))
	}
}

func TestARuleIsRefused(t *testing.T) {
	_, s, _ := newWorld(t)
	for _, test := range []struct{ name, bus, pattern, want string }{
		{"on a bus that does not exist", "nowhere", `{"source":["x"]}`, `adding rule r: there is no bus "nowhere"`},
		{"with an operator that nobody knows", "default", `{"source":[{"like":"x"}]}`, "adding rule r: compiling event pattern"},
		{"without a pattern", "default", ``, "adding rule r: compiling event pattern"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := s.AddRule(account, region, test.bus, eventbridge.Rule{Name: "r", Pattern: []byte(test.pattern)})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

const template = `
Resources:
  Queue:
    Type: AWS::SQS::Queue
  Rule:
    Type: AWS::Events::Rule
    Properties:
      State: !If [On, ENABLED, DISABLED]
      EventPattern:
        source: [aws.codeartifact]
        detail: { errorCode: [{ exists: false }] }
      Targets: [{ Id: function, Arn: !GetAtt Function.Arn }]
  Scheduled:
    Type: AWS::Events::Rule
    Properties: { ScheduleExpression: rate(1 hour) }
  OfThisAccount:
    Type: AWS::Events::Rule
    Properties:
      EventPattern:
        account: [!Ref AWS::AccountId]
`

func TestThePatternOfARuleIsReadFromItsTemplate(t *testing.T) {
	got, err := eventbridge.PatternIn([]byte(template), "Rule")
	if err != nil || string(got) != `{"detail":{"errorCode":[{"exists":false}]},"source":["aws.codeartifact"]}` {
		t.Errorf("got %s, %v", got, err)
	}
	for _, test := range []struct{ name, template, rule, want string }{
		{"for what is no rule", template, "Queue", `there is no AWS::Events::Rule "Queue"`},
		{"for what is not there", template, "Ruler", `there is no AWS::Events::Rule "Ruler"`},
		{"from what is no template", "[", "Rule", "reading template"},
		{"if it depends on the deployment", template, "OfThisAccount", "the pattern of OfThisAccount: line 20: !Ref is known only when it is deployed"},
		{"if there is none", template, "Scheduled", "Scheduled has no pattern"},
	} {
		t.Run("not "+test.name, func(t *testing.T) {
			got, err := eventbridge.PatternIn([]byte(test.template), test.rule)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}
