package externalconn

import (
	"encoding/json"
	"fmt"
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

// conclusion is what the trials lead to: the verdict of the one that settles it, or
// else doubt where anything is not known, or else the given verdict.
func conclusion(trials []control.Trial, otherwise control.Verdict) control.Verdict {
	for _, t := range trials {
		if t.Settles != "" {
			return t.Settles
		}
	}
	if slices.ContainsFunc(trials, func(t control.Trial) bool { return t.Result == control.Unknown }) {
		return control.Undetermined
	}
	return otherwise
}

func drawnRule(t *rapid.T, place string) policy.Rule {
	some := func(what string, least int, words ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(words), least, 2, rapid.ID[string]).Draw(t, what+" of "+place)
	}
	return policy.Rule{
		Place: place, Repositories: some("repositories", 1, "corp/web", "corp/*", "lab/*", "corp/legacy"),
		Connections: some("connections", 1, "public:npmjs", "public:*", "public:pypi"), Accounts: some("accounts", 0, owner, partner),
	}
}

// Whatever the rules and the time: what is told of the trials leads to the verdict
// that the function would give, every rule is told of once and in its order, and what
// is said of each is what the rule itself says.
func TestTheTrialsLeadToTheVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := policy.ExternalConnections{}
		var places []string
		for i := range rapid.IntRange(0, 4).Draw(t, "rules") {
			p.Allow = append(p.Allow, drawnRule(t, fmt.Sprintf("external_connections.allow[%d]", i)))
			places = append(places, p.Allow[i].Place)
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "waivers") {
			place := fmt.Sprintf("external_connections.waivers[%d]", i)
			p.Waivers = append(p.Waivers, policy.Waiver{
				Rule: drawnRule(t, place),
				Term: policy.Term{ID: place, Owner: "somebody", Expires: noon.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "hours")) * time.Hour)},
			})
			places = append(places, place)
		}
		now := rapid.SampledFrom([]time.Time{noon, noon, {}}).Draw(t, "now")
		o := estate(t)
		for _, r := range o.Connected {
			plan, explained := o.Explain(&policy.Policy{ExternalConnections: &p}, now, r.Name)
			if diff := cmp.Diff(Decide(o, p, now), plan); diff != "" {
				t.Fatalf("the plan is another one (-decide +explain):\n%s", diff)
			}
			if len(explained) != len(r.Connections) {
				t.Fatalf("%d findings are explained, of %d connections", len(explained), len(r.Connections))
			}
			for _, e := range explained {
				if got := conclusion(e.Trials, control.Violation); got != e.Verdict {
					t.Errorf("%s %s is %s, and the trials lead to %s: %v", r.Name, e.Subject, e.Verdict, got, e.Trials)
				}
				var told []string
				settled := false
				for i, trial := range e.Trials {
					told = append(told, trial.Rule)
					if settled != (trial.Result == control.NotTried) {
						t.Errorf("settled before: %v, and %s was %s", settled, trial.Rule, trial.Result)
					}
					settled = settled || trial.Settles != ""
					if trial.Result == control.NotTried {
						continue
					}
					rule := slices.Concat(p.Allow, waived(p))[i]
					matches := rule.Matches(owner, "corp", r.Name.Repo, e.Subject)
					if matches == (trial.Result == control.NotMatched) {
						t.Errorf("%s matches: %v, and is told as %s", trial.Rule, matches, trial.Result)
					}
					if why := rule.Why(owner, "corp", r.Name.Repo, e.Subject); why != "" && why != trial.Why {
						t.Errorf("%s says %q, and is told as %q", trial.Rule, why, trial.Why)
					}
				}
				if diff := cmp.Diff(places, told); diff != "" {
					t.Errorf("rules that were told of (-want +got):\n%s", diff)
				}
			}
		}
	})
}

// A rule is told of with why it matched or did not, connection by connection.
func TestARuleIsToldOfWithItsReason(t *testing.T) {
	o := Observation{Scope: scope, Connected: []Repository{connected("web", "public:npmjs", "public:pypi")}}
	p := &policy.Policy{ExternalConnections: &policy.ExternalConnections{Allow: []policy.Rule{
		{Place: "external_connections.allow[0]", Repositories: []string{"corp/*"}, Connections: []string{"public:pypi"}, Reason: "Because we asked for it."},
	}}}
	_, explained := o.Explain(p, noon, o.Connected[0].Name)
	got := map[string][]control.Trial{}
	for _, e := range explained {
		got[e.Subject] = e.Trials
	}
	want := map[string][]control.Trial{
		"public:npmjs": {{Rule: "external_connections.allow[0]", Result: control.NotMatched, Why: "connections: public:npmjs is not among public:pypi"}},
		"public:pypi":  {{Rule: "external_connections.allow[0]", Result: control.Matched, Settles: control.Compliant, Why: "Because we asked for it."}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trials (-want +got):\n%s", diff)
	}
}

// A waiver that may be in force, or may not, is told of as not known, and why.
func TestAWaiverIsToldOfAlsoWhereTheTimeIsNotKnown(t *testing.T) {
	w := policy.Waiver{
		Rule: policy.Rule{Place: "external_connections.waivers[0]", Repositories: []string{"corp/*"}, Connections: []string{"public:npmjs"}},
		Term: policy.Term{ID: "trial", Owner: "team-web", Expires: noon.Add(time.Hour)},
	}
	o := Observation{Scope: scope, Connected: []Repository{connected("web", "public:npmjs")}}
	p := &policy.Policy{ExternalConnections: &policy.ExternalConnections{Waivers: []policy.Waiver{w}}}
	_, explained := o.Explain(p, time.Time{}, o.Connected[0].Name)
	if len(explained) != 1 || explained[0].Verdict != control.Undetermined {
		t.Fatalf("%+v", explained)
	}
	want := []control.Trial{{Rule: w.Place, Result: control.Unknown, Settles: control.Undetermined, Why: w.Span() + "; what time it is, is not known"}}
	if diff := cmp.Diff(want, explained[0].Trials); diff != "" {
		t.Errorf("trials (-want +got):\n%s", diff)
	}
}

func waived(p policy.ExternalConnections) (rules []policy.Rule) {
	for _, w := range p.Waivers {
		rules = append(rules, w.Rule)
	}
	return rules
}

// domainOf makes a domain of repositories with upstreams, in their order.
func domainOf(upstreams map[string][]string, connections map[string]string) Around {
	a := Around{Repositories: map[string]Repository{}, Ordered: true, Whole: true}
	add := func(repo string) {
		r := Repository{Name: Name{owner, "corp", repo}, Upstreams: upstreams[repo], Connections: []string{}}
		r.ARN = r.Name.ARN("eu-west-1")
		if c := connections[repo]; c != "" {
			r.Connections = []string{c}
		}
		a.Repositories[repo] = r
	}
	for repo, all := range upstreams {
		add(repo)
		for _, u := range all {
			add(u)
		}
	}
	for repo := range connections {
		add(repo)
	}
	return a
}

// AWS's own example, in which the repositories are searched in the order my_repo, A,
// C, D, E, B: https://docs.aws.amazon.com/codeartifact/latest/ug/repo-upstream-search-order.html
func TestReachFollowsTheOrderOfTheSearch(t *testing.T) {
	a := domainOf(map[string][]string{"my_repo": {"A", "B"}, "A": {"C", "D"}, "D": {"E"}},
		map[string]string{"my_repo": "0", "A": "1", "C": "2", "D": "3", "E": "4", "B": "5"})
	got, unknown := a.Reach("my_repo")
	want := []Registry{
		{Connection: "0", Path: []string{"my_repo"}, Number: 0},
		{Connection: "1", Path: []string{"my_repo", "A"}, Number: 1},
		{Connection: "2", Path: []string{"my_repo", "A", "C"}, Number: 2},
		{Connection: "3", Path: []string{"my_repo", "A", "D"}, Number: 3},
		{Connection: "4", Path: []string{"my_repo", "A", "D", "E"}, Number: 4},
		{Connection: "5", Path: []string{"my_repo", "B"}, Number: 5},
	}
	if diff := cmp.Diff(want, got); diff != "" || unknown != nil {
		t.Errorf("unknown: %v; registries (-want +got):\n%s", unknown, diff)
	}
}

func TestReachSaysWhatTheSearchDoesNotComeTo(t *testing.T) {
	var many []string
	connections := map[string]string{}
	for i := range Searched + 1 {
		many = append(many, fmt.Sprintf("r%02d", i))
		connections[many[i]] = many[i]
	}
	got, _ := domainOf(map[string][]string{"app": many}, connections).Reach("app")
	for i, r := range got {
		if r.Beyond != (i == Searched) {
			t.Errorf("upstream %d is beyond the search: %v", r.Number, r.Beyond)
		}
	}
	if len(got) != Searched+1 {
		t.Errorf("%d registries", len(got))
	}
}

func TestReachNamesTheUpstreamsThatAreNotKnown(t *testing.T) {
	a := domainOf(map[string][]string{"app": {"lost", "gate"}}, map[string]string{"gate": "public:npmjs"})
	delete(a.Repositories, "lost")
	got, unknown := a.Reach("app")
	if len(got) != 1 || got[0].Connection != "public:npmjs" || !slices.Equal(unknown, []string{"lost"}) {
		t.Errorf("registries %v, unknown %v", got, unknown)
	}
}

// In any domain, with circles in it: the paths are paths, every connected repository
// that can be come to is come to once, who draws is who comes to it, and a saved
// observation knows the same registries.
func TestReachAndDrawing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d", "e", "f"}
		upstreams, connections := map[string][]string{}, map[string]string{}
		for _, n := range names {
			upstreams[n] = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 3, rapid.ID[string]).Draw(t, "upstreams of "+n)
			if rapid.IntRange(0, 2).Draw(t, "connected") == 0 {
				connections[n] = "public:" + n
			}
		}
		a := domainOf(upstreams, connections)
		comesTo := map[string]map[string]bool{}
		for _, n := range names {
			comesTo[n] = map[string]bool{n: true}
			for grown := true; grown; {
				grown = false
				for at := range comesTo[n] {
					for _, u := range upstreams[at] {
						grown = grown || !comesTo[n][u]
						comesTo[n][u] = true
					}
				}
			}
		}

		o := Observation{Scope: scope, Downstream: newDownstream()}
		var read edges
		var roots []string
		for _, n := range names {
			read.add(n, upstreams[n])
			if connections[n] != "" {
				o.Connected = append(o.Connected, a.Repositories[n])
				roots = append(roots, n)
			}
		}
		if roots != nil {
			o.Downstream.of[Name{Owner: owner, Domain: "corp"}] = read.graph(roots)
		}
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var loaded Observation
		if err := json.Unmarshal(data, &loaded); err != nil {
			t.Fatal(err)
		}
		saved := loaded.Around(owner, "corp")

		for _, n := range names {
			registries, _ := a.Reach(n)
			ends := map[string]int{}
			for _, r := range registries {
				ends[r.Connection]++
				for i, at := range r.Path[:len(r.Path)-1] {
					if !slices.Contains(upstreams[at], r.Path[i+1]) {
						t.Fatalf("%s is no upstream of %s in %v", r.Path[i+1], at, r.Path)
					}
				}
				if r.Path[0] != n || "public:"+r.Path[len(r.Path)-1] != r.Connection {
					t.Fatalf("%v does not lead from %s to %s", r.Path, n, r.Connection)
				}
			}
			want := map[string]int{}
			for at := range comesTo[n] {
				if connections[at] != "" {
					want[connections[at]] = 1
				}
			}
			if diff := cmp.Diff(want, ends); diff != "" {
				t.Fatalf("registries of %s (-want +got):\n%s", n, diff)
			}
			kept := map[string]int{}
			fromSaved, _ := saved.Reach(n)
			for _, r := range fromSaved {
				kept[r.Connection]++
			}
			if diff := cmp.Diff(want, kept); diff != "" {
				t.Fatalf("registries of %s in a saved observation (-want +got):\n%s", n, diff)
			}
			drawing := map[string]bool{n: true}
			for _, d := range a.Drawing(n) {
				if !drawing[d.From] || !slices.Contains(upstreams[d.Repository], d.From) {
					t.Fatalf("%s is told to draw from %s by way of %s", d.Repository, n, d.From)
				}
				drawing[d.Repository] = true
			}
			for _, other := range names {
				if drawing[other] != comesTo[other][n] {
					t.Fatalf("%s draws from %s: %v, want %v", other, n, drawing[other], comesTo[other][n])
				}
			}
		}
	})
}

// A look at one repository reads its whole domain; where that cannot be listed, it
// reads what is upstream.
func TestLookAround(t *testing.T) {
	r := filled()
	seen, around := lookAround(t.Context(), r, scope, Name{owner, "corp", "app"})
	if !around.Whole || len(around.Repositories) != 2 || len(seen.Connected) != 1 || seen.Unconnected != 1 || len(seen.Unread) != 0 {
		t.Errorf("saw %+v and around it %+v", seen, around)
	}

	r = filled()
	r.trouble = refusing("ListRepositoriesInDomain")
	seen, around = lookAround(t.Context(), r, scope, Name{owner, "corp", "app"})
	if around.Whole || len(around.Repositories) != 1 || len(seen.Connected) != 1 || len(seen.Unread) != 1 || seen.Unread[0].Class != awsio.Denied {
		t.Errorf("saw %+v and around it %+v", seen, around)
	}
	hiding := seen.Hiding(Name{owner, "corp", "other"})
	if len(hiding) != 1 || hiding[0].Verdict != control.Undetermined || !strings.Contains(hiding[0].Reason, "could not be listed") {
		t.Errorf("hiding: %+v", hiding)
	}
	if other := seen.Hiding(Name{owner, "lab", "other"}); other != nil {
		t.Errorf("what could not be listed hides another domain's: %+v", other)
	}
}
