package codeartifact

import (
	"fmt"
	"slices"
	"strings"
)

type repositoryOutput struct {
	Repository repositoryDescription `json:"repository"`
}

// listRepositories lists what the caller administers, in any domain, whoever owns it.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_ListRepositories.html
func (s *Service) listRepositories(rq request) (any, bool, error) {
	return s.repositoryPage(rq, at(s.repositories, place{rq.Account, rq.Region}))
}

// listRepositoriesInDomain lists all repositories of the domain, whoever administers them.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_ListRepositoriesInDomain.html
func (s *Service) listRepositoriesInDomain(rq request) (any, bool, error) {
	d, err := s.domain(rq, Read)
	if err != nil {
		return nil, false, err
	}
	return s.repositoryPage(rq, &d.repositories)
}

func (s *Service) repositoryPage(rq request, list *sorted[*repository]) (any, bool, error) {
	items, next, err := page(s, rq, list, func(r *repository) bool {
		return strings.HasPrefix(r.name, rq.RepositoryPrefix) &&
			(rq.AdministratorAccount == "" || rq.AdministratorAccount == r.administrator)
	})
	if err != nil {
		return nil, false, err
	}
	out := struct {
		Repositories []repositorySummary `json:"repositories"`
		NextToken    *string             `json:"nextToken,omitempty"`
	}{[]repositorySummary{}, next}
	for _, r := range items {
		out.Repositories = append(out.Repositories, r.summary())
	}
	return out, false, nil
}

func (s *Service) describeRepository(rq request) (any, bool, error) {
	r, err := s.repository(rq, Read)
	if err != nil {
		return nil, false, err
	}
	return repositoryOutput{s.description(r)}, false, nil
}

// createRepository makes the caller the administrator. It cannot take an external connection.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_CreateRepository.html
func (s *Service) createRepository(rq request) (any, bool, error) {
	d, err := s.domain(rq, Write)
	if err != nil {
		return nil, false, err
	}
	if d.find(rq.Repository) != nil {
		return nil, false, conflict("repository", rq.Repository,
			fmt.Sprintf("Repository '%s' already exists in domain '%s'", rq.Repository, d.name))
	}
	if len(d.repositories.items) >= s.quotas.RepositoriesPerDomain {
		return nil, false, overQuota("repository", rq.Repository,
			fmt.Sprintf("domain '%s' has %d repositories", d.name, s.quotas.RepositoriesPerDomain))
	}
	upstreams, err := s.upstreams(rq, d)
	if err != nil {
		return nil, false, err
	}
	r := s.addRepository(d, rq.Repository, rq.Account, rq.Now)
	r.upstreams = upstreams
	setTags(r.tags, rq.Tags)
	if rq.Description != nil {
		r.description = *rq.Description
	}
	return repositoryOutput{s.description(r)}, true, nil
}

// updateRepository leaves alone what was not sent; an empty list of upstreams takes them all away.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_UpdateRepository.html
func (s *Service) updateRepository(rq request) (any, bool, error) {
	r, err := s.repository(rq, Write)
	if err != nil {
		return nil, false, err
	}
	changed := false
	if rq.Upstreams != nil {
		upstreams, err := s.upstreams(rq, r.domain)
		if err != nil {
			return nil, false, err
		}
		if len(upstreams) > 0 && len(r.connections) > 0 {
			return nil, false, upstreamsAndConnection(r.name)
		}
		changed = !slices.Equal(r.upstreams, upstreams)
		r.upstreams = upstreams
	}
	if rq.Description != nil {
		changed = changed || r.description != *rq.Description
		r.description = *rq.Description
	}
	return repositoryOutput{s.description(r)}, changed, nil
}

// upstreams checks those of a request: each must be in the domain.
// https://docs.aws.amazon.com/codeartifact/latest/ug/repos-upstream.html
func (s *Service) upstreams(rq request, d *domain) ([]string, error) {
	if len(rq.Upstreams) > s.quotas.UpstreamsPerRepository {
		return nil, overQuota("repository", rq.Repository,
			fmt.Sprintf("a repository has at most %d upstreams", s.quotas.UpstreamsPerRepository))
	}
	var names []string
	for _, u := range rq.Upstreams {
		if d.find(u.RepositoryName) == nil {
			return nil, noRepository(d, u.RepositoryName)
		}
		names = append(names, u.RepositoryName)
	}
	return names, nil
}

// deleteRepository leaves the name in the upstreams of others. No page says what AWS does with it.
// https://docs.aws.amazon.com/codeartifact/latest/ug/delete-repo.html
func (s *Service) deleteRepository(rq request) (any, bool, error) {
	r, err := s.repository(rq, Write)
	if err != nil {
		return nil, false, err
	}
	s.removeRepository(r)
	return repositoryOutput{s.description(r)}, true, nil
}
