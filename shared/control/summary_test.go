package control_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	s.Add(plan, gated, []control.Outcome{{Status: control.Applied}, {Status: control.Failed}, {Status: control.AlreadyDone}, {Status: control.Withheld}, {Status: control.RestoreNeeded}})

	want := newSummary()
	want.Looked, want.Wanted, want.Allowed, want.LimitExceeded = 9, 3, 2, true
	want.Verdicts = map[control.Verdict]int{control.Compliant: 1, control.Violation: 2, control.Waived: 1, control.Undetermined: 1}
	want.Outcomes = map[control.Status]int{control.Applied: 1, control.Withheld: 3, control.AlreadyDone: 1, control.Failed: 1, control.RestoreNeeded: 1}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

func TestASummaryIsAnErrorWhere(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*control.Summary)
		want   []string // what the error says; none for no error
	}{
		{"nothing, if all went well", func(s *control.Summary) { s.Complete, s.Outcomes[control.Applied] = true, 2 }, nil},
		{"nothing, if there are violations and something was not read", func(s *control.Summary) {
			s.Verdicts[control.Violation], s.Verdicts[control.Undetermined], s.Outcomes[control.Withheld] = 2, 1, 2
		}, nil},
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
