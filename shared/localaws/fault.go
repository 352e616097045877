package localaws

import (
	"context"
	"slices"
	"sync"
)

// A Fault makes chosen calls go wrong. Of several that match a call, the first injected one that neither skips it nor is
// used up strikes; the later ones do not see it.
type Fault struct {
	// Service, Operation and Account choose the calls; what is empty matches every call.
	Service, Operation, Account string
	Match                       func(input map[string]any) bool // further choice, if not nil
	Skip                        int                             // let so many matching calls pass first
	Times                       int                             // then strike so often; 0 is for ever
	When                        When                            // default Before
	Kind                        Kind
}

// When says on which side of the operation a fault stands.
type When int

// A fault Before the operation keeps it from running. After it, the effect is there and only the answer is bad.
const (
	Before When = iota
	After
)

// Injected is a fault at work.
type Injected struct {
	fault   Fault
	world   *World
	removed chan struct{} // closed by Remove
	once    sync.Once

	mu          sync.Mutex
	seen, count int
}

// Inject puts a fault to work until it is used up or removed.
func (w *World) Inject(f Fault) *Injected {
	i := &Injected{fault: f, world: w, removed: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(slices.Clone(w.faults), i)
	return i
}

// Remove ends the fault, and lets go of the calls that hang in it.
func (i *Injected) Remove() {
	i.once.Do(func() { close(i.removed) })
	i.world.mu.Lock()
	defer i.world.mu.Unlock()
	i.world.faults = slices.DeleteFunc(slices.Clone(i.world.faults), func(o *Injected) bool { return o == i })
}

// Count says how many calls the fault has struck, those that still hang in it included.
func (i *Injected) Count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.count
}

// faultFor finds the fault that strikes this call, or nil. It runs Match outside the World's lock.
func (w *World) faultFor(c Call) *Injected {
	w.mu.Lock()
	faults := w.faults // copied on write
	w.mu.Unlock()
	for _, i := range faults {
		if i.fault.matches(c) && i.strike() {
			return i
		}
	}
	return nil
}

func (f Fault) matches(c Call) bool {
	return (f.Service == "" || f.Service == c.Service) &&
		(f.Operation == "" || f.Operation == c.Operation) &&
		(f.Account == "" || f.Account == c.Account) &&
		(f.Match == nil || f.Match(c.Input))
}

func (i *Injected) strike() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.seen++
	if i.seen <= i.fault.Skip || i.fault.Times > 0 && i.count >= i.fault.Times {
		return false
	}
	i.count++
	return true
}

// The methods below take a nil fault for none.

// replaces says that the operation does not run.
func (i *Injected) replaces() bool {
	return i != nil && i.fault.When == Before && !i.fault.Kind.passes
}

// pause holds the call on one side of the operation, and says whether its client is still there.
func (i *Injected) pause(ctx context.Context, side When) bool {
	if i == nil || i.fault.When != side || i.fault.Kind.pause == nil {
		return true
	}
	return i.fault.Kind.pause(ctx, i.removed)
}

func (i *Injected) spoil(a *answer) {
	if i != nil && i.fault.Kind.spoil != nil {
		i.fault.Kind.spoil(a)
	}
}
