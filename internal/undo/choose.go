package undo

import (
	"cmp"
	"slices"

	"portcullis/shared/control"
)

// Done tells whether the outcome is of something that was done, or may have been, and
// what of the latter is not known.
func (o Outcome) Done() (done bool, unsure string) {
	if o.Status == Intended {
		return true, "only the intent is on record, so it may not have been done at all"
	}
	return control.Outcome{Status: o.Status, Code: o.Code}.Done()
}

// Settle drops the intents whose outcome is there as well, and whatever was read
// twice, and returns the rest, the newest first.
func Settle(read []Outcome) []Outcome {
	type attempt struct{ id, resource, run, operation string }
	of := func(o Outcome) attempt { return attempt{o.ID, o.Resource, o.Run, o.Call.Operation} }
	ended := map[attempt]bool{}
	for _, o := range read {
		ended[of(o)] = ended[of(o)] || o.Status != Intended
	}
	type told struct {
		attempt
		status control.Status
	}
	var list []Outcome
	twice := map[told]bool{}
	dated := true
	for _, o := range slices.Backward(read) {
		t := told{of(o), o.Status}
		if o.Status == Intended && ended[t.attempt] || twice[t] {
			continue
		}
		twice[t] = true
		list = append(list, o)
		dated = dated && !o.At.IsZero()
	}
	if dated { // else the order of the files is all that there is
		slices.SortStableFunc(list, func(a, b Outcome) int { return cmp.Compare(b.At.UnixNano(), a.At.UnixNano()) })
	}
	return list
}

// Newest returns the first outcome of each resource, and how many others there are.
// What was done before is not undone on top of it: the newest outcome holds the state
// that the resource was in last.
func Newest(list []Outcome) (newest []Outcome, older int) {
	seen := map[string]bool{}
	for _, o := range list {
		if seen[o.Resource] {
			older++
			continue
		}
		seen[o.Resource] = true
		newest = append(newest, o)
	}
	return newest, older
}
