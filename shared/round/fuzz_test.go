package round

import (
	"testing"
	"time"
)

// FuzzTake: whatever stands in the log of events, only an event of this deployment's
// own account that was not replayed says anything of a round, and each says one thing.
// What is made of it ends, and asks for nothing.
func FuzzTake(f *testing.F) {
	for _, line := range []string{
		`{"source":"portcullis","detail-type":"Round Planned","account":"` + hub + `","detail":{"version":1,"round":"r-1","at":"2026-11-20T09:00:00Z","controls":["package-groups"],"accounts":["` + hub + `","` + web + `"]}}`,
		`{"source":"portcullis","detail-type":"Round Planned","account":"` + hub + `","detail":{"version":1}}`,
		`{"source":"portcullis","detail-type":"Round Summary","account":"` + hub + `","detail":{"round":"r-1","at":"2026-11-20T10:00:00Z","complete":true}}`,
		`{"source":"portcullis","detail-type":"Run Summary","account":"` + hub + `","detail":{"round":"r-1","control":"package-groups","account":"` + web + `","complete":true,"verdicts":{"violation":1}}}`,
		`{"source":"portcullis","detail-type":"Run Summary","account":"` + web + `","detail":{"round":"r-1"}}`,
		`{"source":"portcullis","detail-type":"Round Planned","account":"` + hub + `","replay-name":"x","detail":{"version":1}}`,
		`{"detail":null}`, `null`, ``, `[]`,
	} {
		f.Add(line)
	}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, line string) {
		var p past
		err := p.take(line, hub)
		found := len(p.planned) + len(p.told) + len(p.runs)
		if found > 1 || err != nil && found > 0 {
			t.Errorf("%d things are told, error %v", found, err)
		}
		var foreign past
		if err := foreign.take(line, "999999999999"); err == nil && found > 0 && len(foreign.planned)+len(foreign.told)+len(foreign.runs) > 0 {
			t.Error("the event says the same of two accounts")
		}
		for _, r := range p.planned {
			if r.Version != Version {
				t.Errorf("a plan of version %d", r.Version)
			}
		}
		for _, r := range p.overdue(now) {
			s := PutTogether(r, p.runs)
			if s.Complete && len(r.Accounts) > 0 && len(r.Controls) > 0 {
				t.Errorf("nobody reported, and the round was complete: %+v", s)
			}
		}
	})
}
