package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"portcullis/shared/localaws"
)

// latency is what every answer waits, as one of CodeArtifact's does.
const latency = 20 * time.Millisecond

// sweepRate holds a sweep with the cap lifted against a plain client that makes the
// same requests with as many workers.
func sweepRate(b *bench) ([]line, error) {
	const workers = 64 // as awsio has it
	s, err := b.newStage()
	if err != nil {
		return nil, err
	}
	defer s.world.Close()
	domains, size := 10, b.size(1000, 10)
	requests := 1 + domains*pages(size) + pages(domains*size) + domains*size
	for i := range domains {
		s.fill(home, fmt.Sprintf("domain-%d", i), size, false)
	}
	ours, err := s.deploy(connections, "monitor", 1)
	if err != nil {
		return nil, err
	}
	theirs, err := s.deploy(peer, "", 1)
	if err != nil {
		return nil, err
	}
	if _, err := s.sweepAll(ours, domains*size); err != nil {
		return nil, err
	}
	if err := s.teach(theirs); err != nil {
		return nil, err
	}
	s.world.CountOnly(true)
	s.world.SetLatency(latency)
	var times [2][]time.Duration
	for range b.size(5, 1) {
		err := shuffled(2, func(i int) error {
			before := s.asked()
			var took time.Duration
			var err error
			if i == 0 {
				took, err = s.sweepAll(ours, domains*size)
			} else {
				_, took, err = s.invoke(theirs, fmt.Sprintf(`{"workers":%d}`, workers))
			}
			if asked := s.asked() - before; err == nil && asked != requests {
				err = fmt.Errorf("there were %d requests, not %d", asked, requests)
			}
			times[i] = append(times[i], took)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	us, them := median(times[0]), median(times[1])
	rate := func(d time.Duration) float64 { return float64(domains*size) / d.Seconds() }
	return []line{atLeast(fmt.Sprintf("sweep of %d repositories, %v, %d workers", domains*size, latency, workers), ratio(them, us), 0.95, " x net/http",
		fmt.Sprintf("%.0f of %.0f a second", rate(us), rate(them)))}, nil
}

// asked counts the requests to CodeArtifact so far that were not refused.
func (s *stage) asked() int { return s.tally(http.StatusOK) }

// tally counts the requests to CodeArtifact so far that had this answer.
func (s *stage) tally(status int) int {
	n := 0
	for kind, count := range s.world.Counts() {
		if kind.Service == "codeartifact" && kind.Status == status {
			n += count
		}
	}
	return n
}

// pace has sweeps meet a limit: one of the server that nobody told them, and their
// own cap. All run at the same time, each against an AWS of its own, because most of
// the time they wait.
func pace(b *bench) ([]line, error) {
	const (
		perSecond, burst = 200, 200 // of the server
		limit            = 80       // of the deployment
	)
	few, err := b.withWorkers(16)
	if err != nil {
		return nil, err
	}
	cases := []struct {
		workers  int
		function string
		tenant   bool
		capped   bool
	}{{16, few, false, false}, {64, connections, false, false}, {16, few, true, false}, {64, connections, true, false}, {64, connections, false, true}}
	lines := make([][]line, len(cases))
	errs := make([]error, len(cases))
	var wait sync.WaitGroup
	for i, c := range cases {
		wait.Go(func() {
			if c.capped {
				lines[i], errs[i] = b.capped(limit)
			} else {
				lines[i], errs[i] = b.throttled(c.workers, c.function, c.tenant, perSecond, burst)
			}
		})
	}
	wait.Wait()
	var all []line
	for i := range cases {
		if errs[i] != nil {
			return nil, errs[i]
		}
		all = append(all, lines[i]...)
	}
	return all, nil
}

// throttled sweeps with the cap lifted where the server takes so much in a second,
// and another tenant of the account perhaps takes half of it. The ideal time is that
// in which the server takes all that it took while it takes as much as it can: what
// it saved up before, and then so much a second.
func (b *bench) throttled(workers int, function string, shared bool, perSecond, burst int) ([]line, error) {
	s, err := b.newStage()
	if err != nil {
		return nil, err
	}
	defer s.world.Close()
	size := b.size(10_000, 300)
	name := fmt.Sprintf("server takes %d a second, %d workers, %s", perSecond, workers, choice(shared, "another tenant takes half", "alone"))
	s.fill(home, "corp", size, false)
	f, err := s.deploy(function, "monitor", 1)
	if err != nil {
		return nil, err
	}
	if err := s.start(f); err != nil {
		return nil, err
	}
	s.world.SetLatency(latency)
	s.world.SetThrottle(localaws.Rate{PerSecond: float64(perSecond), Burst: float64(burst)}, localaws.Rate{})
	stop := func() {}
	if shared {
		stop = s.tenant(float64(perSecond) / 2)
	}
	before := s.asked()
	took, err := s.sweepAll(f, size)
	all := s.asked() - before
	stop()
	if err != nil {
		return nil, err
	}
	ideal := float64(all-burst) / float64(perSecond)
	return []line{atMost(name, took.Seconds()/ideal, 1.05, " x ideal",
		fmt.Sprintf("%.2f of %.2f s, %d of %d looked at, %d refused", took.Seconds(), ideal, size, size, s.tally(http.StatusTooManyRequests)))}, nil
}

// tenant is somebody else in the account who asks so often in a second, and does not
// care what becomes of it.
func (s *stage) tenant(perSecond float64) (stop func()) {
	credentials := s.world.Account(home)
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.world.URL()+"/v1/repository?domain=corp&repository=repository-000000", nil)
	if err != nil {
		panic(err) // the address is the World's own
	}
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/20261120/%s/codeartifact/aws4_request, SignedHeaders=host, Signature=none", credentials.AccessKeyID, region))
	req.Header.Set("X-Amz-Security-Token", credentials.SessionToken)
	var stopped atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		for !stopped.Load() && s.ctx.Err() == nil {
			time.Sleep(time.Duration(rand.Float64() * 2 / perSecond * float64(time.Second))) //nolint:gosec // G404: a delay is no secret
			wait.Go(func() {
				if resp, err := http.DefaultClient.Do(req.Clone(s.ctx)); err == nil {
					_ = resp.Body.Close()
				}
			})
		}
	})
	return func() { stopped.Store(true); wait.Wait() }
}

// capped sweeps at the default cap where the server takes what CodeArtifact does.
func (b *bench) capped(limit int) ([]line, error) {
	s, err := b.newStage()
	if err != nil {
		return nil, err
	}
	defer s.world.Close()
	size := b.size(1500, 100)
	s.fill(home, "corp", size, false)
	f, err := s.deploy(connections, "monitor", 1, "READS_PER_SECOND", "", "WRITES_PER_SECOND", "")
	if err != nil {
		return nil, err
	}
	if err := s.start(f); err != nil {
		return nil, err
	}
	s.world.SetLatency(latency)
	s.world.SetThrottle(quota())
	took, err := s.sweepAll(f, size)
	if err != nil {
		return nil, err
	}
	share := float64(s.asked()) / took.Seconds() / float64(limit)
	l := atLeast("default cap", share, 0.95, " x cap", fmt.Sprintf("%.1f of %d a second", share*float64(limit), limit))
	l.target, l.short = "0.95 to 1 x cap", l.short || share > 1
	return []line{l, exactly("throttled at the default cap", s.tally(http.StatusTooManyRequests), 0, "")}, nil
}

// quota is what CodeArtifact takes from an account by default, in reads and writes:
// https://docs.aws.amazon.com/codeartifact/latest/ug/service-limits.html
func quota() (reads, writes localaws.Rate) {
	return localaws.Rate{PerSecond: 800, Burst: 800}, localaws.Rate{PerSecond: 100, Burst: 100}
}

// memory compares the most memory that a sweep of many repositories takes with that
// of one of few. Each has a process of its own. In half of the cases every
// repository draws from another, which a sweep has to keep in mind to its end.
func memory(b *bench) ([]line, error) {
	few, many := 1000, b.size(100_000, 3000)
	var lines []line
	for _, upstreams := range []bool{false, true} {
		var peaks [2]float64
		for i, size := range []int{few, many} {
			var seen []float64
			for range b.size([]int{5, 1}[i], 1) {
				peak, err := b.peak(size, upstreams)
				if err != nil {
					return nil, err
				}
				seen = append(seen, peak)
			}
			peaks[i] = median(seen)
		}
		name := map[bool]string{false: "none has an upstream", true: "each has an upstream"}[upstreams]
		lines = append(lines, atMost(fmt.Sprintf("peak memory, %d repositories, %s", many, name), peaks[1]/peaks[0], 1.5, fmt.Sprintf(" x that of %d", few),
			fmt.Sprintf("%.1f of %.1f MB", peaks[1], peaks[0])))
	}
	return lines, nil
}

func (b *bench) peak(size int, upstreams bool) (megabytes float64, err error) {
	s, err := b.newStage()
	if err != nil {
		return 0, err
	}
	defer s.world.Close()
	s.world.CountOnly(true)
	for i := range size / 1000 {
		s.fill(home, fmt.Sprintf("domain-%03d", i), 1000, upstreams)
	}
	f, err := s.deploy(connections, "monitor", 1)
	if err != nil {
		return 0, err
	}
	_, err = s.sweepAll(f, size)
	return float64(f.PeakMemory()) / 1e6, err
}
