package codeartifact

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
)

// A place is an account in a Region.
type place struct{ account, region string }

type domain struct {
	owner, region, name string
	arn                 string
	encryptionKey       string
	created             time.Time
	tags                map[string]string
	grants              map[string]Access // by account
	repositories        sorted[*repository]
	packages            sorted[*presence]
	groups, seen        tree     // as they are, and as reads see them
	unseen              []change // what seen is behind by
}

type repository struct {
	domain        *domain
	name          string
	arn           string
	administrator string
	description   string
	created       time.Time
	upstreams     []string
	connections   []string
	tags          map[string]string
	grants        map[string]Access
	packages      sorted[*pkg]
}

func (d *domain) key() string     { return d.arn }
func (r *repository) key() string { return r.arn }

func domainARN(owner, region, name string) string {
	return fmt.Sprintf("arn:aws:codeartifact:%s:%s:domain/%s", region, owner, name)
}

// repositoryARN holds the account of the domain's owner, also when another account administers the repository.
// https://docs.aws.amazon.com/codeartifact/latest/ug/create-repo.html
func repositoryARN(owner, region, domain, name string) string {
	return fmt.Sprintf("arn:aws:codeartifact:%s:%s:repository/%s/%s", region, owner, domain, name)
}

func (s *Service) findDomain(owner, region, name string) *domain {
	list := s.domains[place{owner, region}]
	if list == nil {
		return nil
	}
	d, _ := list.find(domainARN(owner, region, name))
	return d
}

func (d *domain) find(name string) *repository {
	r, _ := d.repositories.find(repositoryARN(d.owner, d.region, d.name, name))
	return r
}

func (s *Service) addDomain(owner, region, name string, now time.Time) *domain {
	d := &domain{
		owner: owner, region: region, name: name, created: now,
		arn: domainARN(owner, region, name),
		// Without a key of its own a domain is under the account's key for CodeArtifact.
		encryptionKey: fmt.Sprintf("arn:aws:kms:%s:%s:key/00000000-0000-4000-8000-000000000000", region, owner),
		tags:          map[string]string{},
		grants:        map[string]Access{},
		groups:        newTree(),
		seen:          newTree(),
	}
	root := newGroup(d, rootPattern(), now)
	d.groups.add(root)
	d.seen.add(root)
	at(s.domains, place{owner, region}).insert(d)
	return d
}

func (s *Service) removeDomain(d *domain) {
	at(s.domains, place{d.owner, d.region}).remove(d)
}

func (s *Service) addRepository(d *domain, name, administrator string, now time.Time) *repository {
	r := &repository{
		domain: d, name: name, administrator: administrator, created: now,
		arn:    repositoryARN(d.owner, d.region, d.name, name),
		tags:   map[string]string{},
		grants: map[string]Access{},
	}
	d.repositories.insert(r)
	at(s.repositories, place{administrator, d.region}).insert(r)
	return r
}

func (s *Service) removeRepository(r *repository) {
	for _, p := range r.packages.items {
		r.domain.leave(p)
	}
	r.domain.repositories.remove(r)
	at(s.repositories, place{r.administrator, r.domain.region}).remove(r)
}

// sorted keeps items in the order of their keys, so that finding one is cheap and so is the start of a page.
type sorted[T interface{ key() string }] struct{ items []T }

func at[T interface{ key() string }](m map[place]*sorted[T], p place) *sorted[T] {
	if m[p] == nil {
		m[p] = &sorted[T]{}
	}
	return m[p]
}

func (s *sorted[T]) search(key string) (int, bool) {
	return slices.BinarySearchFunc(s.items, key, func(item T, key string) int { return strings.Compare(item.key(), key) })
}

func (s *sorted[T]) find(key string) (item T, ok bool) {
	if i, ok := s.search(key); ok {
		return s.items[i], true
	}
	return item, false
}

func (s *sorted[T]) insert(item T) {
	i, _ := s.search(item.key())
	s.items = slices.Insert(s.items, i, item)
}

func (s *sorted[T]) remove(item T) {
	if i, ok := s.search(item.key()); ok {
		s.items = slices.Delete(s.items, i, i+1)
	}
}

// within is the part of the items whose keys begin with prefix.
func (s *sorted[T]) within(prefix string) *sorted[T] {
	start, _ := s.search(prefix)
	n := sort.Search(len(s.items)-start, func(i int) bool { return !strings.HasPrefix(s.items[start+i].key(), prefix) })
	return &sorted[T]{s.items[start : start+n]}
}
