package packagegroup

import (
	"fmt"
	"net/url"
	"slices"
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
	open []look // of the groups that do not block everything, leaves first
}

// listingOf levels each pattern once, and not once for each pair: nothing stops a
// decision before the time of its run is up, and a domain may have thousands of groups.
func listingOf(t Tree) listing {
	l := listing{Tree: t}
	for _, p := range patterns(t) {
		if !t.Groups[p].blocks() {
			l.open = append(l.open, lookOf(p))
		}
	}
	return l
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

// look is what a pattern looks like; see fold.
type look struct {
	pattern, folded string
	exact           bool
}

func lookOf(pattern string) look {
	folded, exact := fold(pattern)
	return look{pattern, folded, exact}
}

// resembles says whether a name could match one of the patterns and be a look-alike of
// the other: one of them, levelled, begins like the other. Where it cannot be told,
// they do.
func (a look) resembles(b look) bool {
	return !a.exact || !b.exact || strings.HasPrefix(a.folded, b.folded) || strings.HasPrefix(b.folded, a.folded)
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
