package main_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/shared/localaws/cloudtrail"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/scheduler"
)

// These tests play the whole way: somebody makes a call, CloudTrail tells of it,
// the rule of template.yaml lets it through, and Lambda runs the real binary.

// liveStage is a stage on which the function is woken by events.
type liveStage struct {
	*stage
	trail *cloudtrail.Trail
	woken []string // the names of the calls that it was told of
}

func newLiveStage(t *testing.T) *liveStage {
	t.Helper()
	s := &liveStage{stage: newStage(t, "enforce", everything)}
	s.trail = cloudtrail.New(s.World, s.Artifact, s.Events)
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const name = "ExternalConnectionsAssociated"
	pattern, err := eventbridge.PatternIn(template, name)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Events.AddRule(home, region, "default", eventbridge.Rule{Name: name, Pattern: pattern, Target: func(event []byte) {
		var record struct{ Detail struct{ EventName string } }
		if err := json.Unmarshal(event, &record); err != nil {
			t.Error(err)
		}
		s.woken = append(s.woken, record.Detail.EventName)
		<-s.Function.InvokeAsync(event)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if failures := s.Function.Failures(); len(failures) > 0 {
			t.Errorf("failure queue: %+v", failures)
		}
	})
	return s
}

// associate connects a repository of any owner's corp, as somebody in an account
// does, and says what the server said.
func (s *liveStage) associate(account, owner, repository, connection string) error {
	c := s.World.Account(account)
	client := sdk.New(sdk.Options{Region: region, BaseEndpoint: aws.String(s.World.URL()), HTTPClient: s.World.Client(), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		})})
	_, err := client.AssociateExternalConnection(s.T.Context(), &sdk.AssociateExternalConnectionInput{
		Domain: aws.String("corp"), DomainOwner: &owner, Repository: &repository, ExternalConnection: &connection,
	})
	return err
}

// connect is associate at home, and must succeed.
func (s *liveStage) connect(repository, connection string) {
	s.T.Helper()
	if err := s.associate(home, home, repository, connection); err != nil {
		s.T.Fatal(err)
	}
}

func (s *liveStage) wantWoken(times int) {
	s.T.Helper()
	if !slices.Equal(s.woken, slices.Repeat([]string{"AssociateExternalConnection"}, times)) {
		s.T.Errorf("woken by %q, want %d associations", s.woken, times)
	}
}

func associate(repository, connection string) string {
	return "AssociateExternalConnection corp/" + repository + " " + connection
}

func TestAConnectionIsTakenOffWhenCloudTrailTellsOfIt(t *testing.T) {
	t.Parallel()
	for name, spelling := range map[string]cloudtrail.Spelling{
		"as the API spells it":          cloudtrail.OfTheAPI,
		"as AWS's own records spell it": cloudtrail.OfTheRecords,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newLiveStage(t)
			s.trail.SetSpelling(spelling)
			app := s.repo("app")
			s.connect("app", "public:npmjs")
			s.Events.Idle()
			s.wantWrites(associate("app", "public:npmjs"), disconnect("app", "public:npmjs"))
			if len(app.Connections()) != 0 {
				t.Errorf("app is connected to %q", app.Connections())
			}
			// CloudTrail told of both calls; the function's own woke nobody.
			if n := len(s.Events.Events(home, region, "default")); n != 2 {
				t.Errorf("CloudTrail told of %d calls, want 2", n)
			}
			s.wantWoken(1)
		})
	}
}

func TestWhatIsAllowedOrRefusedIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newLiveStage(t)
	store, app := s.repo("npm-store"), s.repo("app")
	app.Upstream("npm-store")
	s.connect("npm-store", "public:npmjs")
	if err := s.associate(home, home, "app", "public:npmjs"); err == nil {
		t.Error("the server connects a repository that has upstreams")
	}
	s.Events.Idle()
	s.wantWrites(associate("app", "public:npmjs"), associate("npm-store", "public:npmjs"))
	if len(store.Connections()) != 1 {
		t.Errorf("npm-store is connected to %q", store.Connections())
	}
	s.wantWoken(1) // not by the call that was refused
}

func TestItDoesNotMatterWhoseCallItWas(t *testing.T) {
	t.Parallel()
	const third = "777788889999"
	for _, row := range []struct {
		name, caller, owner, administrator string
		sees, acts                         bool // whether the account of the function is told, and whether it is for it to act
	}{
		{"another account, of a repository that is all ours", partner, home, home, true, true},
		{"another account, of one that somebody else administers", partner, home, third, true, true},
		{"the owner, of one that we administer", partner, partner, home, true, true},
		{"a third account, of one that we administer", third, partner, home, true, true},
		{"another account, of what is not ours", third, partner, partner, false, false},
		{"our own, of what is not ours", home, partner, partner, true, false},
		{"our own, of what a third account administers", home, partner, third, true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newLiveStage(t)
			app := s.Artifact.AddDomain(row.owner, region, "corp").AddRepositoryOf(row.administrator, "app")
			app.Grant(row.caller, codeartifact.Write)
			if err := s.associate(row.caller, row.owner, "app", "public:npmjs"); err != nil {
				t.Fatal(err)
			}
			s.Events.Idle()
			if !row.sees {
				s.wantWoken(0)
				s.wantWrites(associate("app", "public:npmjs"))
				return
			}
			s.wantWoken(1) // each account is told once
			if !row.acts {
				s.wantWrites(associate("app", "public:npmjs"))
				if out := s.Sweep(); out.Looked != 0 || !out.Complete {
					t.Errorf("a sweep looks at it: %+v", out)
				}
				return
			}
			s.wantWrites(associate("app", "public:npmjs"), disconnect("app", "public:npmjs"))
			if len(app.Connections()) != 0 {
				t.Errorf("app is connected to %q", app.Connections())
			}
		})
	}
}

func TestDeliveryMayBeAsBadAsAWSAllows(t *testing.T) {
	t.Parallel()
	type events = []eventbridge.Event
	for _, row := range []struct {
		name  string
		late  bool                // held back until both calls are made, and an hour more
		as    func(events) events // what then comes of them
		woken int
		left  int // connections that only the sweep will find
	}{
		{"held back", true, func(e events) events { return e }, 2, 0},
		{"doubled", false, func(e events) events { return append(e, e...) }, 4, 0},
		{"dropped", false, func(events) events { return nil }, 0, 2},
		{"in another order", true, func(e events) events { slices.Reverse(e); return e }, 2, 0},
		{"doubled, late and in another order", true, func(e events) events { e = append(e, e...); slices.Reverse(e); return e }, 4, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newLiveStage(t)
			app, web := s.repo("app"), s.repo("web")
			var held events
			s.trail.Deliver(func(e events) events {
				if row.late {
					held = append(held, e...)
					return nil
				}
				return row.as(e)
			})
			s.connect("app", "public:npmjs")
			s.connect("web", "public:pypi")
			s.Events.Idle()
			if row.late {
				s.wantWoken(0)
				s.World.Advance(time.Hour)
				s.trail.Deliver(nil)
				s.Events.Put(row.as(held)...)
				s.Events.Idle()
			}
			s.wantWoken(row.woken)
			if n := len(app.Connections()) + len(web.Connections()); n != row.left {
				t.Errorf("%d connections are left, want %d", n, row.left)
			}
			// The sweep makes good what was lost, and finds nothing else to do.
			if out := s.Sweep(); out.Outcomes["applied"] != row.left {
				t.Errorf("sweep: %+v", out)
			}
			s.wantWrites(associate("app", "public:npmjs"), associate("web", "public:pypi"),
				disconnect("app", "public:npmjs"), disconnect("web", "public:pypi"))
		})
	}
}

// An event of a connection that has been replaced since tells of the past; what is
// there now is judged.
func TestALateEventFindsWhatIsThereNow(t *testing.T) {
	t.Parallel()
	s := newLiveStage(t)
	store := s.repo("npm-store")
	var held []eventbridge.Event
	s.trail.Deliver(func(e []eventbridge.Event) []eventbridge.Event { held = append(held, e...); return nil })
	s.connect("npm-store", "public:pypi")
	store.Connect("public:npmjs") // which is allowed
	s.Events.Put(held...)
	s.Events.Idle()
	s.wantWoken(1)
	s.wantWrites(associate("npm-store", "public:pypi"))
}

func TestAFloodOfCopiesEndsInOneWrite(t *testing.T) {
	t.Parallel()
	s := newLiveStage(t)
	s.repo("app")
	s.trail.Deliver(func(e []eventbridge.Event) []eventbridge.Event { return slices.Repeat(e, 1000) })
	s.connect("app", "public:npmjs")
	s.Events.Idle()
	s.wantWoken(1000)
	s.wantWrites(associate("app", "public:npmjs"), disconnect("app", "public:npmjs"))
	n := len(s.Reported("Action Outcome"))
	if n != 1 {
		t.Errorf("%d outcomes are reported", n)
	}
	t.Logf("figure of fault 1: 1,000 copies: %d write, %d outcome", countOf(s.writes(), disconnect("app", "public:npmjs")), n)
}

func TestTheScheduleSweepsEveryHour(t *testing.T) {
	t.Parallel()
	s := newLiveStage(t)
	app := s.repo("app", "public:npmjs") // and no event tells of it
	scheduler.Every(s.World, time.Hour, []byte(sweep), func(input []byte) { <-s.Function.InvokeAsync(input) })
	s.wantWrites(disconnect("app", "public:npmjs")) // in the sweep at once

	app.Connect("public:pypi")
	s.World.Advance(59 * time.Minute)
	if len(app.Connections()) != 1 {
		t.Error("it swept before the hour was over")
	}
	s.World.Advance(time.Minute)
	s.wantWrites(disconnect("app", "public:npmjs"), disconnect("app", "public:pypi"))
	s.World.Advance(3 * time.Hour)
	if n := len(s.Reported("Run Summary")); n != 5 {
		t.Errorf("%d sweeps, want one at the start and one for each of four hours", n)
	}
	s.wantWoken(0) // no event had a part in it
}
