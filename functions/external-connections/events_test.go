package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/lambda"
)

// associated is CloudTrail's record of somebody associating a connection, in the
// envelope of EventBridge. The parameters are those of the API's documentation.
func associated(repository string) map[string]any {
	return map[string]any{
		"version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "source": "aws.codeartifact",
		"detail-type": "AWS API Call via CloudTrail", "account": home, "region": region,
		"time": endtoend.Start().Format(time.RFC3339), "resources": []string{},
		"detail": map[string]any{
			"eventVersion": "1.11", "eventID": "a1b2c3d4-0000-4000-8000-000000000001", "requestID": "r-1",
			"eventSource": "codeartifact.amazonaws.com", "eventName": "AssociateExternalConnection", "awsRegion": region,
			"eventTime":         endtoend.Start().Format(time.RFC3339),
			"userIdentity":      map[string]any{"type": "AssumedRole", "accountId": home},
			"requestParameters": map[string]any{"domain": "corp", "domainOwner": home, "repository": repository, "externalConnection": "public:npmjs"},
			"responseElements":  nil, "readOnly": false, "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": home,
		},
	}
}

// with returns the event with parts of its detail replaced; nil takes a part away.
func with(event map[string]any, changes map[string]any) map[string]any {
	out, detail := maps.Clone(event), maps.Clone(event["detail"].(map[string]any))
	for k, v := range changes {
		if v == nil {
			delete(detail, k)
		} else {
			detail[k] = v
		}
	}
	out["detail"] = detail
	return out
}

func payload(t *testing.T, event any) string {
	t.Helper()
	b, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnEventActsOnTheOneRepositoryItNamesInFourCalls(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.repo("app", "public:npmjs")
	s.repo("web", "public:npmjs") // a violation as well, but the event does not name it
	// The same names in another domain and in another account.
	s.Artifact.AddDomain(home, region, "lab").AddRepository("app").Connect("public:npmjs")
	s.Artifact.AddDomain(partner, region, "corp").AddRepository("app").Connect("public:npmjs")

	out, err := s.Invoke(payload(t, associated("app")))
	if err != nil || out.Outcomes["applied"] != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	s.wantWrites(disconnect("app", "public:npmjs"))
	want := []string{"DescribeRepository", "DescribeRepository", "DisassociateExternalConnection", "DescribeRepository"}
	if diff := cmp.Diff(want, s.ArtifactCalls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	f := s.Reported("Finding")
	if len(f) != 1 || !strings.Contains(f[0].Effect, "downstream not computed") {
		t.Errorf("findings: %+v", f)
	}
}

func TestTheEventIsOnlyAHint(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		prepare func(*stage)
		writes  []string
	}{
		{"the connection it tells of is gone", func(s *stage) { s.repo("app") }, nil},
		{"the repository it tells of is gone", func(*stage) {}, nil},
		{"another connection is there than it tells of", func(s *stage) { s.repo("app", "public:pypi") }, []string{disconnect("app", "public:pypi")}},
		{"what it tells of is allowed", func(s *stage) { s.repo("npm-store", "public:npmjs") }, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", everything)
			row.prepare(s)
			for _, repository := range []string{"app", "npm-store"} {
				if _, err := s.Invoke(payload(t, associated(repository))); err != nil {
					t.Error(err)
				}
			}
			s.wantWrites(row.writes...)
		})
	}
}

func TestTheSameCallInManyCopiesIsOnePieceOfWork(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.repo("app", "public:npmjs")
	for range 100 {
		if _, err := s.Invoke(payload(t, associated("app"))); err != nil {
			t.Fatal(err)
		}
	}
	// The caller was in another account, and so was the record's first recipient.
	copied := with(associated("app"), map[string]any{"recipientAccountId": partner, "sharedEventID": "s-1",
		"userIdentity": map[string]any{"accountId": partner}})
	if _, err := s.Invoke(payload(t, copied)); err != nil {
		t.Fatal(err)
	}
	s.wantWrites(disconnect("app", "public:npmjs"))
}

func TestAnOldEventIsAsGoodAsANewOne(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.repo("app", "public:npmjs")
	s.World.Advance(72 * time.Hour)
	if _, err := s.Invoke(payload(t, associated("app"))); err != nil {
		t.Fatal(err)
	}
	s.wantWrites(disconnect("app", "public:npmjs"))
}

// A known event that cannot be read is an error; Lambda hands it to the failure
// queue. What is none of our business is counted and ignored. Neither reads
// anything, and no line of the log is broken by what is in the event.
func TestHostileEvents(t *testing.T) {
	t.Parallel()
	good := associated("app")
	parameters := func(changes map[string]any) map[string]any {
		p := maps.Clone(good["detail"].(map[string]any)["requestParameters"].(map[string]any))
		maps.Copy(p, changes)
		return with(good, map[string]any{"requestParameters": p})
	}
	envelope := func(key string, value any) map[string]any {
		e := maps.Clone(good)
		e[key] = value
		return e
	}
	whole, long := payload(t, good), strings.Repeat("a", 1<<20)
	for _, row := range []struct {
		name    string
		payload string
		ignored bool // else it is an error
	}{
		{"null", `null`, false},
		{"an array", `[]`, false},
		{"a string", `"sweep"`, false},
		{"truncated", whole[:len(whole)/2], false},
		{"not JSON", "\x00\x01{", false},
		{"nested 200,000 deep", strings.Repeat(`{"detail":`, 200_000) + "1" + strings.Repeat("}", 200_000), false},
		{"no detail", payload(t, envelope("detail", nil)), false},
		{"a detail of another type", payload(t, envelope("detail", "x")), false},
		{"an account of another type", payload(t, envelope("account", 111122223333)), false},
		{"forged for another account", payload(t, envelope("account", partner)), false},
		{"forged for another Region", payload(t, with(envelope("region", "us-east-1"), map[string]any{"awsRegion": "us-east-1"})), false},
		{"the record is of another Region than the event", payload(t, with(good, map[string]any{"awsRegion": "us-east-1"})), false},
		{"no parameters", payload(t, with(good, map[string]any{"requestParameters": nil})), false},
		{"parameters of another type", payload(t, with(good, map[string]any{"requestParameters": []int{1}})), false},
		{"a repository that is a number", payload(t, parameters(map[string]any{"repository": 7})), false},
		{"shell in the repository", payload(t, parameters(map[string]any{"repository": "app; rm -rf $(HOME)"})), false},
		{"control characters in the domain", payload(t, parameters(map[string]any{"domain": "corp\n{\"level\":\"INFO\"}\x1b[2J"})), false},
		{"a path in the repository", payload(t, parameters(map[string]any{"repository": "../corp/app"})), false},
		{"an owner that is no account", payload(t, parameters(map[string]any{"domainOwner": "*"})), false},
		{"the event name is missing", payload(t, with(good, map[string]any{"eventName": nil})), false},
		{"a megabyte of repository", payload(t, parameters(map[string]any{"repository": long})), false},
		{"a megabyte of domain", payload(t, parameters(map[string]any{"domain": long})), false},
		{"a megabyte of owner", payload(t, parameters(map[string]any{"domainOwner": long})), false},
		{"a megabyte of account", payload(t, envelope("account", long)), false},
		{"a megabyte of Region", payload(t, with(envelope("region", "eu-"+long+"-1"), map[string]any{"awsRegion": "eu-" + long + "-1"})), false},
		{"a megabyte of number in place of a source", `{"source":` + strings.Repeat("1", 1<<20) + `}`, false},
		{"a sweep requested by a megabyte", `{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"` + long + `"}}`, false},
		{"a sweep requested by nobody", `{"source":"portcullis","detail-type":"Sweep Requested","detail":{}}`, false},
		{"the call failed", payload(t, with(good, map[string]any{"errorCode": "AccessDeniedException"})), true},
		{"a call that failed with a megabyte of code", payload(t, with(good, map[string]any{"errorCode": long})), true},
		{"a call that failed with a megabyte of id", payload(t, with(good, map[string]any{"errorCode": "AccessDenied", "sharedEventID": long})), true},
		{"a replay from an archive", payload(t, envelope("replay-name", "r")), true},
		{"a replay with a megabyte of id", `{"replay-name":"r","id":"` + long + `"}`, true},
		{"a replay from another account's archive", strings.Replace(payload(t, envelope("replay-name", "r")), `"account":"`+home, `"account":"`+partner, 1), true},
		{"somebody else's event of another account", `{"source":"aws.ec2","detail-type":"x","account":"` + partner + `","region":"us-east-1","detail":{}}`, true},
		{"another event of CodeArtifact", payload(t, with(good, map[string]any{"eventName": "CreateRepository"})), true},
		{"our own removal", payload(t, with(good, map[string]any{"eventName": "DisassociateExternalConnection"})), true},
		{"a call of our own role", payload(t, with(good, map[string]any{"userIdentity": map[string]any{"accountId": home, "sessionContext": map[string]any{
			"sessionIssuer": map[string]any{"arn": "arn:aws:iam::" + home + ":role/portcullis"}}}})), true},
		{"an event of somebody else", `{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification","detail":{}}`, true},
		{"a megabyte of detail", `{"source":"x","detail":"` + long + `"}`, true},
		{"a megabyte of source", `{"source":"` + long + `"}`, true},
		{"a megabyte of detail-type", `{"detail-type":"` + long + `"}`, true},
		{"a megabyte of another call", payload(t, with(good, map[string]any{"eventName": long})), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", everything)
			s.repo("app", "public:npmjs")
			out, err := s.Invoke(row.payload)
			if (err == nil) != row.ignored || (out.Ignored != "") != row.ignored {
				t.Errorf("ignored %q, error %v", out.Ignored, err)
			}
			var failure *lambda.FunctionError
			if err != nil && (!errors.As(err, &failure) || strings.HasPrefix(failure.Type, "Runtime.")) {
				t.Errorf("it did not refuse, it broke: %v", err)
			}
			if failure != nil && len(failure.Message) > 4<<10 {
				t.Errorf("the failure is told in %d bytes", len(failure.Message))
			}
			if ignored := s.metrics()["Ignored"]; row.ignored && ignored != 1.0 {
				t.Errorf("the metric says ignored: %v", ignored)
			}
			wantShortLines(t, s)
			if calls := s.ArtifactCalls(); len(calls) != 0 {
				t.Errorf("calls: %q", calls)
			}
			if len(s.Function.Logs()) == 0 {
				t.Error("it left no trace in the log")
			}
		})
	}
}

func TestAnEventThatCannotBeReadOrJudgedEndsInTheFailureQueue(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		event map[string]any
		says  string
	}{
		{"not read", with(associated("app"), map[string]any{"requestParameters": nil}), "event cannot be read"},
		{"not judged", associated("app"), "could not be judged"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", everything)
			s.repo("app", "public:npmjs")
			s.World.Inject(localaws.Fault{Operation: "DescribeRepository", Kind: localaws.Fail(403, "AccessDeniedException", "no")})
			<-s.Function.InvokeAsync([]byte(payload(t, row.event)))
			failures := s.Function.Failures()
			if len(failures) != 1 || !strings.Contains(string(failures[0].RequestPayload), "AssociateExternalConnection") ||
				!strings.Contains(string(failures[0].ResponsePayload), row.says) {
				t.Errorf("failure queue: %+v", failures)
			}
			s.wantWrites()
		})
	}
}

// An event run looked at one repository. Its metrics say nothing of the estate.
func TestAnEventRunDoesNotSayThatTheEstateIsAsItShouldBe(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.repo("npm-store", "public:npmjs")
	if _, err := s.Invoke(payload(t, associated("npm-store"))); err != nil {
		t.Fatal(err)
	}
	m := s.metrics()
	for _, name := range []string{"Complete", "Looked", "Violations"} {
		if value, said := m[name]; said {
			t.Errorf("the metrics say %s: %v", name, value)
		}
	}
	if m["Applied"] != 0.0 || m["Ignored"] != 0.0 {
		t.Errorf("metrics: %v", m)
	}
}

// metrics returns the last line that CloudWatch makes metrics from.
func (s *stage) metrics() map[string]any {
	all := s.allMetrics()
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// allMetrics returns all lines that CloudWatch makes metrics from.
func (s *stage) allMetrics() (list []map[string]any) {
	for _, line := range s.Function.Logs() {
		var m map[string]any
		if json.Unmarshal([]byte(line), &m) == nil && m["_aws"] != nil {
			list = append(list, m)
		}
	}
	return list
}

// Most callers have no role, and a function that was not told its own has none to
// compare: the one is not the other.
func TestACallWithoutARoleIsNotTakenForTheFunctionsOwn(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything, endtoend.Env("ROLE_ARN", ""))
	s.repo("app", "public:npmjs")
	if _, err := s.Invoke(payload(t, associated("app"))); err != nil {
		t.Fatal(err)
	}
	s.wantWrites(disconnect("app", "public:npmjs"))
}

// The spelling of the parameters is not documented: AWS's published records of
// CodeArtifact say domainName where the API says domain.
func TestBothSpellingsOfTheParametersAreRead(t *testing.T) {
	t.Parallel()
	for _, parameters := range []map[string]any{
		{"domainName": "corp", "domainOwner": home, "repositoryName": "app"},
		{"domain": "corp", "repository": "app"}, // no owner: the caller's own account
	} {
		t.Run(fmt.Sprint(parameters), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", everything)
			s.repo("app", "public:npmjs")
			if _, err := s.Invoke(payload(t, with(associated("app"), map[string]any{"requestParameters": parameters}))); err != nil {
				t.Fatal(err)
			}
			s.wantWrites(disconnect("app", "public:npmjs"))
		})
	}
}

func TestAnEventRunThatFailsIsTriedAgainByLambdaAndWritesOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.repo("app", "public:npmjs")
	s.World.Inject(localaws.Fault{Operation: "DisassociateExternalConnection", Times: 1, Kind: localaws.Fail(429, "ThrottlingException", "slow down")})
	<-s.Function.InvokeAsync([]byte(payload(t, associated("app"))))
	s.wantWrites(disconnect("app", "public:npmjs"))
	if n := len(s.Function.Failures()); n != 0 {
		t.Errorf("%d events in the failure queue", n)
	}
}
