package codeartifact

import (
	"maps"
	"slices"
	"time"
)

// A PackageGroup names a package group for setup, whether or not it exists. Its methods do nothing, and return nothing,
// for one that does not.
type PackageGroup struct {
	Domain  Domain
	Pattern string
}

// A GroupState is what there is to know of a package group.
type GroupState struct {
	Parent               string // its pattern, empty for the root
	Created              time.Time
	Description, Contact string
	Tags                 map[string]string
	Controls             map[Restriction]Control // its own, for every restriction
}

// PackageGroup names a package group of the domain.
func (d Domain) PackageGroup(pattern string) PackageGroup { return PackageGroup{d, pattern} }

// PackageGroups returns the patterns of the domain's package groups, sorted.
func (d Domain) PackageGroups() []string {
	var patterns []string
	d.hold(func(it *domain, _ time.Time) {
		for _, g := range it.groups.list.items {
			patterns = append(patterns, g.pattern.String())
		}
	})
	return patterns
}

// Add makes the package group, unless it exists. The domain must exist. A pattern that AWS would not take makes a group
// that holds nothing.
func (g PackageGroup) Add() PackageGroup {
	g.Domain.hold(func(d *domain, now time.Time) {
		if _, found := d.groups.list.find(g.Pattern); !found {
			p, _ := parsePattern(g.Pattern)
			g.change(newGroup(d, p, now), false, now)
		}
	})
	return g
}

// Remove takes the package group away, as if somebody had deleted it. The root stays.
func (g PackageGroup) Remove() {
	g.hold(func(it *group, now time.Time) {
		if it.pattern != rootPattern() {
			g.change(it, true, now)
		}
	})
}

// change shows all changes at once.
func (g PackageGroup) change(it *group, gone bool, now time.Time) {
	g.Domain.service.change(it, gone, now)
	for len(it.domain.unseen) > 0 {
		it.domain.showNext()
	}
}

// ARN is the package group's ARN.
func (g PackageGroup) ARN() string {
	return groupARN(g.Domain.Owner, g.Domain.Region, g.Domain.Name, g.Pattern)
}

// Exists says whether there is such a package group.
func (g PackageGroup) Exists() bool {
	exists := false
	g.hold(func(*group, time.Time) { exists = true })
	return exists
}

// State returns the group as it is, also while reads do not see it yet.
func (g PackageGroup) State() GroupState {
	var state GroupState
	g.hold(func(it *group, _ time.Time) {
		state = GroupState{Created: it.created, Description: it.description, Contact: it.contact,
			Tags: maps.Clone(it.tags), Controls: maps.Clone(it.controls)}
		if parent := it.domain.groups.parent(it); parent != nil {
			state.Parent = parent.pattern.String()
		}
	})
	return state
}

// Inform sets the description and the contact.
func (g PackageGroup) Inform(description, contact string) {
	g.hold(func(it *group, _ time.Time) { it.description, it.contact = description, contact })
}

// SetMode sets the mode of one restriction, and with AllowSpecific its allowed repositories to exactly these, whether
// or not they exist.
func (g PackageGroup) SetMode(r Restriction, mode Mode, repositories ...string) {
	g.hold(func(it *group, _ time.Time) {
		it.controls[r] = Control{mode, slices.Sorted(slices.Values(repositories))}
	})
}

// Tag sets one tag.
func (g PackageGroup) Tag(key, value string) {
	g.hold(func(it *group, _ time.Time) { it.tags[key] = value })
}

// Untag takes one tag away.
func (g PackageGroup) Untag(key string) {
	g.hold(func(it *group, _ time.Time) { delete(it.tags, key) })
}

// Tags returns the tags.
func (g PackageGroup) Tags() map[string]string { return g.State().Tags }

// hold runs f on the package group's state, if there is one.
func (g PackageGroup) hold(f func(it *group, now time.Time)) {
	g.Domain.hold(func(d *domain, now time.Time) {
		if it, found := d.groups.list.find(g.Pattern); found {
			f(it, now)
		}
	})
}

// AddPackage makes a package with a version in a repository, which must exist. The name is normalized as its format
// needs it.
func (d Domain) AddPackage(repositoryName, format, namespace, name string) {
	d.Repository(repositoryName).hold(func(r *repository) {
		r.addPackage(coordinate{format, namespace, name}.normal()).versions["1.0.0"] = version{"Published", "first"}
	})
}

// RemovePackage takes a package out of a repository, with all its versions.
func (d Domain) RemovePackage(repositoryName, format, namespace, name string) {
	d.Repository(repositoryName).hold(func(r *repository) {
		if p, found := r.packages.find(coordinate{format, namespace, name}.normal().path()); found {
			r.removePackage(p)
		}
	})
}

// Effective is what CodeArtifact enforces for a package now, whether or not the package exists: the pattern of the group
// that it is associated with, whether the match is strong, and the control of every restriction. With a weak match all
// are Block. The name is normalized as its format needs it. A package's own origin controls, which a repository keeps
// for it, are not in this; both must allow.
func (d Domain) Effective(format, namespace, name string) (pattern string, strong bool, controls map[Restriction]Control) {
	d.hold(func(it *domain, now time.Time) {
		var g *group
		g, strong, controls = it.shown(now).enforced(coordinate{format, namespace, name}.normal())
		pattern = g.pattern.String()
	})
	return pattern, strong, controls
}

// hold runs f on the domain's state, if there is one.
func (d Domain) hold(f func(it *domain, now time.Time)) {
	d.service.world.Hold(func(now time.Time) {
		if it := d.service.findDomain(d.Owner, d.Region, d.Name); it != nil {
			f(it, now)
		}
	})
}
