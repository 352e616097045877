package round

import (
	"io"
	"slices"
	"strings"
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

// FuzzSettings: the planner is refused with what to set, or has controls with names
// and a time between its rounds that is one.
func FuzzSettings(f *testing.F) {
	for _, e := range [][4]string{
		{"package-groups,package-origins", "3600", "log", "bus"}, {" ,a, ", "1", "log", "bus"}, {"", "0", "log", "bus"}, {"a", "-1", "log", "bus"},
		{"a", "9223372037", "log", "bus"}, {"a", "1e3", "log", "bus"}, {"a", "", "log", "bus"}, {"a", "60", "", "bus"}, {"a", "60", "log", ""},
	} {
		f.Add(e[0], e[1], e[2], e[3])
	}
	f.Fuzz(func(t *testing.T, controls, seconds, log, bus string) {
		env := map[string]string{
			"ACCOUNT_ID": hub, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
			"CONTROLS": controls, "SWEEP_SECONDS": seconds, "EVENTS_LOG": log, "EVENT_BUS": bus,
		}
		h, err := New(func(name string) string { return env[name] }, io.Discard)
		if err != nil {
			if h != nil || !strings.Contains(err.Error(), "SWEEP_SECONDS") && !strings.Contains(err.Error(), "EVENT_BUS") {
				t.Errorf("%+v beside error %v", h, err)
			}
			return
		}
		if h.every < time.Second || h.every%time.Second != 0 || h.group == "" || h.Reporter.BusName == "" {
			t.Errorf("%q seconds are %v; the log is %q", seconds, h.every, h.group)
		}
		if slices.ContainsFunc(h.controls, func(name string) bool {
			return name == "" || strings.Contains(name, ",") || !strings.Contains(controls, name)
		}) {
			t.Errorf("%q are the controls %q", controls, h.controls)
		}
	})
}
