package estate

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// Judge says what a policy makes of a part, at the time when it was seen. Where the
// policy does not speak of the control, there is no plan.
func (p Part) Judge(under *policy.Policy) control.Plan {
	c, known := Find(p.Control)
	if !known || !c.Has(under) {
		return control.Plan{}
	}
	return p.Seen.Judge(under, p.At)
}

// Conclusion is a finding under one policy, and what enforcement would do about it.
type Conclusion struct {
	control.Finding                 // zero where the policy says nothing of it
	Action          *control.Action // nil where there is none

	// Withheld says why enforcement would not carry out the action; empty where it
	// would.
	Withheld string
}

// Operation is what the policy asks to be called, whether or not enforcement would;
// empty is nothing.
func (c Conclusion) Operation() string {
	if c.Action == nil {
		return ""
	}
	return c.Action.Call.Operation
}

// Change is a conclusion that is another one under another policy.
type Change struct{ Old, New Conclusion }

// Enforced tells whether what enforcement would do is another thing.
func (c Change) Enforced() bool {
	return c.Old.Operation() != c.New.Operation() || (c.Old.Withheld == "") != (c.New.Withheld == "")
}

// Either returns the finding under the new policy, or under the old one where there
// is no other.
func (c Change) Either() control.Finding {
	if c.New.ID != "" {
		return c.New.Finding
	}
	return c.Old.Finding
}

// Comparison is what another policy would change about an estate.
type Comparison struct {
	Changes              []Change
	OldWrites, NewWrites int // that enforcement would make, those that do not change among them
}

// Compare returns what another policy would change about an estate: the verdicts,
// and what enforcement would do. The gate decides on that for all of a part at once,
// so a rule about one resource may let another be written to. The changes are sorted
// as the parts are, and then by resource and subject.
func (e Estate) Compare(before, after *policy.Policy) Comparison {
	var out Comparison
	for _, part := range e.Parts {
		was, oldWrites := part.conclude(before)
		is, newWrites := part.conclude(after)
		out.OldWrites += oldWrites
		out.NewWrites += newWrites
		ids := maps.Clone(was)
		maps.Copy(ids, is)
		var here []Change
		for id := range ids {
			if c := (Change{was[id], is[id]}); c.Old.Verdict != c.New.Verdict || c.Enforced() {
				here = append(here, c)
			}
		}
		slices.SortFunc(here, func(a, b Change) int {
			x, y := a.Either(), b.Either()
			return cmp.Or(cmp.Compare(x.Resource, y.Resource), cmp.Compare(x.Subject, y.Subject), cmp.Compare(x.ID, y.ID))
		})
		out.Changes = append(out.Changes, here...)
	}
	return out
}

// Conclude passes a plan through the gate of enforcement, and says of each of its
// findings, in order, what enforcement would do about it.
func Conclude(plan control.Plan, under *policy.Policy) (control.Gated, []Conclusion) {
	gated := control.Gate{Mode: control.Enforce, Limit: control.Limit(under.Limits), Covers: under.EnforceOn.Covers}.Pass(plan)
	actions, withheld := map[string]*control.Action{}, map[string]string{}
	for i, a := range plan.Actions {
		actions[a.ID] = &plan.Actions[i]
	}
	for _, o := range gated.Withheld {
		withheld[o.ID] = o.Detail
	}
	var list []Conclusion
	for _, f := range plan.Findings {
		list = append(list, Conclusion{Finding: f, Action: actions[f.ID], Withheld: withheld[f.ID]})
	}
	return gated, list
}

// conclude returns what a policy makes of a part, by the IDs of the findings, and how
// many writes enforcement would make.
func (p Part) conclude(under *policy.Policy) (conclusions map[string]Conclusion, writes int) {
	gated, list := Conclude(p.Judge(under), under)
	conclusions = map[string]Conclusion{}
	for _, c := range list {
		conclusions[c.ID] = c
	}
	return conclusions, len(gated.Actions)
}

// Idle returns the rules of a policy that speak of nothing in the estate, in the
// order of the file. Of a control that the estate does not hold, or did not read
// to the end, nothing is said: what was not read may be what a rule is for.
func (e Estate) Idle(p *policy.Policy) []policy.Location {
	matched, whole := map[string]bool{}, map[string]bool{}
	for _, part := range e.Parts {
		c, known := Find(part.Control)
		if !known || !c.Has(p) {
			continue
		}
		before, seen := whole[c.Section]
		whole[c.Section] = part.Seen.Complete() && (before || !seen)
		for place := range part.Seen.Matches(p) {
			matched[place] = true
		}
	}
	return slices.DeleteFunc(p.Rules(), func(l policy.Location) bool {
		section, _, _ := strings.Cut(l.Place, ".")
		return !whole[section] || matched[l.Place]
	})
}
