package packagegroup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// LookAt reads what a sweep would of the domain of a group, and in it of that group
// alone, which is looked at closely whatever keeps it.
func LookAt(ctx context.Context, s *awsio.Session, scope control.Scope, p *policy.Policy, d Domain, pattern string) Observation {
	o := newObserver(s, scope, p)
	out := Observation{Scope: scope, Only: pattern}
	tree, err := o.tree(ctx, d)
	if err != nil {
		if awsio.Classify(err) != awsio.NotFound { // no such domain holds no such group
			out.add(nil, o.treeless(ctx, d, err))
		}
		return out
	}
	seen := Seen{Tree: tree, Close: map[string]Close{}}
	if g, ok := tree.Groups[pattern]; ok {
		resolved, err := o.claimed(ctx, d)
		look := o.look(ctx, d, g)
		if err != nil {
			u := o.unread(ctx, o.arn(d, "domain/"+d.Name), "it is not known which groups the packages of package_origins resolve to", err)
			look = Close{Unread: &u}
		}
		look.Claim = claimants(resolved)[pattern]
		seen.Claims = resolved
		seen.Close[pattern] = look
	}
	out.add(&seen, nil)
	return out
}

// Explanation is what the policy makes of one group, and how.
type Explanation struct {
	Group    Group
	Children []string
	Tags     map[string]string // nil where they were not read

	Findings []control.Explained
}

// Explain says what the policy makes of a group: every finding about it, and what
// came of each of the conditions 1 to 7 of docs/controls.md and of each keep rule.
// It is false where the observation does not have the group. Seen says whether the
// observation was made for this very purpose; otherwise it kept no more than was
// needed then.
func (o Observation) Explain(p *policy.Policy, now time.Time, d Domain, pattern string) (control.Plan, Explanation, bool) {
	plan := o.Judge(p, now)
	rules := section(p)
	asked := o.under(rules, claims(p), now)
	for i, seen := range asked.Domains {
		g, ok := seen.Tree.Groups[pattern]
		if seen.Tree.Domain != d || !ok {
			continue
		}
		// What was looked at closely although the list keeps the group is of no account to Decide, and worth telling here.
		look, looked := seen.Close[pattern]
		if !looked {
			look, looked = o.Domains[i].Close[pattern]
			look.Claim = claimants(o.Domains[i].Claims)[pattern]
		}
		e := Explanation{Group: g, Children: seen.Tree.Children[pattern]}
		if looked && look.Unread == nil {
			e.Tags = look.Tags
		}
		for _, f := range plan.Findings {
			if f.Resource != g.ARN {
				continue
			}
			one := control.Explained{Finding: f}
			if f.Subject == "" {
				trace := &control.Trace{}
				explain(trace, seen.Tree, g, look, looked, rules, now)
				one.Trials = trace.Trials
			}
			e.Findings = append(e.Findings, one)
		}
		return plan, e, true
	}
	return plan, Explanation{}, false
}

// explain takes down what came of each condition. They are told in the order of
// their numbers and settled in that of the decision, so that one may be said to keep
// a group which another has settled.
func explain(trace *control.Trace, t Tree, g Group, look Close, hasLook bool, p policy.PackageGroups, now time.Time) {
	l := listingOf(t)
	first := screen(l, g, p, now).code
	read := hasLook && look.Unread == nil
	if first == "" && read {
		first = byLook(look, p).code
	}
	settles := func(k kept) control.Verdict {
		switch {
		case k.code != first:
			return ""
		case k.code == "time-unknown":
			return control.Undetermined
		default:
			return control.Compliant
		}
	}
	for number := 1; number <= 5; number++ {
		name := fmt.Sprintf("condition %d: %s", number, conditions()[number])
		holds := true
		for _, c := range listed {
			if k := c.keeps(l, g, p, now); c.number == number && k.code != "" {
				holds = false
				result := control.Fails
				if k.code == "time-unknown" {
					result = control.Unknown
				}
				trace.Add(name, result, settles(k), func() string { return strings.TrimPrefix(k.reason, "kept: ") })
			}
		}
		for _, c := range looked {
			if c.number != number {
				continue
			}
			if !read {
				if holds {
					trace.Add(name, control.Unknown, doubt(first), func() string { return unreadWhy(look, hasLook) })
				}
				holds = false
				break // one look, one sentence
			}
			if k := c.keeps(look, p); k.code != "" {
				holds = false
				trace.Add(name, control.Fails, settles(k), func() string { return strings.TrimPrefix(k.reason, "kept: ") })
			}
		}
		if holds {
			trace.Add(name, control.Holds, "", nil)
		}
		if number == 5 {
			for _, k := range p.Keep {
				if why := k.Why(t.Domain.Name, g.Pattern); why != "" {
					trace.Add(k.Place, control.NotMatched, "", func() string { return why })
				} else {
					trace.Add(k.Place, control.Matched, "", func() string { return k.Reason })
				}
			}
		}
	}
	const six, seven = "condition 6: it has borne our mark for the grace time", "condition 7: all that holds in a second reading"
	if first != "" || !read {
		trace.Rest(six, seven)
		return
	}
	value, marked := look.Tags[MarkTag]
	switch worth, why := judgeMark(value, marked, g.Created, now, p.Grace); worth {
	case ripe:
		trace.Add(six, control.Holds, control.Violation, func() string { return "the mark is " + value })
	case waiting:
		trace.Add(six, control.Fails, control.Violation, func() string {
			return "the mark is " + value + ", and the grace time of " + span(p.Grace) + " is not over"
		})
	case void:
		trace.Add(six, control.Fails, control.Violation, func() string { return why + "; it is marked anew" })
	default:
		trace.Add(six, control.Fails, control.Violation, func() string { return "it bears none; it is marked first, and goes after " + span(p.Grace) })
	}
	trace.Add(seven, control.NotTried, "", func() string { return "enforcement makes it immediately before the deletion" })
}

// doubt is the verdict where the close look is missing: none, if something else has
// settled it before.
func doubt(first string) control.Verdict {
	if first != "" {
		return ""
	}
	return control.Undetermined
}

func unreadWhy(look Close, looked bool) string {
	if looked {
		return look.Unread.Reason
	}
	return "its packages and tags are not kept in the estate; run without --estate"
}

// conditions are what must hold for a group to go, in words, by their numbers.
func conditions() map[int]string {
	return map[int]string{
		1: "it is not /*, begins with a slash, and is older than min_age",
		2: "it holds no package, and has no child groups",
		3: "its own three modes are INHERIT",
		4: "look-alikes of its names are not let in without it",
		5: "nobody claims it",
	}
}

// Hiding returns what could not be read and may hold a group of the domain.
func (o Observation) Hiding(d Domain) []control.Finding {
	var found []control.Finding
	for _, u := range o.Unread {
		if d.Owner == o.Scope.Account && strings.HasSuffix(u.Resource, ":domain/*") || strings.HasSuffix(u.Resource, fmt.Sprintf(":%s:domain/%s", d.Owner, d.Name)) {
			found = append(found, undetermined(o.Scope, u.Resource, string(u.Class), u.Reason))
		}
	}
	return found
}

// Restrictions returns the kinds of restrictions, in the order in which they are
// told.
func Restrictions() []string { return slices.Clone(restrictions[:]) }
