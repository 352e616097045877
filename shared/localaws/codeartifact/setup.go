package codeartifact

import (
	"slices"
	"time"
)

// Access is what a resource policy lets another account do with a domain or a repository. Write includes Read.
type Access int

// The kinds of access that can be granted.
const (
	Read Access = iota + 1
	Write
)

// A Domain names a domain for setup, whether or not it exists.
type Domain struct {
	service             *Service
	Owner, Region, Name string
}

// A Repository names a repository for setup, whether or not it exists. Its methods do nothing, and return nothing, for
// one that does not.
type Repository struct {
	Domain Domain
	Name   string
}

// Domain names a domain.
func (s *Service) Domain(owner, region, name string) Domain { return Domain{s, owner, region, name} }

// AddDomain makes a domain, unless it exists.
func (s *Service) AddDomain(owner, region, name string) Domain {
	s.world.Hold(func(now time.Time) {
		if s.findDomain(owner, region, name) == nil {
			s.addDomain(owner, region, name, now)
		}
	})
	return s.Domain(owner, region, name)
}

// ARN is the domain's ARN.
func (d Domain) ARN() string { return domainARN(d.Owner, d.Region, d.Name) }

// Grant lets another account use the domain itself: describe it, list its repositories, and with Write create some. For
// the repositories in it, see [Repository.Grant]. 0 takes a grant back.
func (d Domain) Grant(account string, access Access) {
	d.service.world.Hold(func(time.Time) {
		if it := d.service.findDomain(d.Owner, d.Region, d.Name); it != nil {
			it.grants[account] = access
		}
	})
}

// Repository names a repository of the domain.
func (d Domain) Repository(name string) Repository { return Repository{d, name} }

// Repositories returns the names of the domain's repositories, sorted.
func (d Domain) Repositories() []string {
	var names []string
	d.service.world.Hold(func(time.Time) {
		if it := d.service.findDomain(d.Owner, d.Region, d.Name); it != nil {
			for _, r := range it.repositories.items {
				names = append(names, r.name)
			}
		}
	})
	return names
}

// AddRepository makes a repository, administered by the domain's owner, unless it exists. The domain must exist. Names
// in ascending order are the fastest.
func (d Domain) AddRepository(name string) Repository { return d.AddRepositoryOf(d.Owner, name) }

// AddRepositoryOf is AddRepository for another administrator: the account that created the repository in a domain that
// it does not own.
func (d Domain) AddRepositoryOf(administrator, name string) Repository {
	d.service.world.Hold(func(now time.Time) {
		if it := d.service.findDomain(d.Owner, d.Region, d.Name); it != nil && it.find(name) == nil {
			d.service.addRepository(it, name, administrator, now)
		}
	})
	return d.Repository(name)
}

// hold runs f on the repository's state, if there is one.
func (r Repository) hold(f func(*repository)) {
	s := r.Domain.service
	s.world.Hold(func(time.Time) {
		if d := s.findDomain(r.Domain.Owner, r.Domain.Region, r.Domain.Name); d != nil {
			if it := d.find(r.Name); it != nil {
				f(it)
			}
		}
	})
}

// ARN is the repository's ARN.
func (r Repository) ARN() string {
	return repositoryARN(r.Domain.Owner, r.Domain.Region, r.Domain.Name, r.Name)
}

// Exists says whether there is such a repository.
func (r Repository) Exists() bool {
	exists := false
	r.hold(func(*repository) { exists = true })
	return exists
}

// Administrator is the account that administers the repository.
func (r Repository) Administrator() string {
	account := ""
	r.hold(func(it *repository) { account = it.administrator })
	return account
}

// Remove takes the repository away, as if somebody had deleted it.
func (r Repository) Remove() { r.hold(r.Domain.service.removeRepository) }

// Connect sets the external connections to exactly these, also to more than one or to names that AWS does not offer.
func (r Repository) Connect(names ...string) {
	r.hold(func(it *repository) { it.connections = slices.Clone(names) })
}

// Connections returns the names of the external connections.
func (r Repository) Connections() []string {
	var names []string
	r.hold(func(it *repository) { names = slices.Clone(it.connections) })
	return names
}

// Upstream sets the upstream repositories to exactly these, in order of priority, whether or not they exist.
func (r Repository) Upstream(names ...string) {
	r.hold(func(it *repository) { it.upstreams = slices.Clone(names) })
}

// Grant lets another account use the repository: read it, and with Write change it. 0 takes a grant back.
func (r Repository) Grant(account string, access Access) {
	r.hold(func(it *repository) { it.grants[account] = access })
}
