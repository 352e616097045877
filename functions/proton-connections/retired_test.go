package main_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/proton"
)

// AWS ended Proton. Whatever is left of it, a run says so once and ends well,
// within ten seconds; Lambda does not try it again, and no alarm has a metric to
// ring for.
func TestARunEndsWellWhereTheServiceIsGone(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		ends   func(*stage)
		code   string
		causes []string
		most   int // so many times it may ask; 0 is any
	}{
		{"access denied, with a text", func(s *stage) { s.proton.Retire(proton.AccessDenied) }, "service-retired", []string{"sweep", "event"}, 0},
		{"an empty object", func(s *stage) { s.proton.Retire(proton.EmptyObject) }, "unreachable", []string{"sweep", "event"}, 0},
		// These two cost eight seconds each.
		{"throttling without an end, with a text", func(s *stage) { s.proton.Retire(proton.Throttled) }, "service-retired", []string{"sweep"}, 0},
		{"a silent host", func(s *stage) { s.World.Inject(localaws.Fault{Service: "proton", Kind: localaws.Hang()}) }, "unreachable", []string{"event"}, 2},
	} {
		for _, cause := range row.causes {
			t.Run(row.name+", "+cause, func(t *testing.T) {
				t.Parallel()
				s := newStage(t, "enforce", everything)
				c := s.asked(partner, home, "web")
				payload := sweep
				if cause == "event" {
					payload = s.change(c.ID, "PENDING")
				}
				row.ends(s)

				start := time.Now()
				<-s.Function.InvokeAsync([]byte(payload))
				// The machine may be slow. Without its own eight seconds the throttled list would take 45, and the silent
				// one three requests of five.
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("it took %v", took)
				}
				if row.most > 0 && s.lists() > row.most {
					t.Errorf("it asked %d times", s.lists())
				}
				if n := len(s.Function.Failures()); n != 0 {
					t.Errorf("%d events in the failure queue", n)
				}
				s.wantWrites()

				f := s.Reported("Finding")
				if len(f) != 1 || f[0].Verdict != "undetermined" || f[0].Code != row.code || !strings.Contains(f[0].Reason, "AWS ended it on 2026-10-07") {
					t.Errorf("findings: %+v", f)
				}
				if n := len(s.Reported("Run Summary")); n != 1 {
					t.Errorf("%d runs, want 1", n)
				}
				var summary struct{ Summary struct{ Gone, Complete bool } }
				s.line(`"message":"summary"`, &summary)
				if !summary.Summary.Gone || summary.Summary.Complete {
					t.Errorf("summary: %+v", summary)
				}
				var metrics map[string]any
				s.line(`"_aws"`, &metrics)
				_, undetermined := metrics["Undetermined"]
				_, complete := metrics["Complete"]
				if gone := metrics["Gone"] == 1.0; gone != (cause == "sweep") || undetermined || complete || metrics["Failed"] != 0.0 {
					t.Errorf("metrics: %v", metrics)
				}
				for _, line := range s.Function.Logs() {
					if strings.Contains(line, `"level":"ERROR"`) {
						t.Errorf("an error is logged: %s", line)
					}
				}
			})
		}
	}
}

// line decodes the one line of the log that has a text in it.
func (s *stage) line(text string, into any) {
	s.T.Helper()
	lines := slices.DeleteFunc(s.Function.Logs(), func(line string) bool { return !strings.Contains(line, text) })
	if len(lines) != 1 {
		s.T.Fatalf("%d lines with %s: %q", len(lines), text, lines)
	}
	if err := json.Unmarshal([]byte(lines[0]), into); err != nil {
		s.T.Fatal(err)
	}
}

// The client of Proton is in no other binary.
func TestNoOtherFunctionDependsOnTheServiceThatEnded(t *testing.T) {
	t.Parallel()
	mains, err := filepath.Glob("../*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	var with []string
	for _, main := range mains {
		folder := filepath.Base(filepath.Dir(main))
		packages, err := endtoend.MadeOf(folder)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(packages, "github.com/aws/aws-sdk-go-v2/service/proton") {
			with = append(with, folder)
		}
	}
	if diff := cmp.Diff([]string{"proton-connections"}, with); len(mains) < 2 || diff != "" {
		t.Errorf("of %d functions these depend on it (-want +got):\n%s", len(mains), diff)
	}
}

// The first list of a run may be the last that Proton answers. What was read is told,
// nothing more is done, and no action waits for Proton after another has.
func TestTheServiceEndsInTheMiddleOfARun(t *testing.T) {
	t.Parallel()
	s := newStage(t, "enforce", everything)
	s.asked(partner, home, "one")
	s.asked(partner, home, "two")
	s.World.Inject(localaws.Fault{Operation: "ListEnvironmentAccountConnections", Match: of(environment), Times: 1, When: localaws.After,
		Kind: localaws.Meanwhile(func() { s.proton.Retire(proton.AccessDenied) })})
	out := s.Sweep()
	if !out.Gone || out.Verdicts["undetermined"] != 1 {
		t.Errorf("summary: %+v", out)
	}
	s.wantWrites()
	s.wantOutcomes(map[string]string{"one": "withheld undetermined", "two": "withheld undetermined"})
	if reads := s.lists(); reads != 3 {
		t.Errorf("%d lists, want 3: two of the run, and one that found Proton gone", reads)
	}
}

// lists counts the requests for a list of connections.
func (s *stage) lists() (n int) {
	for _, c := range s.World.Calls() {
		if c.Operation == "ListEnvironmentAccountConnections" {
			n++
		}
	}
	return n
}
