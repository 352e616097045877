package sts_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	artifactsdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/internal/awscli"
	"portcullis/shared/localaws/sts"
	"portcullis/shared/localaws/witness"
)

const (
	hub    = "111122223333"
	member = "444455556666"
	region = "eu-central-1"
	secret = "portcullis:4711"
)

func start() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

// stage is a World in which a role of the hub may read in a member.
type stage struct {
	*testing.T
	world        *localaws.World
	sts          *sts.Service
	caller, read localaws.Role
}

func newStage(t *testing.T) stage {
	t.Helper()
	w, err := localaws.New(start())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	codeartifact.New(w).AddDomain(member, region, "corp")
	s := stage{t, w, sts.New(w), w.Role(hub, "hub-control"), w.Role(member, "hub-read").Limit("codeartifact:List*")}
	s.sts.Trust(s.read, sts.Trust{Principals: []string{s.caller.ARN()}, ExternalID: secret})
	return s
}

// config is that of a client with these credentials that does not try again.
func (s stage) config(c localaws.Credentials) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(s.world.URL()), HTTPClient: s.world.Client(),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		}),
	}
}

func (s stage) client(c localaws.Credentials) *sdk.Client { return sdk.NewFromConfig(s.config(c)) }

// asked is what the hub's role asks for, and gets.
func (s stage) asked() *sdk.AssumeRoleInput {
	return &sdk.AssumeRoleInput{RoleArn: aws.String(s.read.ARN()), RoleSessionName: aws.String("round"), ExternalId: aws.String(secret)}
}

// assume opens a session as the hub's role.
func (s stage) assume() *sdk.AssumeRoleOutput {
	s.Helper()
	out, err := s.client(s.caller.Session("function")).AssumeRole(s.Context(), s.asked())
	if err != nil {
		s.Fatal(err)
	}
	return out
}

func credentials(out *sdk.AssumeRoleOutput) localaws.Credentials {
	return localaws.Credentials{AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey,
		SessionToken: *out.Credentials.SessionToken}
}

// refusal is the status and the error that a client saw.
func refusal(t *testing.T, err error) (status int, code, message string) {
	t.Helper()
	var api smithy.APIError
	var answer *awshttp.ResponseError
	if !errors.As(err, &api) || !errors.As(err, &answer) {
		t.Fatalf("got %v, not an answer of AWS", err)
	}
	return answer.HTTPStatusCode(), api.ErrorCode(), api.ErrorMessage()
}

func TestASessionActsAsItsRole(t *testing.T) {
	s := newStage(t)
	out := s.assume()
	if got := *out.AssumedRoleUser.Arn; got != "arn:aws:sts::444455556666:assumed-role/hub-read/round" {
		t.Errorf("assumed %s", got)
	}
	if !strings.Contains(*out.Credentials.AccessKeyId, member) {
		t.Errorf("the access key %s does not tell the account", *out.Credentials.AccessKeyId)
	}
	client := artifactsdk.NewFromConfig(s.config(credentials(out)))
	domains, err := client.ListDomains(t.Context(), nil)
	if err != nil || len(domains.Domains) != 1 || *domains.Domains[0].Name != "corp" {
		t.Errorf("got %+v, %v", domains, err)
	}
	calls := s.world.Calls()
	last := calls[len(calls)-1]
	if last.Account != member || last.Principal != s.read.ARN() || last.Session != "round" {
		t.Errorf("the journal has %+v", last)
	}

	_, err = client.DescribeDomain(t.Context(), &artifactsdk.DescribeDomainInput{Domain: aws.String("corp")})
	status, code, message := refusal(t, err)
	const want = "User: arn:aws:sts::444455556666:assumed-role/hub-read/round is not authorized to perform: codeartifact:DescribeDomain"
	if status != 403 || code != "AccessDeniedException" || message != want {
		t.Errorf("got %d %s %s", status, code, message)
	}
	s.read.Limit("codeartifact:*")
	if _, err := client.DescribeDomain(t.Context(), &artifactsdk.DescribeDomainInput{Domain: aws.String("corp")}); err != nil {
		t.Errorf("the role was changed, and yet: %v", err)
	}
	s.read.Remove()
	if status, code, _ := refusal(t, func() error { _, err := client.ListDomains(t.Context(), nil); return err }()); status != 403 ||
		code != "UnrecognizedClientException" {
		t.Errorf("the role was removed: got %d %s", status, code)
	}
}

func TestARefusalDoesNotTellItsReason(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(stage, *sdk.AssumeRoleInput)
	}{
		{"another external id", func(_ stage, in *sdk.AssumeRoleInput) {
			in.ExternalId = aws.String("portcullis:4712")
		}},
		{"no external id", func(_ stage, in *sdk.AssumeRoleInput) {
			in.ExternalId = nil
		}},
		{"a role that is not trusted any more", func(s stage, _ *sdk.AssumeRoleInput) {
			s.sts.Trust(s.read, sts.Trust{Principals: []string{s.caller.ARN() + "-2"}, ExternalID: secret})
		}},
		{"a role that was removed", func(s stage, _ *sdk.AssumeRoleInput) {
			s.read.Remove()
		}},
		{"another role under the name of one that was removed", func(s stage, _ *sdk.AssumeRoleInput) {
			s.read.Remove()
			s.world.Role(member, "hub-read")
		}},
		{"a role that may not assume any", func(s stage, _ *sdk.AssumeRoleInput) {
			s.caller.Limit("codeartifact:*")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t)
			s.assume() // nothing else is wrong
			in := s.asked()
			test.change(s, in)
			_, err := s.client(s.caller.Session("function")).AssumeRole(t.Context(), in)
			status, code, message := refusal(t, err)
			const want = "User: arn:aws:sts::111122223333:assumed-role/hub-control/function is not authorized to perform: " +
				"sts:AssumeRole on resource: arn:aws:iam::444455556666:role/hub-read"
			if status != 403 || code != "AccessDenied" || message != want {
				t.Errorf("got %d %s %s", status, code, message)
			}
		})
	}
}

func TestAnAccountIsNotItsRoles(t *testing.T) {
	s := newStage(t)
	_, err := s.client(s.world.Account(hub)).AssumeRole(t.Context(), s.asked())
	if status, code, _ := refusal(t, err); status != 403 || code != "AccessDenied" {
		t.Errorf("got %d %s", status, code)
	}
	s.sts.Trust(s.read, sts.Trust{Principals: []string{"arn:aws:iam::111122223333:root"}})
	in := s.asked()
	in.ExternalId = nil
	if _, err := s.client(s.world.Account(hub)).AssumeRole(t.Context(), in); err != nil {
		t.Error(err)
	}
	_, err = s.client(s.caller.Session("function")).AssumeRole(t.Context(), in)
	if status, code, _ := refusal(t, err); status != 403 || code != "AccessDenied" {
		t.Errorf("the root stood for a role: got %d %s", status, code)
	}
}

func TestASessionLastsByTheRealClock(t *testing.T) {
	s := newStage(t)
	s.world.Advance(-30 * 365 * 24 * time.Hour)
	for _, test := range []struct {
		seconds *int32
		want    time.Duration
	}{{nil, time.Hour}, {aws.Int32(900), 15 * time.Minute}, {aws.Int32(3600), time.Hour}} {
		in := s.asked()
		in.DurationSeconds = test.seconds
		out, err := s.client(s.caller.Session("function")).AssumeRole(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(*out.Credentials.Expiration); left > test.want || left < test.want-time.Minute {
			t.Errorf("%v are left, not about %v", left, test.want)
		}
	}
}

func TestARequestIsValidated(t *testing.T) {
	s := newStage(t)
	for _, test := range []struct {
		name   string
		change func(*sdk.AssumeRoleInput)
		want   string
	}{
		{"less than 15 minutes", func(in *sdk.AssumeRoleInput) { in.DurationSeconds = aws.Int32(899) }, "less than 900"},
		{"more than an hour for a role", func(in *sdk.AssumeRoleInput) { in.DurationSeconds = aws.Int32(3601) }, "role chaining"},
		{"a session name with a space", func(in *sdk.AssumeRoleInput) { in.RoleSessionName = aws.String("a b") }, "RoleSessionName"},
		{"no session name", func(in *sdk.AssumeRoleInput) { in.RoleSessionName = aws.String("") }, "RoleSessionName"},
		{"an external id of one character", func(in *sdk.AssumeRoleInput) { in.ExternalId = aws.String("x") }, "ExternalId"},
		{"a session policy", func(in *sdk.AssumeRoleInput) { in.Policy = aws.String("{}") }, "Policy is not taken here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := s.asked()
			test.change(in)
			_, err := s.client(s.caller.Session("function")).AssumeRole(t.Context(), in)
			status, code, message := refusal(t, err)
			if status != 400 || code != "ValidationError" || !strings.Contains(message, test.want) {
				t.Errorf("got %d %s %s", status, code, message)
			}
		})
	}
	in := s.asked()
	in.DurationSeconds = aws.Int32(3601)
	_, err := s.client(s.world.Account(hub)).AssumeRole(t.Context(), in)
	if _, code, message := refusal(t, err); code != "ValidationError" || !strings.Contains(message, "MaxSessionDuration") {
		t.Errorf("more than an hour for an account: got %s %s", code, message)
	}
}

func TestEverybodyIsToldWhoTheyAre(t *testing.T) {
	s := newStage(t)
	s.caller.Limit() // nothing, and yet
	for _, test := range []struct {
		credentials localaws.Credentials
		want        []string
	}{
		{s.world.Account(hub), []string{hub, "arn:aws:iam::111122223333:root", hub}},
		{s.caller.Session("function"), []string{hub, "arn:aws:sts::111122223333:assumed-role/hub-control/function", "AROALOCAL:function"}},
	} {
		out, err := s.client(test.credentials).GetCallerIdentity(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, []string{*out.Account, *out.Arn, *out.UserId}); diff != "" {
			t.Error(diff)
		}
	}
}

func TestErrorsOfTheWorldAreInXML(t *testing.T) {
	s := newStage(t)
	client := s.client(s.caller.Session("function"))
	for _, test := range []struct {
		name   string
		before func()
		client *sdk.Client
		status int
		code   string
	}{
		{"an unknown key", func() {}, s.client(localaws.Credentials{AccessKeyID: "ASIALOCL999999999999", SecretAccessKey: "x"}), 403, "InvalidClientTokenId"},
		{"a fault", func() {
			s.world.Inject(localaws.Fault{Times: 1, Kind: localaws.Fail(503, "ServiceUnavailable", "later")})
		}, client, 503, "ServiceUnavailable"},
		{"throttling", func() {
			s.world.SetThrottle(localaws.Rate{PerSecond: 1e-9}, localaws.Rate{})
		}, client, 400, "Throttling"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.before()
			_, err := test.client.AssumeRole(t.Context(), s.asked())
			if status, code, _ := refusal(t, err); status != test.status || code != test.code {
				t.Errorf("got %d %s", status, code)
			}
		})
	}
	s.world.SetThrottle(localaws.Rate{}, localaws.Rate{})
	_, err := client.GetSessionToken(t.Context(), nil)
	if status, code, _ := refusal(t, err); status != 400 || code != "InvalidAction" {
		t.Errorf("another operation: got %d %s", status, code)
	}
}

func TestTheAWSCLIUnderstands(t *testing.T) {
	s := newStage(t)
	cli := awscli.Require(t, s.world)
	s.sts.Trust(s.read, sts.Trust{Principals: []string{"arn:aws:iam::111122223333:root"}})
	got := cli.Run(t, hub, region, "sts", "assume-role", "--role-arn", s.read.ARN(), "--role-session-name", "round", "--query", "AssumedRoleUser.Arn")
	if got != "arn:aws:sts::444455556666:assumed-role/hub-read/round" {
		t.Errorf("got %v", got)
	}
}
