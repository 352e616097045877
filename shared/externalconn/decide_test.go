package externalconn

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

const owner = "111122223333"

var (
	scope = control.Scope{Account: owner, Region: "eu-west-1"}
	noon  = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

// rules is the policy of these tests, in the form that an operator writes.
func rules(t testing.TB) policy.ExternalConnections {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(`
version: 1
limits: {count: 10, share: 50%}
external_connections:
  allow:
    - repositories: ["corp/npm-store"]
      connections: ["public:npmjs"]
  waivers:
    - id: long
      repositories: ["corp/legacy"]
      connections: ["public:pypi"]
      reason: "moving off it"
      owner: "team-web"
      expires: 2027-03-01
    - id: short
      repositories: ["corp/almost"]
      connections: ["public:pypi"]
      reason: "moving off it"
      owner: "team-web"
      expires: 2026-11-30
    - id: over
      repositories: ["corp/late", "corp/renewed"]
      connections: ["public:pypi"]
      reason: "moving off it"
      owner: "team-web"
      expires: 2026-11-19
    - id: renewed
      repositories: ["corp/renewed"]
      connections: ["public:pypi"]
      reason: "moving off it"
      owner: "team-web"
      expires: 2027-03-01
`))
	if err != nil {
		t.Fatal(err)
	}
	return *p.ExternalConnections
}

func name(repo string) Name { return Name{Owner: owner, Domain: "corp", Repo: repo} }

func connected(repo string, connections ...string) Repository {
	return Repository{Name: name(repo), ARN: name(repo).ARN("eu-west-1"), Administrator: owner, Connections: connections, Upstreams: []string{}}
}

// The rows are those of the table above Decide, in the same order.
func TestDecide(t *testing.T) {
	unreadable := Observation{Unread: []Unread{{Resource: "arn:x", Class: awsio.Denied, Reason: "repository corp/x could not be read: access denied"}}}
	for _, row := range []struct {
		name    string
		seen    Observation
		now     time.Time
		verdict control.Verdict // "" for no finding
		code    string
		acts    bool
	}{
		{"what could not be read is undetermined", unreadable, noon, control.Undetermined, "access-denied", false},
		{"a repository without a connection is counted only", Observation{Unconnected: 1}, noon, "", "", false},
		{"an allowed connection is compliant", one(connected("npm-store", "public:npmjs")), noon, control.Compliant, "allowed", false},
		{"a waiver in force waives", one(connected("legacy", "public:pypi")), noon, control.Waived, "waived", false},
		{"a waiver cannot be judged without AWS's time", one(connected("legacy", "public:pypi")), time.Time{}, control.Undetermined, "time-unknown", false},
		{"a waiver that ran out is as if absent", one(connected("late", "public:pypi")), noon, control.Violation, "waiver-expired", true},
		{"what nothing allows is a violation", one(connected("app", "public:npmjs")), noon, control.Violation, "not-allowed", true},

		// Beyond the table: the edges between its rows.
		{"what could not be read is not counted among what was", Observation{Unconnected: 2, Unread: unreadable.Unread}, noon, control.Undetermined, "access-denied", false},
		{"an allow rule needs no time", one(connected("npm-store", "public:npmjs")), time.Time{}, control.Compliant, "allowed", false},
		{"a violation that no waiver matches needs no time", one(connected("app", "public:npmjs")), time.Time{}, control.Violation, "not-allowed", true},
		{"a rule for one registry does not allow another", one(connected("npm-store", "public:pypi")), noon, control.Violation, "not-allowed", true},
		{"a registry nobody has heard of is not allowed", one(connected("app", "public:new-thing")), noon, control.Violation, "not-allowed", true},
		{"a second waiver in force counts after one that ran out", one(connected("renewed", "public:pypi")), noon, control.Waived, "waived", false},
		{"a waiver holds through the last second of its last day", one(connected("late", "public:pypi")), time.Date(2026, 11, 19, 23, 59, 59, 0, time.UTC), control.Waived, "waived", false},
		{"a waiver has run out when its last day is over", one(connected("late", "public:pypi")), time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), control.Violation, "waiver-expired", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.seen.Scope = scope
			plan := Decide(row.seen, rules(t), row.now)
			if row.verdict == "" {
				if len(plan.Findings) != 0 || len(plan.Actions) != 0 || plan.Looked != 1 {
					t.Fatalf("got %+v, want one resource looked at and nothing said", plan)
				}
				return
			}
			if len(plan.Findings) != 1 {
				t.Fatalf("got %d findings, want 1", len(plan.Findings))
			}
			// The limit is a share of what was read, so what was not read must not raise it.
			if want := len(row.seen.Connected) + row.seen.Unconnected; plan.Looked != want {
				t.Errorf("looked at %d, want %d", plan.Looked, want)
			}
			f := plan.Findings[0]
			if f.Verdict != row.verdict || f.Code != row.code || f.Reason == "" {
				t.Errorf("got %s, %s (%s), want %s, %s", f.Verdict, f.Code, f.Reason, row.verdict, row.code)
			}
			if acts := len(plan.Actions) == 1; acts != row.acts || len(plan.Actions) > 1 {
				t.Errorf("got %d actions, want action: %v", len(plan.Actions), row.acts)
			}
			if (f.Effect != "") != row.acts {
				t.Errorf("effect is %q; only a violation has one", f.Effect)
			}
		})
	}
}

func one(r Repository) Observation { return Observation{Connected: []Repository{r}} }

func TestAWaiverThatEndsSoonIsSaid(t *testing.T) {
	notes := func(repo string) []string {
		return Decide(Observation{Scope: scope, Connected: []Repository{connected(repo, "public:pypi")}}, rules(t), noon).Findings[0].Notes
	}
	if got := notes("almost"); len(got) != 1 || !strings.Contains(got[0], "ends on 2026-11-30") {
		t.Errorf("notes on a waiver with ten days left: %q", got)
	}
	if got := notes("legacy"); got != nil {
		t.Errorf("notes on a waiver with months left: %q", got)
	}
}

func TestTheActionSaysWhatItDoesAndHowToUndoIt(t *testing.T) {
	repo := connected("app", "public:npmjs")
	plan := Decide(Observation{Scope: scope, Connected: []Repository{repo}}, rules(t), noon)
	input := map[string]string{"domain": "corp", "domainOwner": owner, "repository": "app", "externalConnection": "public:npmjs"}
	want := control.Action{
		ID: plan.Findings[0].ID, Control: Control, Account: owner, Region: "eu-west-1",
		Resource: "arn:aws:codeartifact:eu-west-1:111122223333:repository/corp/app", Subject: "public:npmjs",
		Owner: owner, Domain: "corp", Reason: plan.Findings[0].Reason,
		Call:   control.Call{Service: "codeartifact", Operation: "DisassociateExternalConnection", Input: input},
		Before: repo,
		Undo:   []control.Call{{Service: "codeartifact", Operation: "AssociateExternalConnection", Input: input}},
	}
	if diff := cmp.Diff([]control.Action{want}, plan.Actions); diff != "" {
		t.Errorf("action (-want +got):\n%s", diff)
	}
}

// drawing is who draws from whom, by domain.
type drawing map[Name]*edges

func (d drawing) add(name Name, upstreams ...string) {
	if d[name.domain()] == nil {
		d[name.domain()] = &edges{}
	}
	d[name.domain()].add(name.Repo, upstreams)
}

// downstream is what a sweep would know of it, had every repository a connection.
func (d drawing) downstream() *Downstream {
	known := newDownstream()
	for domain, e := range d {
		var all []string
		for id := range e.ends {
			all = append(all, string(e.at(uint32(id))))
		}
		known.of[domain] = e.graph(all)
	}
	return known
}

func TestTheFindingNamesTheRepositoriesDownstream(t *testing.T) {
	d := drawing{}
	d.add(name("a"), "app")
	d.add(name("b"), "a")
	d.add(name("c"), "b", "app")
	d.add(name("app"), "c") // a circle must not hang it, nor count the repository itself
	d.add(Name{Owner: owner, Domain: "other", Repo: "x"}, "app")
	d.add(Name{Owner: "444455556666", Domain: "corp", Repo: "y"}, "app")

	seen := Observation{Scope: scope, Downstream: d.downstream(), Connected: []Repository{connected("app", "public:npmjs")}}
	f := Decide(seen, rules(t), noon).Findings[0]
	got := f.Details.(details)
	if diff := cmp.Diff([]string{"corp/a", "corp/b", "corp/c"}, got.Downstream); diff != "" {
		t.Errorf("downstream (-want +got):\n%s", diff)
	}
	if got.DownstreamCount != 3 || got.DownstreamKnown != "all" {
		t.Errorf("got %d, %s", got.DownstreamCount, got.DownstreamKnown)
	}
	if want := "corp/app and what draws from it (corp/a, corp/b, corp/c) get no new versions from public:npmjs"; !strings.Contains(f.Effect, want) {
		t.Errorf("effect %q does not say %q", f.Effect, want)
	}

	seen.Downstream.incomplete(owner, "corp")
	f = Decide(seen, rules(t), noon).Findings[0]
	if got := f.Details.(details); got.DownstreamKnown != "at-least" || !strings.Contains(f.Effect, "there may be more of them, or fewer") {
		t.Errorf("a domain that was not read completely: %s, %q", got.DownstreamKnown, f.Effect)
	}

	seen.Downstream = nil
	f = Decide(seen, rules(t), noon).Findings[0]
	if got := f.Details.(details); got.DownstreamKnown != "not-computed" || !strings.Contains(f.Effect, "downstream not computed") {
		t.Errorf("a single repository: %s, %q", got.DownstreamKnown, f.Effect)
	}
}

func TestTheEffectSaysHowManyLoseTheRegistryToo(t *testing.T) {
	const rest = "no new versions from public:npmjs; versions already ingested stay"
	for n, want := range map[int]string{
		0: "without it, corp/app gets " + rest + "; nothing else depends on it for that registry",
		5: "without it, corp/app and what draws from it (corp/a, corp/b, corp/c, corp/d, corp/e) get " + rest,
		6: "without it, corp/app and what draws from it (corp/a, corp/b, corp/c, corp/d, corp/e and 1 more) get " + rest,
	} {
		d := drawing{}
		d.add(name("app"))
		for _, r := range []string{"a", "b", "c", "d", "e", "f"}[:n] {
			d.add(name(r), "app")
		}
		seen := Observation{Scope: scope, Downstream: d.downstream(), Connected: []Repository{connected("app", "public:npmjs")}}
		if f := Decide(seen, rules(t), noon).Findings[0]; f.Effect != want {
			t.Errorf("of %d: %q, want %q", n, f.Effect, want)
		}
	}
}

func TestWhoHasAnotherWayToTheRegistryLosesNothing(t *testing.T) {
	d := drawing{}
	d.add(name("a"), "app")
	d.add(name("b"), "app", "npm-store")
	d.add(name("c"), "b")
	seen := Observation{Scope: scope, Downstream: d.downstream(), Connected: []Repository{
		connected("app", "public:npmjs"), connected("web", "public:npmjs"), connected("npm-store", "public:npmjs"),
	}}
	f := Decide(seen, rules(t), noon).Findings[0]
	if got := f.Details.(details); f.Subject != "public:npmjs" || !slices.Equal(got.Downstream, []string{"corp/a"}) {
		t.Errorf("%s of %s: %q lose it, want corp/a only", f.Subject, f.Resource, got.Downstream)
	}

	// A way to one registry is none to another.
	seen.Connected[1] = connected("web", "public:pypi")
	d.add(name("b"), "web")
	seen.Downstream = d.downstream()
	lose := map[string][]string{}
	for _, f := range Decide(seen, rules(t), noon).Findings {
		if f.Verdict == control.Violation {
			lose[f.Subject] = f.Details.(details).Downstream
		}
	}
	if diff := cmp.Diff(map[string][]string{"public:npmjs": {"corp/a"}, "public:pypi": {"corp/b", "corp/c"}}, lose); diff != "" {
		t.Errorf("who loses which registry (-want +got):\n%s", diff)
	}

	// Another violation is no way that stays.
	seen.Connected = []Repository{connected("app", "public:npmjs"), connected("web", "public:npmjs")}
	f = Decide(seen, rules(t), noon).Findings[0]
	if got := f.Details.(details); !slices.Equal(got.Downstream, []string{"corp/a", "corp/b", "corp/c"}) {
		t.Errorf("without a gateway, %q lose it", got.Downstream)
	}
}

// A waived repository keeps its connection, and is no other way for what draws
// from itself.
func TestWhatDrawsFromAWaivedRepositoryWouldLoseTheRegistryWithIt(t *testing.T) {
	d := drawing{}
	d.add(name("a"), "legacy")
	d.add(name("b"), "legacy", "almost")
	d.add(name("c"), "app", "legacy")
	d.add(name("d"), "app")
	d.add(name("e"), "web")
	repos := []Repository{
		connected("app", "public:pypi"), connected("legacy", "public:pypi"), connected("web", "public:pypi"), connected("almost", "public:pypi"),
	}
	want := map[string][]string{
		"app":    {"corp/d"}, // c draws from a repository that is waived
		"legacy": {"corp/a", "corp/c"},
		"web":    {"corp/e"},
		"almost": nil, // b draws from the other waived one
	}
	// Violations and waivers in any order: what was found for one is not taken for another.
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {0, 2, 1, 3}, {1, 0, 3, 2}} {
		seen := Observation{Scope: scope, Downstream: d.downstream()}
		for _, i := range order {
			seen.Connected = append(seen.Connected, repos[i])
		}
		got := map[string][]string{}
		for _, f := range Decide(seen, rules(t), noon).Findings {
			about := f.Details.(details)
			got[about.Repository] = append([]string(nil), about.Downstream...)
			if about.DownstreamCount != len(about.Downstream) || about.DownstreamKnown != "all" {
				t.Errorf("%s: %d, %s", about.Repository, about.DownstreamCount, about.DownstreamKnown)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("in the order %v, who loses the registry with each (-want +got):\n%s", order, diff)
		}
	}
}

func TestAFindingStaysSmallHoweverManyAreDownstream(t *testing.T) {
	d := drawing{}
	for i := range 1000 {
		d.add(name("r"+strings.Repeat("x", i%90)+string(rune('a'+i%26))+time.Duration(i).String()), "app")
	}
	f := Decide(Observation{Scope: scope, Downstream: d.downstream(), Connected: []Repository{connected("app", "public:npmjs")}}, rules(t), noon).Findings[0]
	got := f.Details.(details)
	if len(got.Downstream) != mostNamed || got.DownstreamCount != 1000 || !strings.Contains(f.Effect, "and 995 more") {
		t.Errorf("named %d of %d: %s", len(got.Downstream), got.DownstreamCount, f.Effect)
	}
}

// estate draws an observation in which rules, waivers and neither apply.
func estate(t *rapid.T) Observation {
	o := Observation{Scope: scope, Unconnected: rapid.IntRange(0, 5).Draw(t, "unconnected")}
	repos := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"npm-store", "legacy", "late", "app", "web"}), 0, 5, rapid.ID[string]).Draw(t, "repos")
	for _, r := range repos {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"public:npmjs", "public:pypi"}), 1, 2, rapid.ID[string]).Draw(t, "connections")
		o.Connected = append(o.Connected, connected(r, names...))
	}
	for range rapid.IntRange(0, 2).Draw(t, "unread") {
		o.Unread = append(o.Unread, Unread{Resource: "arn:unread", Class: awsio.Timeout, Reason: "no answer"})
	}
	return o
}

func TestDecideProperties(t *testing.T) {
	p := rules(t)
	rapid.Check(t, func(t *rapid.T) {
		o := estate(t)
		now := rapid.SampledFrom([]time.Time{noon, {}}).Draw(t, "now")
		plan := Decide(o, p, now)

		verdicts := map[string]control.Verdict{}
		for _, f := range plan.Findings {
			verdicts[f.ID] = f.Verdict
		}
		for _, a := range plan.Actions {
			if verdicts[a.ID] != control.Violation {
				t.Fatalf("action on %s %s, which is %q", a.Resource, a.Subject, verdicts[a.ID])
			}
		}
		violations := 0
		for _, f := range plan.Findings {
			if f.Verdict == control.Violation {
				violations++
			}
		}
		if violations != len(plan.Actions) {
			t.Fatalf("%d violations and %d actions", violations, len(plan.Actions))
		}

		shuffled := o
		shuffled.Connected = rapid.Permutation(o.Connected).Draw(t, "order")
		if diff := cmp.Diff(plan, Decide(shuffled, p, now)); diff != "" {
			t.Fatalf("the order of reading changed the plan:\n%s", diff)
		}

		// Carry the plan out, and decide again.
		after := Observation{Scope: scope, Unconnected: o.Unconnected, Unread: o.Unread}
		for _, r := range o.Connected {
			left := slices.DeleteFunc(slices.Clone(r.Connections), func(c string) bool {
				return slices.ContainsFunc(plan.Actions, func(a control.Action) bool { return a.Resource == r.ARN && a.Subject == c })
			})
			if len(left) == 0 {
				after.Unconnected++
				continue
			}
			r.Connections = left
			after.Connected = append(after.Connected, r)
		}
		if again := Decide(after, p, now); len(again.Actions) != 0 || again.Looked != plan.Looked {
			t.Fatalf("after its own plan it still wants %d actions", len(again.Actions))
		}
	})
}

func TestARN(t *testing.T) {
	n := Name{Owner: owner, Domain: "my-domain", Repo: "a.b_c-d"}
	if got, err := ParseARN(n.ARN("eu-west-1")); err != nil || got != n {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", "corp/app", "arn:aws:codeartifact:eu-west-1:1:domain/corp", "arn:aws:s3:::repository/a/b", "arn:aws:codeartifact:eu-west-1:1:repository/corp", "arn:aws:codeartifact:eu-west-1:1:repository//x", "arn:aws:codeartifact:eu-west-1:1:repository/a/b/c"} {
		if _, err := ParseARN(bad); err == nil {
			t.Errorf("%q was read as the ARN of a repository", bad)
		}
	}
}
