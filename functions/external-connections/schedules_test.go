package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/lambda"
)

// orders returns every order of every choice of one to all of some events.
func orders(events []string) [][]string {
	var list [][]string
	var grow func(taken []string)
	grow = func(taken []string) {
		for _, e := range events {
			if !slices.Contains(taken, e) {
				more := append(slices.Clone(taken), e)
				list = append(list, more)
				grow(more)
			}
		}
	}
	grow(nil)
	return list
}

// In whichever order events come, and whichever are lost, what is there in the end
// is what the policy says of the repositories that any of them named.
func TestTheOrderOfEventsDoesNotMatter(t *testing.T) {
	t.Parallel()
	app := associated("app")
	events := map[string]string{
		"npmjs":        payload(t, app),
		"pypi":         payload(t, with(app, map[string]any{"eventID": "e-2", "requestParameters": map[string]any{"domain": "corp", "domainOwner": home, "repository": "app", "externalConnection": "public:pypi"}})),
		"store":        payload(t, associated("npm-store")),
		"failed":       payload(t, with(app, map[string]any{"errorCode": "ConflictException"})),
		"disassociate": payload(t, with(app, map[string]any{"eventName": "DisassociateExternalConnection"})),
	}
	for _, state := range []struct {
		name       string
		app, store []string // the connections that are there when the events come
	}{
		{"connected", []string{"public:npmjs"}, []string{"public:npmjs"}},
		{"replaced", []string{"public:pypi"}, []string{"public:npmjs"}},
		{"gone", nil, nil},
	} {
		t.Run(state.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "enforce", everything)
			a, store := s.repo("app"), s.repo("npm-store")
			all := orders(slices.Sorted(maps.Keys(events)))
			if len(all) != 325 { // 5 + 20 + 60 + 120 + 120
				t.Fatalf("%d orders", len(all))
			}
			for _, order := range all {
				a.Connect(state.app...)
				store.Connect(state.store...)
				before := len(s.writes())
				for _, name := range order {
					if _, err := s.Invoke(events[name]); err != nil {
						t.Fatalf("%q: %v", order, err)
					}
				}
				want, writes := state.app, 0
				if len(state.app) > 0 && (slices.Contains(order, "npmjs") || slices.Contains(order, "pypi")) {
					want, writes = nil, 1
				}
				if !slices.Equal(a.Connections(), want) || !slices.Equal(store.Connections(), state.store) || len(s.writes())-before != writes {
					t.Errorf("%q: app is connected to %q, npm-store to %q, after %d writes", order, a.Connections(), store.Connections(), len(s.writes())-before)
				}
			}
			t.Logf("figure of fault 2: %d orders of 1 to %d events in one state", len(all), len(events))
		})
	}
}

// Nothing is decided by when an event says that it was: an event may wait for days
// in a failure queue.
func TestTheTimeInAnEventDoesNotMatter(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	app := s.repo("app")
	var times []any
	for _, age := range []time.Duration{-24 * time.Hour, -time.Hour, 0, time.Minute, 24 * time.Hour, 14 * 24 * time.Hour, 100 * 365 * 24 * time.Hour} {
		times = append(times, endtoend.Start().Add(-age).Format(time.RFC3339))
	}
	times = append(times, "", "yesterday", nil, 7)
	for i, at := range times {
		app.Connect("public:npmjs")
		event := with(associated("app"), map[string]any{"eventTime": at})
		event["time"] = at
		if _, err := s.Invoke(payload(t, event)); err != nil {
			t.Errorf("%v: %v", at, err)
		}
		if n := len(s.writes()); n != i+1 {
			t.Errorf("%v: %d writes, want %d", at, n, i+1)
		}
	}
}

// A sweep and the runs of twenty events are at work on the same repositories.
func TestASweepAndManyEventsAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything, func(f *lambda.Function) { f.Concurrency = 20 })
	var names []string
	for i := range 5 {
		names = append(names, fmt.Sprintf("app%d", i))
		s.repo(names[i], "public:npmjs")
	}
	s.repo("npm-store", "public:npmjs")
	// All have read before any of them writes.
	var met sync.WaitGroup
	met.Add(20)
	s.World.Inject(localaws.Fault{Operation: "DescribeRepository", Times: 20, When: localaws.After, Kind: localaws.Meanwhile(func() {
		met.Done()
		waitAtMost(&met, 5*time.Second)
	})})
	var runs sync.WaitGroup
	invoke := func(payload string) {
		runs.Go(func() {
			if _, err := s.Function.Invoke(t.Context(), []byte(payload)); err != nil {
				t.Error(err)
			}
		})
	}
	invoke(sweep)
	for i := range 19 {
		invoke(payload(t, associated(names[i%len(names)])))
	}
	runs.Wait()
	// CodeArtifact refuses the second of two removals; that is no failure either.
	changed := map[any]int{}
	for _, c := range s.ArtifactWrites() {
		if c.Changed {
			changed[c.Input["repository"]]++
		}
	}
	for _, name := range names {
		if changed[name] != 1 {
			t.Errorf("%s was disconnected %d times", name, changed[name])
		}
	}
	if len(changed) != len(names) {
		t.Errorf("changed: %v", changed)
	}
	for _, e := range s.Reported("Action Outcome") {
		if e.Status != "applied" && e.Status != "already-done" {
			t.Errorf("%s: %s %s", e.Resource, e.Status, e.Code)
		}
	}
	t.Logf("figure of fault 34: 20 runs at once on %d violations: %d changes", len(names), len(changed))
	if again := s.Sweep(); !again.Complete || again.Verdicts["violation"] != 0 {
		t.Errorf("a sweep after it: %+v", again)
	}
}

// waitAtMost waits for a group, or until the time is up.
func waitAtMost(g *sync.WaitGroup, d time.Duration) {
	done := make(chan struct{})
	go func() { g.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(d):
	}
}

func countOf(list []string, what string) (n int) {
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

// Infrastructure code connects again whatever is disconnected. Each round is one
// event and one write, nobody is woken by what the function does itself, and all of
// them add up in the metric that the alarm on changes in an hour looks at.
func TestSomebodyWhoFightsBackIsCounted(t *testing.T) {
	t.Parallel()
	s := newLiveStage(t)
	s.repo("app")
	const rounds = 25 // the alarm rings above 20 an hour
	for range rounds {
		s.connect("app", "public:npmjs")
		s.Events.Idle()
	}
	s.wantWoken(rounds)
	if n := countOf(s.writes(), disconnect("app", "public:npmjs")); n != rounds {
		t.Errorf("%d writes in %d rounds", n, rounds)
	}
	applied := 0.0
	for _, m := range s.allMetrics() {
		if n, ok := m["Applied"].(float64); ok {
			applied += n
		}
	}
	if applied != rounds {
		t.Errorf("the metrics count %v changes, want %d", applied, rounds)
	}
	t.Logf("figure of fault 44: %d rounds: %v changes counted", rounds, applied)
}

// A run has one policy: the one that its process started with.
func TestThePolicyOfARunIsTheOneThatItStartedWith(t *testing.T) {
	t.Parallel()
	var file string
	s := newStage(t, "enforce", everything, func(f *lambda.Function) { file = f.Env["POLICY_FILE"] })
	twoDomains(s)
	s.repo("npm-store", "public:npmjs")
	opposite := strings.Replace(everything, "corp/npm-store", "*/*", 1)
	if opposite == everything {
		t.Fatal("the other policy says the same")
	}
	s.World.Inject(localaws.Fault{Operation: "ListDomains", When: localaws.After, Times: 1, Kind: localaws.Meanwhile(func() {
		if err := os.WriteFile(file, []byte(opposite), 0o600); err != nil {
			t.Error(err)
		}
	})})
	s.Sweep()
	s.wantWrites(inCorp, inLab)
	policies := map[string]bool{}
	for _, e := range s.Events.Events(home, region, bus) {
		if e.DetailType == "Run Summary" {
			policies[policyOf(t, e)] = true
		}
	}
	s.Sweep()
	if len(policies) != 1 {
		t.Errorf("policies %v", policies)
	}
	for _, e := range s.Events.Events(home, region, bus) {
		if e.DetailType == "Run Summary" && !policies[policyOf(t, e)] {
			t.Errorf("another policy: %s", e.Detail)
		}
	}
}

func policyOf(t *testing.T, e eventbridge.Event) string {
	t.Helper()
	var d struct{ Policy string }
	if err := json.Unmarshal(e.Detail, &d); err != nil || d.Policy == "" {
		t.Fatalf("a summary without a policy: %s (%v)", e.Detail, err)
	}
	return d.Policy
}
