package undo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"portcullis/shared/control"
	"portcullis/shared/externalconn"
	"portcullis/shared/packagegroup"
)

// The inputs of the calls that an undo may make, with the members that the controls
// record. They are what is sent: nothing of a file is sent that is not in here.
type (
	associate struct {
		Domain             string `json:"domain"`
		DomainOwner        string `json:"domainOwner"`
		Repository         string `json:"repository"`
		ExternalConnection string `json:"externalConnection"`
	}
	create struct {
		Domain       string `json:"domain"`
		DomainOwner  string `json:"domainOwner"`
		PackageGroup string `json:"packageGroup"`
		ContactInfo  string `json:"contactInfo,omitempty"`
		Description  string `json:"description,omitempty"`
		Tags         []tag  `json:"tags,omitempty"`
	}
	setModes struct {
		Domain       string            `json:"domain"`
		DomainOwner  string            `json:"domainOwner"`
		PackageGroup string            `json:"packageGroup"`
		Restrictions map[string]string `json:"restrictions"`
	}
	setTag struct {
		ResourceArn string `json:"resourceArn"`
		Tags        []tag  `json:"tags"`
	}
	unsetTag struct {
		ResourceArn string   `json:"resourceArn"`
		TagKeys     []string `json:"tagKeys"`
	}
	tag struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
)

// ErrNone is the error of an outcome that nothing can undo.
var ErrNone = errors.New("nothing can undo it")

// A resource is what an undo restores.
type resource interface {
	// calls are all that restore it, in order.
	calls() []control.Call

	// look reads it as it is now, and says what is left to do.
	look(ctx context.Context, v View) Standing

	// write makes one of the calls.
	write(ctx context.Context, api Writer, operation string) error
}

// undoes says which operation each call undoes; what else is recorded as an undo is
// none of ours.
func undoes(operation string, calls []string) bool {
	switch operation {
	case "DisassociateExternalConnection":
		return slices.Equal(calls, []string{"AssociateExternalConnection"})
	case "DeletePackageGroup":
		return slices.Equal(calls, []string{"CreatePackageGroup"}) ||
			slices.Equal(calls, []string{"CreatePackageGroup", "UpdatePackageGroupOriginConfiguration"})
	case "TagResource":
		return slices.Equal(calls, []string{"UntagResource"})
	case "UntagResource":
		return slices.Equal(calls, []string{"TagResource"})
	}
	return false
}

// check reads the undo of an outcome strictly, and holds it against what the outcome
// is about.
func check(o Outcome) (resource, error) {
	if o.ID != control.FindingID(o.Control, o.Resource, o.Subject) {
		return nil, errors.New("its id is not that of its resource; the record was changed after it was written")
	}
	if arn := strings.SplitN(o.Resource, ":", 6); len(arn) < 6 || arn[3] != o.Region || arn[4] != o.Owner {
		return nil, errors.New("its Region or its owner is not that of its resource; the record was changed after it was written")
	}
	if len(o.Undo) == 0 {
		return nil, ErrNone
	}
	var names []string
	for _, c := range o.Undo {
		names = append(names, c.Operation)
		known := slices.Contains([]string{
			"AssociateExternalConnection", "CreatePackageGroup", "UpdatePackageGroupOriginConfiguration", "TagResource", "UntagResource",
		}, c.Operation)
		if !known || c.Service != "codeartifact" {
			return nil, fmt.Errorf("its undo would call %.60q of %.40q, which no undo of Portcullis does", c.Operation, c.Service)
		}
	}
	if !undoes(o.Call.Operation, names) {
		return nil, fmt.Errorf("its undo calls %q, which does not undo %.60q", names, o.Call.Operation)
	}
	switch names[0] {
	case "AssociateExternalConnection":
		return checkConnection(o)
	case "CreatePackageGroup":
		return checkGroup(o)
	default:
		return checkMark(o)
	}
}

func checkConnection(o Outcome) (resource, error) {
	c := &connection{arn: o.Resource, region: o.Region, seen: o.seen()}
	if err := strict(o.Undo[0].Input, &c.input); err != nil {
		return nil, fmt.Errorf("its undo cannot be read: %w", err)
	}
	if err := state(o.Before, &c.before); err != nil {
		return nil, fmt.Errorf("the state before cannot be read: %w", err)
	}
	name, err := externalconn.ParseARN(o.Resource)
	in := c.input
	if err != nil || (externalconn.Name{Owner: in.DomainOwner, Domain: in.Domain, Repo: in.Repository}) != name ||
		in.ExternalConnection == "" || in.ExternalConnection != o.Subject || o.Control != externalconn.Control {
		return nil, errors.New("its undo is about something else than the outcome itself")
	}
	c.name = name
	if c.before.ARN != o.Resource || !slices.Contains(c.before.Connections, in.ExternalConnection) {
		return nil, errors.New("the state before is of something else than the outcome itself")
	}
	return c, nil
}

func checkGroup(o Outcome) (resource, error) {
	g := &group{arn: o.Resource}
	if err := strict(o.Undo[0].Input, &g.create); err != nil {
		return nil, fmt.Errorf("its undo cannot be read: %w", err)
	}
	if len(o.Undo) > 1 {
		g.modes = &setModes{}
		if err := strict(o.Undo[1].Input, g.modes); err != nil {
			return nil, fmt.Errorf("its undo cannot be read: %w", err)
		}
	}
	if err := state(o.Before, &g.before); err != nil {
		return nil, fmt.Errorf("the state before cannot be read: %w", err)
	}
	domain, pattern, err := packagegroup.ParseARN(o.Resource)
	about := func(owner, name, p string) bool {
		return err == nil && packagegroup.Domain{Owner: owner, Name: name} == domain && p == pattern
	}
	if !about(g.create.DomainOwner, g.create.Domain, g.create.PackageGroup) || o.Control != packagegroup.Name || o.Subject != "" ||
		g.modes != nil && !about(g.modes.DomainOwner, g.modes.Domain, g.modes.PackageGroup) {
		return nil, errors.New("its undo is about something else than the outcome itself")
	}
	if g.before.ARN != o.Resource || g.before.Pattern != pattern {
		return nil, errors.New("the state before is of something else than the outcome itself")
	}
	if g.modes != nil {
		for kind, mode := range g.modes.Restrictions {
			if !slices.Contains(kinds(), kind) || !slices.Contains([]packagegroup.Mode{packagegroup.Allow, packagegroup.Specific, packagegroup.Block}, packagegroup.Mode(mode)) {
				return nil, fmt.Errorf("its undo sets %.40q to %.40q, which no package group has", kind, mode)
			}
		}
	}
	for _, t := range g.create.Tags {
		if t.Key == packagegroup.MarkTag {
			return nil, errors.New("its undo sets the mark of package-groups, which a group that is restored does not bear")
		}
	}
	if differs := g.unlike(o.Status); differs != "" {
		return nil, fmt.Errorf("its undo has another %s than the state before; the record was changed after it was written", differs)
	}
	return g, nil
}

// unlike says in what the undo is not that of the state before. What was changed in the
// moment of the deletion is restored as it was when it went: that has a status of
// its own, and all but the tags may differ.
func (g *group) unlike(status control.Status) string {
	late := status == control.RestoreNeeded
	switch {
	case !maps.Equal(g.tags(), unmarked(g.before.Tags)):
		return "list of tags"
	case !late && g.create.ContactInfo != g.before.Contact:
		return "contact"
	case !late && g.create.Description != g.before.Description:
		return "description"
	case !late && !g.has(g.before, g.wanted()):
		return "mode"
	}
	return ""
}

func checkMark(o Outcome) (resource, error) {
	m := &mark{arn: o.Resource, seen: o.seen()}
	set := o.Undo[0]
	if set.Operation == "UntagResource" {
		set = o.Call
		if err := strict(o.Undo[0].Input, &m.unset); err != nil {
			return nil, fmt.Errorf("its undo cannot be read: %w", err)
		}
		m.takesOff = true
	} else {
		m.unset = unsetTag{o.Resource, []string{packagegroup.MarkTag}}
	}
	if err := strict(set.Input, &m.set); err != nil {
		return nil, fmt.Errorf("its undo cannot be read: %w", err)
	}
	domain, pattern, err := packagegroup.ParseARN(o.Resource)
	if err != nil || m.set.ResourceArn != o.Resource || m.unset.ResourceArn != o.Resource || o.Control != packagegroup.Name {
		return nil, errors.New("its undo is about something else than the outcome itself")
	}
	m.domain, m.pattern = domain, pattern
	if len(m.set.Tags) != 1 || m.set.Tags[0].Key != packagegroup.MarkTag || !slices.Equal(m.unset.TagKeys, []string{packagegroup.MarkTag}) {
		return nil, errors.New("its undo is about another tag than the mark of package-groups")
	}
	return m, nil
}

// strict reads an input, and takes no member that is not known.
func strict(raw json.RawMessage, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("it has no input")
		}
		return err
	}
	return nil
}

// state reads a state before. Later versions may know more of it.
func state(raw json.RawMessage, into any) error {
	if len(raw) == 0 || raw[0] != '{' {
		return errors.New("it is missing")
	}
	return json.Unmarshal(raw, into)
}

// call is what is to be sent, as data.
func call(operation string, input any) control.Call {
	return control.Call{Service: "codeartifact", Operation: operation, Input: input}
}
