package undo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/packagegroup"
)

// mark is the mark of package-groups on a group. One that was set is taken off. One
// that was taken off is not set again: the group would go without a grace time, as the
// time of the old mark is over.
type mark struct {
	arn      string
	domain   packagegroup.Domain
	pattern  string
	set      setTag
	unset    unsetTag
	takesOff bool
	seen     bool // what was done to it, by the run that did it or by this undo
}

func (m *mark) calls() []control.Call {
	if m.takesOff {
		return []control.Call{call("UntagResource", m.unset)}
	}
	return nil
}

// markedAgain is what a person should know who has a mark taken off.
const markedAgain = "where a function enforces, its next sweep marks it again; a keep rule of the policy, or the tag " + packagegroup.KeepTag + ", keeps it"

// value is that of the mark which was set, or taken off.
func (m *mark) value() string { return m.set.Tags[0].Value }

// look says what the group needs to lose its mark. Where nothing is left to do, and
// nobody has seen what was done to the mark, that is not known yet.
func (m *mark) look(ctx context.Context, v View) Standing {
	tags, err := tagsOf(ctx, v.API, m.arn)
	what := fmt.Sprintf("package group %s of domain %s", m.pattern, m.domain.Name)
	switch {
	case awsio.Classify(err) == awsio.NotFound:
		return Standing{Refused: what + " is gone, and its mark with it; undo the outcome of its deletion instead"}
	case err != nil:
		return unread(ctx, "the tags of "+what+" could not be read", err)
	}
	s := Standing{Now: map[string]any{"arn": m.arn, "tags": tags}}
	value, there := tags[packagegroup.MarkTag]
	ours := m.value()
	m.seen = m.seen || there == m.takesOff
	switch {
	case there && value != ours:
		s.Refused = fmt.Sprintf("%s bears another mark now, %q; a newer outcome is about that one", what, value)
	case m.takesOff && there:
		s.Left = m.calls()
		s.Notes = []string{markedAgain}
	case !m.takesOff && !there:
		s.Refused = what + " bears no mark, and nothing is lost without one; the old one would have it deleted without a grace time. Where a function enforces, its next sweep marks it anew if it is dead"
	case there && !m.seen:
		s.Open = what + " bears its mark, still or again; " + later
	case !m.seen:
		s.Open = what + " bears no mark, or none any more; " + later
	}
	return s
}

func (m *mark) write(ctx context.Context, api Writer, _ string) error {
	return unmark(ctx, api, m.arn)
}

func unmark(ctx context.Context, api Writer, arn string) error {
	_, err := api.UntagResource(ctx, &codeartifact.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{packagegroup.MarkTag}})
	return err
}
