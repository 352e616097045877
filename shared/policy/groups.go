package policy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// PackageGroups says which package groups may be pruned, beyond what is never pruned at all.
type PackageGroups struct {
	MinAge time.Duration // a group younger than this is kept
	Grace  time.Duration // how long a group must have been seen to be dead

	Keep    []KeepRule
	KeepTag string // key of a tag that keeps a group, whatever its value; "" is none beside portcullis:keep

	PruneParents     bool // a group with child groups may go; they move up to its parent
	IgnoreLookalikes bool // a group may go although look-alikes of its names are blocked only by it
}

// KeepRule keeps package groups.
type KeepRule struct {
	Place        string // where it stands, such as "package_groups.keep[0]"
	Line, Column int    // of the file, from 1
	Reason       string

	Domains []string // globs on the domain name; none: any domain
	Groups  []string // patterns of groups, letter for letter; a trailing ** stands for anything
}

// Matches tells whether the rule keeps this group. CodeArtifact's patterns have a *, ~ and $ of their own, so they
// are compared and not matched: "/npm/acme/*" is the one group of that pattern.
func (k KeepRule) Matches(domain, pattern string) bool { return fits(k.misfits(domain, pattern)) }

func (r *reader) packageGroups(v value) *PackageGroups {
	g := &PackageGroups{}
	r.mapping(v,
		field{"min_age", "min_age: 14d (days, or hours as in 36h; at least 1h)", required, func(v value) { g.MinAge = r.duration(v) }},
		field{"grace", "grace: 14d (days, or hours as in 36h; at least 1h)", required, func(v value) { g.Grace = r.duration(v) }},
		field{"keep", `keep: [{groups: ["/npm/acme/*"]}]`, optional, func(v value) {
			r.list(v, func(v value) { g.Keep = append(g.Keep, r.keepRule(v)) })
		}},
		field{"keep_tag", `keep_tag: "team:owned"`, optional, func(v value) { g.KeepTag = r.tagKey(v) }},
		field{"children", "children: keep, or children: prune", optional, func(v value) { g.PruneParents = r.choice(v, "keep", "prune") }},
		field{"lookalikes", "lookalikes: keep, or lookalikes: ignore", optional, func(v value) { g.IgnoreLookalikes = r.choice(v, "keep", "ignore") }},
	)
	r.shadowedKeeps(*g)
	return g
}

func (r *reader) keepRule(v value) KeepRule {
	k := KeepRule{Place: v.place, Line: v.node.Line, Column: v.node.Column}
	r.mapping(v,
		field{"groups", `groups: ["/npm/acme/*"]`, required, func(v value) { k.Groups = r.names(v, r.groupPattern) }},
		field{"domains", `domains: ["corp"]`, optional, func(v value) { k.Domains = r.names(v, r.domain) }},
		field{"reason", `reason: "Why it is kept."`, optional, func(v value) { k.Reason = r.text(v) }},
	)
	return k
}

// groupPattern refuses what no package group can be named. The characters are those of the API's own model:
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_CreatePackageGroup.html
func (r *reader) groupPattern(v value, pattern string) {
	bare := strings.TrimSuffix(pattern, "**")
	switch {
	case !strings.HasPrefix(pattern, "/"):
		r.refuse(v.node, fmt.Sprintf("group %.80q does not begin with a slash", pattern), `write the group's whole pattern, like "/npm/acme/*"`)
	case strings.ContainsAny(pattern, " \t"):
		r.refuse(v.node, fmt.Sprintf("group %.80q holds a space", pattern), "write the pattern as CodeArtifact shows it")
	case strings.Contains(bare, "**"):
		r.refuse(v.node, fmt.Sprintf("** inside group %.80q", pattern), "write ** only at the end, where it stands for anything that follows")
	case strings.HasPrefix(pattern, "/npm/@"):
		r.refuse(v.node, fmt.Sprintf("group %.80q can hold no package", pattern), "write the scope without @, like /npm/acme/*")
	case strings.TrimRight(pattern, "*~$") == pattern:
		r.refuse(v.node, fmt.Sprintf("group %.80q is not the pattern of a package group", pattern), `let it end as CodeArtifact shows it, in *, ~ or $; or in **, which stands for anything that follows`)
	}
}

// duration reads a whole number of days or hours, an hour at least.
func (r *reader) duration(v value) time.Duration {
	s := r.text(v)
	if s == "" {
		return 0
	}
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour}[s[len(s)-1]]
	n, err := strconv.Atoi(s[:len(s)-1])
	if unit == 0 || err != nil || strconv.Itoa(n) != s[:len(s)-1] || n < 1 || n > 10_000 {
		r.refuse(v.node, fmt.Sprintf("%s %.40q is not a number of days or hours from 1 to 10000", v.place, s), "write "+v.example)
		return 0
	}
	return time.Duration(n) * unit
}

// tagKey reads the key of a tag: https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html
func (r *reader) tagKey(v value) string {
	s := r.text(v)
	if len(s) > 128 || strings.HasPrefix(s, "aws:") || s == "portcullis:empty-since" {
		r.refuse(v.node, fmt.Sprintf("%s %.40q is not the key of a tag that people set", v.place, s), "write "+v.example)
	}
	return s
}

// choice reads one of two words, and tells whether it is the second.
func (r *reader) choice(v value, first, second string) bool {
	s := r.text(v)
	if s != "" && s != first && s != second {
		r.refuse(v.node, fmt.Sprintf("%s is %.40q", v.place, s), "write "+v.example)
	}
	return s == second
}
