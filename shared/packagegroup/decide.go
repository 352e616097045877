package packagegroup

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// Name is the name of this control in findings, metrics and the policy.
const Name = "package-groups"

// details is what findings of this control say beyond the common fields.
type details struct {
	Domain  string `json:"domain"`
	Owner   string `json:"owner"` // account that owns the domain
	Pattern string `json:"pattern"`
	Parent  string `json:"parent"`          // pattern of the parent; empty for the root
	Since   string `json:"since,omitempty"` // when the group was marked, if it bears a mark of ours that can be read
}

// kept is the condition that keeps a group, and the reason in words. An empty
// code means that none does.
type kept struct{ code, reason string }

// screen says which condition keeps a group, as far as the list of all groups and
// the policy tell. It is pure, and comes before anything is read closely.
//
//	the group                                                  | code
//	-----------------------------------------------------------+----------------
//	is /*                                                      | root
//	has a pattern that does not begin with a slash             | no-slash
//	has a mode of its own                                      | own-control
//	cannot be judged, as AWS's time is not known               | time-unknown
//	is younger than min_age                                    | young
//	has children, and the policy does not say children: prune  | children
//	is kept by the policy                                      | keep-rule
//	blocks look-alikes that would be let in without it         | lookalikes
//	none of these                                              | (to be looked at closely)
func screen(l listing, g Group, p policy.PackageGroups, now time.Time) kept {
	for _, c := range listed {
		if k := c.keeps(l, g, p, now); k.code != "" {
			return k
		}
	}
	return kept{}
}

// listed are the conditions that the list of all groups and the policy tell about,
// in the order in which they are tried, each with the number that docs/controls.md
// gives it.
var listed = [...]struct {
	number int
	keeps  func(listing, Group, policy.PackageGroups, time.Time) kept
}{
	{1, isRoot}, {1, hasNoSlash}, {3, hasOwnControl}, {1, isYoung}, {2, hasChildren}, {5, keepRule}, {4, needed},
}

func isRoot(_ listing, g Group, _ policy.PackageGroups, _ time.Time) kept {
	if g.Pattern != Root {
		return kept{}
	}
	return kept{"root", "kept: every domain has /*, and it cannot be deleted"}
}

func hasNoSlash(_ listing, g Group, _ policy.PackageGroups, _ time.Time) kept {
	if strings.HasPrefix(g.Pattern, "/") {
		return kept{}
	}
	return kept{"no-slash", "kept: AWS does not say how the ARN of such a group reads, so that its tags cannot be relied on"}
}

func hasOwnControl(_ listing, g Group, _ policy.PackageGroups, _ time.Time) kept {
	for _, r := range restrictions {
		if own := g.Controls[r].Own; own != Inherit {
			return kept{"own-control", fmt.Sprintf("kept: it sets %s to %s itself; an empty group with a mode of its own guards names that nobody has published yet", r, own)}
		}
	}
	return kept{}
}

func isYoung(_ listing, g Group, p policy.PackageGroups, now time.Time) kept {
	if now.IsZero() {
		return kept{"time-unknown", "no answer of AWS said what time it is, so its age is not known"}
	}
	if age := now.Sub(g.Created); age < p.MinAge {
		return kept{"young", fmt.Sprintf("kept: it was created on %s, which is less than %s ago", g.Created.Format(time.DateTime), span(p.MinAge))}
	}
	return kept{}
}

func hasChildren(l listing, g Group, p policy.PackageGroups, _ time.Time) kept {
	if children := l.Children[g.Pattern]; len(children) > 0 && !p.PruneParents {
		return kept{"children", fmt.Sprintf("kept: it has %d child groups, such as %s; `children: prune` would let it go", len(children), children[0])}
	}
	return kept{}
}

func keepRule(l listing, g Group, p policy.PackageGroups, _ time.Time) kept {
	for _, k := range p.Keep {
		if k.Matches(l.Domain.Name, g.Pattern) {
			reason := fmt.Sprintf("kept: %s says so", k.Place)
			if k.Reason != "" {
				reason += " (" + k.Reason + ")"
			}
			return kept{"keep-rule", reason}
		}
	}
	return kept{}
}

func needed(l listing, g Group, p policy.PackageGroups, _ time.Time) kept {
	if p.IgnoreLookalikes {
		return kept{}
	}
	return lookalikes(l, g)
}

// lookalikes says whether names that resemble the group's are blocked only while
// it exists. A package whose name is a variation of a group's pattern belongs to
// that group and is blocked, whatever the modes say:
// https://docs.aws.amazon.com/codeartifact/latest/ug/package-group-definition-syntax-matching-behavior.html
//
// Without the group such a package falls to the parent, which must block
// everything too; or to a group beside it whose pattern it matches better, which
// must do so as well.
func lookalikes(l listing, g Group) kept {
	namespace, name := parts(g.Pattern)
	if namespace == "" && name == "" {
		return kept{} // a whole format has no look-alikes
	}
	what := name
	if what == "" {
		what = namespace
	}
	if parent := l.Groups[g.Parent]; !parent.blocks() {
		return kept{"lookalikes", fmt.Sprintf("kept: while it exists, look-alikes of `%s` are blocked, and %s above it would let them in; `lookalikes: ignore` would let it go", what, g.Parent)}
	}
	own := lookOf(g.Pattern)
	for _, other := range l.open {
		if p := other.pattern; own.resembles(other) && !l.ancestor(p, g.Pattern) && !l.ancestor(g.Pattern, p) {
			return kept{"lookalikes", fmt.Sprintf("kept: while it exists, look-alikes of `%s` are blocked, and some of them may match %s, which would let them in; `lookalikes: ignore` would let it go", what, p)}
		}
	}
	return kept{}
}

// Decide concludes what the policy says about every group that was observed.
//
//	the group                                  | its mark          | verdict      | code          | action
//	-------------------------------------------+-------------------+--------------+---------------+--------
//	is kept by the list (see screen)           |                   | compliant    | see screen    | –
//	  but AWS's time is not known              |                   | undetermined | time-unknown  | –
//	could not be read closely                  |                   | undetermined | error's class | –
//	has a package in it                        | none              | compliant    | in-use        | –
//	has a keep tag, or is of CloudFormation    | none              | compliant    | keep-tag      | –
//	is what a named package resolves to        | none              | compliant    | claimed       | –
//	  any of these three                       | there is one      | violation    | stale-mark    | unmark (beside its other finding)
//	is dead                                    | none              | violation    | dead          | mark
//	is dead                                    | void              | violation    | dead          | mark anew
//	is dead                                    | in the grace time | violation    | waiting       | –
//	is dead                                    | ripe              | violation    | prune         | delete
//	has a pattern that nothing can match       |                   | violation    | never-matches | – (beside its other finding)
//
// Actions on leaves come before those on what is above them. The plan is sorted
// otherwise by resource.
func Decide(o Observation, p policy.PackageGroups, now time.Time) control.Plan {
	var plan control.Plan
	for _, u := range o.Unread {
		plan.Findings = append(plan.Findings, undetermined(o.Scope, u.Resource, string(u.Class), u.Reason))
	}
	for _, seen := range o.Domains {
		l := listingOf(seen.Tree)
		for _, pattern := range patterns(seen.Tree) {
			if o.Only == "" || o.Only == pattern {
				decideOne(&plan, o.Scope, seen, l, seen.Tree.Groups[pattern], p, now)
			}
		}
	}
	slices.SortStableFunc(plan.Findings, func(a, b control.Finding) int { return strings.Compare(a.Resource, b.Resource) })
	return plan
}

func decideOne(plan *control.Plan, scope control.Scope, seen Seen, l listing, g Group, p policy.PackageGroups, now time.Time) {
	f := control.Finding{
		ID: control.FindingID(Name, g.ARN, ""), Control: Name, Account: scope.Account, Region: scope.Region, Resource: g.ARN,
		Details: details{Domain: seen.Tree.Domain.Name, Owner: seen.Tree.Domain.Owner, Pattern: g.Pattern, Parent: g.Parent},
	}
	if never := neverMatches(g.Pattern); never != "" {
		lint := f
		lint.ID, lint.Subject = control.FindingID(Name, g.ARN, "pattern"), "pattern"
		lint.Verdict, lint.Code, lint.Reason = control.Violation, "never-matches", fmt.Sprintf("%s in domain %s protects nothing: %s", g.Pattern, seen.Tree.Domain.Name, never)
		plan.Findings = append(plan.Findings, lint)
	}

	what := fmt.Sprintf("%s in domain %s", g.Pattern, seen.Tree.Domain.Name)
	say := func(v control.Verdict, code, reason string) {
		f.Verdict, f.Code, f.Reason = v, code, what+" is "+reason
	}
	byList := screen(l, g, p, now)
	look := seen.Close[g.Pattern]
	if _, ok := seen.Close[g.Pattern]; !ok && byList.code == "" {
		// Observe and Decide screen at different moments; a group may come of age in between.
		byList = kept{"young", "kept: it was too young when this run looked"}
	}
	switch {
	case byList.code == "time-unknown":
		f.Verdict, f.Code, f.Reason = control.Undetermined, byList.code, what+": "+byList.reason
		plan.Findings = append(plan.Findings, f)
		return
	case byList.code != "":
		plan.Looked++
		say(control.Compliant, byList.code, byList.reason)
		plan.Findings = append(plan.Findings, f)
		return
	case look.Unread != nil:
		f.Verdict, f.Code, f.Reason = control.Undetermined, string(look.Unread.Class), look.Unread.Reason
		plan.Findings = append(plan.Findings, f)
		return
	}
	plan.Looked++

	value, marked := look.Tags[MarkTag]
	worth, why := judgeMark(value, marked, g.Created, now, p.Grace)
	if keep := byLook(look, p); keep.code != "" {
		say(control.Compliant, keep.code, keep.reason)
		plan.Findings = append(plan.Findings, f)
		if marked {
			stale := f
			stale.ID, stale.Subject = control.FindingID(Name, g.ARN, "mark"), "mark"
			stale.Verdict, stale.Code, stale.Reason = control.Violation, "stale-mark", fmt.Sprintf("%s bears our mark, although %s", what, strings.TrimPrefix(keep.reason, "kept: "))
			plan.Findings = append(plan.Findings, stale)
			plan.Actions = append(plan.Actions, unmark(stale, seen.Tree.Domain, g, look))
		}
		return
	}

	f.Effect = fmt.Sprintf("without it, what it would hold is under %s and the very same controls", g.Parent)
	if n := len(seen.Tree.Children[g.Pattern]); n > 0 {
		f.Effect += fmt.Sprintf("; its %d child groups move up to %s", n, g.Parent)
	}
	d := f.Details.(details)
	switch worth {
	case unmarked, void:
		reason := "dead: empty, without a mode of its own, and claimed by nobody; it is marked first and goes after " + span(p.Grace)
		if why != "" {
			reason += " (" + why + ")"
		}
		say(control.Violation, "dead", reason)
		plan.Actions = append(plan.Actions, mark(f, seen.Tree.Domain, g, look, now))
	case waiting:
		m, _ := ParseMark(value)
		d.Since = m.Since.Format(time.RFC3339)
		say(control.Violation, "waiting", fmt.Sprintf("dead since %s, and goes when it has been so for %s", m.Since.Format(time.DateTime), span(p.Grace)))
	case ripe:
		m, _ := ParseMark(value)
		d.Since = m.Since.Format(time.RFC3339)
		say(control.Violation, "prune", fmt.Sprintf("dead since %s, for longer than %s", m.Since.Format(time.DateTime), span(p.Grace)))
		plan.Actions = append(plan.Actions, prune(f, seen.Tree.Domain, g, look))
	}
	f.Details = d
	plan.Findings = append(plan.Findings, f)
}

// byLook says which condition keeps a group, as far as the close look tells.
func byLook(c Close, p policy.PackageGroups) kept {
	for _, condition := range looked {
		if k := condition.keeps(c, p); k.code != "" {
			return k
		}
	}
	return kept{}
}

// looked are the conditions that the close look tells about; see listed.
var looked = [...]struct {
	number int
	keeps  func(Close, policy.PackageGroups) kept
}{
	{2, inUse}, {5, keepTag}, {5, claimed},
}

func inUse(c Close, _ policy.PackageGroups) kept {
	if c.Package == "" {
		return kept{}
	}
	return kept{"in-use", "kept: it holds packages, such as " + c.Package}
}

func keepTag(c Close, p policy.PackageGroups) kept {
	for _, key := range slices.Sorted(maps.Keys(c.Tags)) {
		switch {
		case key == KeepTag || p.KeepTag != "" && key == p.KeepTag:
			return kept{"keep-tag", "kept: it bears the tag " + key}
		case strings.HasPrefix(key, "aws:"):
			return kept{"keep-tag", fmt.Sprintf("kept: the tag %s says that a stack or service owns it", key)}
		}
	}
	return kept{}
}

func claimed(c Close, _ policy.PackageGroups) kept {
	if c.Claim == "" {
		return kept{}
	}
	return kept{"claimed", fmt.Sprintf("kept: %s, which package_origins names, resolves to it", c.Claim)}
}

// neverMatches says why no package can match a pattern, or "" if some can.
func neverMatches(pattern string) string {
	namespace, _ := parts(pattern)
	switch {
	case !strings.HasPrefix(pattern, "/"):
		return "a pattern that does not begin with a slash matches no package"
	case strings.HasPrefix(namespace, "@"):
		return fmt.Sprintf("CodeArtifact keeps an npm scope without the @, so it should read %s", strings.Replace(pattern, "@", "", 1))
	}
	return ""
}

func undetermined(scope control.Scope, resource, code, reason string) control.Finding {
	return control.Finding{
		ID: control.FindingID(Name, resource, ""), Control: Name, Account: scope.Account, Region: scope.Region,
		Resource: resource, Verdict: control.Undetermined, Code: code, Reason: reason,
	}
}

// snapshot is the whole state of a group before a write.
type snapshot struct {
	Group
	Tags map[string]string `json:"tags"`
}

func action(f control.Finding, d Domain, g Group, c Close, call control.Call, undo ...control.Call) control.Action {
	return control.Action{
		ID: f.ID, Control: Name, Account: f.Account, Region: f.Region, Resource: g.ARN, Subject: f.Subject,
		Owner: d.Owner, Domain: d.Name, Reason: f.Reason,
		Call: call, Before: snapshot{g, c.Tags}, Undo: undo,
	}
}

// tagging returns the call that sets our mark, and the one that takes it off.
func tagging(arn, value string) (set, unset control.Call) {
	set = call("TagResource", map[string]any{"resourceArn": arn, "tags": []map[string]string{{"key": MarkTag, "value": value}}})
	unset = call("UntagResource", map[string]any{"resourceArn": arn, "tagKeys": []string{MarkTag}})
	return set, unset
}

func mark(f control.Finding, d Domain, g Group, c Close, now time.Time) control.Action {
	set, unset := tagging(g.ARN, Mark{Since: now, Created: g.Created}.String())
	return action(f, d, g, c, set, unset)
}

func unmark(f control.Finding, d Domain, g Group, c Close) control.Action {
	set, unset := tagging(g.ARN, c.Tags[MarkTag])
	return action(f, d, g, c, unset, set)
}

// prune deletes the group. All its modes are INHERIT, which is also what a new
// group has, so one call restores it.
func prune(f control.Finding, d Domain, g Group, c Close) control.Action {
	return action(f, d, g, c,
		call("DeletePackageGroup", map[string]any{"domain": d.Name, "domainOwner": d.Owner, "packageGroup": g.Pattern}),
		create(d, g, c.Tags))
}

// create is the call that makes a group anew, without our mark.
func create(d Domain, g Group, tags map[string]string) control.Call {
	input := map[string]any{"domain": d.Name, "domainOwner": d.Owner, "packageGroup": g.Pattern}
	if g.Contact != "" {
		input["contactInfo"] = g.Contact
	}
	if g.Description != "" {
		input["description"] = g.Description
	}
	var list []map[string]string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if key != MarkTag {
			list = append(list, map[string]string{"key": key, "value": tags[key]})
		}
	}
	if list != nil {
		input["tags"] = list
	}
	return call("CreatePackageGroup", input)
}

func call(operation string, input map[string]any) control.Call {
	return control.Call{Service: "codeartifact", Operation: operation, Input: input}
}

// span writes a duration in days, or hours.
func span(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return fmt.Sprintf("%d hours", d/time.Hour)
}
