package policy

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxText is the longest string a policy holds, in characters.
const maxText = 500

// reader walks the YAML of one file and collects what is wrong. It goes on after a problem, so that one run tells
// all; what a method returns for a refused value is never used.
type reader struct {
	file     string
	holds    string // what the file is to hold: "policy" or "case"
	problems Problems
	warnings Problems
}

// value is one node of the file, with its place in the policy and an example of what may stand there.
type value struct {
	node           *yaml.Node
	place, example string
}

// field is one key of a mapping, and what reads its value.
type field struct {
	key, example string
	required     bool
	read         func(value)
}

const (
	required = true
	optional = false
)

func (r *reader) at(line, column int, what, fix string) {
	r.problems = append(r.problems, Problem{r.file, line, column, what, fix})
}

func (r *reader) refuse(n *yaml.Node, what, fix string) { r.at(n.Line, n.Column, what, fix) }

func (r *reader) warn(n *yaml.Node, what, fix string) {
	r.warnings = append(r.warnings, Problem{r.file, n.Line, n.Column, what, fix})
}

// document returns the root of the only document of the file, or nil if there is no such thing.
func (r *reader) document(data []byte) *yaml.Node {
	if len(data) > maxBytes {
		r.at(1, 1, fmt.Sprintf("the file is larger than %d KiB", maxBytes>>10), "shorten it, for example with patterns")
		return nil
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if !r.visible(text) {
		return nil
	}
	documents, err := split(text)
	switch {
	case err != nil:
		r.syntax(text, err)
		return nil
	case len(documents) == 0 || documents[0].Content[0].Tag == "!!null":
		r.at(1, 1, "the file holds no "+r.holds, "begin with version: 1")
		return nil
	case len(documents) > 1:
		r.refuse(documents[1], "a second document begins here", "keep one document in the file")
	}
	return documents[0].Content[0]
}

// split parses the first two documents of text. Nodes keep an alias as it is written, so that nothing grows.
func split(text string) ([]*yaml.Node, error) {
	var documents []*yaml.Node
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for len(documents) < 2 {
		document := &yaml.Node{}
		err := decoder.Decode(document)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
	return documents, nil
}

// visible refuses text that an editor does not show as the parser reads it: bytes that are no characters, invisible
// characters, and the rarer line breaks, which could end a comment and begin a rule.
func (r *reader) visible(text string) bool {
	for i, line := range strings.Split(text, "\n") {
		column := 0
		for j, c := range strings.TrimSuffix(line, "\r") {
			column++
			if c == utf8.RuneError && !strings.HasPrefix(line[j:], "\ufffd") {
				r.at(i+1, column, "the file is not UTF-8 text", "save it as UTF-8")
				return false
			}
			if c != '\t' && invisible(c) {
				r.at(i+1, column, fmt.Sprintf("invisible character %U", c), "delete it")
				return false
			}
		}
	}
	return true
}

func invisible(c rune) bool { return unicode.In(c, unicode.C, unicode.Zl, unicode.Zp) }

// syntax reports the parser's error. The parser often names the line where the broken block begins, or none; the
// error is on the first line from there on with which the parser complains so.
func (r *reader) syntax(text string, err error) {
	what, from := complaint(err)
	lines := strings.SplitAfter(text, "\n")
	from = min(from, len(lines)) // the parser counts a carriage return at the very end as one more
	line := from + sort.Search(len(lines)-from, func(n int) bool {
		_, err := split(strings.Join(lines[:from+n], ""))
		if err == nil {
			return false
		}
		same, _ := complaint(err)
		return same == what
	})
	last := lines[line-1]
	indentation := last[:len(last)-len(strings.TrimLeft(last, " \t"))]
	switch {
	case strings.Contains(indentation, "\t"):
		r.at(line, 1, "a tab in the indentation", "indent with spaces")
	case what == "did not find expected alphabetic or numeric character" || strings.HasPrefix(what, "unknown anchor"):
		r.at(line, 1, "a value begins with * or & and is not in quotes", aliasFix)
	default:
		r.at(line, 1, "not YAML: "+what, "mind the quotes, the brackets and the indentation")
	}
}

// complaint takes the parser's error apart: "yaml: line 3: did not find expected key".
func complaint(err error) (what string, line int) {
	what = strings.TrimPrefix(err.Error(), "yaml: ")
	if n, _ := fmt.Sscanf(what, "line %d:", &line); n == 1 {
		_, what, _ = strings.Cut(what, ": ")
		return what, line
	}
	return what, 1
}

const aliasFix = "put a pattern that begins with * in quotes, and write any other value out where it is used"

// plain refuses what lets YAML be more than mappings, lists and text: one value standing for another, and tags.
func (r *reader) plain(n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		r.refuse(n, fmt.Sprintf("alias %.40q", "*"+n.Value), aliasFix)
	case n.Anchor != "":
		r.refuse(n, fmt.Sprintf("anchor %.40q", "&"+n.Anchor), "remove it, and write the value out where it is used")
	case n.Style&yaml.TaggedStyle != 0:
		r.refuse(n, fmt.Sprintf("tag %.40q", n.Tag), "remove it")
	case n.Tag == "!!merge":
		r.refuse(n, "merge key <<", "write the keys out")
	}
	for _, child := range n.Content {
		r.plain(child)
	}
}

// is tells whether the value is of the kind, and refuses it otherwise. What plain has refused is passed over.
func (r *reader) is(v value, kind yaml.Kind) bool {
	switch n := v.node; {
	case n.Kind == yaml.AliasNode || n.Style&yaml.TaggedStyle != 0 || n.Tag == "!!merge":
		return false
	case n.Kind != kind || n.Tag == "!!null":
		r.wrong(v)
		return false
	}
	return true
}

// named is the place of a value in words.
func (r *reader) named(v value) string {
	if v.place == "" && r.holds == "policy" {
		return "the policy"
	}
	return cmp.Or(v.place, "the file")
}

// wrong refuses a value for what it is.
func (r *reader) wrong(v value) {
	is := "is text"
	switch v.node.ShortTag() {
	case "!!null":
		is = "has no value"
	case "!!map":
		is = "is a mapping"
	case "!!seq":
		is = "is a list"
	case "!!int", "!!float":
		is = "is a number"
	case "!!bool":
		is = "is true or false"
	case "!!timestamp":
		is = "is a date"
	}
	r.refuse(v.node, fmt.Sprintf("%s %s", r.named(v), is), "write "+v.example)
}

// scalar returns the value as it is written, if it has one of the tags.
func (r *reader) scalar(v value, tags ...string) (string, bool) {
	if !r.is(v, yaml.ScalarNode) {
		return "", false
	}
	if !slices.Contains(tags, v.node.Tag) {
		r.wrong(v)
		return "", false
	}
	return v.node.Value, true
}

// text returns a string of visible characters without the space around it.
func (r *reader) text(v value) string {
	s, ok := r.scalar(v, "!!str")
	if !ok {
		return ""
	}
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		r.refuse(v.node, v.place+" is empty", "write "+v.example)
	case utf8.RuneCountInString(s) > maxText:
		r.refuse(v.node, fmt.Sprintf("%s is longer than %d characters", v.place, maxText), "shorten it")
	case strings.ContainsFunc(s, invisible):
		r.refuse(v.node, v.place+" holds a line break or an invisible character", "write one line; > before the text folds several into one")
	default:
		return s
	}
	return ""
}

// names returns a list of at least one string, each of them handed to check.
func (r *reader) names(v value, check func(value, string)) (names []string) {
	read := r.list(v, func(v value) {
		if s := r.text(v); s != "" {
			check(v, s)
			names = append(names, s)
		}
	})
	if read && len(v.node.Content) == 0 {
		r.refuse(v.node, v.place+" is an empty list", "write "+v.example)
	}
	return names
}

// list hands each item to read, and tells whether there is a list at all.
func (r *reader) list(v value, read func(value)) bool {
	if !r.is(v, yaml.SequenceNode) {
		return false
	}
	for i, n := range v.node.Content {
		read(value{n, fmt.Sprintf("%s[%d]", v.place, i), v.example})
	}
	return true
}

// mapping hands the value of each key to its field, and tells whether there is a mapping at all.
func (r *reader) mapping(v value, fields ...field) bool {
	if !r.is(v, yaml.MappingNode) {
		return false
	}
	var names []string
	for _, f := range fields {
		names = append(names, f.key)
	}
	lines := map[string]int{} // of the keys seen
	for pair := range slices.Chunk(v.node.Content, 2) {
		key := pair[0]
		if !r.is(value{key, "a key", "one of " + quoted(names)}, yaml.ScalarNode) {
			continue
		}
		i := slices.Index(names, key.Value)
		switch {
		case i < 0:
			r.refuse(key, fmt.Sprintf("unknown key %.40q", key.Value), instead(key.Value, names))
		case lines[key.Value] > 0:
			r.refuse(key, fmt.Sprintf("duplicate key %q", key.Value), fmt.Sprintf("keep this one or the one on line %d", lines[key.Value]))
		default:
			lines[key.Value] = key.Line
			place := key.Value
			if v.place != "" {
				place = v.place + "." + place
			}
			fields[i].read(value{pair[1], place, fields[i].example})
		}
	}
	for _, f := range fields {
		if f.required && lines[f.key] == 0 {
			r.refuse(v.node, fmt.Sprintf("%s lacks %q", r.named(v), f.key), "add "+f.example)
		}
	}
	return true
}
