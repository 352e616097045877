package externalconn

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// Searched is how many upstream repositories CodeArtifact looks into for a package,
// at most: https://docs.aws.amazon.com/codeartifact/latest/ug/service-limits.html
const Searched = 25

// Around is what is known of one domain, for a look at one repository in it.
type Around struct {
	Repositories map[string]Repository // by name

	// Ordered says that the upstreams of all of them are known, each in the order of
	// their priority. A saved observation keeps, of a repository without a connection,
	// only those that lead to one.
	Ordered bool

	Whole bool // no repository of the domain is missing
}

// LookAround reads the domain of a repository, and of that domain alone everything
// that a sweep would. Where the domain cannot be listed, it reads the repository and
// what is upstream of it.
func LookAround(ctx context.Context, s *awsio.Session, scope control.Scope, name Name) (Observation, Around) {
	return lookAround(ctx, codeartifact.NewFromConfig(s.Reads), scope, name)
}

func lookAround(ctx context.Context, api Reader, scope control.Scope, name Name) (Observation, Around) {
	o := newObserver(api, scope)
	o.out.Downstream = newDownstream()
	around := Around{Repositories: map[string]Repository{}, Ordered: true}
	o.every = func(r Repository) { around.Repositories[r.Name.Repo] = r }

	d := &domain{name: name.domain()}
	if err := o.listDomain(ctx, d); err == nil {
		o.describe(ctx, d)
		around.Whole = len(o.out.Unread) == 0
		return o.out, around
	} else if awsio.Classify(err) == awsio.NotFound {
		return o.out, around // there is no such domain, and nothing in it
	} else {
		o.unread(ctx, domainARN(scope.Region, name.Owner, name.Domain), fmt.Sprintf("the repositories of domain %s could not be listed, so it is not known who draws from %s", name.Domain, name), err)
	}
	o.incomplete(d.name)
	d = &domain{name: name.domain()} // without the part of the list that was read
	seen := map[string]bool{}
	for next := []string{name.Repo}; len(next) > 0; next = next[1:] {
		if repo := next[0]; !seen[repo] {
			seen[repo] = true
			d.number(repo)
			o.describeOne(ctx, d, repo)
			next = append(next, around.Repositories[repo].Upstreams...)
		}
	}
	o.gather(d)
	return o.out, around
}

// Owners returns the accounts in whose domains of that name the account itself sees
// a repository of that name: its own, and those where it administers one.
func Owners(ctx context.Context, s *awsio.Session, scope control.Scope, domain, repo string) ([]string, error) {
	api := codeartifact.NewFromConfig(s.Reads)
	var owners []string
	_, err := api.DescribeRepository(ctx, &codeartifact.DescribeRepositoryInput{Domain: &domain, DomainOwner: &scope.Account, Repository: &repo})
	switch {
	case err == nil:
		owners = append(owners, scope.Account)
	case awsio.Classify(err) != awsio.NotFound:
		owners = append(owners, scope.Account) // whoever looks closer meets the same error, and says so
	}
	err = awsio.Each(ctx, "listing repositories", func(ctx context.Context, token *string) ([]types.RepositorySummary, *string, error) {
		out, err := api.ListRepositories(ctx, &codeartifact.ListRepositoriesInput{RepositoryPrefix: &repo, MaxResults: aws.Int32(1000), NextToken: token})
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
			if n.Domain == domain && n.Repo == repo && !slices.Contains(owners, n.Owner) {
				owners = append(owners, n.Owner)
			}
		}
		return nil
	})
	return owners, err
}

// Owners returns the accounts in whose domains of that name an observation has a
// repository of that name.
func (o Observation) Owners(domain, repo string) []string {
	owners := map[string]bool{}
	for _, r := range o.Connected {
		owners[r.Name.Owner] = owners[r.Name.Owner] || r.Name.Domain == domain && r.Name.Repo == repo
	}
	if o.Downstream != nil {
		for name := range o.Downstream.of {
			if name.Domain == domain {
				_, known := o.Around(name.Owner, domain).Repositories[repo]
				owners[name.Owner] = owners[name.Owner] || known
			}
		}
	}
	maps.DeleteFunc(owners, func(_ string, has bool) bool { return !has })
	return slices.Sorted(maps.Keys(owners))
}

// Around returns what an observation holds of a domain.
func (o Observation) Around(owner, domainName string) Around {
	name := Name{Owner: owner, Domain: domainName}
	around := Around{Repositories: map[string]Repository{}}
	if o.Downstream != nil {
		if g := o.Downstream.of[name]; g != nil {
			for upstream, repo := range g.all() {
				r := around.Repositories[repo]
				r.Name = Name{Owner: owner, Domain: domainName, Repo: repo}
				r.ARN = r.Name.ARN(o.Scope.Region)
				r.Upstreams = append(r.Upstreams, upstream)
				around.Repositories[repo] = r
			}
		}
		around.Whole = !o.Downstream.partial[name] // as far as downstream of connected ones goes
	}
	for _, r := range around.Repositories {
		slices.Sort(r.Upstreams)
	}
	for _, r := range o.Connected {
		if r.Name.domain() == name {
			around.Repositories[r.Name.Repo] = r
		}
	}
	return around
}

// Explain says what the policy makes of one repository, connection by connection,
// and how. What could not be read and may be about it, or hold it, is among that.
func (o Observation) Explain(p *policy.Policy, now time.Time, name Name) (control.Plan, []control.Explained) {
	plan := o.Judge(p, now)
	rules := *p.ExternalConnections
	arn := name.ARN(o.Scope.Region)
	traces := map[string]*control.Trace{}
	for _, repo := range o.Connected {
		if repo.Name != name {
			continue
		}
		for _, connection := range repo.Connections {
			trace := &control.Trace{}
			judge(o.Scope, repo, connection, rules, now, trace)
			for _, r := range rules.Allow {
				trace.Rest(r.Place)
			}
			for _, w := range rules.Waivers {
				trace.Rest(w.Place)
			}
			traces[connection] = trace
		}
	}
	var explained []control.Explained
	for _, f := range plan.Findings {
		if f.Resource != arn {
			continue
		}
		e := control.Explained{Finding: f}
		if trace := traces[f.Subject]; trace != nil {
			e.Trials = trace.Trials
		}
		explained = append(explained, e)
	}
	return plan, explained
}

// Hiding returns what could not be read and may hold the repository.
func (o Observation) Hiding(name Name) []control.Finding {
	var found []control.Finding
	for _, u := range o.Unread {
		own := name.Owner == o.Scope.Account && u.Resource == fmt.Sprintf("arn:aws:codeartifact:%s:%s:domain/*", o.Scope.Region, o.Scope.Account)
		foreign := name.Owner != o.Scope.Account && strings.HasSuffix(u.Resource, ":repository/*")
		if own || foreign || u.Resource == domainARN(o.Scope.Region, name.Owner, name.Domain) || u.Resource == name.ARN(o.Scope.Region) {
			found = append(found, control.Finding{
				ID: control.FindingID(Control, u.Resource, ""), Control: Control, Account: o.Scope.Account, Region: o.Scope.Region,
				Resource: u.Resource, Verdict: control.Undetermined, Code: string(u.Class), Reason: u.Reason,
			})
		}
	}
	return found
}

// Registry is a public registry that a repository gets packages from.
type Registry struct {
	Connection string   `json:"connection"`
	Path       []string `json:"path"`   // repositories, from the one that asks to the one that is connected
	Number     int      `json:"number"` // which of the upstreams the connected one is in the order of the search; 0 is the repository itself

	// Beyond says that CodeArtifact ends its search before it comes there.
	Beyond bool `json:"beyondTheSearch"`
}

// Reach returns the public registries that a repository gets packages from, each by
// the way on which CodeArtifact comes to it first; and the upstreams of which it is
// not known where they lead. A repository's upstreams are searched in the order of
// their priority, and those of the first before the second:
// https://docs.aws.amazon.com/codeartifact/latest/ug/repo-upstream-search-order.html
//
// A repository that is met again is passed over. AWS does not say whether it counts
// twice; if it does, the search ends earlier than is told here.
func (a Around) Reach(from string) (registries []Registry, unknown []string) {
	type step struct {
		repo string
		path []string
	}
	seen, number := map[string]bool{}, -1
	for stack := []step{{from, nil}}; len(stack) > 0; {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[at.repo] {
			continue
		}
		seen[at.repo] = true
		number++
		path := append(slices.Clone(at.path), at.repo)
		r, known := a.Repositories[at.repo]
		if !known {
			unknown = append(unknown, at.repo)
			continue
		}
		for _, connection := range r.Connections {
			registries = append(registries, Registry{Connection: connection, Path: path, Number: number, Beyond: number > Searched})
		}
		for _, upstream := range slices.Backward(r.Upstreams) {
			stack = append(stack, step{upstream, path})
		}
	}
	return registries, unknown
}

// Drawing is a repository that draws from another one.
type Drawing struct {
	Repository string `json:"repository"`
	From       string `json:"from"` // the upstream by which it does: the repository that was asked for, or another that draws from it
}

// Drawing returns the repositories that draw from one, the nearest first.
func (a Around) Drawing(from string) []Drawing {
	downstream := map[string][]string{}
	for name, r := range a.Repositories {
		for _, upstream := range r.Upstreams {
			downstream[upstream] = append(downstream[upstream], name)
		}
	}
	list := []Drawing{}
	seen := map[string]bool{from: true}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		next := downstream[queue[0]]
		slices.Sort(next)
		for _, name := range next {
			if !seen[name] {
				seen[name] = true
				list = append(list, Drawing{name, queue[0]})
				queue = append(queue, name)
			}
		}
	}
	return list
}
