package codeartifact

import (
	"slices"
	"strings"
	"time"
)

// A group is a package group. Its parent and what it inherits depend on the tree it is in.
type group struct {
	domain               *domain
	pattern              pattern
	created              time.Time
	description, contact string
	tags                 map[string]string
	controls             map[Restriction]Control // its own, for every restriction
}

func (g *group) key() string { return g.pattern.String() }

func newGroup(d *domain, p pattern, now time.Time) *group {
	g := &group{domain: d, pattern: p, created: now, tags: map[string]string{}, controls: map[Restriction]Control{}}
	for _, r := range restrictions() {
		g.controls[r] = Control{Mode: Inherit}
		if p == rootPattern() {
			g.controls[r] = Control{Mode: Allow}
		}
	}
	return g
}

// A tree is the package groups of a domain. The root is always in it.
type tree struct {
	list       sorted[*group]
	groups     map[pattern]*group
	variations map[pattern][]*group // by the variation of their pattern; those of one variation sorted by pattern
}

func newTree() tree {
	return tree{groups: map[pattern]*group{}, variations: map[pattern][]*group{}}
}

func (t *tree) add(g *group) {
	t.list.insert(g)
	t.groups[g.pattern] = g
	v := g.variation()
	t.variations[v] = append(t.variations[v], g)
	slices.SortFunc(t.variations[v], func(a, b *group) int { return strings.Compare(a.key(), b.key()) })
}

func (t *tree) remove(g *group) {
	t.list.remove(g)
	delete(t.groups, g.pattern)
	v := g.variation()
	t.variations[v] = slices.DeleteFunc(t.variations[v], func(o *group) bool { return o == g })
}

func (g *group) variation() pattern { return pattern{variation(g.pattern.literal), g.pattern.suffix} }

// parent is the closest group that holds all packages that g holds strongly, or nil for the root.
func (t *tree) parent(g *group) *group {
	if g.pattern == rootPattern() {
		return nil
	}
	for p := range holders(g.pattern.literal) {
		if parent := t.groups[p]; parent != nil && p.suffix != '$' && p != g.pattern {
			return parent
		}
	}
	return t.groups[rootPattern()] // of a group that was set up without a slash, too
}

// associated is the one group that a package belongs to: the most specific of those whose pattern, or a variation of
// it, holds the package. If it takes the variation, the match is weak; the package does not go on to a more general
// group, although that may hold it strongly.
// https://docs.aws.amazon.com/codeartifact/latest/ug/package-group-definition-syntax-matching-behavior.html#package-group-strong-and-weak-match
//
// Patterns that are variations of each other are equally specific; then the strong match counts, and if there is none,
// the first in byte order [assumed].
func (t *tree) associated(c coordinate) (g *group, strong bool) {
	path := c.path()
	for p := range holders(variation(path)) {
		groups := t.variations[p]
		if i := slices.IndexFunc(groups, func(g *group) bool { return g.pattern.holds(path) }); i >= 0 {
			return groups[i], true
		}
		if len(groups) > 0 {
			return groups[0], false
		}
	}
	return nil, false // never: the root holds every path
}

// effective is what counts for a group: its own control, or that of the closest ancestor which does not inherit.
func (t *tree) effective(g *group, r Restriction) (c Control, from *group) {
	for g.controls[r].Mode == Inherit && g.pattern != rootPattern() {
		g = t.parent(g)
	}
	return g.controls[r], g
}

// enforced is what counts for a package: the controls of its group, but blocks if the match is weak.
func (t *tree) enforced(c coordinate) (g *group, strong bool, controls map[Restriction]Control) {
	g, strong = t.associated(c)
	controls = map[Restriction]Control{}
	for _, r := range restrictions() {
		controls[r] = Control{Mode: Block}
		if strong {
			controls[r], _ = t.effective(g, r)
		}
	}
	return g, strong, controls
}

// A change is a group that came or went, and when reads begin to see it.
type change struct {
	group *group
	gone  bool
	due   time.Time
}

// change adds a group to a domain or takes it away. Reads see that after the consistency delay, and all changes in the
// order in which they were made. Other changes of a group are seen at once.
// https://docs.aws.amazon.com/codeartifact/latest/ug/package-groups.html
func (s *Service) change(g *group, gone bool, now time.Time) {
	d := g.domain
	if gone {
		d.groups.remove(g)
	} else {
		d.groups.add(g)
	}
	d.unseen = append(d.unseen, change{g, gone, now.Add(s.consistencyDelay)})
}

// shown is the tree that reads see.
func (d *domain) shown(now time.Time) *tree {
	for len(d.unseen) > 0 && !d.unseen[0].due.After(now) {
		d.showNext()
	}
	return &d.seen
}

func (d *domain) showNext() {
	next := d.unseen[0]
	d.unseen = d.unseen[1:]
	if next.gone {
		d.seen.remove(next.group)
	} else {
		d.seen.add(next.group)
	}
}
