// Package present shows to a person, or to a program that a person has written,
// what the controls concluded: as text, as JSON and as Markdown.
//
// It adds nothing to the conclusions, and changes none. What enforcement would do is
// what the gate of the functions lets through.
package present

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"portcullis/internal/estate"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// Part is what one control concluded about what it saw in one account and Region.
type Part struct {
	estate.Part
	Looked int
	Shown  []Finding
	Left   int // findings that were not asked for

	Gate control.Gated // what enforcement would let through, of all and not only of what is shown
}

// Finding is a finding, and what enforcement would do about it.
type Finding estate.Conclusion

// Conclude puts together what is to be shown of a plan: the findings that are asked
// for, or all of them where asked is nil.
func Conclude(part estate.Part, plan control.Plan, p *policy.Policy, asked func(control.Finding) bool) Part {
	out := Part{Part: part, Looked: plan.Looked}
	gated, conclusions := estate.Conclude(plan, p)
	out.Gate = gated
	for _, c := range conclusions {
		if asked != nil && !aboutMany(c.Finding) && !asked(c.Finding) {
			out.Left++
			continue
		}
		out.Shown = append(out.Shown, Finding(c))
	}
	return out
}

// Choose returns the plan with those actions alone that answer what is asked for, or
// all of them where asked is nil. What was looked at, and found, stays: the share of a
// limit is a share of that.
func Choose(plan control.Plan, asked func(control.Finding) bool) control.Plan {
	if asked == nil {
		return plan
	}
	chosen := map[string]bool{}
	for _, f := range plan.Findings {
		chosen[f.ID] = chosen[f.ID] || asked(f)
	}
	plan.Actions = slices.DeleteFunc(slices.Clone(plan.Actions), func(a control.Action) bool { return !chosen[a.ID] })
	return plan
}

// Any asks for what any of the patterns matches; it is nil where there is no pattern.
func Any(only []Pattern) func(control.Finding) bool {
	if len(only) == 0 {
		return nil
	}
	return func(f control.Finding) bool {
		return slices.ContainsFunc(only, func(p Pattern) bool { return p.Matches(f) })
	}
}

// Unmatched returns those of the patterns that match no finding: what is asked for is
// not there, or there is nothing to judge about it. Where something could not be read
// that may hold it, nobody can say that of any pattern.
func Unmatched(findings []control.Finding, only []Pattern) []Pattern {
	if slices.ContainsFunc(findings, aboutMany) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(only), func(p Pattern) bool { return slices.ContainsFunc(findings, p.Matches) })
}

// aboutMany tells whether the finding is that something could not be read which may
// hold any number of resources. It belongs to whatever is asked for.
func aboutMany(f control.Finding) bool {
	return f.Verdict == control.Undetermined && f.Subject == "" &&
		(strings.HasSuffix(f.Resource, "/*") || strings.Contains(f.Resource, ":domain/"))
}

// Name is what a person calls the resource: its name and, where it is CodeArtifact's and
// in a domain of another account than the one looked at, the account before it, as two
// accounts may have domains and repositories of one name.
func Name(f control.Finding) string {
	service, owner, name := split(f.Resource)
	if service != "codeartifact" || owner == f.Account {
		return name
	}
	return owner + "/" + name
}

// split takes out of an ARN the service, the account, and the name, in which AWS encodes
// the characters of patterns. What is no ARN is a name.
func split(resource string) (service, owner, name string) {
	parts := strings.SplitN(resource, ":", 6)
	_, name, ok := strings.Cut(parts[len(parts)-1], "/")
	if len(parts) < 6 || !ok {
		return "", "", resource
	}
	if decoded, err := url.PathUnescape(name); err == nil {
		name = decoded
	}
	return parts[2], parts[4], name
}

// Pattern chooses findings.
type Pattern struct {
	written string
	re      *regexp.Regexp
}

// String is the pattern as it was written.
func (p Pattern) String() string { return p.written }

// ParsePattern reads a pattern, in which * stands for any characters, slashes
// included, and ? for one.
func ParsePattern(s string) (Pattern, error) {
	if !utf8.ValidString(s) {
		return Pattern{}, fmt.Errorf("%q is not UTF-8, so no name can match it; write ? or * in place of what your terminal does not send as UTF-8", s)
	}
	quoted := regexp.QuoteMeta(s)
	quoted = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(quoted)
	re, err := regexp.Compile(`(?s)^` + quoted + `$`)
	if err != nil {
		return Pattern{}, fmt.Errorf("%.100q cannot be matched: %w; write a shorter one", s, err)
	}
	return Pattern{s, re}, nil
}

// Matches tells whether the pattern matches the ARN of a finding's resource, its
// name, its name behind the account that owns it, or what about it the finding is, such
// as a connection or a package. A name by itself is never one of another account's.
func (p Pattern) Matches(f control.Finding) bool {
	_, owner, name := split(f.Resource)
	return p.re.MatchString(f.Resource) || p.re.MatchString(Name(f)) || owner != "" && p.re.MatchString(owner+"/"+name) ||
		f.Subject != "" && p.re.MatchString(f.Subject)
}

// Result is everything that a plan shows.
type Result struct {
	Account    string
	PolicyFile string
	PolicyHash string
	Parts      []Part
}

// judged returns the parts that say something about the whole. That a service is
// gone leaves nothing to judge, so such a part does so only where it is all there is.
func (r Result) judged() []Part {
	there := slices.DeleteFunc(slices.Clone(r.Parts), func(p Part) bool { return p.IsGone() })
	if len(there) == 0 {
		return r.Parts
	}
	return there
}

// Verdicts counts what is shown, by verdict.
func (r Result) Verdicts() map[control.Verdict]int {
	n := map[control.Verdict]int{}
	for _, p := range r.judged() {
		for _, f := range p.Shown {
			n[f.Verdict]++
		}
	}
	return n
}

// Worst is the verdict about everything that is shown: a violation goes before what
// is undetermined, and that before compliance.
func (r Result) Worst() control.Verdict {
	n := r.Verdicts()
	for _, v := range []control.Verdict{control.Violation, control.Undetermined} {
		if n[v] > 0 {
			return v
		}
	}
	return control.Compliant
}

// limited tells whether something is shown that the limit keeps from being done.
func (p Part) limited() bool {
	return p.Gate.Exceeded && slices.ContainsFunc(p.Shown, func(f Finding) bool { return f.Action != nil })
}
