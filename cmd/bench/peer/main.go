// Command peer is a Lambda function that makes the requests of external-connections
// with net/http and nothing more: it signs nothing, decides nothing, tries nothing
// again and reports nothing of its own. The time that it takes is what the real
// function's is held against.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"
)

// payload asks for one of three things: to remember the reports that the real
// function sends, to do what it does for an event, or to sweep.
type payload struct {
	Reports []json.RawMessage `json:"reports"` // bodies of PutEvents
	Workers int               `json:"workers"` // in a sweep
	Detail  struct {
		RequestParameters struct{ Domain, DomainOwner, Repository, ExternalConnection string }
	} `json:"detail"` // of an event
}

type handler struct {
	client            *http.Client
	endpoint          string
	artifacts, events string // Authorization headers
	security, region  string
	reports           []json.RawMessage
}

func main() {
	workers := 64
	h := &handler{
		client:   &http.Client{Transport: &http.Transport{MaxIdleConns: 2 * workers, MaxIdleConnsPerHost: workers}},
		endpoint: os.Getenv("AWS_ENDPOINT_URL"), security: os.Getenv("AWS_SESSION_TOKEN"), region: os.Getenv("AWS_REGION"),
	}
	h.artifacts, h.events = h.authorization("codeartifact"), h.authorization("events")
	lambda.Start(h)
}

// authorization is one signature for every request; the local AWS looks at no more
// than the key.
func (h *handler) authorization(service string) string {
	return fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/20261120/%s/%s/aws4_request, SignedHeaders=host, Signature=none",
		os.Getenv("AWS_ACCESS_KEY_ID"), h.region, service)
}

func (h *handler) Invoke(ctx context.Context, body []byte) ([]byte, error) {
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, err
	}
	switch {
	case p.Reports != nil:
		h.reports = p.Reports
		return []byte("{}"), nil
	case p.Workers > 0:
		return []byte("{}"), h.sweep(ctx, p.Workers)
	default:
		return []byte("{}"), h.event(ctx, p)
	}
}

// event looks at the repository, looks again, takes the connection off, looks once
// more and reports.
func (h *handler) event(ctx context.Context, p payload) error {
	r := p.Detail.RequestParameters
	name := repository{DomainOwner: r.DomainOwner, DomainName: r.Domain, Name: r.Repository}
	for range 2 {
		if err := h.describe(ctx, name); err != nil {
			return err
		}
	}
	q := name.query()
	q.Set("external-connection", r.ExternalConnection)
	if err := h.call(ctx, h.artifacts, http.MethodDelete, "/v1/repository/external-connection?"+q.Encode(), nil, &description{}); err != nil {
		return err
	}
	if err := h.describe(ctx, name); err != nil {
		return err
	}
	for _, report := range h.reports {
		var out struct{ FailedEntryCount int }
		if err := h.call(ctx, h.events, http.MethodPost, "/", report, &out); err != nil {
			return err
		}
	}
	return nil
}

type repository struct{ DomainOwner, DomainName, Name string }

func (r repository) query() url.Values {
	return url.Values{"domain": {r.DomainName}, "domain-owner": {r.DomainOwner}, "repository": {r.Name}}
}

type description struct {
	Repository struct {
		repository
		ExternalConnections []struct{ ExternalConnectionName string }
		Upstreams           []struct{ RepositoryName string }
	}
}

func (h *handler) describe(ctx context.Context, r repository) error {
	var out description
	if err := h.call(ctx, h.artifacts, http.MethodGet, "/v1/repository?"+r.query().Encode(), nil, &out); err != nil {
		return err
	}
	if out.Repository.Name != r.Name {
		return fmt.Errorf("asked for %s, got %s", r.Name, out.Repository.Name)
	}
	return nil
}

// sweep lists what external-connections lists, and describes every repository.
func (h *handler) sweep(ctx context.Context, workers int) error {
	var domains []struct{ Owner, Name string }
	for token := ""; ; {
		var out struct {
			Domains   []struct{ Owner, Name string }
			NextToken string
		}
		in, _ := json.Marshal(map[string]any{"maxResults": 1000, "nextToken": token}) // strings and numbers always encode
		if token == "" {
			in = []byte(`{"maxResults":1000}`)
		}
		if err := h.call(ctx, h.artifacts, http.MethodPost, "/v1/domains", in, &out); err != nil {
			return err
		}
		domains = append(domains, out.Domains...)
		if token = out.NextToken; token == "" {
			break
		}
	}

	lists := make([][]repository, len(domains)+1)
	errs := make([]error, len(domains)+1)
	var wait sync.WaitGroup
	wait.Go(func() { _, errs[len(domains)] = h.list(ctx, "/v1/repositories", url.Values{}) })
	for i, d := range domains {
		wait.Go(func() {
			lists[i], errs[i] = h.list(ctx, "/v1/domain/repositories", url.Values{"domain": {d.Name}, "domain-owner": {d.Owner}})
		})
	}
	wait.Wait()

	work := make(chan repository)
	failed := make(chan error, workers)
	var pool sync.WaitGroup
	for range workers {
		pool.Go(func() {
			for r := range work {
				if err := h.describe(ctx, r); err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			}
		})
	}
	for _, list := range lists {
		for _, r := range list {
			work <- r
		}
	}
	close(work)
	pool.Wait()
	close(failed)
	for _, err := range append(errs, <-failed) {
		if err != nil {
			return err
		}
	}
	for _, report := range h.reports {
		var out struct{ FailedEntryCount int }
		if err := h.call(ctx, h.events, http.MethodPost, "/", report, &out); err != nil {
			return err
		}
	}
	return nil
}

func (h *handler) list(ctx context.Context, path string, q url.Values) ([]repository, error) {
	q.Set("max-results", "1000")
	var all []repository
	for {
		var out struct {
			Repositories []repository
			NextToken    string
		}
		if err := h.call(ctx, h.artifacts, http.MethodPost, path+"?"+q.Encode(), nil, &out); err != nil {
			return nil, err
		}
		all = append(all, out.Repositories...)
		if out.NextToken == "" {
			return all, nil
		}
		q.Set("next-token", out.NextToken)
	}
}

func (h *handler) call(ctx context.Context, authorization, method, path string, in []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, h.endpoint+path, bytes.NewReader(in))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", authorization)
	req.Header.Set("X-Amz-Security-Token", h.security)
	if authorization == h.events {
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		req.Header.Set("X-Amz-Target", "AWSEvents.PutEvents")
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, body)
	}
	return json.Unmarshal(body, out)
}
