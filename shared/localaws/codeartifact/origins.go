package codeartifact

import (
	"maps"
	"slices"
)

// A Restriction is one way in which versions of packages enter a repository.
// https://docs.aws.amazon.com/codeartifact/latest/ug/package-group-origin-controls.html
type Restriction string

// The restrictions of a package group's origin controls.
const (
	Publish          Restriction = "PUBLISH"
	ExternalUpstream Restriction = "EXTERNAL_UPSTREAM"
	InternalUpstream Restriction = "INTERNAL_UPSTREAM"
)

// restrictions are all there are.
func restrictions() []Restriction { return []Restriction{Publish, ExternalUpstream, InternalUpstream} }

// A Mode is the setting of a restriction.
type Mode string

// The modes of a restriction.
const (
	Allow         Mode = "ALLOW"
	AllowSpecific Mode = "ALLOW_SPECIFIC_REPOSITORIES"
	Block         Mode = "BLOCK"
	Inherit       Mode = "INHERIT"
)

// A Control is a mode, and with AllowSpecific the names of the allowed repositories, sorted.
type Control struct {
	Mode         Mode
	Repositories []string
}

// allows says whether versions may enter a repository.
func (c Control) allows(repository string) bool {
	return c.Mode == Allow || c.Mode == AllowSpecific && slices.Contains(c.Repositories, repository)
}

// An allowedRepository is an entry in the list of one restriction.
type allowedRepository struct {
	OriginRestrictionType Restriction `json:"originRestrictionType"`
	RepositoryName        string      `json:"repositoryName"`
}

// updatePackageGroupOriginConfiguration sets modes, adds to the lists of allowed repositories and then removes from
// them, as AWS's second example needs it, which adds and removes the same repository.
// https://docs.aws.amazon.com/codeartifact/latest/ug/package-group-origin-controls.html
//
// A restriction has a list only while it is ALLOW_SPECIFIC_REPOSITORIES. So a list goes with the mode, and adding to one
// that is not there is a ValidationException [assumed], as is a root that inherits. A repository that is added must
// exist; removing one that is not listed changes nothing; the answer names what changed [all assumed].
func (s *Service) updatePackageGroupOriginConfiguration(rq request) (any, bool, error) {
	t, g, err := s.group(rq, Write)
	if err != nil {
		return nil, false, err
	}
	controls := maps.Clone(g.controls)
	for name, mode := range rq.Restrictions {
		r := Restriction(name)
		switch {
		case !s.matches("originRestrictionType", name) || !s.matches("mode", mode):
			return nil, false, invalid("FIELD_VALIDATION_FAILED", "restriction %q cannot be %q", name, mode)
		case Mode(mode) == Inherit && g.pattern == rootPattern():
			return nil, false, invalid("OTHER", "the root package group cannot inherit %s", name)
		case Mode(mode) != controls[r].Mode:
			controls[r] = Control{Mode: Mode(mode)}
		}
	}
	updates := map[Restriction]map[string][]string{}
	record := func(a allowedRepository, update string) {
		if updates[a.OriginRestrictionType] == nil {
			updates[a.OriginRestrictionType] = map[string][]string{}
		}
		list := updates[a.OriginRestrictionType]
		list[update] = append(list[update], a.RepositoryName)
	}
	for _, a := range rq.AddAllowedRepositories {
		c := controls[a.OriginRestrictionType]
		if c.Mode != AllowSpecific {
			return nil, false, invalid("OTHER", "%s is not %s", a.OriginRestrictionType, AllowSpecific)
		}
		if g.domain.find(a.RepositoryName) == nil {
			return nil, false, noRepository(g.domain, a.RepositoryName)
		}
		if !c.allows(a.RepositoryName) {
			c.Repositories = slices.Sorted(slices.Values(append(slices.Clone(c.Repositories), a.RepositoryName)))
			controls[a.OriginRestrictionType] = c
			record(a, "ADDED")
		}
	}
	for _, a := range rq.RemoveAllowedRepositories {
		c := controls[a.OriginRestrictionType]
		if i := slices.Index(c.Repositories, a.RepositoryName); i >= 0 {
			c.Repositories = slices.Delete(slices.Clone(c.Repositories), i, i+1)
			controls[a.OriginRestrictionType] = c
			record(a, "REMOVED")
		}
	}
	changed := !maps.EqualFunc(g.controls, controls, equalControls)
	g.controls = controls
	return struct {
		groupOutput
		AllowedRepositoryUpdates map[Restriction]map[string][]string `json:"allowedRepositoryUpdates"`
	}{groupOutput{t.description(g)}, updates}, changed, nil
}

func equalControls(a, b Control) bool {
	return a.Mode == b.Mode && slices.Equal(a.Repositories, b.Repositories)
}

// listAllowedRepositoriesForGroup lists the group's own, and none for a restriction that it inherits [assumed].
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_ListAllowedRepositoriesForGroup.html
func (s *Service) listAllowedRepositoriesForGroup(rq request) (any, bool, error) {
	_, g, err := s.group(rq, Read)
	if err != nil {
		return nil, false, err
	}
	var list sorted[named]
	for _, name := range g.controls[Restriction(rq.OriginRestrictionType)].Repositories {
		list.items = append(list.items, named(name))
	}
	names, next, err := page(s, rq, &list, func(named) bool { return true })
	if err != nil {
		return nil, false, err
	}
	return struct {
		AllowedRepositories []named `json:"allowedRepositories"`
		NextToken           *string `json:"nextToken,omitempty"`
	}{names, next}, false, nil
}

// named is an item that has nothing but its name.
type named string

func (n named) key() string { return string(n) }
