package localaws

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// A Call is one request as it was served. Its Input and Output are shared: do not change them.
type Call struct {
	Time                                time.Time // by the World's clock
	RequestID                           string
	Account, Region, Service, Operation string // empty as far as the request could not be read
	Principal, Session                  string // the ARN of the role that called, and the name of its session; empty for an account
	UserAgent                           string
	Input                               map[string]any // by the names of the API, as decoded JSON
	Write                               bool           // the operation may change something
	// Executed says that the service itself took the request: no throttling, no fault and no unreadable input stood
	// before it. It may still have refused, and its answer may have been lost.
	Executed bool
	Changed  bool // state is different from before
	// Output is what the service answered to a write that it did not refuse, whatever then became of the answer.
	Output json.RawMessage
	// Status and ErrorCode are those of the answer that was to be sent, 0 where none was.
	Status    int
	ErrorCode string
}

// A CallKind is what calls are counted by.
type CallKind struct {
	Account, Principal, Region, Service, Operation string
	Status                                         int
	ErrorCode                                      string
}

// Counts says how many calls there have been of each kind, also while the journal did not keep them.
func (w *World) Counts() map[CallKind]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.counts)
}

// CountOnly has the journal forget its calls and only count them from now on, so that a benchmark with millions of them
// does not grow; with false it keeps them again. Subscribers hear of every call all the same.
func (w *World) CountOnly(yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.countOnly = yes
	if yes {
		w.calls = nil
	}
}

// record writes a call into the journal. It runs under the lock.
func (w *World) record(c Call) {
	w.counts[CallKind{c.Account, c.Principal, c.Region, c.Service, c.Operation, c.Status, c.ErrorCode}]++
	if !w.countOnly {
		w.calls = append(w.calls, c)
	}
}

// Calls returns every request so far that the journal kept, in the order of effects.
func (w *World) Calls() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// Writes returns the writes among Calls that were executed, whatever the service then said to them.
func (w *World) Writes() []Call {
	return slices.DeleteFunc(w.Calls(), func(c Call) bool { return !c.Write || !c.Executed })
}

// OnCall has f called for every request from now on: after its effect, before its answer, and outside the lock, so that
// f may use the World. The client waits for f. Of requests that run at the same time, f may hear in another order than
// Calls has.
func (w *World) OnCall(f func(Call)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subscribers = append(slices.Clone(w.subscribers), f)
}

func (w *World) tell(c Call) {
	w.mu.Lock()
	subscribers := w.subscribers // copied on write
	w.mu.Unlock()
	for _, f := range subscribers {
		f(c)
	}
}

// OnAnswer has f called with every answer that a service itself gives from now on, before any fault spoils it: the call has
// the status and the error code of that answer. It is called as those of [World.OnCall] are, after them.
func (w *World) OnAnswer(f func(c Call, body []byte)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readers = append(slices.Clone(w.readers), f)
}

func (w *World) show(c Call, a *answer) {
	w.mu.Lock()
	readers := w.readers // copied on write
	w.mu.Unlock()
	if a.own.status == 0 {
		return
	}
	c.Status, c.ErrorCode = a.own.status, a.own.code
	for _, f := range readers {
		f(c, a.own.body)
	}
}
