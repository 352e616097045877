package protonconn

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/proton"
	"portcullis/shared/localaws/witness"
)

// What a run waits for a service that is gone is told by its reason, because a busy machine may take longer for
// it by the clock. Of the clock is asked no more than that it stays below the 45 seconds that any other read has.
const (
	waited = "given up after 8s: "
	atMost = 40 * time.Second
)

// stage is a local AWS, and the real client of the management account in it.
type stage struct {
	t      *testing.T
	world  *localaws.World
	proton *proton.Service
}

func newStage(t *testing.T) *stage {
	t.Helper()
	// The clock is that of this machine: the SDK tries a refusal again where the two differ.
	w, err := localaws.New(time.Now().UTC().Truncate(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	return &stage{t, w, proton.New(w, eventbridge.New(w))}
}

// observe is the look of a run.
func (s *stage) observe(ctx context.Context) Observation {
	s.t.Helper()
	return s.look(s.world.URL())(ctx)
}

// look is the look of a run at an endpoint, yet to be taken.
func (s *stage) look(endpoint string) func(context.Context) Observation {
	s.t.Helper()
	environment := map[string]string{"ACCOUNT_ID": management}
	for _, variable := range s.world.Environment(management, region) {
		name, value, _ := strings.Cut(variable, "=")
		environment[name] = value
	}
	environment["AWS_ENDPOINT_URL"] = endpoint
	a, err := awsio.FromEnvironment("proton-connections", func(name string) string { return environment[name] }, control.Monitor)
	if err != nil {
		s.t.Fatal(err)
	}
	session, err := a.Session(a.Home())
	if err != nil {
		s.t.Fatal(err)
	}
	return func(ctx context.Context) Observation {
		return Observe(ctx, newClient(session.Reads), a.Home(), "", Management, Environment)
	}
}

// add is a request to the account that looks.
func (s *stage) add() {
	s.proton.AddConnection(proton.Request{EnvironmentAccount: environment, Region: region, ManagementAccount: management, EnvironmentName: "web"})
}

func TestAServiceThatIsGoneIsToldByItsFirstAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for hosts that say nothing")
	}
	t.Parallel()
	retired := func(r proton.Retirement) func(*stage) (string, error) {
		return func(s *stage) (string, error) { s.proton.Retire(r); return s.world.URL(), nil }
	}
	answers := func(k localaws.Kind) func(*stage) (string, error) {
		return func(s *stage) (string, error) {
			s.world.Inject(localaws.Fault{Service: "proton", Kind: k})
			return s.world.URL(), nil
		}
	}
	tests := []struct {
		name  string
		ends  func(*stage) (endpoint string, err error)
		code  string
		calls int  // 0 is any number of them
		waits bool // as long as a run may

		stage *stage
		seen  Observation
		took  time.Duration
	}{
		{name: "access denied, with a text", ends: retired(proton.AccessDenied), code: "service-retired", calls: 1},
		{name: "an error that is not in the model, with a text", ends: retired(proton.Forbidden), code: "service-retired", calls: 1},
		{name: "a wrong request, with a text", ends: retired(proton.Invalid), code: "service-retired", calls: 1},
		{name: "an unknown operation", ends: retired(proton.UnknownOperation), code: "service-retired", calls: 1},
		{name: "no such host", ends: func(*stage) (string, error) { return proton.NoSuchHost, nil }, code: "unreachable"},
		{name: "a connection that is refused", ends: func(s *stage) (string, error) { return s.proton.Refusing() }, code: "unreachable", waits: true},
		{name: "a connection that does not come about", ends: func(s *stage) (string, error) { return s.proton.Deaf() }, code: "unreachable", waits: true},
		{name: "a silent host", ends: func(s *stage) (string, error) { return s.proton.Silent() }, code: "unreachable", waits: true},
		{name: "throttling without an end, with a text", ends: retired(proton.Throttled), code: "service-retired", waits: true},
		{name: "throttling without an end", ends: answers(localaws.Fail(400, "ThrottlingException", "slow down")), code: "unreachable", waits: true},
		{name: "an error of a type that Proton does not have", ends: answers(localaws.Fail(400, "TeapotException", "no coffee")), code: "unreachable", calls: 1},
		{name: "an error without a type", ends: answers(localaws.Fail(403, "", "Forbidden")), code: "unreachable"},
		{name: "a text with hyphens", ends: answers(localaws.Fail(400, "AccessDeniedException", "AWS Proton has reached its end-of-support date")), code: "service-retired", calls: 1},
		{name: "a web page", ends: retired(proton.WebPage), code: "unreachable", calls: 3},
		{name: "an empty object", ends: retired(proton.EmptyObject), code: "unreachable", calls: 1},
		{name: "an empty body", ends: retired(proton.EmptyBody), code: "unreachable", calls: 1},
	}
	if n := len(proton.Retirements()); n != 8 {
		t.Errorf("there are %d retirements, and 8 are tested", n)
	}
	var looks sync.WaitGroup // all at once, because each of the silent ones costs eight seconds
	for i := range tests {
		test := &tests[i]
		test.stage = newStage(t)
		test.stage.add() // which is there, and nobody sees it
		endpoint, err := test.ends(test.stage)
		if err != nil {
			t.Fatal(err)
		}
		look := test.stage.look(endpoint)
		looks.Go(func() {
			start := time.Now()
			test.seen = look(t.Context())
			test.took = time.Since(start)
		})
	}
	looks.Wait()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.took > atMost {
				t.Errorf("it took %v", test.took)
			}
			o := test.seen
			if o.Gone == nil || o.Gone.Code != test.code || len(o.Unread) != 0 || len(o.Sides) != 0 {
				t.Fatalf("got %+v, want it to be gone with the code %s", o, test.code)
			}
			if want := "AWS Proton is " + strings.TrimPrefix(test.code, "service-") + "; AWS ended it on 2026-10-07: "; !strings.HasPrefix(o.Gone.Reason, want) {
				t.Errorf("reason %q does not begin with %q", o.Gone.Reason, want)
			}
			if test.waits && !strings.Contains(o.Gone.Reason, waited) {
				t.Errorf("reason %q does not say %q", o.Gone.Reason, waited)
			}
			calls := test.stage.world.Calls()
			if test.calls != 0 && len(calls) != test.calls {
				t.Errorf("%d calls, want %d", len(calls), test.calls)
			}
			for _, c := range calls {
				if c.Input["requestedBy"] != string(Management) {
					t.Errorf("after the first list it calls %s of %v", c.Operation, c.Input)
				}
			}
		})
	}
}

func TestAServiceThatIsBackIsReadAgain(t *testing.T) {
	s := newStage(t)
	s.add()
	ended := s.proton.Retire(proton.AccessDenied)
	if o := s.observe(t.Context()); o.Gone == nil {
		t.Errorf("while it is gone: %+v", o)
	}
	ended.Remove()
	if o := s.observe(t.Context()); o.Gone != nil || len(o.Sides[Management]) != 1 {
		t.Errorf("when it is back: %+v", o)
	}
}

// What follows is trouble of a service that lives, and must ring.
func TestWhatIsNotTheEndOfTheService(t *testing.T) {
	t.Parallel()
	own := func(input map[string]any) bool { return input["requestedBy"] == string(Environment) }
	later := func(input map[string]any) bool { return input["nextToken"] != nil }
	cut := localaws.Fault{Match: func(input map[string]any) bool { return !own(input) && !later(input) },
		Kind: localaws.Body(200, `{"environmentAccountConnections":[],"nextToken":"more"}`)}
	for _, test := range []struct {
		name   string
		faults []localaws.Fault
		code   string
		side   Side
	}{
		{"a right is missing", []localaws.Fault{{Kind: localaws.Fail(400, "AccessDeniedException",
			"User: arn:aws:sts::111111111111:assumed-role/portcullis/x is not authorized to perform: proton:ListEnvironmentAccountConnections because no identity-based policy allows it")}}, "access-denied", Management},
		{"credentials are old", []localaws.Fault{{Kind: localaws.Fail(400, "ExpiredTokenException", "The security token included in the request is expired")}}, "credentials", Management},
		{"the request is wrong", []localaws.Fault{{Kind: localaws.Fail(400, "ValidationException", "1 validation error detected")}}, "invalid", Management},
		{"a later page is refused with the words of an end", []localaws.Fault{cut, {Match: later, Kind: localaws.Fail(400, "AccessDeniedException", "no longer available")}}, "access-denied", Management},
		{"a later page makes no sense", []localaws.Fault{cut, {Match: later, Kind: localaws.HTML(200)}}, "malformed", Management},
		{"the other side is refused with the words of an end", []localaws.Fault{{Match: own, Kind: localaws.Fail(400, "AccessDeniedException", "no longer available")}}, "access-denied", Environment},
		{"the other side has no list", []localaws.Fault{{Match: own, Kind: localaws.Body(200, `{}`)}}, "malformed", Environment},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.add()
			for _, f := range test.faults {
				f.Service = "proton"
				s.world.Inject(f)
			}
			o := s.observe(t.Context())
			if o.Gone != nil || len(o.Unread) == 0 {
				t.Fatalf("got %+v", o)
			}
			if u := o.Unread[0]; u.Code != test.code || u.Side != test.side || !strings.Contains(u.Reason, "connections of the "+string(test.side)+" side") {
				t.Errorf("got %+v, want %s of %s", u, test.code, test.side)
			}
			if _, read := o.Sides[test.side]; read {
				t.Error("what could not be read is there")
			}
		})
	}
	t.Run("it is slow, and then answers", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		s.add()
		s.world.Inject(localaws.Fault{Service: "proton", Times: 3, Kind: localaws.Fail(400, "ThrottlingException", "Rate exceeded")}) // a second each
		if o := s.observe(t.Context()); o.Gone != nil || len(o.Unread) != 0 || len(o.Sides[Management]) != 1 {
			t.Errorf("got %+v", o)
		}
	})
	t.Run("the run had to stop", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		s.world.Inject(localaws.Fault{Service: "proton", Kind: localaws.Hang()})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		o := s.observe(ctx)
		if o.Gone != nil || len(o.Unread) != 2 || o.Unread[0].Code != "deadline" || o.Unread[1].Code != "deadline" {
			t.Errorf("got %+v", o)
		}
	})
}
