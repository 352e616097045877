package packagegroup

import (
	"fmt"
	"math/bits"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"
)

// Domain identifies a domain within a Region.
type Domain struct {
	Owner string `json:"owner"`
	Name  string `json:"name"`
}

// Root is the pattern of the group that every domain has and that cannot be
// deleted: https://docs.aws.amazon.com/codeartifact/latest/ug/package-groups.html
const Root = "/*"

// Mode is how one kind of restriction stands.
type Mode string

// The modes. An effective mode is never Inherit.
const (
	Allow    Mode = "ALLOW"
	Specific Mode = "ALLOW_SPECIFIC_REPOSITORIES"
	Block    Mode = "BLOCK"
	Inherit  Mode = "INHERIT"
)

// restrictions are the three kinds, by their names in the API, in the order in
// which they are told.
var restrictions = [...]string{"PUBLISH", "EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM"}

// Control is the mode of one kind of restriction of a group.
type Control struct {
	Own       Mode `json:"mode"`
	Effective Mode `json:"effectiveMode"`
}

// Group is the state of one package group, as the list of a domain's groups gave
// it.
type Group struct {
	ARN         string             `json:"arn"`
	Pattern     string             `json:"pattern"`
	Parent      string             `json:"parent"` // its pattern; empty for the root
	Created     time.Time          `json:"createdTime"`
	Contact     string             `json:"contactInfo,omitempty"`
	Description string             `json:"description,omitempty"`
	Controls    map[string]Control `json:"originConfiguration"` // by restriction
}

// blocks says that nothing may be published under the group's control, nor come
// from anywhere.
func (g Group) blocks() bool {
	for _, r := range restrictions {
		if g.Controls[r].Effective != Block {
			return false
		}
	}
	return true
}

// Tree is all groups of one domain.
type Tree struct {
	Domain   Domain              `json:"domain"`
	Groups   map[string]Group    `json:"groups"` // by pattern
	Children map[string][]string `json:"-"`      // patterns of the direct children, by pattern, sorted; see Adopt
}

// Adopt finds the children of each group by what the groups say of their parents.
func (t *Tree) Adopt() {
	t.Children = map[string][]string{}
	for _, g := range t.Groups {
		if g.Pattern != Root {
			t.Children[g.Parent] = append(t.Children[g.Parent], g.Pattern)
		}
	}
	for _, children := range t.Children {
		slices.Sort(children)
	}
}

// listing is a tree made ready for the questions that the conditions ask of it about
// each of its groups.
type listing struct {
	Tree
	open index // the patterns of the groups that do not block everything, leaves first
}

func listingOf(t Tree) listing {
	return listing{t, indexed(slices.DeleteFunc(patterns(t), func(p string) bool { return t.Groups[p].blocks() }))}
}

// ancestor says whether the group of pattern a is above that of pattern b, or the
// same.
func (t Tree) ancestor(a, b string) bool {
	for steps := 0; steps <= len(t.Groups); steps++ {
		if a == b {
			return true
		}
		if b = t.Groups[b].Parent; b == "" {
			return false
		}
	}
	return false
}

// parts takes the namespace and the name out of a pattern, /format/namespace/name,
// as they are written and without the closing *, ~ or $.
func parts(pattern string) (namespace, name string) {
	p := strings.SplitN(strings.TrimPrefix(strings.TrimRight(pattern, "*~$"), "/"), "/", 3)
	p = append(p, "", "")
	return p[1], p[2]
}

// fold is what a pattern looks like to somebody who does not look closely, and to
// CodeArtifact when it compares names weakly: letter case, runs of separators,
// and characters that resemble each other are levelled. The levelling is coarser
// than CodeArtifact's, so two patterns that it would take for look-alikes are
// surely taken so here. exact is false where the pattern has characters that this
// table does not know.
// https://docs.aws.amazon.com/codeartifact/latest/ug/package-group-definition-syntax-matching-behavior.html
func fold(pattern string) (folded string, exact bool) {
	exact = true
	var b strings.Builder
	separated := false
	for _, c := range strings.ToLower(strings.TrimRight(pattern, "*~$")) {
		switch {
		case c >= 0x80:
			exact = false
			continue
		case strings.ContainsRune("-._", c):
			separated = true
			continue
		}
		if separated {
			b.WriteByte('.')
			separated = false
		}
		switch c {
		case '0':
			c = 'o'
		case '1', 'i', '|':
			c = 'l'
		case 'm':
			b.WriteByte('r')
			c = 'n'
		case 'w':
			b.WriteByte('v')
			c = 'v'
		}
		b.WriteRune(c)
	}
	return b.String(), exact
}

// index holds patterns so that those which resemble another one are found without a
// look at each: a domain may have thousands of groups, and their names may be alike.
type index struct {
	patterns []string
	inexact  []int // the places of those whose levelling is not exact

	// The others are sorted by what they look like. They are reached through at only,
	// so that a test can count how many were looked at.
	levelled int // how many they are
	at       func(i int) levelled

	// lowest[k][i] is which of the 2^k levelled ones from i on has the lowest place.
	lowest [][]int
}

type levelled struct {
	folded string
	place  int
}

func indexed(patterns []string) index {
	x := index{patterns: patterns}
	var list []levelled
	for place, pattern := range patterns {
		if folded, exact := fold(pattern); exact {
			list = append(list, levelled{folded, place})
		} else {
			x.inexact = append(x.inexact, place)
		}
	}
	slices.SortFunc(list, func(a, b levelled) int { return strings.Compare(a.folded, b.folded) })
	x.levelled, x.at = len(list), func(i int) levelled { return list[i] }

	row := make([]int, len(list))
	for i := range row {
		row[i] = i
	}
	for width := 1; len(row) > 0; width *= 2 {
		x.lowest = append(x.lowest, row)
		next := make([]int, max(0, len(row)-width))
		for i := range next {
			next[i] = x.lower(row[i], row[i+width])
		}
		row = next
	}
	return x
}

// lower returns which of two levelled patterns has the lower place.
func (x index) lower(i, j int) int {
	if x.at(j).place < x.at(i).place {
		return j
	}
	return i
}

// first returns the first of the patterns that resembles the given one and counts.
// Two resemble each other if a name could match one of them and be a look-alike of the
// other: one of them, levelled, begins like the other. Where it cannot be told, they
// do. However many resemble it, those that do not count and come before it are all that
// is looked at beside it.
func (x index) first(pattern string, counts func(string) bool) (string, bool) {
	folded, exact := fold(pattern)
	if !exact {
		i := slices.IndexFunc(x.patterns, counts)
		if i < 0 {
			return "", false
		}
		return x.patterns[i], true
	}
	best := len(x.patterns)
	if i := slices.IndexFunc(x.inexact, func(place int) bool { return counts(x.patterns[place]) }); i >= 0 {
		best = x.inexact[i]
	}
	for end := range folded {
		shorter := folded[:end]
		from := x.search(0, func(text string) bool { return text >= shorter })
		best = x.firstOf(from, x.search(from, func(text string) bool { return text > shorter }), best, counts)
	}
	from := x.search(0, func(text string) bool { return text >= folded })
	best = x.firstOf(from, x.search(from, func(text string) bool { return !strings.HasPrefix(text, folded) }), best, counts)
	if best == len(x.patterns) {
		return "", false
	}
	return x.patterns[best], true
}

// search returns the first of the levelled patterns from a number on that looks as
// asked, if all after it do, too.
func (x index) search(from int, looks func(text string) bool) int {
	return from + sort.Search(x.levelled-from, func(i int) bool { return looks(x.at(from + i).folded) })
}

// firstOf returns the lowest place of the levelled patterns with the numbers from one
// up to another that is below the best so far and counts, or the best so far.
func (x index) firstOf(from, to, best int, counts func(string) bool) int {
	if from >= to {
		return best
	}
	k := bits.Len(uint(to-from)) - 1
	i := x.lower(x.lowest[k][from], x.lowest[k][to-1<<k])
	place := x.at(i).place
	switch {
	case place >= best:
		return best
	case counts(x.patterns[place]):
		return place
	}
	return x.firstOf(i+1, to, x.firstOf(from, i, best, counts), counts)
}

// ParseARN takes the identity of a group from its ARN, in which *, $ and % of the
// pattern are percent-encoded:
// https://docs.aws.amazon.com/codeartifact/latest/ug/auth-and-access-control-permissions-reference.html
func ParseARN(arn string) (Domain, string, error) {
	p := strings.SplitN(arn, ":", 6)
	if len(p) == 6 && p[2] == "codeartifact" {
		if path, ok := strings.CutPrefix(p[5], "package-group/"); ok {
			domain, pattern, ok := strings.Cut(path, "/")
			decoded, err := url.PathUnescape(pattern)
			if ok && err == nil && domain != "" && decoded != "" {
				return Domain{Owner: p[4], Name: domain}, "/" + decoded, nil
			}
		}
	}
	return Domain{}, "", fmt.Errorf("%q is not the ARN of a package group", arn)
}
