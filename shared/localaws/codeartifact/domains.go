package codeartifact

import "fmt"

type domainOutput struct {
	Domain domainDescription `json:"domain"`
}

// listDomains lists the domains that the caller owns, and no others that it may use.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_ListDomains.html
func (s *Service) listDomains(rq request) (any, bool, error) {
	owned := at(s.domains, place{rq.Account, rq.Region})
	items, next, err := page(s, rq, owned, func(*domain) bool { return true })
	if err != nil {
		return nil, false, err
	}
	out := struct {
		Domains   []domainSummary `json:"domains"`
		NextToken *string         `json:"nextToken,omitempty"`
	}{[]domainSummary{}, next}
	for _, d := range items {
		out.Domains = append(out.Domains, d.summary())
	}
	return out, false, nil
}

func (s *Service) describeDomain(rq request) (any, bool, error) {
	d, err := s.domain(rq, Read)
	if err != nil {
		return nil, false, err
	}
	return domainOutput{d.description()}, false, nil
}

func (s *Service) createDomain(rq request) (any, bool, error) {
	if s.findDomain(rq.Account, rq.Region, rq.Domain) != nil {
		return nil, false, conflict("domain", rq.Domain, fmt.Sprintf("Domain '%s' already exists", rq.Domain))
	}
	if len(at(s.domains, place{rq.Account, rq.Region}).items) >= s.quotas.Domains {
		return nil, false, overQuota("domain", rq.Domain, fmt.Sprintf("the account has %d domains", s.quotas.Domains))
	}
	d := s.addDomain(rq.Account, rq.Region, rq.Domain, rq.Now)
	setTags(d.tags, rq.Tags)
	if rq.EncryptionKey != nil {
		d.encryptionKey = *rq.EncryptionKey
	}
	return domainOutput{d.description()}, true, nil
}

// deleteDomain succeeds for a domain that does not exist: the API has no ResourceNotFoundException for it, and no page
// says what it answers instead.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_DeleteDomain.html
func (s *Service) deleteDomain(rq request) (any, bool, error) {
	if rq.owner() != rq.Account {
		return nil, false, rq.denied(domainARN(rq.owner(), rq.Region, rq.Domain))
	}
	d := s.findDomain(rq.Account, rq.Region, rq.Domain)
	if d == nil {
		return struct{}{}, false, nil
	}
	if n := len(d.repositories.items); n > 0 {
		return nil, false, conflict("domain", d.name, fmt.Sprintf("Domain '%s' still contains %d repositories", d.name, n))
	}
	s.removeDomain(d)
	out := domainOutput{d.description()}
	out.Domain.Status = "Deleted"
	return out, true, nil
}
