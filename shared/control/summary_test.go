package control_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"portcullis/shared/control"
)

func newSummary() control.Summary {
	return control.NewSummary("external-connections", control.Scope{Account: "111122223333", Region: "eu-west-1"}, control.Enforce, "hash")
}

func TestASummaryInOneLine(t *testing.T) {
	t.Run("says only what there is", func(t *testing.T) {
		s := newSummary()
		s.Looked, s.Complete = 12, true
		s.Verdicts[control.Compliant] = 3
		const want = "external-connections in 111122223333 eu-west-1 (enforce): looked at 12"
		if diff := cmp.Diff(want, s.String()); diff != "" {
			t.Errorf("line (-want +got):\n%s", diff)
		}
	})
	t.Run("says everything that there is", func(t *testing.T) {
		s := newSummary()
		s.Looked = 12
		s.Verdicts = map[control.Verdict]int{control.Compliant: 9, control.Violation: 5, control.Waived: 2, control.Undetermined: 1}
		s.Outcomes = map[control.Status]int{control.Applied: 4, control.Withheld: 3, control.AlreadyDone: 2, control.Failed: 1, control.RestoreNeeded: 5}
		const want = "external-connections in 111122223333 eu-west-1 (enforce): looked at 12, 5 violation, 2 waived, 1 undetermined, " +
			"4 applied, 3 withheld, 2 already-done, 1 failed, 5 restore-needed, incomplete"
		if diff := cmp.Diff(want, s.String()); diff != "" {
			t.Errorf("line (-want +got):\n%s", diff)
		}
	})
}

func TestASummaryCountsThePlanTheGateAndTheOutcomes(t *testing.T) {
	plan := control.Plan{Looked: 9, Findings: []control.Finding{
		{Verdict: control.Violation}, {Verdict: control.Violation}, {Verdict: control.Waived}, {Verdict: control.Undetermined}, {Verdict: control.Compliant},
	}}
	gated := control.Gated{Wanted: 3, Allowed: 2, Exceeded: true, Withheld: []control.Outcome{{Status: control.Withheld}, {Status: control.Withheld}}}
	s := newSummary()
	s.Add(plan, true, gated, []control.Outcome{{Status: control.Applied}, {Status: control.Failed, Code: "unverified"}, {Status: control.Failed, Code: "refused"}, {Status: control.AlreadyDone, Code: "refused"}, {Status: control.Withheld}, {Status: control.RestoreNeeded}})

	want := newSummary()
	want.Complete, want.Looked, want.Wanted, want.Allowed, want.LimitExceeded = true, 9, 3, 2, true
	want.Verdicts = map[control.Verdict]int{control.Compliant: 1, control.Violation: 2, control.Waived: 1, control.Undetermined: 1}
	want.Outcomes = map[control.Status]int{control.Applied: 1, control.Withheld: 3, control.AlreadyDone: 1, control.Failed: 2, control.RestoreNeeded: 1}
	want.Changes = 3 // of the two that failed, one may have been done; and what AWS refused is most likely somebody else's
	if diff := cmp.Diff(want, s, cmpopts.IgnoreUnexported(control.Summary{})); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

func TestARunIsComplete(t *testing.T) {
	held := func(code string) []control.Outcome { return []control.Outcome{{Status: control.Withheld, Code: code}} }
	for _, test := range []struct {
		name     string
		read     bool // everything in scope was
		gated    control.Gated
		outcomes []control.Outcome
		want     bool
	}{
		{"where everything was read", true, control.Gated{}, nil, true},
		{"where actions were withheld on purpose", true, control.Gated{Withheld: held("monitor")}, held("no-longer-asked"), true},
		{"where an action failed", true, control.Gated{}, []control.Outcome{{Status: control.Failed, Code: "unverified"}}, true},
		{"but not where something was not read", false, control.Gated{}, []control.Outcome{{Status: control.Applied}}, false},
		{"but not where a second reading settled nothing", true, control.Gated{}, held("undetermined"), false},
		{"but not where the time was up", true, control.Gated{}, held("deadline"), false},
		{"but not where one of many settled nothing", true, control.Gated{}, append(held("undetermined"), control.Outcome{Status: control.Applied}), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSummary()
			s.Add(control.Plan{Looked: 1}, test.read, test.gated, test.outcomes)
			if s.Complete != test.want {
				t.Errorf("complete: %t, want %t", s.Complete, test.want)
			}
		})
	}
}

func TestASummaryIsAnErrorWhere(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*control.Summary)
		want   []string // what the error says; none for no error
	}{
		{"nothing, if all went well", func(s *control.Summary) { s.Complete, s.Outcomes[control.Applied] = true, 2 }, nil},
		{"nothing, if a sweep found violations and could not read everything", func(s *control.Summary) {
			s.Cause, s.Verdicts[control.Violation], s.Verdicts[control.Undetermined], s.Outcomes[control.Withheld] = "sweep", 2, 1, 2
		}, nil},
		{"nothing, if an event was looked into", func(s *control.Summary) { s.Cause, s.Complete = "event", true }, nil},
		{"nothing, if an event was ignored", func(s *control.Summary) { s.Cause, s.Ignored = "event", "the control is off" }, nil},
		{"nothing, if the service that an event is about is gone", func(s *control.Summary) { s.Cause, s.Gone = "event", true }, nil},
		{"what an event names could not be read", func(s *control.Summary) { s.Cause = "event" }, []string{"could not be judged"}},
		{"an intent was not recorded", func(s *control.Summary) {
			s.Add(control.Plan{}, true, control.Gated{}, []control.Outcome{{Status: control.Withheld, Code: "not-recorded"}, {Status: control.Withheld, Code: "not-recorded"}})
		}, []string{"2 writes were not made", "could not be recorded"}},
		{"actions failed", func(s *control.Summary) { s.Outcomes[control.Failed] = 2 }, []string{"2 actions failed"}},
		{"something has to be restored", func(s *control.Summary) { s.Outcomes[control.RestoreNeeded] = 2 }, []string{"2 actions removed something", "how to restore it"}},
		{"the limit was exceeded", func(s *control.Summary) { s.LimitExceeded, s.Wanted, s.Allowed = true, 7, 3 }, []string{"limit exceeded", "7 writes", "may make 3"}},
		{"both", func(s *control.Summary) { s.LimitExceeded, s.Outcomes[control.Failed] = true, 1 }, []string{"limit exceeded", "1 actions failed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSummary()
			test.change(&s)
			err := s.Err()
			if (err != nil) != (test.want != nil) {
				t.Fatalf("error %v, want one that says %q", err, test.want)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
}
