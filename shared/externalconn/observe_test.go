package externalconn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
)

const partner = "444455556666"

// A registry is a CodeArtifact that answers with what it holds.
type registry struct {
	domains      []types.DomainSummary
	in           map[string][]types.RepositorySummary // by domain
	administered []types.RepositorySummary
	described    map[string]*types.RepositoryDescription // by "owner/domain/repository"

	page    int                                          // entries of a list in one answer; 0 is all
	trouble func(ctx context.Context, call string) error // before a call is answered, if not nil

	mu    sync.Mutex
	calls []string // the operation and what it was about
}

// filled is what most tests look at: two domains of the account, and a repository
// that the account administers in a domain of another one.
func filled() *registry {
	r := &registry{in: map[string][]types.RepositorySummary{}, described: map[string]*types.RepositoryDescription{}}
	r.domain("corp")
	r.domain("lab")
	r.add(owner, "corp", "app", "public:npmjs")
	r.add(owner, "corp", "quiet", "")
	r.add(owner, "lab", "tool", "public:pypi")
	r.add(partner, "corp", "ours", "public:pypi")
	return r
}

func (r *registry) domain(name string) {
	r.domains = append(r.domains, types.DomainSummary{Name: &name, Owner: aws.String(owner), Status: types.DomainStatusActive})
	r.in[name] = []types.RepositorySummary{}
}

func (r *registry) add(account, domain, name, connection string) {
	summary := listed(account, domain, name)
	r.administered = append(r.administered, summary)
	if account == owner {
		r.in[domain] = append(r.in[domain], summary)
	}
	d := &types.RepositoryDescription{
		Name: &name, DomainName: &domain, DomainOwner: &account, AdministratorAccount: aws.String(owner),
		ExternalConnections: []types.RepositoryExternalConnectionInfo{}, Upstreams: []types.UpstreamRepositoryInfo{},
	}
	if connection != "" {
		d.ExternalConnections = append(d.ExternalConnections, types.RepositoryExternalConnectionInfo{ExternalConnectionName: &connection})
	}
	r.described[account+"/"+domain+"/"+name] = d
}

func listed(account, domain, name string) types.RepositorySummary {
	return types.RepositorySummary{DomainOwner: &account, DomainName: &domain, Name: &name}
}

// called keeps a call, and tells what goes wrong with it.
func (r *registry) called(ctx context.Context, call string) error {
	r.mu.Lock()
	r.calls = append(r.calls, call)
	r.mu.Unlock()
	if r.trouble != nil {
		return r.trouble(ctx, call)
	}
	return nil
}

// cut returns one page of a list. A token is the place where the page begins.
func cut[T any](list []T, token *string, size int) ([]T, *string) {
	at := 0
	if token != nil {
		if _, err := fmt.Sscan(*token, &at); err != nil {
			panic(err)
		}
	}
	if size == 0 || at+size >= len(list) {
		return list[at:], nil
	}
	return list[at : at+size], aws.String(fmt.Sprint(at + size))
}

func (r *registry) ListDomains(ctx context.Context, in *codeartifact.ListDomainsInput, _ ...options) (*codeartifact.ListDomainsOutput, error) {
	if err := r.called(ctx, "ListDomains"); err != nil {
		return nil, err
	}
	page, next := cut(r.domains, in.NextToken, r.page)
	return &codeartifact.ListDomainsOutput{Domains: page, NextToken: next}, nil
}

func (r *registry) ListRepositories(ctx context.Context, in *codeartifact.ListRepositoriesInput, _ ...options) (*codeartifact.ListRepositoriesOutput, error) {
	if err := r.called(ctx, "ListRepositories"); err != nil {
		return nil, err
	}
	page, next := cut(r.administered, in.NextToken, r.page)
	return &codeartifact.ListRepositoriesOutput{Repositories: page, NextToken: next}, nil
}

func (r *registry) ListRepositoriesInDomain(ctx context.Context, in *codeartifact.ListRepositoriesInDomainInput, _ ...options) (*codeartifact.ListRepositoriesInDomainOutput, error) {
	if err := r.called(ctx, "ListRepositoriesInDomain "+*in.DomainOwner+"/"+*in.Domain); err != nil {
		return nil, err
	}
	page, next := cut(r.in[*in.Domain], in.NextToken, r.page)
	return &codeartifact.ListRepositoriesInDomainOutput{Repositories: page, NextToken: next}, nil
}

func (r *registry) DescribeRepository(ctx context.Context, in *codeartifact.DescribeRepositoryInput, _ ...options) (*codeartifact.DescribeRepositoryOutput, error) {
	name := *in.DomainOwner + "/" + *in.Domain + "/" + *in.Repository
	if err := r.called(ctx, "DescribeRepository "+name); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d, there := r.described[name]
	if !there {
		return nil, &types.ResourceNotFoundException{}
	}
	return &codeartifact.DescribeRepositoryOutput{Repository: d}, nil
}

func (r *registry) DisassociateExternalConnection(ctx context.Context, in *codeartifact.DisassociateExternalConnectionInput, _ ...options) (*codeartifact.DisassociateExternalConnectionOutput, error) {
	name := *in.DomainOwner + "/" + *in.Domain + "/" + *in.Repository
	if err := r.called(ctx, "DisassociateExternalConnection "+name); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d := *r.described[name]
	d.ExternalConnections = []types.RepositoryExternalConnectionInfo{}
	r.described[name] = &d
	return &codeartifact.DisassociateExternalConnectionOutput{}, nil
}

// refusing says no to the calls that begin with the given words.
func refusing(words string) func(context.Context, string) error {
	return func(_ context.Context, call string) error {
		if strings.HasPrefix(call+" ", words+" ") {
			return &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"}
		}
		return nil
	}
}

// seen is an observation in the words of these tests.
type seen struct {
	Connected   []string // owner, domain and repository
	Unconnected int
	Unread      []string // the end of the ARN, and the class
	Partial     []string // owner and domain: not everything that draws from it is known
}

func summed(o Observation) seen {
	s := seen{Unconnected: o.Unconnected}
	for _, r := range o.Connected {
		s.Connected = append(s.Connected, r.Name.Owner+"/"+r.Name.String())
	}
	for _, u := range o.Unread {
		s.Unread = append(s.Unread, strings.TrimPrefix(u.Resource, "arn:aws:codeartifact:eu-west-1:")+" "+string(u.Class))
	}
	if o.Downstream != nil {
		for d := range o.Downstream.partial {
			s.Partial = append(s.Partial, d.Owner+"/"+d.Domain)
		}
	}
	slices.Sort(s.Connected)
	slices.Sort(s.Unread)
	slices.Sort(s.Partial)
	return s
}

// What is not whole, or cannot be right, makes its own part of the scope unread.
func TestObserveAll(t *testing.T) {
	const (
		app    = owner + "/corp/app"
		tool   = owner + "/lab/tool"
		ours   = partner + "/corp/ours"
		corp   = owner + "/corp"
		theirs = partner + "/corp" // of which only a part is ever seen

		domains = owner + ":domain/* "
		repos   = owner + ":repository/* "
	)
	whole := seen{[]string{app, tool, ours}, 1, nil, []string{theirs}}
	withoutCorp := func(class string) seen {
		return seen{[]string{tool, ours}, 0, []string{owner + ":domain/corp " + class}, []string{corp, theirs}}
	}
	withoutApp := func(class string) seen {
		return seen{[]string{tool, ours}, 1, []string{owner + ":repository/corp/app " + class}, []string{corp, theirs}}
	}
	listing := func(entry types.RepositorySummary) func(*registry) {
		return func(r *registry) { r.in["corp"] = append(r.in["corp"], entry) }
	}
	withoutTheirs := seen{[]string{app, tool}, 1, []string{repos + "malformed"}, nil}
	administering := func(entry types.RepositorySummary) func(*registry) {
		return func(r *registry) { r.administered = append(r.administered, entry) }
	}
	describing := func(change func(*types.RepositoryDescription)) func(*registry) {
		return func(r *registry) { change(r.described[app]) }
	}
	for _, test := range []struct {
		name   string
		change func(*registry)
		want   seen
	}{
		{"reads what is there", func(*registry) {}, whole},
		{"reads every page", func(r *registry) { r.page = 1 }, whole},
		{"reads nothing in an empty account", func(r *registry) {
			r.domains, r.administered = []types.DomainSummary{}, []types.RepositorySummary{}
		}, seen{}},

		{"does not know domains that it cannot list", func(r *registry) { r.trouble = refusing("ListDomains") },
			seen{[]string{ours}, 0, []string{domains + "access-denied"}, []string{theirs}}},
		{"does not take a missing list of domains for none", func(r *registry) { r.domains = nil },
			seen{[]string{ours}, 0, []string{domains + "malformed"}, []string{theirs}}},
		{"refuses a domain of another owner", func(r *registry) { r.domains[0].Owner = aws.String(partner) },
			seen{[]string{tool, ours}, 0, []string{domains + "malformed"}, []string{theirs}}},
		{"refuses a domain without an owner", func(r *registry) { r.domains[0].Owner = nil },
			seen{[]string{tool, ours}, 0, []string{domains + "malformed"}, []string{theirs}}},
		{"refuses a domain without a name", func(r *registry) { r.domains[0].Name = nil },
			seen{[]string{tool, ours}, 0, []string{domains + "malformed"}, []string{theirs}}},
		{"passes over a deleted domain", func(r *registry) { r.domains[0].Status = types.DomainStatusDeleted },
			seen{[]string{tool, ours}, 0, nil, []string{theirs}}},
		{"passes over a deleted domain in AWS's other spelling", func(r *registry) { r.domains[0].Status = "DELETED" },
			seen{[]string{tool, ours}, 0, nil, []string{theirs}}},
		{"passes over a deleted domain whatever its owner", func(r *registry) {
			r.domains[0].Status, r.domains[0].Owner = types.DomainStatusDeleted, nil
		}, seen{[]string{tool, ours}, 0, nil, []string{theirs}}},

		{"does not know a domain that it cannot list", func(r *registry) { r.trouble = refusing("ListRepositoriesInDomain " + corp) }, withoutCorp("access-denied")},
		{"does not take a missing list of a domain for none", func(r *registry) { r.in["corp"] = nil }, withoutCorp("malformed")},
		{"refuses a list with an entry of another domain", listing(listed(owner, "lab", "x")), withoutCorp("malformed")},
		{"refuses a list with an entry of another owner", listing(listed(partner, "corp", "x")), withoutCorp("malformed")},
		{"refuses a list with an entry without an owner", listing(listed("", "corp", "x")), withoutCorp("malformed")},
		{"refuses a list with an entry without a domain", listing(listed(owner, "", "x")), withoutCorp("malformed")},
		{"refuses a list with an entry without a name", listing(listed(owner, "corp", "")), withoutCorp("malformed")},
		{"refuses a list with an entry of nothing", listing(types.RepositorySummary{}), withoutCorp("malformed")},

		{"does not know other accounts' domains where it cannot list what it administers", func(r *registry) { r.trouble = refusing("ListRepositories") },
			seen{[]string{app, tool}, 1, []string{repos + "access-denied"}, nil}},
		{"does not know any domain where it cannot list one", func(r *registry) { r.trouble = refusing("ListRepositoriesInDomain") },
			seen{[]string{ours}, 0, []string{owner + ":domain/corp access-denied", owner + ":domain/lab access-denied"}, []string{corp, owner + "/lab", theirs}}},
		{"does not take a missing list of what it administers for none", func(r *registry) { r.administered = nil }, withoutTheirs},
		{"refuses a list of what it administers with an entry without an owner", administering(listed("", "corp", "x")), withoutTheirs},
		{"refuses a list of what it administers with an entry without a domain", administering(listed(partner, "", "x")), withoutTheirs},
		{"refuses a list of what it administers with an entry without a name", administering(listed(partner, "corp", "")), withoutTheirs},
		{"refuses a list of what it administers with an entry of nothing", administering(types.RepositorySummary{}), withoutTheirs},
		{"leaves a domain of its own to the list of that domain", func(r *registry) { r.in["corp"] = []types.RepositorySummary{} },
			seen{[]string{tool, ours}, 0, nil, []string{theirs}}},

		{"does not know a repository that it cannot describe", func(r *registry) { r.trouble = refusing("DescribeRepository " + app) }, withoutApp("access-denied")},
		{"says nothing of a repository that is gone", func(r *registry) { delete(r.described, app) },
			seen{[]string{tool, ours}, 1, nil, []string{theirs}}},
		{"refuses an answer without a repository", func(r *registry) { r.described[app] = nil }, withoutApp("malformed")},
		{"refuses a description of another repository", describing(func(d *types.RepositoryDescription) { d.Name = aws.String("other") }), withoutApp("malformed")},
		{"refuses a description of another domain", describing(func(d *types.RepositoryDescription) { d.DomainName = aws.String("lab") }), withoutApp("malformed")},
		{"refuses a description of another owner", describing(func(d *types.RepositoryDescription) { d.DomainOwner = aws.String(partner) }), withoutApp("malformed")},
		{"refuses a description without connections", describing(func(d *types.RepositoryDescription) { d.ExternalConnections = nil }), withoutApp("malformed")},
		{"refuses a description with a connection without a name", describing(func(d *types.RepositoryDescription) { d.ExternalConnections[0].ExternalConnectionName = nil }), withoutApp("malformed")},
		{"refuses a description without upstreams", describing(func(d *types.RepositoryDescription) { d.Upstreams = nil }), withoutApp("malformed")},
		{"refuses a description with an upstream without a name", describing(func(d *types.RepositoryDescription) {
			d.Upstreams = []types.UpstreamRepositoryInfo{{}}
		}), withoutApp("malformed")},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := filled()
			test.change(r)
			got := summed(ObserveAll(t.Context(), r, scope, nil))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("observation (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARepositoryThatIsListedTwiceIsDescribedOnce(t *testing.T) {
	r := filled()
	r.in["corp"] = append(r.in["corp"], listed(owner, "corp", "app"))
	r.administered = append(r.administered, listed(partner, "corp", "ours"))
	o := ObserveAll(t.Context(), r, scope, nil)
	if len(o.Connected) != 3 || o.Unconnected != 1 {
		t.Errorf("%d connected and %d not, want 3 and 1", len(o.Connected), o.Unconnected)
	}
	slices.Sort(r.calls)
	want := []string{
		"DescribeRepository " + owner + "/corp/app", "DescribeRepository " + owner + "/corp/quiet", "DescribeRepository " + owner + "/lab/tool",
		"DescribeRepository " + partner + "/corp/ours",
		"ListDomains", "ListRepositories", "ListRepositoriesInDomain " + owner + "/corp", "ListRepositoriesInDomain " + owner + "/lab",
	}
	if diff := cmp.Diff(want, r.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// A list that changes while it is read shows an entry again, on another page.
func TestARepositoryThatIsOnTwoPagesIsDescribedOnce(t *testing.T) {
	r := filled()
	r.page = 1
	r.in["corp"] = append(r.in["corp"], listed(owner, "corp", "app"), listed(owner, "corp", "app"))
	r.administered = append(r.administered, listed(partner, "corp", "ours"))
	o := ObserveAll(t.Context(), r, scope, nil)
	if diff := cmp.Diff(summed(ObserveAll(t.Context(), filled(), scope, nil)), summed(o)); diff != "" {
		t.Errorf("observation (-want +got):\n%s", diff)
	}
	counts := map[string]int{}
	for _, c := range r.calls {
		counts[c]++
	}
	if counts["DescribeRepository "+owner+"/corp/app"] != 1 || counts["DescribeRepository "+partner+"/corp/ours"] != 1 {
		t.Errorf("calls: %v", counts)
	}
}

// What was read of a list before it failed is not acted on, and not even read.
func TestNothingComesOfAListThatWasNotReadToItsEnd(t *testing.T) {
	for name, call := range map[string]string{"a domain": "ListRepositoriesInDomain " + owner + "/corp", "what is administered": "ListRepositories"} {
		t.Run(name, func(t *testing.T) {
			r, asked := filled(), 0
			r.page = 1
			r.administered = []types.RepositorySummary{listed(partner, "corp", "ours"), listed(owner, "corp", "app")}
			r.trouble = func(_ context.Context, c string) error {
				if c == call {
					if asked++; asked == 2 {
						return &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"}
					}
				}
				return nil
			}
			o := ObserveAll(t.Context(), r, scope, nil)
			gone := owner + "/corp"
			if call == "ListRepositories" {
				gone = partner + "/corp"
			}
			if slices.ContainsFunc(r.calls, func(c string) bool { return strings.HasPrefix(c, "DescribeRepository "+gone) }) {
				t.Errorf("calls: %q", r.calls)
			}
			if slices.ContainsFunc(o.Connected, func(r Repository) bool { return r.Name.Owner+"/"+r.Name.Domain == gone }) || len(o.Unread) != 1 {
				t.Errorf("observation: %+v", summed(o))
			}
		})
	}
}

func TestWhatIsSweptByItsOwnerIsLeftToIt(t *testing.T) {
	const third = "777788889999"
	r := filled()
	r.add(partner, "corp", "quiet", "")
	r.add(third, "corp", "theirs", "public:npmjs")
	r.administered = append(r.administered, listed(partner, "corp", "ours")) // twice in the list
	want := summed(ObserveAll(t.Context(), r, scope, func(owner string) bool { return owner == third }))
	if diff := cmp.Diff([]string{owner + "/corp/app", owner + "/lab/tool", partner + "/corp/ours"}, want.Connected); diff != "" {
		t.Errorf("connected (-want +got):\n%s", diff)
	}

	r.calls = nil
	o := ObserveAll(t.Context(), r, scope, func(owner string) bool { return owner == partner })
	got := summed(o)
	if diff := cmp.Diff([]string{owner + "/corp/app", owner + "/lab/tool", third + "/corp/theirs"}, got.Connected); diff != "" {
		t.Errorf("connected (-want +got):\n%s", diff)
	}
	if o.LeftToOwner != 2 || o.Unconnected != 1 || o.Unread != nil {
		t.Errorf("%d left to their owner, %d unconnected, unread %v; want 2, 1, none", o.LeftToOwner, o.Unconnected, o.Unread)
	}
	if slices.ContainsFunc(r.calls, func(c string) bool { return strings.HasPrefix(c, "DescribeRepository "+partner) }) {
		t.Errorf("calls: %q", r.calls)
	}
	// The account's own domains are nobody else's, whoever is swept.
	if o := ObserveAll(t.Context(), r, scope, func(string) bool { return true }); len(o.Connected) != 2 || o.LeftToOwner != 3 {
		t.Errorf("%d connected, %d left to their owners; want 2 and 3", len(o.Connected), o.LeftToOwner)
	}
}

func TestADeletedDomainIsNotAskedAbout(t *testing.T) {
	r := filled()
	r.domains[0].Status = types.DomainStatusDeleted
	ObserveAll(t.Context(), r, scope, nil)
	if slices.Contains(r.calls, "ListRepositoriesInDomain "+owner+"/corp") {
		t.Errorf("calls: %q", r.calls)
	}
}

func TestTheObservationKnowsWhoDrawsFromWhom(t *testing.T) {
	r := filled()
	r.described[owner+"/corp/quiet"].Upstreams = []types.UpstreamRepositoryInfo{{RepositoryName: aws.String("app")}}
	o := ObserveAll(t.Context(), r, scope, nil)
	if losing, count, all := o.Downstream.losing(name("app"), nil, 10); !slices.Equal(losing, []string{"corp/quiet"}) || count != 1 || !all {
		t.Errorf("%q lose it, all: %t; want corp/quiet, and that it is all", losing, all)
	}
	if o := ObserveOne(t.Context(), r, scope, name("app")); o.Downstream != nil {
		t.Errorf("a look at one repository says what draws from it: %+v", o.Downstream)
	}
}

// sick fails the calls that begin with some of the given words, after the time that
// a call has for all its attempts.
func sick(words ...string) func(context.Context, string) error {
	return func(ctx context.Context, call string) error {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(call+" ", w+" ") }) {
			return nil
		}
		select {
		case <-time.After(45 * time.Second):
			return &smithy.GenericAPIError{Code: "InternalServerException", Message: "oops"}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// One part of CodeArtifact stays broken. The function has five minutes, and all
// that can be read is read and acted on.
func TestAPartThatKeepsFailingDoesNotKeepTheOthersFromBeingDisconnected(t *testing.T) {
	const (
		corp         = "ListRepositoriesInDomain " + owner + "/corp"
		administered = "ListRepositories"
	)
	for _, test := range []struct {
		name    string
		trouble func(context.Context, string) error
		unread  []string
		writes  []string
	}{
		{"one domain cannot be listed", sick(corp), []string{owner + ":domain/corp unavailable"}, []string{owner + "/lab/tool", partner + "/corp/ours"}},
		{"what is administered cannot be listed", sick(administered), []string{owner + ":repository/* unavailable"}, []string{owner + "/corp/app", owner + "/lab/tool"}},
		{"neither can be listed", sick(corp, administered),
			[]string{owner + ":domain/corp unavailable", owner + ":repository/* unavailable"}, []string{owner + "/lab/tool"}},
		{"one repository cannot be described", sick("DescribeRepository " + owner + "/corp/app"),
			[]string{owner + ":repository/corp/app unavailable"}, []string{owner + "/lab/tool", partner + "/corp/ours"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				look, begin, stop := control.Phases(ctx)
				defer stop()
				r := filled()
				r.trouble = test.trouble

				start := time.Now()
				o := ObserveAll(look, r, scope, nil)
				if took := time.Since(start); took != 45*time.Second {
					t.Errorf("reading took %v, want 45s: what fails fails side by side", took)
				}
				if diff := cmp.Diff(test.unread, summed(o).Unread); diff != "" {
					t.Errorf("unread (-want +got):\n%s", diff)
				}
				a := &actor{read: r, write: r, scope: scope, policy: rules(t), clock: &awsio.Clock{}}
				control.Apply(ctx, begin, Decide(o, rules(t), noon).Actions, a, forgetful{})
				if diff := cmp.Diff(test.writes, r.writes()); diff != "" {
					t.Errorf("writes (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func (r *registry) writes() []string {
	var list []string
	for _, c := range r.calls {
		if what, ok := strings.CutPrefix(c, "DisassociateExternalConnection "); ok {
			list = append(list, what)
		}
	}
	slices.Sort(list)
	return list
}

// forgetful is a recorder that keeps nothing.
type forgetful struct{}

func (forgetful) Intent(context.Context, control.Action) error { return nil }
func (forgetful) Outcome(context.Context, control.Outcome)     {}

func TestListsAreReadSideBySideAndNotAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := filled() // with two domains
		for i := range 2*listers - 2 {
			r.domain(fmt.Sprintf("team-%d", i))
		}
		var mu sync.Mutex
		now, most := 0, 0
		r.trouble = func(_ context.Context, call string) error {
			if strings.HasPrefix(call, "ListRepositoriesInDomain") {
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				defer func() {
					mu.Lock()
					now--
					mu.Unlock()
				}()
			}
			if strings.HasPrefix(call, "ListRepositories") {
				time.Sleep(time.Second)
			}
			return nil
		}
		start := time.Now()
		ObserveAll(t.Context(), r, scope, nil)
		if took := time.Since(start); took != 2*time.Second || most != listers {
			t.Errorf("%d lists of a second took %v, at most %d at once; want 2s, and %d", 2*listers+1, took, most, listers)
		}
	})
}

func TestWhatIsCutOffIsSaidToBeSo(t *testing.T) {
	t.Run("before a list was read", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		r := filled()
		r.trouble = func(context.Context, string) error { return errors.New("connection reset") } // whatever the client makes of it
		want := seen{Unread: []string{owner + ":domain/* deadline", owner + ":repository/* deadline"}}
		if diff := cmp.Diff(want, summed(ObserveAll(ctx, r, scope, nil))); diff != "" {
			t.Errorf("observation (-want +got):\n%s", diff)
		}
	})
	t.Run("before a repository was described", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		r := filled()
		var lists sync.WaitGroup
		lists.Add(3)
		r.trouble = func(_ context.Context, call string) error {
			if strings.HasPrefix(call, "ListRepositories") {
				lists.Done()
				lists.Wait() // for all of them
				stop()
			}
			return nil
		}
		o := ObserveAll(ctx, r, scope, nil)
		want := seen{
			Unread:  []string{owner + ":domain/corp deadline", owner + ":domain/lab deadline", partner + ":domain/corp deadline"},
			Partial: []string{owner + "/corp", owner + "/lab", partner + "/corp"},
		}
		if diff := cmp.Diff(want, summed(o)); diff != "" {
			t.Errorf("observation (-want +got):\n%s", diff)
		}
		if !slices.ContainsFunc(o.Unread, func(u Unread) bool {
			return strings.HasPrefix(u.Reason, "2 repositories of domain corp were not looked at")
		}) {
			t.Errorf("unread: %+v", o.Unread)
		}
	})
	t.Run("before a domain was listed", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		r := filled()
		r.trouble = func(_ context.Context, call string) error {
			if call == "ListDomains" {
				stop()
			}
			return nil
		}
		r.administered = []types.RepositorySummary{}
		o := ObserveAll(ctx, r, scope, nil)
		want := seen{
			Unread:  []string{owner + ":domain/corp deadline", owner + ":domain/lab deadline"},
			Partial: []string{owner + "/corp", owner + "/lab"},
		}
		if diff := cmp.Diff(want, summed(o)); diff != "" {
			t.Errorf("observation (-want +got):\n%s", diff)
		}
		for _, u := range o.Unread {
			if !strings.Contains(u.Reason, "were not looked at") {
				t.Errorf("unread: %+v", u)
			}
		}
	})
	t.Run("while a repository was described", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		r := filled()
		r.trouble = func(_ context.Context, call string) error {
			if strings.HasPrefix(call, "DescribeRepository") {
				stop()
				return &smithy.GenericAPIError{Code: "InternalServerException", Message: "oops"}
			}
			return nil
		}
		o := ObserveOne(ctx, r, scope, name("app"))
		if diff := cmp.Diff(seen{Unread: []string{owner + ":repository/corp/app deadline"}}, summed(o)); diff != "" {
			t.Errorf("observation (-want +got):\n%s", diff)
		}
	})
}

// A sweep looks at what the account owns or administers. What an event names beside
// that is nothing to act on, and where AWS does not say whose it is, that is not known.
func TestOnlyWhatIsOursIsJudged(t *testing.T) {
	const other = "777788889999"
	for _, row := range []struct{ name, owner, administrator, want string }{
		{"in our domain, and ours", owner, owner, "violation"},
		{"in our domain, administered elsewhere", owner, other, "violation"},
		{"in our domain, administered by nobody knows whom", owner, "", "violation"},
		{"elsewhere, and ours", other, owner, "violation"},
		{"elsewhere, and theirs", other, other, ""},
		{"elsewhere, and a third account's", other, "444455556666", ""},
		{"elsewhere, and nobody knows whose", other, "", "undetermined"},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := Name{Owner: row.owner, Domain: "corp", Repo: "app"}
			one := Observation{Scope: scope, Connected: []Repository{{Name: n, ARN: n.ARN(scope.Region), Administrator: row.administrator, Connections: []string{"public:npmjs"}}}}
			plan := Decide(one.Ours(), rules(t), noon)
			got, actions := "", 0
			for _, f := range plan.Findings {
				got += string(f.Verdict)
			}
			if row.want == "violation" {
				actions = 1
			}
			if got != row.want || len(plan.Actions) != actions {
				t.Errorf("%q and %d actions, want %q and %d", got, len(plan.Actions), row.want, actions)
			}
			if len(one.Connected) != 1 || len(one.Unread) != 0 {
				t.Errorf("the observation itself was changed: %+v", one)
			}
		})
	}
}

// The second reading of one repository never answers.
func TestASecondReadingWithoutAnAnswerIsUndetermined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := filled()
		o := ObserveAll(t.Context(), r, scope, nil)
		r.trouble = func(ctx context.Context, call string) error {
			if call == "DescribeRepository "+owner+"/corp/app" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		plan := Decide(o, rules(t), noon)
		a := &actor{read: r, write: r, scope: scope, policy: rules(t), clock: &awsio.Clock{}}
		outcomes := control.Apply(t.Context(), t.Context(), plan.Actions, a, forgetful{})
		var got []string
		for _, o := range outcomes {
			got = append(got, fmt.Sprintf("%s %s %s", o.Call.Input.(map[string]string)["repository"], o.Status, o.Code))
		}
		if diff := cmp.Diff([]string{"app withheld undetermined", "tool applied verified", "ours applied verified"}, got); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		s := control.NewSummary(Control, scope, control.Enforce, "hash")
		s.Add(plan, len(o.Unread) == 0, control.Gated{}, outcomes)
		if s.Complete {
			t.Error("the run is said to be complete")
		}
	})
}
