package externalconn

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"golang.org/x/sync/errgroup"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
)

// Observation is what one run read.
type Observation struct {
	Scope control.Scope `json:"scope"`

	// Connected are the repositories that were read completely and have an
	// external connection.
	Connected []Repository `json:"connected"`

	// Unconnected counts the repositories that were read completely and have none.
	Unconnected int `json:"unconnected"`

	// Downstream is nil where only a single repository was looked at.
	Downstream *Downstream `json:"downstream"`

	// LeftToOwner counts the repositories that the account administers in domains
	// whose owners are swept by themselves. They were not looked at.
	LeftToOwner int `json:"leftToOwner,omitempty"`

	// Unread is everything that could not be read. The observation is complete
	// only if it is empty.
	Unread []Unread `json:"unread"`
}

// Unread is a part of the scope that nothing is known about.
type Unread struct {
	Resource string      `json:"resource"` // ARN of the repository, the domain or the account
	Class    awsio.Class `json:"code"`
	Reason   string      `json:"reason"`
}

// observer reads the state of one account and Region. It reads one domain after
// another, a few side by side, and keeps little of each, so that the memory that a
// sweep needs hardly grows with the number of repositories.
type observer struct {
	api     Reader
	scope   control.Scope
	workers errgroup.Group   // describe repositories
	every   func(Repository) // is handed each repository that was read, one at a time in a domain; nil: nobody asks

	mu  sync.Mutex
	out Observation
}

// listers is how many domains are read at the same time, so that one that answers
// badly does not hold up the others, and the names of all are not held at once.
const listers = 3

// ObserveAll reads every repository that is in a domain of the account, or that
// the account administers in a domain of another one. Where others says that the
// owner of such a domain is swept by itself, its repositories are left to that
// sweep, which knows the whole domain; nil is none.
//
// ListDomains gives the account's own domains only, and ListRepositories only
// what the account administers, so neither covers the other:
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_ListRepositories.html
// Neither list says anything about external connections, so each repository is
// described.
func ObserveAll(ctx context.Context, api Reader, scope control.Scope, others func(owner string) bool) Observation {
	o := newObserver(api, scope)
	o.out.Downstream = newDownstream()
	var lists sync.WaitGroup
	lists.Go(func() { o.administered(ctx, others) })
	o.own(ctx)
	lists.Wait()
	return o.out
}

// ObserveOne reads a single repository, whosever it is. Of the repositories
// downstream of it, nothing is known.
func ObserveOne(ctx context.Context, api Reader, scope control.Scope, name Name) Observation {
	o := newObserver(api, scope)
	d := &domain{name: name.domain()}
	d.number(name.Repo)
	o.describeOne(ctx, d, name.Repo) // without a worker, whose stack would have to grow first
	o.gather(d)
	return o.out
}

// Ours leaves out the repositories that the account has no part in: they are neither
// in one of its domains nor administered by it, so no sweep would look at them. An
// event may name one, since CloudTrail tells the account of the caller as well.
func (o Observation) Ours() Observation {
	var ours []Repository
	for _, r := range o.Connected {
		switch {
		case r.Name.Owner == o.Scope.Account || r.Administrator == o.Scope.Account:
			ours = append(ours, r)
		case r.Administrator == "":
			o.Unread = append(slices.Clip(o.Unread), Unread{Resource: r.ARN, Class: awsio.Malformed, Reason: awsio.Explain(
				fmt.Sprintf("whose repository %s is, is not known", r.Name.in(o.Scope.Account)),
				awsio.ErrMalformed("the answer does not say who administers it"), awsio.Malformed)})
		}
	}
	o.Connected = ours
	return o
}

func newObserver(api Reader, scope control.Scope) *observer {
	o := &observer{api: api, scope: scope, out: Observation{Scope: scope}}
	o.workers.SetLimit(awsio.Workers)
	return o
}

// own reads the account's own domains.
func (o *observer) own(ctx context.Context) {
	domains, err := awsio.ReadAll(ctx, "listing domains", func(ctx context.Context, token *string) ([]types.DomainSummary, *string, error) {
		out, err := o.api.ListDomains(ctx, &codeartifact.ListDomainsInput{MaxResults: aws.Int32(1000), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.Domains, out.NextToken, nil
	})
	if err != nil {
		o.unread(ctx, o.accountARN("domain"), "the domains of the account could not be listed", err)
	}
	var readers errgroup.Group
	readers.SetLimit(listers)
	for _, d := range domains.Items() {
		if strings.EqualFold(string(d.Status), "Deleted") {
			continue // it holds nothing any more, and cannot be listed
		}
		name := Name{Owner: aws.ToString(d.Owner), Domain: aws.ToString(d.Name)}
		if name.Owner != o.scope.Account || name.Domain == "" {
			o.unread(ctx, o.accountARN("domain"), "the list of domains has an entry that cannot be right", awsio.ErrMalformed(fmt.Sprintf("domain %q with owner %q", name.Domain, name.Owner)))
			continue
		}
		readers.Go(func() error {
			o.ownDomain(ctx, name)
			return nil
		})
	}
	_ = readers.Wait() // they keep their own errors, in Unread
}

// ownDomain reads one domain. If its list was not read to the end, it contributes
// no repository.
func (o *observer) ownDomain(ctx context.Context, name Name) {
	arn := domainARN(o.scope.Region, name.Owner, name.Domain)
	d := &domain{name: name}
	what, err := fmt.Sprintf("the repositories of domain %s were not looked at", name.Domain), ctx.Err()
	if err == nil {
		what, err = fmt.Sprintf("the repositories of domain %s could not be listed", name.Domain), o.listDomain(ctx, d)
	}
	if err != nil {
		o.unread(ctx, arn, what, err)
		o.incomplete(name)
		return
	}
	o.describe(ctx, d)
}

// listDomain takes over the names in a domain, each once.
func (o *observer) listDomain(ctx context.Context, d *domain) error {
	return awsio.Each(ctx, "listing repositories of domain "+d.name.Domain, func(ctx context.Context, token *string) ([]types.RepositorySummary, *string, error) {
		out, err := o.api.ListRepositoriesInDomain(ctx, &codeartifact.ListRepositoriesInDomainInput{
			Domain: &d.name.Domain, DomainOwner: &d.name.Owner, MaxResults: aws.Int32(1000), NextToken: token,
		})
		if err != nil {
			return nil, nil, err
		}
		return out.Repositories, out.NextToken, nil
	}, func(page []types.RepositorySummary) error {
		for _, r := range page {
			n, err := summaryName(r)
			if err != nil {
				return err
			}
			if n.domain() != d.name {
				return awsio.ErrMalformed(fmt.Sprintf("the list has %s of account %s in it", n, n.Owner))
			}
			d.number(n.Repo)
		}
		return nil
	})
}

// administered reads the repositories that the account administers in domains of
// other accounts. If their list was not read to the end, there are none.
func (o *observer) administered(ctx context.Context, others func(owner string) bool) {
	var domains []*domain // in the order of the list
	by := map[Name]*domain{}
	err := awsio.Each(ctx, "listing repositories", func(ctx context.Context, token *string) ([]types.RepositorySummary, *string, error) {
		out, err := o.api.ListRepositories(ctx, &codeartifact.ListRepositoriesInput{MaxResults: aws.Int32(1000), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.Repositories, out.NextToken, nil
	}, func(page []types.RepositorySummary) error {
		for _, r := range page {
			n, err := summaryName(r)
			if err != nil {
				return err
			}
			if n.Owner == o.scope.Account {
				continue // its own domain's list has it, or could not be read
			}
			d := by[n.domain()]
			if d == nil {
				d = &domain{name: n.domain()}
				by[d.name], domains = d, append(domains, d)
			}
			d.number(n.Repo)
		}
		return nil
	})
	if err != nil {
		o.unread(ctx, o.accountARN("repository"), "the repositories that the account administers could not be listed, so those in other accounts' domains are not known", err)
		return
	}
	clear(by)
	for i, d := range domains {
		domains[i] = nil // its names are held no longer than they are needed
		if others != nil && others(d.name.Owner) {
			o.mu.Lock()
			o.out.LeftToOwner += d.len()
			o.mu.Unlock()
			continue
		}
		o.incomplete(d.name) // others may administer repositories there
		o.describe(ctx, d)
	}
}

func summaryName(r types.RepositorySummary) (Name, error) {
	n := Name{Owner: aws.ToString(r.DomainOwner), Domain: aws.ToString(r.DomainName), Repo: aws.ToString(r.Name)}
	if n.Owner == "" || n.Domain == "" || n.Repo == "" {
		return n, awsio.ErrMalformed(fmt.Sprintf("the list has an entry without owner, domain or name (%q, %q, %q)", n.Owner, n.Domain, n.Repo))
	}
	return n, nil
}

// domain is one domain while it is read. Its names are those of its list, each
// once, and then those of upstreams that the list did not have.
type domain struct {
	name Name // Repo is empty

	mu sync.Mutex
	edges
	connected   []Repository
	unconnected int
	partial     bool
}

// describe reads the repositories of a domain, a bounded number at a time over all
// domains. Those that were not reached before the run had to stop are told of in
// one entry. What is kept of those without an external connection is what they
// draw from, and only if it may be asked for.
func (o *observer) describe(ctx context.Context, d *domain) {
	var reading sync.WaitGroup
	notReached := 0
	listed := d.names // as it is now: the workers add to it
	for id := range listed.ends {
		if ctx.Err() != nil {
			notReached = listed.len() - id
			break
		}
		repo := string(listed.at(uint32(id))) //nolint:gosec // G115: see names
		reading.Add(1)
		o.workers.Go(func() error {
			defer reading.Done()
			o.describeOne(ctx, d, repo)
			return nil
		})
	}
	reading.Wait()

	if notReached > 0 {
		o.unread(ctx, domainARN(o.scope.Region, d.name.Owner, d.name.Domain), fmt.Sprintf("%d repositories of domain %s were not looked at", notReached, d.name.Domain), ctx.Err())
		d.partial = true
	}
	o.gather(d)
}

// gather takes over what was read of a domain.
func (o *observer) gather(d *domain) {
	if d.partial {
		o.incomplete(d.name)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out.Unconnected += d.unconnected
	o.out.Connected = append(o.out.Connected, d.connected...)
	if o.out.Downstream != nil && d.connected != nil {
		var roots []string
		for _, r := range d.connected {
			roots = append(roots, r.Name.Repo)
		}
		o.out.Downstream.of[d.name] = d.graph(roots)
	}
}

func (o *observer) describeOne(ctx context.Context, d *domain, repo string) {
	name := Name{Owner: d.name.Owner, Domain: d.name.Domain, Repo: repo}
	r, err := Describe(ctx, o.api, o.scope.Region, name)
	if awsio.Classify(err) == awsio.NotFound {
		return // deleted since it was listed
	}
	if err != nil {
		o.unread(ctx, name.ARN(o.scope.Region), fmt.Sprintf("repository %s could not be read", name.in(o.scope.Account)), err)
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.partial = true
		return
	}
	if o.every != nil {
		o.every(r)
	}
	if len(r.Connections) == 0 {
		d.unconnected++
	} else {
		d.connected = append(d.connected, r)
	}
	d.add(repo, r.Upstreams)
}

// Describe reads one repository. An error of class [awsio.NotFound] says that it, or
// its domain, is not there.
func Describe(ctx context.Context, api Reader, region string, name Name) (Repository, error) {
	out, err := api.DescribeRepository(ctx, &codeartifact.DescribeRepositoryInput{
		Domain: &name.Domain, DomainOwner: &name.Owner, Repository: &name.Repo,
	})
	if err != nil {
		return Repository{}, err
	}
	return readDescription(name, region, out)
}

// readDescription takes over an answer only if it is whole, and about the
// repository that was asked for. AWS sends both lists even where they are empty,
// so a missing one means that something is missing, not that there is nothing.
func readDescription(name Name, region string, out *codeartifact.DescribeRepositoryOutput) (Repository, error) {
	r := out.Repository
	switch {
	case r == nil:
		return Repository{}, awsio.ErrMalformed("the answer has no repository in it")
	case aws.ToString(r.DomainOwner) != name.Owner || aws.ToString(r.DomainName) != name.Domain || aws.ToString(r.Name) != name.Repo:
		return Repository{}, awsio.ErrMalformed(fmt.Sprintf("the answer is about another repository: %s/%s of account %s",
			aws.ToString(r.DomainName), aws.ToString(r.Name), aws.ToString(r.DomainOwner)))
	case r.ExternalConnections == nil:
		return Repository{}, awsio.ErrMalformed("the answer has no list of external connections in it")
	case r.Upstreams == nil:
		return Repository{}, awsio.ErrMalformed("the answer has no list of upstreams in it")
	}
	repo := Repository{
		Name: name, ARN: name.ARN(region),
		Administrator: aws.ToString(r.AdministratorAccount), Description: aws.ToString(r.Description), Created: r.CreatedTime,
		Connections: []string{}, Upstreams: []string{},
	}
	for _, c := range r.ExternalConnections {
		// The connection's status is left out of account: its only documented value
		// is "Available", which AWS's own samples print in two spellings.
		if aws.ToString(c.ExternalConnectionName) == "" {
			return Repository{}, awsio.ErrMalformed("the answer has an external connection without a name")
		}
		repo.Connections = append(repo.Connections, *c.ExternalConnectionName)
	}
	for _, u := range r.Upstreams {
		if aws.ToString(u.RepositoryName) == "" {
			return Repository{}, awsio.ErrMalformed("the answer has an upstream without a name")
		}
		repo.Upstreams = append(repo.Upstreams, *u.RepositoryName)
	}
	return repo, nil
}

// incomplete notes that who draws from whom is not all known in a domain.
func (o *observer) incomplete(domain Name) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out.Downstream.incomplete(domain.Owner, domain.Domain)
}

// unread notes a part of the scope that nothing is known about.
func (o *observer) unread(ctx context.Context, resource, what string, err error) {
	class, reason := awsio.Failure(ctx, what, err)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out.Unread = append(o.out.Unread, Unread{Resource: resource, Class: class, Reason: reason})
}

func (o *observer) accountARN(kind string) string {
	return fmt.Sprintf("arn:aws:codeartifact:%s:%s:%s/*", o.scope.Region, o.scope.Account, kind)
}
