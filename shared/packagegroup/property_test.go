package packagegroup

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"portcullis/shared/control"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/witness"
	"portcullis/shared/policy"
)

// trees is how many random domains the property is tried on, and fewTrees how many
// of them where the tests are run for every mutant.
const (
	trees    = 100_000
	fewTrees = 2_000
)

// A coordinate names a package, whether or not it exists.
type coordinate struct{ format, namespace, name string }

// world is a random domain and a random policy, and what was done to it. What
// CodeArtifact makes of it is told by localaws, whose matching was written apart
// from the decisions.
type world struct {
	t      testing.TB
	rand   *rand.Rand
	aws    *localaws.World
	domain codeartifact.Domain
	policy policy.PackageGroups
	claims []coordinate
	stock  []coordinate // the packages that exist
	marks  map[string]time.Time
	arns   map[string]string
	story  []string
	rested int // time steps since the last write

	deleted int
}

var (
	formats    = []string{"npm", "maven"}
	namespaces = []string{"", "acme", "Acme", "ac-me", "ac.me", "ac-me.ui", "other"}
	names      = []string{"ui", "UI", "ui-kit", "ui.kit", "ui_kit", "uikit", "core", "\u0441ore"} // the last begins with a Cyrillic letter
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func randomCoordinate(r *rand.Rand) coordinate {
	c := coordinate{pick(r, formats), pick(r, namespaces), pick(r, names)}
	if c.format == "maven" && c.namespace == "" {
		c.namespace = "acme"
	}
	return c
}

func randomPattern(r *rand.Rand) string {
	c := randomCoordinate(r)
	switch r.IntN(6) {
	case 0:
		return "/" + c.format + "/*"
	case 1:
		if c.namespace != "" {
			return "/" + c.format + "/" + c.namespace + "~"
		}
		return "/" + c.format + "/*"
	case 2:
		return "/" + c.format + "/" + c.namespace + "/*"
	case 3:
		return "/" + c.format + "/" + c.namespace + "/" + c.name + "~"
	case 4:
		return "/" + c.format + "/" + c.namespace + "/ui-*"
	default:
		return "/" + c.format + "/" + c.namespace + "/" + c.name + "$"
	}
}

// newWorld draws a domain: a few groups, most of them without a mode of their
// own, some packages, some tags, and a policy.
func newWorld(t testing.TB, aws *localaws.World, service *codeartifact.Service, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 1))
	w := &world{t: t, rand: r, aws: aws, marks: map[string]time.Time{}, arns: map[string]string{}}
	w.domain = service.AddDomain(owner, "eu-west-1", fmt.Sprintf("d%d", seed))
	w.domain.AddRepository("repo")
	w.policy = policy.PackageGroups{
		MinAge: 24 * time.Hour, Grace: 48 * time.Hour,
		PruneParents: r.IntN(3) == 0, IgnoreLookalikes: r.IntN(5) == 0,
	}
	modes := []codeartifact.Mode{codeartifact.Allow, codeartifact.AllowSpecific, codeartifact.Block, codeartifact.Block}
	mode := func(g codeartifact.PackageGroup, kind codeartifact.Restriction) {
		switch m := pick(r, modes); m {
		case codeartifact.AllowSpecific:
			g.SetMode(kind, m, pick(r, []string{"repo", "gate"}))
		default:
			g.SetMode(kind, m)
		}
	}
	kinds := []codeartifact.Restriction{codeartifact.Publish, codeartifact.ExternalUpstream, codeartifact.InternalUpstream}
	if r.IntN(2) == 0 {
		for _, k := range kinds {
			mode(w.domain.PackageGroup(Root), k)
		}
	}
	for range 1 + r.IntN(8) {
		g := w.domain.PackageGroup(randomPattern(r)).Add()
		switch r.IntN(8) {
		case 0, 1:
			mode(g, pick(r, kinds))
		case 2:
			for _, k := range kinds {
				g.SetMode(k, codeartifact.Block)
			}
		case 3:
			g.Tag(pick(r, []string{KeepTag, "aws:cloudformation:stack-id", "team"}), "x")
		case 4:
			// Forged marks: two that are void, and one that can shorten the grace time.
			forged := Mark{Since: aws.Now().Add(-50 * time.Hour), Created: aws.Now()}
			g.Tag(MarkTag, pick(r, []string{"x", Mark{Since: forged.Since, Created: aws.Now().Add(time.Hour)}.String(), forged.String()}))
			if g.Tags()[MarkTag] == forged.String() {
				w.marks[g.Pattern] = forged.Since
			}
		}
	}
	for range r.IntN(4) {
		c := randomCoordinate(r)
		w.domain.AddPackage("repo", c.format, c.namespace, c.name)
		w.stock = append(w.stock, c)
	}
	for range r.IntN(2) {
		w.claims = append(w.claims, randomCoordinate(r))
	}
	if r.IntN(4) == 0 {
		w.policy.Keep = []policy.KeepRule{{Place: "package_groups.keep[0]", Groups: []string{randomPattern(r)}}}
	}
	return w
}

// live is what people and pipelines do between two sweeps.
func (w *world) live() {
	c := randomCoordinate(w.rand)
	groups := w.domain.PackageGroups()
	g := w.domain.PackageGroup(pick(w.rand, groups))
	switch w.rand.IntN(10) {
	case 0:
		w.domain.AddPackage("repo", c.format, c.namespace, c.name)
		w.stock = append(w.stock, c)
	case 1:
		if len(w.stock) > 0 {
			gone := pick(w.rand, w.stock)
			w.domain.RemovePackage("repo", gone.format, gone.namespace, gone.name)
			w.stock = slices.DeleteFunc(w.stock, func(k coordinate) bool { return k == gone })
		}
	case 2:
		g := w.domain.PackageGroup(randomPattern(w.rand))
		if !g.Exists() {
			g.Add()
			delete(w.marks, g.Pattern)
		}
	case 3:
		if g.Pattern != Root {
			g.SetMode(codeartifact.Publish, pick(w.rand, []codeartifact.Mode{codeartifact.Block, codeartifact.Inherit}))
		}
	case 4:
		g.Tag(KeepTag, "")
	case 5:
		g.Untag(KeepTag)
	}
}

// observe is what the control would read, taken from the setup side of localaws.
func (w *world) observe() Observation {
	t := Tree{Domain: Domain{Owner: owner, Name: w.domain.Name}, Groups: map[string]Group{}, Children: map[string][]string{}}
	tags := map[string]map[string]string{}
	for _, p := range w.domain.PackageGroups() {
		s := w.domain.PackageGroup(p).State()
		tags[p] = s.Tags
		if w.arns[p] == "" {
			w.arns[p] = w.domain.PackageGroup(p).ARN()
		}
		g := Group{ARN: w.arns[p], Pattern: p, Parent: s.Parent, Created: s.Created, Controls: map[string]Control{}}
		for kind, c := range s.Controls {
			g.Controls[string(kind)] = Control{Own: Mode(c.Mode)}
		}
		t.Groups[p] = g
		if p != Root {
			t.Children[s.Parent] = append(t.Children[s.Parent], p)
		}
	}
	for p, g := range t.Groups {
		for kind, c := range g.Controls {
			for q := p; ; q = t.Groups[q].Parent {
				if m := t.Groups[q].Controls[kind].Own; m != Inherit {
					c.Effective = m
					break
				}
			}
			g.Controls[kind] = c
		}
	}
	seen := Seen{Tree: t, Close: map[string]Close{}}
	holds, claimed := map[string]string{}, map[string]string{}
	for _, k := range w.stock {
		p, _, _ := w.effective(k)
		holds[p] = k.name
	}
	for _, k := range w.claims {
		p, _, _ := w.effective(k)
		claimed[p] = k.name
	}
	for p := range t.Groups {
		seen.Close[p] = Close{Tags: tags[p], Package: holds[p], Claim: claimed[p]}
	}
	return Observation{Scope: scope, Domains: []Seen{seen}}
}

func (w *world) effective(c coordinate) (string, bool, map[codeartifact.Restriction]codeartifact.Control) {
	return w.domain.Effective(c.format, c.namespace, c.name)
}

// all are the packages whose controls may be compared: every one of the small
// alphabet, existing, future and look-alike.
var all = func() []coordinate {
	var list []coordinate
	for _, f := range formats {
		for _, ns := range append(namespaces, "ACME", "ac_me", "\u0430cme") {
			for _, n := range append(names, "Ui-Kit", "core-x") {
				if f == "npm" || ns != "" {
					list = append(list, coordinate{f, ns, n})
				}
			}
		}
	}
	return list
}()

// restricted is how strict the controls of the probes are.
func (w *world) restricted(probes []coordinate) []map[codeartifact.Restriction]codeartifact.Control {
	list := make([]map[codeartifact.Restriction]codeartifact.Control, len(probes))
	for i, c := range probes {
		_, _, list[i] = w.effective(c)
	}
	return list
}

// looser says whether b lets in more than a.
func looser(a, b codeartifact.Control) bool {
	switch {
	case a.Mode == codeartifact.Allow || b.Mode == codeartifact.Block:
		return false
	case b.Mode == codeartifact.Allow:
		return true
	default: // a is Block or a list, b is a list
		return slices.ContainsFunc(b.Repositories, func(r string) bool {
			return a.Mode == codeartifact.Block || !slices.Contains(a.Repositories, r)
		})
	}
}

// sweep decides and carries out, with an oracle for each condition of the rule.
func (w *world) sweep() (writes int) {
	now := w.aws.Now()
	plan := Decide(w.observe(), w.policy, now)
	for _, a := range plan.Actions {
		_, pattern, err := ParseARN(a.Resource)
		if err != nil {
			w.fail("the action names %s: %v", a.Resource, err)
		}
		// The second reading.
		fresh := w.observe()
		fresh.Only = pattern
		again := Decide(fresh, w.policy, now)
		if !slices.ContainsFunc(again.Actions, func(b control.Action) bool { return b.ID == a.ID && b.Call.Operation == a.Call.Operation }) {
			continue
		}
		writes++
		w.story = append(w.story, fmt.Sprintf("%s %s: %s", now.Format(time.DateTime), a.Call.Operation, pattern))
		g := w.domain.PackageGroup(pattern)
		switch a.Call.Operation {
		case "TagResource":
			g.Tag(MarkTag, markOf(a))
			w.marks[pattern] = now
		case "UntagResource":
			g.Untag(MarkTag)
			delete(w.marks, pattern)
		case "DeletePackageGroup":
			w.deletion(g, now)
		}
	}
	return writes
}

// deletion removes a group after asking the oracles, one for each condition.
func (w *world) deletion(g codeartifact.PackageGroup, now time.Time) {
	s := g.State()
	if g.Pattern == Root || s.Parent == "" || now.Sub(s.Created) < w.policy.MinAge {
		w.fail("condition 1: %s, of %s, under %q", g.Pattern, s.Created, s.Parent)
	}
	for _, k := range w.stock {
		if p, _, _ := w.effective(k); p == g.Pattern {
			w.fail("condition 2: %s holds %v", g.Pattern, k)
		}
	}
	for _, p := range w.domain.PackageGroups() {
		if w.domain.PackageGroup(p).State().Parent == g.Pattern && !w.policy.PruneParents {
			w.fail("condition 2: %s has the child %s", g.Pattern, p)
		}
	}
	for kind, c := range s.Controls {
		if c.Mode != codeartifact.Inherit {
			w.fail("condition 3: %s sets %s to %s", g.Pattern, kind, c.Mode)
		}
	}
	for _, k := range w.claims {
		if p, _, _ := w.effective(k); p == g.Pattern {
			w.fail("condition 5: %v resolves to %s", k, g.Pattern)
		}
	}
	for key := range s.Tags {
		if key == KeepTag || strings.HasPrefix(key, "aws:") {
			w.fail("condition 5: %s bears the tag %s", g.Pattern, key)
		}
	}
	for _, k := range w.policy.Keep {
		if slices.Contains(k.Groups, g.Pattern) {
			w.fail("condition 5: the policy keeps %s", g.Pattern)
		}
	}
	if since, ok := w.marks[g.Pattern]; !ok || now.Sub(since) < w.policy.Grace || now.Sub(since) > w.policy.Grace+7*24*time.Hour {
		w.fail("condition 6: %s was marked by us at %v", g.Pattern, since)
	}

	probes := slices.Clone(w.stock)
	for range 60 {
		probes = append(probes, pick(w.rand, all))
	}
	before := w.restricted(probes)
	g.Remove()
	w.deleted++
	if w.policy.IgnoreLookalikes {
		return // condition 4 is opted out of
	}
	for i, after := range w.restricted(probes) {
		for kind, c := range after {
			if looser(before[i][kind], c) {
				w.fail("condition 4: without %s, %s of %v is %v, and was %v", g.Pattern, kind, probes[i], c, before[i][kind])
			}
		}
	}
}

// checkGone is the oracle for the other direction. It knows nothing of Decide: a
// group that none of the conditions can keep, as localaws has it, must be gone. Of
// look-alikes it takes only the cases that are beyond doubt.
func (w *world) checkGone() {
	groups := map[string]codeartifact.GroupState{}
	parents, needed := map[string]bool{}, map[string]bool{Root: true}
	for _, p := range w.domain.PackageGroups() {
		groups[p] = w.domain.PackageGroup(p).State()
		parents[groups[p].Parent] = true
	}
	for _, k := range slices.Concat(w.stock, w.claims) {
		p, _, _ := w.effective(k)
		needed[p] = true
	}
	for _, k := range w.policy.Keep {
		needed[k.Groups[0]] = true
	}
	open := false // some group lets something in
	for p, g := range groups {
		for _, c := range g.Controls {
			needed[p] = needed[p] || c.Mode != codeartifact.Inherit
			open = open || c.Mode != codeartifact.Inherit && c.Mode != codeartifact.Block
		}
		for key := range g.Tags {
			needed[p] = needed[p] || key == KeepTag || strings.HasPrefix(key, "aws:")
		}
	}
	for p, g := range groups {
		if needed[p] || parents[p] && !w.policy.PruneParents || w.aws.Now().Sub(g.Created) < w.policy.MinAge {
			continue
		}
		wholeFormat := p == "/npm/*" || p == "/maven/*"
		if w.policy.IgnoreLookalikes || wholeFormat || !open {
			w.fail("nothing keeps %s, and it is still there", p)
		}
	}
}

func (w *world) fail(format string, a ...any) {
	w.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, format, a...)
	fmt.Fprintf(&b, "\npolicy: %+v\nclaims: %v\npackages: %v\ngroups:", w.policy, w.claims, w.stock)
	for _, p := range w.domain.PackageGroups() {
		s := w.domain.PackageGroup(p).State()
		fmt.Fprintf(&b, "\n  %s under %s, %v, %v", p, s.Parent, s.Controls, s.Tags)
	}
	w.t.Fatalf("%s: %s\nstory:\n  %s", w.domain.Name, b.String(), strings.Join(w.story, "\n  "))
}

// Over random domains, packages and policies: no deletion loosens any control of
// any package, existing, future or look-alike; a second sweep at the same time
// writes nothing; and as time passes everything goes that the rule lets go, by what
// Decide says of it and by an oracle of its own.
func TestPruningNeverLoosensAnything(t *testing.T) {
	trees := uint64(trees)
	if testing.Short() {
		trees = fewTrees
	}
	for half := range uint64(2) {
		t.Run(fmt.Sprintf("half %d", half+1), func(t *testing.T) {
			t.Parallel()
			neverLoosens(t, half*trees/2, (half+1)*trees/2)
		})
	}
}

func neverLoosens(t *testing.T, from, to uint64) {
	deleted := 0
	var aws *localaws.World
	var service *codeartifact.Service
	for seed := from; seed < to; seed++ {
		if seed%1000 == 0 { // a World keeps all its domains
			if aws != nil {
				aws.Close()
			}
			var err error
			if aws, err = localaws.New(noon); err != nil {
				t.Fatal(err)
			}
			witness.Watch(t, aws)
			service = codeartifact.New(aws)
		}
		w := newWorld(t, aws, service, seed)
		had := len(w.domain.PackageGroups())
		for step := range 8 * (had + 4) {
			if step >= 4 && w.rested > 1 {
				break // two steps, each longer than the grace time, in which nothing was left to do
			}
			if step < 4 {
				w.aws.Advance(pick(w.rand, []time.Duration{5 * time.Hour, 20 * time.Hour, 49 * time.Hour, 12 * 24 * time.Hour}))
				w.live()
				w.rested = -1
			} else {
				w.aws.Advance(49 * time.Hour)
			}
			w.rested++
			for sweeps := 0; w.sweep() > 0; sweeps++ {
				w.rested = 0
				if sweeps > had {
					w.fail("the sweeps do not come to an end")
				}
			}
		}
		for _, f := range Decide(w.observe(), w.policy, w.aws.Now()).Findings {
			if f.Code == "dead" || f.Code == "prune" || f.Code == "waiting" {
				w.fail("%s may go and is still there", f.Resource)
			}
			if f.Code == "stale-mark" {
				w.fail("%s is in use and bears our mark", f.Resource)
			}
		}
		w.checkGone()
		deleted += w.deleted
	}
	aws.Close()
	if deleted == 0 {
		t.Fatal("nothing was ever pruned: the property proves nothing")
	}
	t.Logf("%d domains, %d groups pruned", to-from, deleted)
}
