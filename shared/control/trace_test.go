package control_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/control"
)

func TestATraceTellsEachRuleOnce(t *testing.T) {
	var trace control.Trace
	trace.Add("allow[0]", control.NotMatched, "", func() string { return "connections: public:pypi is not among public:npmjs" })
	trace.Add("allow[1]", control.Matched, control.Compliant, nil)
	trace.Rest("allow[0]", "allow[1]", "waivers[0]")
	want := []control.Trial{
		{Rule: "allow[0]", Result: control.NotMatched, Why: "connections: public:pypi is not among public:npmjs"},
		{Rule: "allow[1]", Result: control.Matched, Settles: control.Compliant},
		{Rule: "waivers[0]", Result: control.NotTried},
	}
	if diff := cmp.Diff(want, trace.Trials); diff != "" {
		t.Errorf("trials (-want +got):\n%s", diff)
	}
}

// Who only wants the conclusion has no trace, and no reason is put into words.
func TestNoTraceCostsNothing(t *testing.T) {
	var trace *control.Trace
	trace.Add("allow[0]", control.Matched, control.Compliant, func() string { t.Error("a reason was asked for"); return "" })
	trace.Rest("allow[0]")
}
