package externalconn

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/control"
)

// shifting is a registry in which repositories come and go between two pages of a
// list, so that the list names some of them twice, and others not at all.
type shifting struct {
	*registry
	rand  *rand.Rand
	named map[string]bool // by any page
	fresh int
}

func (s *shifting) ListRepositoriesInDomain(ctx context.Context, in *codeartifact.ListRepositoriesInDomainInput, o ...options) (*codeartifact.ListRepositoriesInDomainOutput, error) {
	if s.rand.IntN(2) == 0 {
		s.shift(*in.Domain)
	}
	if at := len(s.in[*in.Domain]); in.NextToken != nil {
		var begin int
		if _, err := fmt.Sscan(*in.NextToken, &begin); err != nil {
			return nil, err
		}
		if begin > at { // the list has become shorter than where this page begins
			return &codeartifact.ListRepositoriesInDomainOutput{Repositories: []types.RepositorySummary{}}, nil
		}
	}
	out, err := s.registry.ListRepositoriesInDomain(ctx, in, o...)
	if err == nil {
		for _, r := range out.Repositories {
			s.named[*r.Name] = true
		}
	}
	return out, err
}

// shift puts a repository anywhere into the list, or takes one away, or makes two
// change places.
func (s *shifting) shift(domain string) {
	list := s.in[domain]
	at := 0
	if len(list) > 0 {
		at = s.rand.IntN(len(list))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.rand.IntN(3) {
	case 0:
		s.fresh++
		name := fmt.Sprintf("new%d", s.fresh)
		s.describe(domain, name)
		s.in[domain] = slices.Insert(list, at, listed(owner, domain, name))
	case 1:
		if len(list) > 0 {
			delete(s.described, owner+"/"+domain+"/"+*list[at].Name)
			s.in[domain] = slices.Delete(list, at, at+1)
		}
	case 2:
		if len(list) > 0 {
			list[0], list[at] = list[at], list[0]
		}
	}
}

// describe makes a repository, connected to something or to nothing.
func (s *shifting) describe(domain, name string) {
	d := &types.RepositoryDescription{Name: &name, DomainName: &domain, DomainOwner: aws.String(owner),
		ExternalConnections: []types.RepositoryExternalConnectionInfo{}, Upstreams: []types.UpstreamRepositoryInfo{}}
	if s.rand.IntN(2) == 0 {
		d.ExternalConnections = append(d.ExternalConnections, types.RepositoryExternalConnectionInfo{ExternalConnectionName: aws.String("public:npmjs")})
	}
	s.described[owner+"/"+domain+"/"+name] = d
}

// What a list names twice is acted on once; what it does not name, because it came,
// went or moved while the pages were read, is not acted on at all.
func TestAListThatChangesWhileItIsReadIsNoReasonToAct(t *testing.T) {
	missed, twice := 0, 0
	for seed := range uint64(10_000) {
		s := &shifting{registry: &registry{in: map[string][]types.RepositorySummary{}, described: map[string]*types.RepositoryDescription{}},
			rand: rand.New(rand.NewPCG(seed, 0)), named: map[string]bool{}}
		s.domain("corp")
		s.page = 1 + s.rand.IntN(3)
		for i := range s.rand.IntN(8) {
			name := fmt.Sprintf("app%d", i)
			s.describe("corp", name)
			s.in["corp"] = append(s.in["corp"], listed(owner, "corp", name))
		}
		s.administered = []types.RepositorySummary{}
		o := ObserveAll(t.Context(), s, control.Scope{Account: owner, Region: "eu-west-1"}, func(string) bool { return false })
		plan := Decide(o, rules(t), noon)
		acted := map[string]bool{}
		for _, a := range plan.Actions {
			d, there := s.described[owner+"/corp/"+nameOf(a)]
			switch {
			case acted[a.Resource]:
				t.Fatalf("seed %d: %s is acted on twice", seed, a.Resource)
			case !s.named[nameOf(a)]:
				t.Fatalf("seed %d: no page named %s", seed, a.Resource)
			case there && len(d.ExternalConnections) == 0:
				t.Fatalf("seed %d: %s has no connection", seed, a.Resource)
			}
			acted[a.Resource] = true
		}
		described := map[string]int{}
		for _, call := range s.calls {
			described[call]++
		}
		for name := range s.described {
			if !s.named[name[len(owner+"/corp/"):]] {
				missed++
			}
			if described["DescribeRepository "+name] > 1 {
				twice++
			}
		}
		if twice > 0 {
			t.Fatalf("seed %d: a repository is described twice", seed)
		}
	}
	if missed == 0 {
		t.Error("no list left anything out: the test proves nothing")
	}
	t.Logf("figure of fault 26: 10,000 lists that changed; their pages left out %d repositories", missed)
}

func nameOf(a control.Action) string {
	in, _ := a.Call.Input.(map[string]string)
	return in["repository"]
}
