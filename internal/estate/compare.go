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

// Change is a finding that is another one under another policy.
type Change struct {
	Old, New  control.Finding // one of them may be absent, and is then zero
	OldAction string          // the operations that enforcement would have called; empty is none
	NewAction string
}

// Compare returns what another policy would change about an estate: the verdicts,
// and what enforcement would do. It is sorted as the parts are, and then by
// resource and subject.
func (e Estate) Compare(before, after *policy.Policy) []Change {
	var changes []Change
	for _, part := range e.Parts {
		was, is := byID(part.Judge(before)), byID(part.Judge(after))
		ids := maps.Clone(was)
		maps.Copy(ids, is)
		var here []Change
		for id := range ids {
			c := Change{Old: was[id].finding, New: is[id].finding, OldAction: was[id].action, NewAction: is[id].action}
			if c.Old.Verdict != c.New.Verdict || c.OldAction != c.NewAction {
				here = append(here, c)
			}
		}
		slices.SortFunc(here, func(a, b Change) int {
			x, y := a.Either(), b.Either()
			return cmp.Or(cmp.Compare(x.Resource, y.Resource), cmp.Compare(x.Subject, y.Subject), cmp.Compare(x.ID, y.ID))
		})
		changes = append(changes, here...)
	}
	return changes
}

// Either returns the finding under the new policy, or under the old one where there
// is no other.
func (c Change) Either() control.Finding {
	if c.New.ID != "" {
		return c.New
	}
	return c.Old
}

// concluded is what a plan says under one finding's ID.
type concluded struct {
	finding control.Finding
	action  string
}

func byID(p control.Plan) map[string]concluded {
	m := map[string]concluded{}
	for _, f := range p.Findings {
		m[f.ID] = concluded{finding: f}
	}
	for _, a := range p.Actions {
		c := m[a.ID]
		c.action = a.Call.Operation
		m[a.ID] = c
	}
	return m
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
