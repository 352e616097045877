package externalconn

import (
	"context"
	"fmt"
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
	Scope control.Scope

	// Connected are the repositories that were read completely and have an
	// external connection.
	Connected []Repository

	// Unconnected counts the repositories that were read completely and have none.
	Unconnected int

	// Downstream is nil where only a single repository was looked at.
	Downstream *Downstream

	// Unread is everything that could not be read. The observation is complete
	// only if it is empty.
	Unread []Unread
}

// Unread is a part of the scope that nothing is known about.
type Unread struct {
	Resource string // ARN of the repository, the domain or the account
	Class    awsio.Class
	Reason   string
}

// observer reads the state of one account and Region.
type observer struct {
	api   Reader
	scope control.Scope

	mu  sync.Mutex
	out Observation
}

// ObserveAll reads every repository that is in a domain of the account, or that
// the account administers in a domain of another one.
//
// ListDomains gives the account's own domains only, and ListRepositories only
// what the account administers, so neither covers the other:
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_ListRepositories.html
// Neither list says anything about external connections, so each repository is
// described.
func ObserveAll(ctx context.Context, api Reader, scope control.Scope) Observation {
	o := &observer{api: api, scope: scope}
	o.out = Observation{Scope: scope, Downstream: newDownstream()}
	o.describe(ctx, o.list(ctx))
	return o.out
}

// ObserveOne reads a single repository. Of the repositories downstream of it,
// nothing is known.
func ObserveOne(ctx context.Context, api Reader, scope control.Scope, name Name) Observation {
	o := &observer{api: api, scope: scope, out: Observation{Scope: scope}}
	o.describe(ctx, []Name{name})
	return o.out
}

// list returns the names of all repositories in scope, each once. A domain whose
// list was not read to its end contributes none.
func (o *observer) list(ctx context.Context) []Name {
	var names []Name

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

	// Side by side, so that a domain that answers badly does not hold up the others.
	var lists errgroup.Group
	lists.SetLimit(awsio.Workers)
	for _, d := range domains.Items() {
		if strings.EqualFold(string(d.Status), "Deleted") {
			continue // it holds nothing any more, and cannot be listed
		}
		owner, domain := aws.ToString(d.Owner), aws.ToString(d.Name)
		if owner != o.scope.Account || domain == "" {
			o.unread(ctx, o.accountARN("domain"), "the list of domains has an entry that cannot be right", awsio.ErrMalformed(fmt.Sprintf("domain %q with owner %q", domain, owner)))
			continue
		}
		lists.Go(func() error {
			found, err := o.listDomain(ctx, owner, domain)
			o.mu.Lock()
			defer o.mu.Unlock()
			if err != nil {
				o.note(ctx, domainARN(o.scope.Region, owner, domain), fmt.Sprintf("the repositories of domain %s could not be listed", domain), err)
				o.out.Downstream.incomplete(owner, domain)
			}
			names = append(names, found...)
			return nil
		})
	}
	lists.Go(func() error {
		found, err := o.listAdministered(ctx)
		o.mu.Lock()
		defer o.mu.Unlock()
		if err != nil {
			o.note(ctx, o.accountARN("repository"), "the repositories that the account administers could not be listed, so those in other accounts' domains are not known", err)
		}
		for _, name := range found {
			if name.Owner == o.scope.Account {
				continue // its own domain's list has it, or could not be read
			}
			o.out.Downstream.incomplete(name.Owner, name.Domain) // others may administer repositories there
			names = append(names, name)
		}
		return nil
	})
	_ = lists.Wait() // they keep their own errors, in Unread
	return unique(names)
}

func (o *observer) listDomain(ctx context.Context, owner, domain string) ([]Name, error) {
	list, err := awsio.ReadAll(ctx, "listing repositories of domain "+domain, func(ctx context.Context, token *string) ([]types.RepositorySummary, *string, error) {
		out, err := o.api.ListRepositoriesInDomain(ctx, &codeartifact.ListRepositoriesInDomainInput{
			Domain: &domain, DomainOwner: &owner, MaxResults: aws.Int32(1000), NextToken: token,
		})
		if err != nil {
			return nil, nil, err
		}
		return out.Repositories, out.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	names, err := summaryNames(list)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if n.Owner != owner || n.Domain != domain {
			return nil, awsio.ErrMalformed(fmt.Sprintf("the list has %s of account %s in it", n, n.Owner))
		}
	}
	return names, nil
}

func (o *observer) listAdministered(ctx context.Context) ([]Name, error) {
	list, err := awsio.ReadAll(ctx, "listing repositories", func(ctx context.Context, token *string) ([]types.RepositorySummary, *string, error) {
		out, err := o.api.ListRepositories(ctx, &codeartifact.ListRepositoriesInput{MaxResults: aws.Int32(1000), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.Repositories, out.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	return summaryNames(list)
}

func summaryNames(list awsio.Complete[types.RepositorySummary]) ([]Name, error) {
	names := make([]Name, 0, len(list.Items()))
	for _, r := range list.Items() {
		n := Name{Owner: aws.ToString(r.DomainOwner), Domain: aws.ToString(r.DomainName), Repo: aws.ToString(r.Name)}
		if n.Owner == "" || n.Domain == "" || n.Repo == "" {
			return nil, awsio.ErrMalformed(fmt.Sprintf("the list has an entry without owner, domain or name (%q, %q, %q)", n.Owner, n.Domain, n.Repo))
		}
		names = append(names, n)
	}
	return names, nil
}

// describe reads the repositories, a bounded number at a time. Those that were
// not reached before the run had to stop are told of in one entry for a domain.
func (o *observer) describe(ctx context.Context, names []Name) {
	notReached := map[Name]int{} // by domain: Repo is empty
	var workers errgroup.Group
	workers.SetLimit(awsio.Workers)
	for _, name := range names {
		if ctx.Err() != nil {
			notReached[Name{Owner: name.Owner, Domain: name.Domain}]++
			continue
		}
		workers.Go(func() error {
			o.describeOne(ctx, name)
			return nil
		})
	}
	_ = workers.Wait() // the workers keep their own errors, in Unread

	for d, n := range notReached {
		o.unread(ctx, domainARN(o.scope.Region, d.Owner, d.Domain), fmt.Sprintf("%d repositories of domain %s were not looked at", n, d.Domain), ctx.Err())
		o.out.Downstream.incomplete(d.Owner, d.Domain)
	}
}

func (o *observer) describeOne(ctx context.Context, name Name) {
	out, err := o.api.DescribeRepository(ctx, &codeartifact.DescribeRepositoryInput{
		Domain: &name.Domain, DomainOwner: &name.Owner, Repository: &name.Repo,
	})
	if awsio.Classify(err) == awsio.NotFound {
		return // deleted since it was listed
	}
	var repo Repository
	if err == nil {
		repo, err = readDescription(name, o.scope.Region, out)
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.note(ctx, name.ARN(o.scope.Region), fmt.Sprintf("repository %s could not be read", name), err)
		o.out.Downstream.incomplete(name.Owner, name.Domain)
		return
	}
	o.out.Downstream.add(name, repo.Upstreams)
	if len(repo.Connections) == 0 {
		o.out.Unconnected++
		return
	}
	o.out.Connected = append(o.out.Connected, repo)
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

// unread notes a part of the scope that nothing is known about.
func (o *observer) unread(ctx context.Context, resource, what string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note(ctx, resource, what, err)
}

// note is unread for who holds the lock.
func (o *observer) note(ctx context.Context, resource, what string, err error) {
	class, reason := awsio.Failure(ctx, what, err)
	o.out.Unread = append(o.out.Unread, Unread{Resource: resource, Class: class, Reason: reason})
}

func (o *observer) accountARN(kind string) string {
	return fmt.Sprintf("arn:aws:codeartifact:%s:%s:%s/*", o.scope.Region, o.scope.Account, kind)
}

func unique(names []Name) []Name {
	seen := make(map[Name]bool, len(names))
	out := names[:0]
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}
