//nolint:staticcheck // SA1019: people call Proton here, all of which is marked deprecated
package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/proton"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/cloudtrail"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/lambda"
	"portcullis/shared/localaws/proton"
)

// These tests play the whole way: somebody makes a call, Proton and CloudTrail tell
// of it, the rules of template.yaml let it through, and Lambda runs the real binary.

// liveStage is a stage on which the function is woken by events.
type liveStage struct {
	*stage
	trail *cloudtrail.Trail
	woken []string // what it was told of: the name of a call, or a status
}

func newLiveStage(t *testing.T, policy string) *liveStage {
	t.Helper()
	s := &liveStage{stage: newStage(t, "enforce", policy)}
	s.trail = cloudtrail.New(s.World, s.Artifact, s.Events)
	s.proton.Assume(proton.Unknowns{EventsTo: proton.BothAccounts})
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ProtonConnectionsStatus", "ProtonConnectionsCalls"} {
		pattern, err := eventbridge.PatternIn(template, name)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Events.AddRule(home, region, "default", eventbridge.Rule{Name: name, Pattern: pattern, Target: func(event []byte) {
			var record struct {
				Detail struct{ EventName, Status string }
			}
			if err := json.Unmarshal(event, &record); err != nil {
				t.Error(err)
			}
			s.woken = append(s.woken, record.Detail.EventName+record.Detail.Status)
			<-s.Function.InvokeAsync(event)
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if failures := s.Function.Failures(); len(failures) > 0 {
			t.Errorf("failure queue: %+v", failures)
		}
	})
	return s
}

// somebody is a person in an account.
func (s *stage) somebody(account string) *sdk.Client {
	c := s.World.Account(account)
	return sdk.New(sdk.Options{Region: region, BaseEndpoint: aws.String(s.World.URL()), HTTPClient: s.World.Client(), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		})})
}

// ask has somebody in an account ask another one, and waits until everything that
// follows from it is over.
func (s *liveStage) ask(from, to, name string) proton.Connection {
	s.T.Helper()
	role := "arn:aws:iam::" + from + ":role/proton-run"
	out, err := s.somebody(from).CreateEnvironmentAccountConnection(s.T.Context(), &sdk.CreateEnvironmentAccountConnectionInput{
		EnvironmentName: &name, ManagementAccountId: &to, RoleArn: &role,
	})
	if err != nil {
		s.T.Fatal(err)
	}
	c := s.proton.Connection(region, *out.EnvironmentAccountConnection.Id)
	s.names[c.ID], s.names[*out.EnvironmentAccountConnection.Arn] = name, name
	s.Events.Idle()
	return c
}

func (s *liveStage) accept(c proton.Connection) {
	s.T.Helper()
	if _, err := s.somebody(home).AcceptEnvironmentAccountConnection(s.T.Context(), &sdk.AcceptEnvironmentAccountConnectionInput{Id: &c.ID}); err != nil {
		s.T.Fatal(err)
	}
	s.Events.Idle()
}

func (s *liveStage) wantWoken(want ...string) {
	s.T.Helper()
	slices.Sort(s.woken)
	if diff := cmp.Diff(append([]string{}, want...), append([]string{}, s.woken...)); diff != "" {
		s.T.Errorf("woken by (-want +got):\n%s", diff)
	}
}

// nobody is told.
func nobody([]eventbridge.Event) []eventbridge.Event { return nil }

func TestARequestIsRejectedWithinOneStatusChange(t *testing.T) {
	t.Parallel()
	for name, unknowns := range map[string]proton.Unknowns{
		"told to this account":      {EventsTo: proton.ManagementAccount},
		"told to both accounts":     {EventsTo: proton.BothAccounts},
		"with an empty status":      {EventsTo: proton.BothAccounts, PreviousStatus: proton.OrEmpty},
		"without a previous status": {EventsTo: proton.BothAccounts, PreviousStatus: proton.Never},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newLiveStage(t, everything)
			s.proton.Assume(unknowns)
			other := s.asked(partner, home, "api") // a violation as well, but the event does not name it
			c := s.ask(partner, home, "web")
			s.wantWrites(reject + " web")
			if c.Status() != proton.Rejected || other.Status() != proton.Pending {
				t.Errorf("web is %s, api is %s", c.Status(), other.Status())
			}
			// The rejection is told of as well, by Proton and by CloudTrail, and wakes nobody.
			s.wantWoken("PENDING")
			if len(s.Events.Events(home, region, "default")) != 3 {
				t.Errorf("told of: %+v", s.Events.Events(home, region, "default"))
			}
			if len(s.Reported("Finding")) != 1 {
				t.Errorf("findings: %+v", s.Reported("Finding"))
			}
		})
	}
}

func TestAnEventRunMakesFiveCalls(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	c := s.asked(partner, home, "web")
	s.connected(partner, home, "shop") // which is not looked at, so nobody asks what uses it
	if _, err := s.Invoke(s.change(c.ID, "PENDING")); err != nil {
		t.Fatal(err)
	}
	var calls []string
	for _, call := range s.World.Calls() {
		if call.Service == "proton" {
			calls = append(calls, call.Operation)
		}
	}
	const list = "ListEnvironmentAccountConnections"
	if diff := cmp.Diff([]string{list, list, list, reject, list}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestARequestOfThisAccountIsDeletedWithinOneCreation(t *testing.T) {
	t.Parallel()
	s := newLiveStage(t, everything)
	s.proton.Deliver(nobody) // of the status change nobody tells
	c := s.ask(home, stranger, "web")
	s.wantWrites(remove + " web")
	s.wantWoken("CreateEnvironmentAccountConnection")
	if c.Status() != "" {
		t.Errorf("it is %s", c.Status())
	}
}

func TestWhatIsApprovedIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newLiveStage(t, everything)
	theirs, ours := s.ask(partner, home, "prod-web"), s.ask(home, partner, "web")
	s.accept(theirs)
	s.wantWrites()
	s.wantWoken("AcceptEnvironmentAccountConnection", "CONNECTED", "CreateEnvironmentAccountConnection", "PENDING", "PENDING")
	if theirs.Status() != proton.Connected || ours.Status() != proton.Pending || len(s.Reported("Finding")) != 0 {
		t.Errorf("theirs is %s, ours %s, findings %+v", theirs.Status(), ours.Status(), s.Reported("Finding"))
	}
}

func TestAnAcceptedOneThatNobodyApprovedIsReportedWithWhatUsesIt(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*liveStage){
		"when CloudTrail tells of it": func(s *liveStage) { s.trail.Deliver(nil) },
		"when Proton tells of it":     func(s *liveStage) { s.proton.Deliver(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newLiveStage(t, everything)
			s.trail.Deliver(nobody)
			s.proton.Deliver(nobody)
			c := s.ask(partner, home, "shop")
			s.proton.AddEnvironment(home, region, "shop-eu").Connect(c)
			tell(s)
			s.accept(c)
			s.wantWrites()
			f := s.findings()["shop"]
			if f.Verdict != "violation" || !strings.Contains(f.Reason, "must go first: shop-eu") || len(s.outcomes()) != 0 || c.Status() != proton.Connected {
				t.Errorf("it is %s, finding %+v, outcomes %v", c.Status(), f, s.outcomes())
			}
		})
	}
}

// An update swaps roles without anybody approving them, and Proton tells of no
// status change. CloudTrail tells the account that made it: here one that asks
// itself, so that both sides are at home.
func TestAnUpdateThatSwapsARoleIsJudgedAgain(t *testing.T) {
	t.Parallel()
	s := newLiveStage(t, strings.NewReplacer(`["444455556666"]`, `["111122223333"]`, "::444455556666:", "::111122223333:", `["*"]`, `["api"]`).Replace(everything))
	c := s.ask(home, home, "prod-web")
	s.wantWrites()
	admin := "arn:aws:iam::" + home + ":role/admin"
	s.woken = nil
	if _, err := s.somebody(home).UpdateEnvironmentAccountConnection(t.Context(), &sdk.UpdateEnvironmentAccountConnectionInput{Id: &c.ID, RoleArn: &admin}); err != nil {
		t.Fatal(err)
	}
	s.Events.Idle()
	s.wantWoken("UpdateEnvironmentAccountConnection")
	s.wantWrites(reject + " prod-web")
}

func TestARequestThatIsMadeAgainAfterARejectionSaysSo(t *testing.T) {
	t.Parallel()
	s := newLiveStage(t, everything)
	first := s.ask(partner, home, "web")
	s.World.Advance(time.Hour)
	s.ask(partner, home, "web")
	s.wantWrites(reject+" web", reject+" web")
	f := s.Reported("Finding")
	if len(f) != 2 || f[0].Cause != "event" || f[0].Notes != nil || !slices.Equal(f[1].Notes, []string{"the same was asked for before, and rejected: " + first.ID}) {
		t.Errorf("findings: %+v", f)
	}
}

func TestDeliveryMayBeAsBadAsAWSAllows(t *testing.T) {
	t.Parallel()
	type events = []eventbridge.Event
	for _, row := range []struct {
		name  string
		late  bool                // held back until both requests are made, and an hour more
		as    func(events) events // what then comes of them
		woken int
		left  int // requests that only the sweep will find
	}{
		{"held back", true, func(e events) events { return e }, 2, 0},
		{"doubled", false, func(e events) events { return append(e, e...) }, 4, 0},
		{"dropped", false, nobody, 0, 2},
		{"in another order", true, func(e events) events { slices.Reverse(e); return e }, 2, 0},
		{"doubled, late and in another order", true, func(e events) events { e = append(e, e...); slices.Reverse(e); return e }, 4, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newLiveStage(t, everything)
			var held events
			s.proton.Deliver(func(e events) events {
				if row.late {
					held = append(held, e...)
					return nil
				}
				return row.as(e)
			})
			web, api := s.ask(partner, home, "web"), s.ask(partner, home, "api")
			if row.late {
				s.wantWoken()
				s.World.Advance(time.Hour)
				s.proton.Deliver(nil)
				s.Events.Put(row.as(held)...)
				s.Events.Idle()
			}
			s.wantWoken(slices.Repeat([]string{"PENDING"}, row.woken)...)
			left := 0
			for _, c := range []proton.Connection{web, api} {
				if c.Status() == proton.Pending {
					left++
				}
			}
			if left != row.left {
				t.Errorf("%d requests are left, want %d", left, row.left)
			}
			// The sweep makes good what was lost, and finds nothing else to do.
			if out := s.Sweep(); out.Outcomes["applied"] != row.left {
				t.Errorf("sweep: %+v", out)
			}
			s.wantWrites(reject+" api", reject+" web")
		})
	}
}

// change is Proton's own event, as it reaches this account.
func (s *stage) change(id, status string) string {
	return fmt.Sprintf(`{"version":"0","id":"e-1","detail-type":"AWS Proton Environment Account Connection Status Change","source":"aws.proton",
		"account":%q,"region":%q,"detail":{"id":%q,"status":%q}}`, home, region, id, status)
}

// called is CloudTrail's record of a call, with what is to be in its detail.
func (s *stage) called(operation, detail string) string {
	return fmt.Sprintf(`{"version":"0","id":"e-1","detail-type":"AWS API Call via CloudTrail","source":"aws.proton","account":%q,"region":%q,
		"detail":{"eventID":"e-2","eventSource":"proton.amazonaws.com","eventName":%q,"awsRegion":%q,%s}}`, home, region, operation, region, detail)
}

func TestTheEventIsOnlyAHint(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		prepare func(*stage, proton.Connection)
		writes  []string
	}{
		{"what it tells of was deleted", func(_ *stage, c proton.Connection) { c.Remove() }, nil},
		{"what it tells of was rejected", func(_ *stage, c proton.Connection) { c.SetStatus(proton.Rejected) }, nil},
		{"what it tells of was accepted", func(_ *stage, c proton.Connection) { c.SetStatus(proton.Connected) }, nil},
		{"what it tells of is between others", func(s *stage, c proton.Connection) { c.Remove(); s.asked(partner, stranger, "foreign") }, nil},
		{"it is three days old", func(s *stage, _ proton.Connection) { s.World.Advance(72 * time.Hour) }, []string{reject + " web"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", everything)
			c := s.asked(partner, home, "web")
			row.prepare(s, c)
			for range 2 {
				if out, err := s.Invoke(s.change(c.ID, "PENDING")); err != nil || !out.Complete {
					t.Errorf("%+v, %v", out, err)
				}
			}
			s.wantWrites(row.writes...)
		})
	}
}

func TestEventsThatAreNotForThisControl(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	c := s.asked(partner, home, "web")
	id := fmt.Sprintf(`"requestParameters":{"id":%q}`, c.ID)
	own := `"userIdentity":{"accountId":"` + home + `","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::` + home + `:role/portcullis"}}}`
	for _, row := range []struct {
		name, payload string
		ignored       bool // else it is an error
	}{
		{"our own rejection, told by Proton", s.change(c.ID, "REJECTED"), true},
		{"our own deletion, told by Proton", s.change(c.ID, "DELETED"), true},
		{"our own rejection, told by CloudTrail", s.called(reject, id), true},
		{"our own deletion, told by CloudTrail", s.called(remove, id), true},
		{"a call of our own role", s.called("UpdateEnvironmentAccountConnection", id+","+own), true},
		{"a creation that was refused", s.called("CreateEnvironmentAccountConnection", `"errorCode":"AccessDeniedException","responseElements":null`), true},
		{"another event of Proton", strings.Replace(s.change(c.ID, "PENDING"), "Environment Account Connection", "Environment", 1), true},
		{"a creation that does not say what it created", s.called("CreateEnvironmentAccountConnection", `"requestParameters":{},"responseElements":null`), false},
		{"an id that is none", s.change("*", "PENDING"), false},
		{"an id with a command in it", s.change(c.ID+"; id", "PENDING"), false},
		{"forged for another account", strings.Replace(s.change(c.ID, "PENDING"), home, partner, 1), false},
	} {
		out, err := s.Invoke(row.payload)
		if (err == nil) != row.ignored || (out.Ignored != "") != row.ignored {
			t.Errorf("%s: ignored %q, error %v", row.name, out.Ignored, err)
		}
		var failure *lambda.FunctionError
		if err != nil && (!errors.As(err, &failure) || strings.HasPrefix(failure.Type, "Runtime.")) {
			t.Errorf("%s: it did not refuse, it broke: %v", row.name, err)
		}
	}
	for _, call := range s.World.Calls() {
		if call.Service == "proton" {
			t.Errorf("it calls %s", call.Operation)
		}
	}
}

func TestAnEventRunThatFailsIsTriedAgainByLambdaAndWritesOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	c := s.asked(partner, home, "web")
	s.World.Inject(localaws.Fault{Operation: reject, Times: 1, Kind: localaws.Fail(400, "ThrottlingException", "slow down")})
	<-s.Function.InvokeAsync([]byte(s.change(c.ID, "PENDING")))
	s.wantWrites(reject + " web")
	if n := len(s.Function.Failures()); n != 0 {
		t.Errorf("%d events in the failure queue", n)
	}
}
