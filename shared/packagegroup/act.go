package packagegroup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// actor carries out the actions of one run. See [control.Actor].
type actor struct {
	observer
	write Writer

	// By action whose deletion AWS accepted: what it said that it deleted, or nil
	// where it did not say.
	deleted map[string]*types.PackageGroupDescription
}

// NewActor returns what carries out this control's actions in an account by hand,
// as its function does it in a run. The session is the way into that account.
func NewActor(s *awsio.Session, scope control.Scope, p *policy.Policy) control.Actor {
	return newActor(newObserver(s, scope, p), s)
}

func newActor(o observer, s *awsio.Session) *actor {
	return &actor{observer: o, write: codeartifact.NewFromConfig(s.Writes), deleted: map[string]*types.PackageGroupDescription{}}
}

func (a *actor) Recheck(ctx context.Context, action control.Action) control.Plan {
	domain, pattern, err := ParseARN(action.Resource)
	if err != nil {
		return control.Plan{Findings: []control.Finding{undetermined(a.scope, action.Resource, string(awsio.Other), err.Error())}}
	}
	plan := Decide(a.one(ctx, domain, pattern), a.policy, a.clock.Now())
	there := slices.IndexFunc(plan.Findings, func(f control.Finding) bool { return f.Resource == action.Resource })
	asked := slices.ContainsFunc(plan.Findings, func(f control.Finding) bool { return f.ID == action.ID })
	if there >= 0 && !asked && action.Call.Operation == "UntagResource" {
		right := plan.Findings[there] // the mark is right again, so nothing is found about it; but it is not gone
		right.ID, right.Verdict = action.ID, control.Compliant
		plan.Findings = append(plan.Findings, right)
	}
	return plan
}

func (a *actor) Write(ctx context.Context, action control.Action) (control.Answer, error) {
	domain, pattern, err := ParseARN(action.Resource)
	if err != nil {
		return control.Refused, err
	}
	switch action.Call.Operation {
	case "TagResource":
		_, err = a.write.TagResource(ctx, &codeartifact.TagResourceInput{
			ResourceArn: &action.Resource,
			Tags:        []types.Tag{{Key: aws.String(MarkTag), Value: aws.String(markOf(action))}},
		})
	case "UntagResource":
		_, err = a.write.UntagResource(ctx, &codeartifact.UntagResourceInput{ResourceArn: &action.Resource, TagKeys: []string{MarkTag}})
	case "DeletePackageGroup":
		var out *codeartifact.DeletePackageGroupOutput
		out, err = a.write.DeletePackageGroup(ctx, &codeartifact.DeletePackageGroupInput{Domain: &domain.Name, DomainOwner: &domain.Owner, PackageGroup: &pattern})
		if err == nil {
			a.deleted[action.ID] = out.PackageGroup
		}
	default:
		return control.Refused, fmt.Errorf("%s is not an operation of this control", action.Call.Operation)
	}
	return awsio.Answer(err), err
}

// markOf is the value that a marking action sets.
func markOf(action control.Action) string {
	tags, _ := action.Call.Input.(map[string]any)["tags"].([]map[string]string)
	return tags[0]["value"]
}

func (a *actor) Verify(ctx context.Context, action control.Action) (control.Look, error) {
	domain, pattern, err := ParseARN(action.Resource)
	if err != nil {
		return control.Look{}, err
	}
	if action.Call.Operation == "DeletePackageGroup" {
		return a.verifyDeletion(ctx, action, domain, pattern)
	}
	c := a.look(ctx, domain, action.Before.(snapshot).Group)
	if c.Unread != nil {
		return control.Look{}, fmt.Errorf("looking for the mark: %s", c.Unread.Reason)
	}
	value, marked := c.Tags[MarkTag]
	if action.Call.Operation == "TagResource" {
		return control.Look{Done: marked && value == markOf(action)}, nil
	}
	return control.Look{Done: !marked}, nil
}

// verifyDeletion looks whether the group is gone, and whether what went is what
// was decided on. CodeArtifact has no conditional delete, so a mode that was set,
// a package that came in or a group that was made anew in the last moment is lost
// with it; the look finds that, and says what restores it.
func (a *actor) verifyDeletion(ctx context.Context, action control.Action, d Domain, pattern string) (control.Look, error) {
	before := action.Before.(snapshot)
	gone, accepted := a.deleted[action.ID]
	var look control.Look
	if gone != nil {
		look.Restore, look.Undo = compare(d, before, gone)
	}

	tree, err := a.tree(ctx, d)
	if err != nil {
		return look, fmt.Errorf("listing the groups again: %w", err)
	}
	now, there := tree.Groups[pattern]
	anew := there && now.Created.UnixMilli() != before.Created.UnixMilli() // somebody was quick
	look.Done = !there || anew
	if look.Done && gone == nil {
		look.Remark = "what was deleted could not be compared with what was decided on"
	}
	if look.Restore != "" || anew {
		return look, nil
	}

	slipped, err := a.packages(ctx, d, pattern, true)
	switch {
	case err != nil:
		return look, fmt.Errorf("listing what the group would hold: %w", err)
	case len(slipped) > 0 && (gone != nil || look.Done):
		look.Restore, look.Undo = "a package came in at the moment of the deletion: "+slipped[0], action.Undo
	case there:
		// https://docs.aws.amazon.com/codeartifact/latest/ug/package-groups.html
		return look, fmt.Errorf("the group is still listed, and a deletion takes a while to show")
	case gone == nil && accepted:
		return look, fmt.Errorf("AWS's answer does not say what it deleted, so it could not be compared")
	}
	return look, nil
}

// compare says in what the deleted group differs from the snapshot that the
// deletion was decided on, and which calls restore it as it was when it went.
func compare(d Domain, before snapshot, gone *types.PackageGroupDescription) (string, []control.Call) {
	var differs []string
	after := Group{Pattern: before.Pattern, Contact: aws.ToString(gone.ContactInfo), Description: aws.ToString(gone.Description)}
	if gone.CreatedTime == nil || gone.CreatedTime.UnixMilli() != before.Created.UnixMilli() {
		differs = append(differs, "it was made anew after it was looked at")
	}
	if p := aws.ToString(gone.Pattern); p != before.Pattern {
		differs = append(differs, fmt.Sprintf("AWS says that it deleted %q", p))
	}
	if gone.Parent == nil || aws.ToString(gone.Parent.Pattern) != before.Parent {
		differs = append(differs, fmt.Sprintf("its parent is not %s any more", before.Parent))
	}
	set := map[string]string{}
	unknownLists := []string{}
	for _, r := range restrictions {
		var mode, effective string
		if gone.OriginConfiguration != nil {
			mode = string(gone.OriginConfiguration.Restrictions[r].Mode)
			effective = string(gone.OriginConfiguration.Restrictions[r].EffectiveMode)
		}
		if mode == string(Inherit) && effective != string(before.Controls[r].Effective) {
			differs = append(differs, fmt.Sprintf("%s was %q by inheritance, where %q was decided on", r, effective, before.Controls[r].Effective))
		}
		if mode != string(Inherit) {
			differs = append(differs, fmt.Sprintf("%s was %q", r, mode))
			if mode != "" {
				set[r] = mode
			}
			if mode == string(Specific) {
				unknownLists = append(unknownLists, r)
			}
		}
	}
	if after.Contact != before.Contact || after.Description != before.Description {
		differs = append(differs, "its description or contact was changed")
	}
	if differs == nil {
		return "", nil
	}
	undo := []control.Call{create(d, after, before.Tags)}
	if len(set) > 0 {
		undo = append(undo, call("UpdatePackageGroupOriginConfiguration", map[string]any{
			"domain": d.Name, "domainOwner": d.Owner, "packageGroup": before.Pattern, "restrictions": set,
		}))
	}
	why := "what was deleted is not what was decided on: " + strings.Join(differs, "; ")
	if len(unknownLists) > 0 {
		why += fmt.Sprintf("; its lists of allowed repositories (%s) went with it and must be filled again by hand", strings.Join(unknownLists, ", "))
	}
	return why, undo
}
