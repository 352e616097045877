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
}

func (m *mark) calls() []control.Call {
	if m.takesOff {
		return []control.Call{call("UntagResource", m.unset)}
	}
	return nil
}

// look says what the group needs to lose its mark.
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
	ours := m.set.Tags[0].Value
	switch {
	case there && value != ours:
		s.Refused = fmt.Sprintf("%s bears another mark now, %q; a newer outcome is about that one", what, value)
	case m.takesOff && there:
		s.Left = m.calls()
		s.Notes = []string{"where a function enforces, its next sweep marks it again; a keep rule of the policy, or the tag " + packagegroup.KeepTag + ", keeps it"}
	case !m.takesOff && !there:
		s.Refused = what + " bears no mark, and nothing is lost without one; the old one would have it deleted without a grace time. Where a function enforces, its next sweep marks it anew if it is dead"
	}
	return s
}

func (m *mark) write(ctx context.Context, api Writer, _ string) error {
	_, err := api.UntagResource(ctx, &codeartifact.UntagResourceInput{ResourceArn: &m.arn, TagKeys: m.unset.TagKeys})
	return err
}
