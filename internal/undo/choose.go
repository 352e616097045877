package undo

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

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

// seen tells whether a look after the write found its effect. Where none did, AWS's
// answer or nothing at all speaks for it, and it may show later.
func (o Outcome) seen() bool {
	return o.Status == control.Applied && (o.Code == "verified" || o.Code == "answer-lost") ||
		o.Status == control.AlreadyDone && o.Code == "refused"
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

// Newest returns the outcome of each resource that is to be undone, which is the first,
// and the others. What was done before is not undone on top of it: the newest outcome
// holds the state that the resource was in last.
//
// A mark that came, or went, after a deletion does not settle that: the group still
// stood there, and may go yet. So the deletion counts, if both are of the very same
// group.
func Newest(list []Outcome) (newest, others []Outcome) {
	at := map[string]int{} // in newest, by resource
	for _, o := range list {
		i, known := at[o.Resource]
		switch {
		case !known:
			at[o.Resource] = len(newest)
			newest = append(newest, o)
		case leavesOpen(newest[i], o):
			newest[i], o = o, newest[i]
			others = append(others, o)
		default:
			others = append(others, o)
		}
	}
	return newest, others
}

// leavesOpen tells whether an outcome is of a mark on the group that an older one is
// of the deletion of.
func leavesOpen(o, older Outcome) bool {
	if o.Call.Operation != "TagResource" && o.Call.Operation != "UntagResource" || older.Call.Operation != "DeletePackageGroup" {
		return false
	}
	created, was := createdIn(o.Before), createdIn(older.Before)
	return !was.IsZero() && created.UnixMilli() == was.UnixMilli()
}

// createdIn is when a package group was made, by a state before; zero where that does
// not say.
func createdIn(before json.RawMessage) time.Time {
	var state struct {
		Created time.Time `json:"createdTime"`
	}
	if json.Unmarshal(before, &state) != nil {
		return time.Time{}
	}
	return state.Created
}
