package endtoend

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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
	t.Run(operation, func(t *testing.T) {
		t.Parallel()
		cut(t, localaws.Fault{Operation: operation, Skip: first}, Sweep, prepare, wanted)
	})
}

// CutTheWayIn is CutEverywhere for the answer with the credentials of a role, whose
// ARN has the given end, in sweeps that a payload asks for.
func CutTheWayIn(t *testing.T, role, payload string, prepare func(*testing.T) *Stage, wanted string) {
	t.Helper()
	t.Run("AssumeRole of "+role, func(t *testing.T) {
		t.Parallel()
		cut(t, localaws.Fault{Operation: "AssumeRole", Match: func(input map[string]any) bool {
			arn, _ := input["RoleArn"].(string)
			return strings.HasSuffix(arn, role)
		}}, payload, prepare, wanted)
	})
}

func cut(t *testing.T, fault localaws.Fault, payload string, prepare func(*testing.T) *Stage, wanted string) {
	t.Helper()
	const lanes = 16 // that wait for the retries side by side
	var ends [lanes]int
	var running sync.WaitGroup
	for lane := range lanes {
		s := prepare(t)
		running.Go(func() {
			for bytes := lane; ends[lane] == 0; bytes += lanes {
				fault := fault
				fault.Kind = localaws.Cut(bytes)
				injected := s.World.Inject(fault)
				result, err := s.Function.Invoke(t.Context(), []byte(payload))
				injected.Remove()
				written := s.World.Writes()
				switch {
				case injected.Count() == 0:
					t.Errorf("%d bytes: nobody asked for %s", bytes, fault.Operation)
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
	t.Logf("figure of fault 21: %d cuts of %s", least, fault.Operation)
}

// EachCall returns a fault for every call to a service that a stage has seen. In a stage
// like it, it strikes that call and no other, in whatever order calls come that are made
// side by side. What happens to the call is left to the caller.
func EachCall(s *Stage, service string) []localaws.Fault {
	var each []localaws.Fault
	seen := map[string]int{}
	for _, c := range s.World.Calls() {
		if c.Service != service {
			continue
		}
		call := fmt.Sprint(c.Operation, c.Input)
		each = append(each, localaws.Fault{Service: service, Operation: c.Operation, Skip: seen[call], Times: 1,
			Match: func(input map[string]any) bool { return fmt.Sprint(c.Operation, input) == call }})
		seen[call]++
	}
	return each
}

func saysComplete(summary []byte) bool {
	var s Summary
	return json.Unmarshal(summary, &s) != nil || s.Complete
}
