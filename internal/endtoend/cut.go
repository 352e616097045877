package endtoend

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"portcullis/shared/localaws"
)

// CutEverywhere cuts the answers to one operation after every number of bytes in
// turn, for as long as a sweep asks, until the answer arrives whole. Until then
// nothing may be written, and the sweep may not say that it was complete; then
// the named operation must have been called, without which the cuts would prove
// nothing. What prepare sets is not changed by a sweep that writes nothing, so that
// one stage serves for many cuts.
func CutEverywhere(t *testing.T, operation string, prepare func(*testing.T) *Stage, wanted string) {
	t.Helper()
	CutEverywhereAfter(t, 0, operation, prepare, wanted)
}

// CutEverywhereAfter is CutEverywhere, but the first answers of each sweep arrive
// whole.
func CutEverywhereAfter(t *testing.T, first int, operation string, prepare func(*testing.T) *Stage, wanted string) {
	t.Helper()
	const lanes = 16 // that wait for the retries side by side
	t.Run(operation, func(t *testing.T) {
		t.Parallel()
		var ends [lanes]int
		var running sync.WaitGroup
		for lane := range lanes {
			s := prepare(t)
			running.Go(func() {
				for bytes := lane; ends[lane] == 0; bytes += lanes {
					fault := s.World.Inject(localaws.Fault{Operation: operation, Skip: first, Kind: localaws.Cut(bytes)})
					result, err := s.Function.Invoke(t.Context(), []byte(Sweep))
					fault.Remove()
					written := s.World.Writes()
					switch {
					case fault.Count() == 0:
						t.Errorf("%d bytes: nobody asked for %s", bytes, operation)
						ends[lane] = bytes
					case slices.ContainsFunc(written, func(c localaws.Call) bool { return c.Operation == wanted }):
						ends[lane] = bytes
					case err == nil && saysComplete(result.Payload) || slices.ContainsFunc(written, func(c localaws.Call) bool { return c.Service == "codeartifact" || c.Service == "proton" }):
						t.Errorf("%d bytes: %s, error %v", bytes, result.Payload, err)
						ends[lane] = bytes
					}
				}
			})
		}
		running.Wait()
		// The lanes must agree on how long the whole answer is.
		least, most := slices.Min(ends[:]), slices.Max(ends[:])
		if least < 10 || most-least >= lanes {
			t.Errorf("written after %v bytes of an answer", ends)
		}
		t.Logf("%s was cut at %d places", operation, least)
	})
}

func saysComplete(summary []byte) bool {
	var s Summary
	return json.Unmarshal(summary, &s) != nil || s.Complete
}
