package externalconn

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/control"
)

// estateOf is an account of many repositories. The first of each domain has an
// external connection, and all others draw from it and from the one before them,
// so that everything is downstream. It makes its answers anew for each call, as
// the SDK does.
type estateOf struct {
	domains, each int
	latency       time.Duration
}

func (e estateOf) ListDomains(context.Context, *codeartifact.ListDomainsInput, ...options) (*codeartifact.ListDomainsOutput, error) {
	out := &codeartifact.ListDomainsOutput{Domains: []types.DomainSummary{}}
	for i := range e.domains {
		out.Domains = append(out.Domains, types.DomainSummary{Name: aws.String(fmt.Sprintf("domain-%03d", i)), Owner: aws.String(owner), Status: types.DomainStatusActive})
	}
	return out, nil
}

func (e estateOf) ListRepositories(_ context.Context, in *codeartifact.ListRepositoriesInput, _ ...options) (*codeartifact.ListRepositoriesOutput, error) {
	page, next := e.page(in.NextToken, e.domains*e.each)
	return &codeartifact.ListRepositoriesOutput{Repositories: page, NextToken: next}, nil
}

func (e estateOf) ListRepositoriesInDomain(_ context.Context, in *codeartifact.ListRepositoriesInDomainInput, _ ...options) (*codeartifact.ListRepositoriesInDomainOutput, error) {
	page, next := e.page(in.NextToken, e.each)
	for i := range page {
		page[i].DomainName = aws.String(*in.Domain)
	}
	return &codeartifact.ListRepositoriesInDomainOutput{Repositories: page, NextToken: next}, nil
}

func (e estateOf) page(token *string, of int) ([]types.RepositorySummary, *string) {
	from, _ := strconv.Atoi(aws.ToString(token))
	page := []types.RepositorySummary{}
	for i := from; i < min(of, from+1000); i++ {
		n := Name{owner, fmt.Sprintf("domain-%03d", i/e.each), repoName(i % e.each)}
		page = append(page, types.RepositorySummary{
			Name: aws.String(n.Repo), DomainName: aws.String(n.Domain), DomainOwner: aws.String(n.Owner), AdministratorAccount: aws.String(owner),
			Arn: aws.String(n.ARN("eu-west-1")), Description: aws.String("the packages of team " + n.Repo), CreatedTime: aws.Time(noon),
		})
	}
	if from+1000 < of {
		return page, aws.String(strconv.Itoa(from + 1000))
	}
	return page, nil
}

func repoName(i int) string { return fmt.Sprintf("team-%06d-packages", i) }

func (e estateOf) DescribeRepository(_ context.Context, in *codeartifact.DescribeRepositoryInput, _ ...options) (*codeartifact.DescribeRepositoryOutput, error) {
	time.Sleep(e.latency)
	var i int
	if _, err := fmt.Sscanf(*in.Repository, "team-%d-packages", &i); err != nil {
		return nil, err
	}
	d := &types.RepositoryDescription{
		Name: aws.String(*in.Repository), DomainName: aws.String(*in.Domain), DomainOwner: aws.String(*in.DomainOwner),
		ExternalConnections: []types.RepositoryExternalConnectionInfo{}, Upstreams: []types.UpstreamRepositoryInfo{},
	}
	if i == 0 {
		d.ExternalConnections = append(d.ExternalConnections, types.RepositoryExternalConnectionInfo{ExternalConnectionName: aws.String("public:npmjs")})
	} else {
		d.Upstreams = append(d.Upstreams, types.UpstreamRepositoryInfo{RepositoryName: aws.String(repoName(0))}, types.UpstreamRepositoryInfo{RepositoryName: aws.String(repoName(i - 1))})
	}
	return &codeartifact.DescribeRepositoryOutput{Repository: d}, nil
}

// memory is what a sweep of an estate needs, in bytes.
type memory struct {
	peak uint64 // of the heap's pages in use, above what was there before
	held uint64 // live when it has decided
}

func sweep(t *testing.T, e estateOf) memory {
	t.Helper()
	var before, now runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)

	done, sampled := make(chan struct{}), make(chan uint64)
	go func() {
		var s runtime.MemStats
		peak := uint64(0)
		for {
			select {
			case <-done:
				sampled <- peak
				return
			case <-time.After(2 * time.Millisecond):
				runtime.ReadMemStats(&s)
				peak = max(peak, s.HeapInuse+s.StackInuse)
			}
		}
	}()
	o := ObserveAll(t.Context(), e, scope, nil)
	plan := Decide(o, rules(t), noon)
	close(done)
	peak := <-sampled
	runtime.GC()
	runtime.ReadMemStats(&now)

	if plan.Looked != e.domains*e.each || len(o.Connected) != e.domains || len(o.Unread) != 0 {
		t.Fatalf("looked at %d, %d connected, unread %v; want %d, %d", plan.Looked, len(o.Connected), o.Unread, e.domains*e.each, e.domains)
	}
	for _, f := range plan.Findings {
		if d, ok := f.Details.(details); !ok || f.Verdict != control.Violation || d.DownstreamCount != e.each-1 || d.DownstreamKnown != "all" {
			t.Fatalf("finding %+v", f)
		}
	}
	runtime.KeepAlive(o)
	runtime.KeepAlive(plan)
	return memory{peak, now.HeapAlloc - min(before.HeapAlloc, now.HeapAlloc)}
}

// A hundred thousand repositories take a few bytes each, and hardly more while
// they are read. The targets for the whole process are in docs/performance.md; here
// are bounds that nothing but a slice of everything breaks.
func TestMemoryHardlyGrowsWithTheNumberOfRepositories(t *testing.T) {
	few := sweep(t, estateOf{1, 1000, 0})
	t.Logf("1,000 repositories: peak %.1f MB, held %.2f MB", float64(few.peak)/1e6, float64(few.held)/1e6)
	for _, e := range []estateOf{{100, 1000, 0}, {10, 10000, 0}} {
		many := sweep(t, e)
		t.Logf("%d domains of %d: peak %.1f MB, held %.2f MB", e.domains, e.each, float64(many.peak)/1e6, float64(many.held)/1e6)
		if most := few.held + 50*100_000; many.held > most {
			t.Errorf("%d domains of %d: %d bytes are held, want at most %d: 50 for each repository", e.domains, e.each, many.held, most)
		}
	}
}
