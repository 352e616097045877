package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/logs"
	"portcullis/shared/localaws/organizations"
	"portcullis/shared/localaws/sts"
)

// burst sends a function very many events at once, each of them several times, as
// EventBridge may. It runs at the default caps, in so many environments that they
// stay within CodeArtifact's quota together. Nothing may be lost: no event ends
// in the failure queue, no repository keeps its connection, and each is written, and
// reported to be, exactly once.
func burst(b *bench) ([]line, error) {
	const environments, deliveries = 8, 5
	events := b.size(15_000, 150)
	s, err := b.newStage()
	if err != nil {
		return nil, err
	}
	defer s.world.Close()
	s.world.CountOnly(true)
	corp := s.artifacts.AddDomain(home, region, "corp")
	number := events / deliveries
	var payloads []string
	for i := range number {
		name := fmt.Sprintf("repository-%06d", i)
		corp.AddRepository(name).Connect("public:npmjs")
		for range deliveries {
			payloads = append(payloads, association(i, home, "corp", name, "public:npmjs"))
		}
	}
	rand.Shuffle(len(payloads), func(i, j int) { payloads[i], payloads[j] = payloads[j], payloads[i] }) //nolint:gosec // G404: an order is no secret

	var mu sync.Mutex
	effective, without := map[any]int{}, 0
	s.world.OnCall(func(c localaws.Call) {
		if c.Operation != "DisassociateExternalConnection" || !c.Executed {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if c.Changed {
			effective[c.Input["repository"]]++
		} else {
			without++
		}
	})
	f, err := s.deploy(connections, "enforce", environments, "READS_PER_SECOND", "", "WRITES_PER_SECOND", "")
	if err != nil {
		return nil, err
	}
	began := time.Now()
	var pending []<-chan struct{}
	for _, payload := range payloads {
		pending = append(pending, f.InvokeAsync([]byte(payload)))
	}
	if err := s.all(pending); err != nil {
		return nil, err
	}
	took := time.Since(began)

	once, open := 0, 0
	for _, name := range corp.Repositories() {
		if effective[name] == 1 {
			once++
		}
		open += len(corp.Repository(name).Connections())
	}
	applied := map[string]int{}
	told := 0
	for _, e := range s.events.Events(home, region, bus) {
		var outcome struct{ Resource, Status string }
		if e.DetailType == "Run Summary" {
			told++
		}
		if err := json.Unmarshal(e.Detail, &outcome); err == nil && e.DetailType == "Action Outcome" && outcome.Status == "applied" {
			applied[outcome.Resource]++
		}
	}
	reported := 0
	for _, n := range applied {
		if n == 1 {
			reported++
		}
	}
	return []line{
		exactly("events lost of a burst", len(f.Failures())+open, 0,
			fmt.Sprintf("%d events in %.0f s, %d environments", len(payloads), took.Seconds(), environments)),
		exactly("events of the burst told of", told, len(payloads), ""),
		exactly("resources of the burst written exactly once", once, number, fmt.Sprintf("%d more writes found nothing to do", without)),
		exactly("resources of the burst reported as written exactly once", reported, number, ""),
	}, nil
}

// all waits until everything is done.
func (s *stage) all(pending []<-chan struct{}) error {
	for _, done := range pending {
		select {
		case <-done:
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
	return nil
}

// organization has a hub sweep many accounts: the planner lists them and asks for a
// sweep of each, the bus hands the requests over, and the function enters each
// account by its role. It runs at the default cap, which each account has for
// itself, so that one sweep can be no faster than its calls at the cap, and the
// round no faster than all of them divided by those that run side by side. That is
// the ideal time. Everything else is on top: to start, to ask for the accounts, to
// assume a role for each, to report, and to wait at the end for the last one.
func organization(b *bench) ([]line, error) {
	const (
		concurrency = 10
		limit       = 80
		external    = "the-external-id"
	)
	members, size := b.size(200, 6), b.size(100, 4)
	s, err := b.newStage()
	if err != nil {
		return nil, err
	}
	defer s.world.Close()
	s.world.CountOnly(true)
	roles := sts.New(s.world)
	org := organizations.New(s.world).AddOrganization("o-a1b2c3d4e5", home)
	log := logs.New(s.world).AddGroup(home, region, "/portcullis/events")
	hub := s.world.Role(home, "portcullis-"+connections)
	for i := range members {
		account := home
		if i > 0 {
			account = fmt.Sprintf("2222%08d", i)
			org.Set(organizations.Account{ID: account})
			roles.Trust(s.world.Role(account, "portcullis-read"), sts.Trust{Principals: []string{hub.ARN()}, ExternalID: external})
		}
		s.fill(account, "corp", size, false)
	}
	environment := []string{
		"ORGANIZATION_ID", "o-a1b2c3d4e5", "MEMBER_ROLES", "portcullis", "EXTERNAL_ID", external,
		"READS_PER_SECOND", "", "WRITES_PER_SECOND", "",
	}
	plans, err := s.deployAs("portcullis-"+planner, planner, "monitor", 1, environment...)
	if err != nil {
		return nil, err
	}
	sweeps, err := s.deployAs("portcullis-"+connections, connections, "monitor", concurrency, environment...)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var pending []<-chan struct{}
	for _, rule := range []eventbridge.Rule{
		{Name: "Log", Pattern: []byte(`{"source":["portcullis"]}`), Target: log.Take},
		{Name: "Sweep", Pattern: []byte(`{"source":["portcullis"],"detail-type":["Sweep Requested"],"detail":{"control":["` + connections + `"]}}`), Target: func(event []byte) {
			mu.Lock()
			defer mu.Unlock()
			pending = append(pending, sweeps.InvokeAsync(event))
		}},
	} {
		if err := s.events.AddRule(home, region, bus, rule); err != nil {
			return nil, err
		}
	}
	s.world.SetLatency(latency)
	s.world.SetThrottle(quota())

	began := time.Now()
	if _, err := plans.Invoke(s.ctx, []byte(`{"source":"portcullis","detail-type":"Round Requested","detail":{"by":"schedule"}}`)); err != nil {
		return nil, fmt.Errorf("planning: %w\n%s", err, lastOf(plans.Logs()))
	}
	s.events.Idle()
	if err := s.all(pending); err != nil {
		return nil, err
	}
	took := time.Since(began)

	complete, looked := 0, 0
	for _, e := range s.events.Events(home, region, bus) {
		var out summary
		if e.DetailType == "Run Summary" && json.Unmarshal(e.Detail, &out) == nil && out.Complete {
			complete++
			looked += out.Looked
		}
	}
	if complete != members || looked != members*size || len(sweeps.Failures()) > 0 {
		return nil, fmt.Errorf("%d of %d accounts were swept, %d of %d repositories, %d events failed\n%s",
			complete, members, looked, members*size, len(sweeps.Failures()), lastOf(sweeps.Logs()))
	}
	ideal := float64(s.asked()) / limit / concurrency
	return []line{atMost(fmt.Sprintf("round of %d accounts with %d repositories, %d at a time", members, size, concurrency), took.Seconds()/ideal, 1.2, " x ideal",
		fmt.Sprintf("%.1f of %.1f s, all swept, %d refused", took.Seconds(), ideal, s.tally(http.StatusTooManyRequests)))}, nil
}
