package eventbridge_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/internal/awscli"
)

func code(t *testing.T, err error) string {
	t.Helper()
	var got smithy.APIError
	if !errors.As(err, &got) {
		t.Fatalf("got %v, not an error of AWS", err)
	}
	return got.ErrorCode()
}

func TestABusTellsOfItsRules(t *testing.T) {
	w, s, c := newWorld(t)
	bus := s.AddBus(account, region, "own")
	var got target
	if err := s.AddRule(account, region, "own", eventbridge.Rule{Name: "r", Pattern: []byte(`{"source":["portcullis"]}`), Target: got.take, ARN: "arn:target"}); err != nil {
		t.Fatal(err)
	}
	own, rule := aws.String("own"), aws.String("r")
	// tells is the state of the rule and its targets, or the code of an error.
	tells := func() string {
		t.Helper()
		out, err := c.DescribeRule(t.Context(), &sdk.DescribeRuleInput{Name: rule, EventBusName: own})
		if err != nil {
			return code(t, err)
		}
		text := string(out.State)
		targets, err := c.ListTargetsByRule(t.Context(), &sdk.ListTargetsByRuleInput{Rule: rule, EventBusName: own})
		if err != nil {
			return code(t, err)
		}
		for _, target := range targets.Targets {
			text += " " + *target.Arn
		}
		return text
	}
	// put says how many events come to the target.
	put := func() int {
		t.Helper()
		before := len(got.got)
		e := entry("portcullis")
		e.EventBusName = own
		if out, err := c.PutEvents(t.Context(), &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{e}}); err != nil || out.FailedEntryCount != 0 {
			t.Fatalf("%+v, %v", out, err)
		}
		s.Idle()
		return len(got.got) - before
	}
	for _, step := range []struct {
		name   string
		do     func()
		tells  string
		events int
	}{
		{"at first", func() {}, "ENABLED arn:target", 1},
		{"turned off", func() { s.SetEnabled(account, region, "own", "r", false) }, "DISABLED arn:target", 0},
		{"turned on again", func() { s.SetEnabled(account, region, "own", "r", true) }, "ENABLED arn:target", 1},
		{"without targets", func() { s.RemoveTargets(account, region, "own", "r") }, "ENABLED", 0},
		{"removed", func() { s.RemoveRule(account, region, "own", "r") }, "ResourceNotFoundException", 0},
	} {
		step.do()
		if got, n := tells(), put(); got != step.tells || n != step.events {
			t.Errorf("%s: it tells %q and hands on %d events", step.name, got, n)
		}
	}

	out, err := c.DescribeEventBus(t.Context(), &sdk.DescribeEventBusInput{Name: own})
	if err != nil || *out.Arn != bus.ARN() || out.Policy != nil {
		t.Errorf("the bus: %+v, %v", out, err)
	}
	bus.SetPolicy("{}")
	if out, err := c.DescribeEventBus(t.Context(), &sdk.DescribeEventBusInput{Name: own}); err != nil || aws.ToString(out.Policy) != "{}" {
		t.Errorf("the bus with a policy: %+v, %v", out, err)
	}
	if _, err := c.ListRules(t.Context(), nil); code(t, err) != "UnknownOperationException" {
		t.Errorf("another operation: %v", err)
	}
	bus.Remove()
	if _, err := c.DescribeEventBus(t.Context(), &sdk.DescribeEventBusInput{Name: own}); code(t, err) != "ResourceNotFoundException" {
		t.Errorf("a bus that was removed: %v", err)
	}
	if n := put(); n != 0 {
		t.Errorf("%d events came by a bus that was removed", n)
	}
	cli := awscli.Require(t, w)
	if got := cli.Run(t, account, region, "events", "describe-event-bus", "--query", "Name"); got != "default" {
		t.Errorf("the AWS CLI: %v", got)
	}
}
