package endtoend

import (
	"testing"

	"portcullis/shared/localaws"
)

// KillAtEveryCall has the process of a function killed at every call that a sweep
// makes, before and after the call took effect. Each kill has a stage of its own,
// which prepare sets, and is then looked into by check, which says whether anything
// had been written. A sweep is known to make at least so many calls.
func KillAtEveryCall(t *testing.T, least int, prepare func() (s *Stage, check func(call int) (wrote bool))) {
	t.Helper()
	for _, when := range []localaws.When{localaws.Before, localaws.After} {
		wrote := false
		for call := 0; ; call++ {
			s, check := prepare()
			fault := s.World.Inject(localaws.Fault{Skip: call, Times: 1, When: when, Kind: localaws.Meanwhile(s.Function.Kill)})
			_, err := s.Invoke(Sweep)
			s.World.Idle() // the call at which it was killed goes on without it
			if fault.Count() == 0 {
				if call < least || err != nil {
					t.Fatalf("a run makes only %d calls (%v)", call, err)
				}
				t.Logf("figure of fault 35: killed at each of %d calls", call)
				break
			}
			if err == nil {
				t.Fatalf("killed at call %d, and yet it answered", call)
			}
			wrote = check(call) || wrote
		}
		if !wrote {
			t.Error("no kill came after a write: the test proves nothing")
		}
	}
}
