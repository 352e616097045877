package codeartifact

import "cmp"

// Who may do what. The owner of a domain may do everything in it, the administrator of a repository everything with it;
// anybody else needs a grant on the very resource. AWS documents resource policies
// (https://docs.aws.amazon.com/codeartifact/latest/ug/repo-policies.html) but not what an outsider is told of a resource
// that does not exist: here it is AccessDeniedException, so that nothing can be learnt from it.

// owner is the account whose domain the request means: the caller's own unless it says otherwise.
func (rq request) owner() string { return cmp.Or(rq.DomainOwner, rq.Account) }

// domain finds the domain of a request.
func (s *Service) domain(rq request, need Access) (*domain, error) {
	return s.domainFor(rq, need, domainARN(rq.owner(), rq.Region, rq.Domain))
}

// domainFor finds the domain of a request for something in it that has this ARN.
func (s *Service) domainFor(rq request, need Access, arn string) (*domain, error) {
	d := s.findDomain(rq.owner(), rq.Region, rq.Domain)
	if rq.owner() != rq.Account && (d == nil || d.grants[rq.Account] < need) {
		return nil, rq.denied(arn)
	}
	if d == nil {
		return nil, noDomain(rq.owner(), rq.Domain)
	}
	return d, nil
}

// repository finds the repository of a request.
func (s *Service) repository(rq request, need Access) (*repository, error) {
	var r *repository
	d := s.findDomain(rq.owner(), rq.Region, rq.Domain)
	if d != nil {
		r = d.find(rq.Repository)
	}
	switch {
	case rq.owner() != rq.Account && (r == nil || r.administrator != rq.Account && r.grants[rq.Account] < need):
		return nil, rq.denied(repositoryARN(rq.owner(), rq.Region, rq.Domain, rq.Repository))
	case d == nil:
		return nil, noDomain(rq.owner(), rq.Domain)
	case r == nil:
		return nil, noRepository(d, rq.Repository)
	}
	return r, nil
}

// group finds the package group of a request, and the tree it is looked at in: a read sees what is shown, a write what
// is. For a group another account needs a grant on the domain [assumed].
func (s *Service) group(rq request, need Access) (*tree, *group, error) {
	d, err := s.domainFor(rq, need, groupARN(rq.owner(), rq.Region, rq.Domain, rq.PackageGroup))
	if err != nil {
		return nil, nil, err
	}
	t := &d.groups
	if need == Read {
		t = d.shown(rq.Now)
	}
	g, found := t.list.find(rq.PackageGroup)
	if !found {
		return nil, nil, noGroup(d, rq.PackageGroup)
	}
	return t, g, nil
}
