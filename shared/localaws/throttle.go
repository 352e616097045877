package localaws

import (
	"net/http"
	"sync"
	"time"
)

// A Rate is a token bucket: so many requests a second, and so many at once. Nothing a second means no throttling.
type Rate struct {
	PerSecond, Burst float64
}

// SetThrottle throttles reads and writes, each per account, Region and service, in real time: 429 ThrottlingException
// with Retry-After 1, or 400 in [JSON10] and [Query]. All buckets start full. AWS's own quotas for CodeArtifact are 800 reads and 100 writes a second:
// https://docs.aws.amazon.com/codeartifact/latest/ug/service-limits.html
func (w *World) SetThrottle(read, write Rate) {
	w.throttle.mu.Lock()
	defer w.throttle.mu.Unlock()
	w.throttle.read, w.throttle.write = read, write
	w.throttle.buckets = map[bucketKey]*bucket{}
}

type throttle struct {
	mu          sync.Mutex
	read, write Rate
	buckets     map[bucketKey]*bucket
}

type bucketKey struct {
	account, region, service string
	write                    bool
}

type bucket struct {
	tokens float64
	filled time.Time
}

func (t *throttle) take(c Call, p Protocol) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	rate := t.read
	if c.Write {
		rate = t.write
	}
	if rate.PerSecond <= 0 {
		return nil
	}
	now := time.Now()
	key := bucketKey{c.Account, c.Region, c.Service, c.Write}
	b := t.buckets[key]
	if b == nil {
		b = &bucket{rate.Burst, now}
		t.buckets[key] = b
	}
	b.tokens = min(rate.Burst, b.tokens+now.Sub(b.filled).Seconds()*rate.PerSecond)
	b.filled = now
	if b.tokens < 1 {
		return &Error{Status: p.clientError(http.StatusTooManyRequests), Code: p.code("ThrottlingException", "Throttling"), Message: "Rate exceeded"}
	}
	b.tokens--
	return nil
}
