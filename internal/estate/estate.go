// Package estate is what was seen of an AWS estate: by which controls, in which
// accounts and Regions, and when. It is looked at once, and can be kept in a file
// and judged again later, under the same policy or a changed one, without AWS.
//
// It neither decides nor writes. The looking and the judging are the controls' own,
// so that what is said of an estate by hand is what their functions would say.
package estate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/externalconn"
	"portcullis/shared/packagegroup"
	"portcullis/shared/packageorigin"
	"portcullis/shared/policy"
	"portcullis/shared/protonconn"
)

// Observation is what one control read in one account and Region.
type Observation interface {
	// Judge says what a policy makes of it at a time. What that policy would have had
	// read, and was not, is undetermined.
	Judge(p *policy.Policy, now time.Time) control.Plan

	// Matches returns the places of the policy's rules that speak of anything in it.
	Matches(p *policy.Policy) map[string]bool

	// Complete tells whether everything in scope was read.
	Complete() bool
}

// Control is one of the controls, as far as looking and judging go.
type Control struct {
	Name    string
	Section string // of the policy
	Has     func(*policy.Policy) bool

	look func(context.Context, *awsio.Session, control.Scope, *policy.Policy) (Observation, control.Plan)
	load func(json.RawMessage) (Observation, error)
}

// Controls returns all of them, in the order in which they are told.
func Controls() []Control {
	return []Control{
		of(externalconn.Control, "external_connections", func(p *policy.Policy) bool { return p.ExternalConnections != nil }, externalconn.Look),
		of(packagegroup.Name, "package_groups", func(p *policy.Policy) bool { return p.PackageGroups != nil }, packagegroup.Look),
		of(packageorigin.Control, "package_origins", func(p *policy.Policy) bool { return p.PackageOrigins != nil }, packageorigin.Look),
		of(protonconn.Control, "proton_connections", func(p *policy.Policy) bool { return p.ProtonConnections != nil }, protonconn.Look),
	}
}

func of[O Observation](name, section string, has func(*policy.Policy) bool,
	look func(context.Context, *awsio.Session, control.Scope, *policy.Policy) (O, control.Plan),
) Control {
	return Control{
		Name: name, Section: section, Has: has,
		look: func(ctx context.Context, s *awsio.Session, scope control.Scope, p *policy.Policy) (Observation, control.Plan) {
			return look(ctx, s, scope, p)
		},
		load: func(data json.RawMessage) (Observation, error) {
			var o O
			if err := json.Unmarshal(data, &o); err != nil {
				return nil, err
			}
			return o, whole(data, o)
		},
	}
}

// whole is an error where a kept observation lacks anything that it is written with now
// that it was read. What is not there was read as if it were empty.
func whole(kept json.RawMessage, read Observation) error {
	again, err := json.Marshal(read)
	if err != nil {
		return err
	}
	var has, needs any
	if err := errors.Join(json.Unmarshal(kept, &has), json.Unmarshal(again, &needs)); err != nil {
		return err
	}
	if place := lacking(has, needs, ""); place != "" {
		return fmt.Errorf("it has no %q", place)
	}
	return nil
}

// lacking returns the first place that is in one value and not in the other, or is null
// there; empty if there is none. Both stand at the same place.
func lacking(has, needs any, at string) string {
	if has == nil && needs != nil && at != "" {
		return at
	}
	switch needs := needs.(type) {
	case map[string]any:
		object, _ := has.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(needs)) {
			place := strings.TrimPrefix(at+"."+key, ".")
			value, there := object[key]
			if !there {
				return place
			}
			if place := lacking(value, needs[key], place); place != "" {
				return place
			}
		}
	case []any:
		list, _ := has.([]any)
		for i, element := range needs[:min(len(list), len(needs))] {
			if place := lacking(list[i], element, fmt.Sprintf("%s[%d]", at, i)); place != "" {
				return place
			}
		}
	}
	return ""
}

// Find returns the control of a name.
func Find(name string) (Control, bool) {
	for _, c := range Controls() {
		if c.Name == name {
			return c, true
		}
	}
	return Control{}, false
}

// Part is what one control saw in one account and Region.
type Part struct {
	Scope   control.Scope
	Control string

	// At is the time by AWS's clock; zero where no answer told it. What was seen is
	// judged as of then, however much later that is done.
	At time.Time

	Seen Observation
}

// Look has a control read everything in scope, with a session of its own, and says
// what the policy makes of it.
func (c Control) Look(ctx context.Context, a *awsio.AWS, scope control.Scope, p *policy.Policy) (Part, control.Plan, error) {
	session, err := a.Session(scope)
	if err != nil {
		return Part{}, control.Plan{}, err
	}
	seen, plan := c.look(ctx, session, scope, p)
	return Part{Scope: scope, Control: c.Name, At: session.Clock.Now(), Seen: seen}, plan, nil
}

// IsGone tells whether the service is not there any more, so that there was nothing
// to read.
func (p Part) IsGone() bool {
	o, ok := p.Seen.(interface{ IsGone() bool })
	return ok && o.IsGone()
}

// Estate is everything that was seen in one go.
type Estate struct {
	Tool   string // version of the program that looked
	Policy string // hash of the policy that it looked under
	Parts  []Part
}

// At returns the latest time of any part; zero where none has one.
func (e Estate) At() time.Time {
	var at time.Time
	for _, p := range e.Parts {
		if p.At.After(at) {
			at = p.At
		}
	}
	return at
}

// Regions returns the Regions that were looked at, in that order.
func (e Estate) Regions() []string {
	var list []string
	for _, p := range e.Parts {
		if !slices.Contains(list, p.Scope.Region) {
			list = append(list, p.Scope.Region)
		}
	}
	return list
}

const (
	format  = "portcullis-estate"
	version = 1
)

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]+$`)
)

// file is an estate as it is kept.
type file struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Tool    string `json:"tool"`
	Policy  string `json:"policy"`
	Parts   []part `json:"parts"`
}

type part struct {
	control.Scope
	Control  string          `json:"control"`
	At       *time.Time      `json:"at"` // null where it is not known
	Complete bool            `json:"complete"`
	Seen     json.RawMessage `json:"seen"`
}

// Write keeps an estate.
func (e Estate) Write(w io.Writer) error {
	f := file{Format: format, Version: version, Tool: e.Tool, Policy: e.Policy, Parts: []part{}}
	for _, p := range e.Parts {
		seen, err := json.Marshal(p.Seen)
		if err != nil {
			return fmt.Errorf("keeping what %s saw: %w", p.Control, err)
		}
		kept := part{Scope: p.Scope, Control: p.Control, Complete: p.Seen.Complete(), Seen: seen}
		if !p.At.IsZero() {
			kept.At = &p.At
		}
		f.Parts = append(f.Parts, kept)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	return encoder.Encode(f)
}

// Read reads an estate that Write kept. It takes nothing else: a part of a file
// would be a part of an estate, and look like one with fewer doors in it.
func Read(data []byte) (Estate, error) {
	var f file
	decoder := json.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&f)
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF):
		return Estate{}, errors.New("it is empty; `portcullis plan --save` writes one")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Estate{}, errors.New("it is cut off before its end; write it again with `portcullis plan --save`")
	case errors.As(err, &syntax) || err == nil && f.Format != format:
		return Estate{}, errors.New("it is not a saved estate; `portcullis plan --save` writes one")
	case err != nil:
		return Estate{}, fmt.Errorf("it is not a saved estate that can be read: %w; write it again with `portcullis plan --save`", err)
	case f.Version != version:
		return Estate{}, fmt.Errorf("it is of version %d, written by portcullis %s, and this one reads version %d; write it again with `portcullis plan --save`", f.Version, f.Tool, version)
	case !errors.Is(decoder.Decode(new(json.RawMessage)), io.EOF): // More says no before a } as well
		return Estate{}, errors.New("something follows after its end; write it again with `portcullis plan --save`")
	case len(f.Parts) == 0:
		return Estate{}, errors.New("it holds nothing that anybody saw; write it again with `portcullis plan --save`")
	}
	e := Estate{Tool: f.Tool, Policy: f.Policy}
	for i, kept := range f.Parts {
		c, known := Find(kept.Control)
		if !known {
			return Estate{}, fmt.Errorf("it holds what a control %q saw, which nobody knows here; portcullis %s wrote it", kept.Control, f.Tool)
		}
		// They are printed and asked for as they are.
		if !accountForm.MatchString(kept.Account) || !regionForm.MatchString(kept.Region) {
			return Estate{}, fmt.Errorf("part %d is of account %.40q in Region %.40q, which cannot be; write it again with `portcullis plan --save`", i+1, kept.Account, kept.Region)
		}
		// Whoever asks for a part is given one. Another would be left out, and nobody would hear of it.
		if first := f.Parts[0]; kept.Account != first.Account {
			return Estate{}, fmt.Errorf("it holds what was seen in account %s and in account %s, and an estate is of one; write one for each with `portcullis plan --save`", first.Account, kept.Account)
		}
		if slices.ContainsFunc(e.Parts, func(p Part) bool { return p.Control == kept.Control && p.Scope == kept.Scope }) {
			return Estate{}, fmt.Errorf("it holds twice what %s saw in %s; write it again with `portcullis plan --save`", kept.Control, kept.Region)
		}
		p, err := kept.read(c)
		if err != nil {
			return Estate{}, fmt.Errorf("what %s saw, part %d, %w; write it again with `portcullis plan --save`", kept.Control, i+1, err)
		}
		e.Parts = append(e.Parts, p)
	}
	return e, nil
}

// read reads what a control saw. What is written twice must be the same both times.
func (kept part) read(c Control) (Part, error) {
	seen, err := c.load(kept.Seen)
	if err != nil {
		return Part{}, fmt.Errorf("cannot be read: %w", err)
	}
	var within struct{ Scope control.Scope }
	if err := json.Unmarshal(kept.Seen, &within); err != nil {
		return Part{}, fmt.Errorf("cannot be read: %w", err)
	}
	if within.Scope != kept.Scope || seen.Complete() != kept.Complete {
		return Part{}, errors.New("was changed after it was written")
	}
	p := Part{Scope: kept.Scope, Control: kept.Control, Seen: seen}
	if kept.At != nil {
		p.At = kept.At.UTC()
	}
	return p, nil
}
