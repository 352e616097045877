package codeartifact_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
)

// BenchmarkSweep describes 10,000 repositories by 64 clients on one connection each. What it takes is the SDK's and the
// World's together.
func BenchmarkSweep(b *testing.B) {
	w, err := localaws.New(start())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.Close)
	s := codeartifact.New(w)
	s.SetQuotas(codeartifact.Quotas{Domains: 10, RepositoriesPerDomain: 1000, UpstreamsPerRepository: 10})
	var inputs []*sdk.DescribeRepositoryInput
	for d := range 10 {
		name := fmt.Sprintf("domain-%d", d)
		domain := s.AddDomain(owner, region, name)
		for r := range 1000 {
			repository := fmt.Sprintf("repository-%03d", r)
			domain.AddRepository(repository)
			inputs = append(inputs, &sdk.DescribeRepositoryInput{
				Domain: aws.String(name), DomainOwner: aws.String(owner), Repository: aws.String(repository)})
		}
	}
	w.CountOnly(true)
	const clients = 64
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	c := client(w, owner, func(o *sdk.Options) { o.HTTPClient = &http.Client{Transport: transport} })
	b.ReportAllocs()
	for b.Loop() {
		work := make(chan *sdk.DescribeRepositoryInput)
		var group sync.WaitGroup
		for range clients {
			group.Go(func() {
				for in := range work {
					if _, err := c.DescribeRepository(context.Background(), in); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		for _, in := range inputs {
			work <- in
		}
		close(work)
		group.Wait()
	}
	b.ReportMetric(float64(b.N*len(inputs))/b.Elapsed().Seconds(), "calls/s")
}
