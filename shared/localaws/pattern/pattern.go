// Package pattern answers one question: does an EventBridge rule with this event
// pattern match this event?
//
// It knows exact values, prefix and exists. Every other operator is refused when
// the pattern is compiled, so it never answers for a pattern that it does not
// wholly understand.
//
// The pattern's language is described at
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
// and where that page leaves a question open, the answer is that of AWS's own
// matcher, https://github.com/aws/event-ruler.
package pattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Pattern is a compiled event pattern. It is made by [Compile].
type Pattern struct {
	fields []field // sorted by path
}

// field is what a pattern asks of one path, such as detail.eventName: that one of
// the alternatives holds.
type field struct {
	path   string
	values []func(value any) bool
	absent bool // also satisfied where the path leads to no value
}

// Compile reads a pattern, a JSON object. It refuses a pattern, and an object or
// a list in it, that is empty; a field that is no list; and every operator but
// prefix and exists.
func Compile(data []byte) (Pattern, error) {
	var root map[string]any
	if err := json.Unmarshal(data, &root); err != nil {
		return Pattern{}, fmt.Errorf("compiling event pattern: %w", err)
	}
	var p Pattern
	if err := p.compile("", root); err != nil {
		return Pattern{}, fmt.Errorf("compiling event pattern: %w", err)
	}
	slices.SortFunc(p.fields, func(a, b field) int { return strings.Compare(a.path, b.path) })
	return p, nil
}

func (p *Pattern) compile(parent string, object map[string]any) error {
	if len(object) == 0 {
		return fmt.Errorf("%q is empty", parent)
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if strings.HasPrefix(name, "$") {
			return fmt.Errorf("operator %q is not known here", name)
		}
		path := join(parent, name)
		switch v := object[name].(type) {
		case map[string]any:
			if err := p.compile(path, v); err != nil {
				return err
			}
		case []any:
			f, err := compileField(path, v)
			if err != nil {
				return err
			}
			p.fields = append(p.fields, f)
		default:
			return fmt.Errorf("%q is neither an object nor a list", path)
		}
	}
	return nil
}

func compileField(path string, alternatives []any) (field, error) {
	f := field{path: path}
	if len(alternatives) == 0 {
		return f, fmt.Errorf("the list of %q is empty", path)
	}
	for _, alternative := range alternatives {
		switch want := alternative.(type) {
		case map[string]any:
			if err := f.operator(want); err != nil {
				return f, fmt.Errorf("%q: %w", path, err)
			}
		case []any:
			return f, fmt.Errorf("%q has a list within its list", path)
		default: // a string, a number, a boolean or null
			f.values = append(f.values, func(value any) bool { return value == want })
		}
	}
	return f, nil
}

func (f *field) operator(object map[string]any) error {
	prefix, isPrefix := object["prefix"].(string)
	exists, isExists := object["exists"].(bool)
	switch {
	case len(object) == 1 && isPrefix:
		f.values = append(f.values, func(value any) bool {
			s, ok := value.(string)
			return ok && strings.HasPrefix(s, prefix)
		})
	case len(object) == 1 && isExists && exists:
		f.values = append(f.values, func(any) bool { return true })
	case len(object) == 1 && isExists:
		f.absent = true
	default:
		return fmt.Errorf("operator %v is not known here", object)
	}
	return nil
}

// Match tells whether an event, a JSON object, matches the pattern. The error is
// non-nil where it is none.
func (p Pattern) Match(event []byte) (bool, error) {
	var root map[string]any
	if err := json.Unmarshal(event, &root); err != nil {
		return false, fmt.Errorf("reading event: %w", err)
	}
	if root == nil {
		return false, errors.New("reading event: it is null")
	}
	l := leaves{at: map[string][]leaf{}}
	l.collect("", root, nil)
	return satisfied(p.fields, l.at, nil), nil
}

// satisfied tells whether the leaves satisfy all fields, without taking values
// from different elements of one list: [{"a":1},{"b":2}] is not an element with a
// 1 and b 2. The elements chosen so far are in taken.
func satisfied(fields []field, at map[string][]leaf, taken elements) bool {
	if len(fields) == 0 {
		return true
	}
	f, rest := fields[0], fields[1:]
	absent := true
	for _, l := range at[f.path] {
		merged, ok := taken.with(l.in)
		if !ok {
			continue
		}
		absent = false
		if slices.ContainsFunc(f.values, func(holds func(any) bool) bool { return holds(l.value) }) &&
			satisfied(rest, at, merged) {
			return true
		}
	}
	return f.absent && absent && satisfied(rest, at, taken)
}

// leaf is one value of an event that is neither an object nor a list, and the
// list elements that it is in. A list of values is many leaves at one path; an
// empty object or list is none, so exists: false holds for it.
type leaf struct {
	value any
	in    elements
}

// elements says which element was chosen of which list, by the list's number.
type elements map[int]int

// with returns both choices together, or false where they differ about a list.
func (e elements) with(other elements) (elements, bool) {
	merged := maps.Clone(other)
	for list, element := range e {
		if chosen, ok := merged[list]; ok && chosen != element {
			return nil, false
		}
		if merged == nil {
			merged = elements{}
		}
		merged[list] = element
	}
	return merged, true
}

type leaves struct {
	at    map[string][]leaf // by path
	lists int
}

func (l *leaves) collect(path string, value any, in elements) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			l.collect(join(path, name), inner, in)
		}
	case []any:
		l.lists++
		list := l.lists
		for i, element := range v {
			inside := in
			switch element.(type) {
			case map[string]any, []any:
				inside, _ = elements{list: i}.with(in)
			}
			l.collect(path, element, inside)
		}
	default:
		l.at[path] = append(l.at[path], leaf{value, in})
	}
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}
