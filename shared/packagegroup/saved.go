package packagegroup

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// An observation can be kept as JSON and read back without loss, so that what was
// seen once can be judged again, under another policy. Under that policy more may
// be wanted than was read; see under.

type plainTree Tree // without the methods

// UnmarshalJSON reads a tree, and finds the children of its groups. Times are told in
// UTC, however they are written.
func (t *Tree) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, (*plainTree)(t)); err != nil {
		return err
	}
	if _, ok := t.Groups[Root]; !ok {
		return fmt.Errorf("domain %s has no group /*", t.Domain.Name)
	}
	for pattern, g := range t.Groups {
		if _, ok := t.Groups[g.Parent]; g.Pattern != pattern || !ok && pattern != Root {
			return fmt.Errorf("domain %s: group %q has the pattern %q and the parent %q", t.Domain.Name, pattern, g.Pattern, g.Parent)
		}
		for _, r := range restrictions {
			if _, ok := g.Controls[r]; !ok {
				return fmt.Errorf("domain %s: group %q has no %s", t.Domain.Name, pattern, r)
			}
		}
		g.Created = g.Created.UTC()
		t.Groups[pattern] = g
	}
	t.Adopt()
	return nil
}

// Judge says what a policy makes of an observation that was made under the same
// policy or another one. What that policy would have had read, and was not, is
// undetermined.
func (o Observation) Judge(p *policy.Policy, now time.Time) control.Plan {
	rules := section(p)
	return Decide(o.under(rules, claims(p), now), rules, now)
}

// notObserved is the code of what another policy would have had read.
const notObserved = "not-observed"

// under is the observation as another policy would have had it made. Groups are
// looked at closely only where no condition keeps them by the list alone, and
// packages are resolved only if they are named; both depend on the policy.
func (o Observation) under(rules policy.PackageGroups, claims []Claim, now time.Time) Observation {
	o.Domains = slices.Clone(o.Domains)
	for i, seen := range o.Domains {
		d := seen.Tree.Domain
		resolved, unknown := map[string]string{}, ""
		for _, c := range claims {
			if !c.Covers(d.Owner, d.Name) {
				continue
			}
			if pattern, ok := seen.Claims[c.Package]; ok {
				resolved[c.Package] = pattern
			} else {
				unknown = c.Package
			}
		}
		claimed := claimants(resolved)
		looks := map[string]Close{}
		l := listingOf(seen.Tree)
		for pattern, g := range seen.Tree.Groups {
			if screen(l, g, rules, now).code != "" {
				continue
			}
			look, looked := seen.Close[pattern]
			look.Claim = claimed[pattern]
			reason := ""
			switch {
			case !looked:
				reason = fmt.Sprintf("%s in domain %s was not looked at closely, because the policy of that time kept it anyway", pattern, d.Name)
			case look.Unread == nil && unknown != "" && byLook(look, rules).code == "":
				reason = fmt.Sprintf("nobody asked whether %s resolves to %s in domain %s", unknown, pattern, d.Name)
			}
			if reason != "" {
				look = Close{Unread: &Unread{Resource: g.ARN, Class: notObserved, Reason: reason + "; look again under this policy"}}
			}
			looks[pattern] = look
		}
		o.Domains[i].Close = looks
	}
	return o
}

// Complete tells whether every domain was read.
func (o Observation) Complete() bool { return len(o.Unread) == 0 }

// Matches returns the places of the keep rules that speak of any group that was
// observed.
func (o Observation) Matches(p *policy.Policy) map[string]bool {
	places := map[string]bool{}
	for _, k := range p.PackageGroups.Keep {
		for _, seen := range o.Domains {
			for pattern := range seen.Tree.Groups {
				if strings.HasPrefix(pattern, "/") && k.Matches(seen.Tree.Domain.Name, pattern) {
					places[k.Place] = true
				}
			}
		}
	}
	return places
}
