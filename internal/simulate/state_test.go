package simulate

import (
	"slices"
	"time"

	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/proton"
)

var restrictions = []codeartifact.Restriction{codeartifact.Publish, codeartifact.ExternalUpstream, codeartifact.InternalUpstream}

// state is what is there at a moment. Nothing in it changes any more.
type state struct {
	now          time.Time
	repositories map[string]repository // by ARN
	domains      map[string]domain     // by owner
	requests     map[string]connection // by id
}

type repository struct {
	owner, name, administrator string
	connections                []string
}

// domain is the package groups of one account.
type domain struct {
	owner   string
	groups  map[string]group // by pattern
	used    map[string]bool  // patterns of the groups that hold a package
	effects map[pkg]effect
}

type group struct {
	codeartifact.GroupState
	arn string
}

// effect is what counts for a package.
type effect struct {
	pattern  string
	strong   bool
	controls map[codeartifact.Restriction]codeartifact.Control
}

type connection struct {
	request
	arn    string
	status proton.Status
	role   string
}

// look takes down what is there.
func (s *stage) look() *state {
	st := &state{now: s.world.Now(), repositories: map[string]repository{}, domains: map[string]domain{}, requests: map[string]connection{}}
	for _, owner := range everybody {
		d := s.domain(owner)
		for _, name := range d.Repositories() {
			r := d.Repository(name)
			st.repositories[r.ARN()] = repository{owner, name, r.Administrator(), r.Connections()}
		}
		seen := domain{owner: owner, groups: map[string]group{}, used: map[string]bool{}, effects: map[pkg]effect{}}
		for _, pattern := range d.PackageGroups() {
			g := d.PackageGroup(pattern)
			seen.groups[pattern] = group{g.State(), g.ARN()}
		}
		for _, p := range probes {
			pattern, strong, controls := d.Effective(p.format, p.namespace, p.name)
			seen.effects[p] = effect{pattern, strong, controls}
		}
		for h := range s.packages {
			if h.owner == owner {
				seen.used[seen.effects[h.pkg].pattern] = true
			}
		}
		st.domains[owner] = seen
	}
	for _, r := range s.requests {
		c := s.proton.Connection(region, r.id)
		if c.Status() != "" {
			st.requests[r.id] = connection{*r, c.ARN(), c.Status(), c.Roles().Role}
		}
	}
	return st
}

// effective is what counts for a group: its own control, or that of the closest
// above it that has one.
func (d domain) effective(pattern string, r codeartifact.Restriction) codeartifact.Control {
	for range len(d.groups) {
		g := d.groups[pattern]
		if c := g.Controls[r]; c.Mode != codeartifact.Inherit {
			return c
		}
		pattern = g.Parent
	}
	return codeartifact.Control{}
}

// looser says that a package may do something that it might not before.
func looser(before, after effect) bool {
	for _, r := range restrictions {
		b, a := before.controls[r], after.controls[r]
		switch {
		case b.Mode == codeartifact.Allow || a.Mode == codeartifact.Block:
		case a.Mode == codeartifact.Allow:
			return true
		case b.Mode == codeartifact.Block && len(a.Repositories) > 0:
			return true
		case slices.ContainsFunc(a.Repositories, func(n string) bool { return !slices.Contains(b.Repositories, n) }):
			return true
		}
	}
	return false
}
