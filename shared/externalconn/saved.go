package externalconn

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"portcullis/shared/policy"
)

// An observation can be kept as JSON and read back without loss, so that what was
// seen once can be judged again, under another policy.

// savedRepository is a repository with its name. It is in the ARN as well, which
// is what records of it are filed under.
type savedRepository struct {
	Owner  string `json:"owner"`
	Domain string `json:"domain"`
	Name   string `json:"name"`
	Repository
}

// savedDomain is what is known of one domain about who draws from whom.
type savedDomain struct {
	Owner    string              `json:"owner"`
	Domain   string              `json:"domain"`
	Complete bool                `json:"complete"`
	Draws    map[string][]string `json:"draws"` // by repository, its upstreams
}

type plainObservation Observation // without the methods

type savedObservation struct {
	plainObservation
	Connected  []savedRepository `json:"connected"`
	Downstream *[]savedDomain    `json:"downstream"` // null where a single repository was looked at
}

// MarshalJSON writes all that was observed, in an order that does not depend on
// which answer came first.
func (o Observation) MarshalJSON() ([]byte, error) {
	o.Unread = slices.SortedFunc(slices.Values(o.Unread), func(a, b Unread) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Reason, b.Reason))
	})
	saved := savedObservation{plainObservation: plainObservation(o), Connected: []savedRepository{}}
	for _, r := range slices.SortedFunc(slices.Values(o.Connected), func(a, b Repository) int { return cmp.Compare(a.ARN, b.ARN) }) {
		saved.Connected = append(saved.Connected, savedRepository{r.Name.Owner, r.Name.Domain, r.Name.Repo, r})
	}
	if o.Downstream != nil {
		domains := o.Downstream.saved()
		saved.Downstream = &domains
	}
	return json.Marshal(saved)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (o *Observation) UnmarshalJSON(data []byte) error {
	var saved savedObservation
	if err := json.Unmarshal(data, &saved); err != nil {
		return err
	}
	*o = Observation(saved.plainObservation)
	o.Connected = nil
	for _, r := range saved.Connected {
		r.Repository.Name = Name{Owner: r.Owner, Domain: r.Domain, Repo: r.Name}
		if n, err := ParseARN(r.ARN); err != nil || n != r.Repository.Name || len(r.Connections) == 0 {
			return fmt.Errorf("repository %s: its ARN is %q, and it has %d connections", r.Repository.Name, r.ARN, len(r.Connections))
		}
		o.Connected = append(o.Connected, r.Repository)
	}
	o.Downstream = nil
	if saved.Downstream != nil {
		told := map[Name]bool{}
		for _, d := range *saved.Downstream {
			told[Name{Owner: d.Owner, Domain: d.Domain}] = true
		}
		for _, r := range o.Connected {
			if !told[r.Name.domain()] {
				return fmt.Errorf("it has no word on what draws from repository %s", r.Name)
			}
		}
		o.Downstream = restored(*saved.Downstream, o.Connected)
	}
	return nil
}

// saved returns what is known, domain by domain.
func (d *Downstream) saved() []savedDomain {
	domains := map[Name]*savedDomain{}
	of := func(n Name) *savedDomain {
		if domains[n] == nil {
			domains[n] = &savedDomain{Owner: n.Owner, Domain: n.Domain, Complete: !d.partial[n], Draws: map[string][]string{}}
		}
		return domains[n]
	}
	for domain, g := range d.of {
		draws := of(domain).Draws
		for upstream, repo := range g.all() {
			draws[repo] = append(draws[repo], upstream)
		}
	}
	for domain := range d.partial {
		of(domain)
	}
	list := []savedDomain{}
	for _, domain := range domains {
		for _, upstreams := range domain.Draws {
			slices.Sort(upstreams)
		}
		list = append(list, *domain)
	}
	slices.SortFunc(list, func(a, b savedDomain) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Domain, b.Domain))
	})
	return list
}

// restored is the inverse of Downstream.saved, where these repositories are
// connected.
func restored(domains []savedDomain, connected []Repository) *Downstream {
	down := newDownstream()
	for _, d := range domains {
		name := Name{Owner: d.Owner, Domain: d.Domain}
		var seen edges
		for repo, upstreams := range d.Draws {
			seen.add(repo, upstreams)
		}
		var roots []string
		for _, r := range connected {
			if r.Name.domain() == name {
				roots = append(roots, r.Name.Repo)
			}
		}
		if len(roots) > 0 {
			down.of[name] = seen.graph(roots)
		}
		if !d.Complete {
			down.incomplete(d.Owner, d.Domain)
		}
	}
	return down
}

// Complete tells whether everything in scope was read.
func (o Observation) Complete() bool { return len(o.Unread) == 0 }

// Matches returns the places of the rules and waivers that speak of anything that
// was observed.
func (o Observation) Matches(p *policy.Policy) map[string]bool {
	places := map[string]bool{}
	rules := slices.Clone(p.ExternalConnections.Allow)
	for _, w := range p.ExternalConnections.Waivers {
		rules = append(rules, w.Rule)
	}
	for _, rule := range rules {
		for _, repo := range o.Connected {
			for _, connection := range repo.Connections {
				if rule.Matches(repo.Name.Owner, repo.Name.Domain, repo.Name.Repo, connection) {
					places[rule.Place] = true
				}
			}
		}
	}
	return places
}
