package undo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/packagegroup"
)

// kinds are the restrictions of a package group.
func kinds() []string { return []string{"PUBLISH", "EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM"} }

// snapshot is the state of a package group, as package-groups records it.
type snapshot struct {
	packagegroup.Group
	Tags map[string]string `json:"tags"`
}

// group is a package group that was deleted.
type group struct {
	arn    string
	create create
	modes  *setModes // nil where it had none of its own
	before snapshot
	marks  []*mark // that the other outcomes in the files set on it
	made   bool    // by this undo, as far as AWS did not refuse it
}

func (g *group) calls() []control.Call {
	calls := []control.Call{call("CreatePackageGroup", g.create)}
	if g.modes != nil {
		calls = append(calls, call("UpdatePackageGroupOriginConfiguration", *g.modes))
	}
	return calls
}

// look says what the domain needs to have its group again.
//
//	the group                                          | it is
//	---------------------------------------------------+---------------------------------
//	cannot be read                                     | not known
//	is not there                                       | restored, by all calls
//	is not there, nor is its domain                    | refused
//	is the very one that was to go                     | not known yet: it may go later
//	is that one, with a mark of ours                   | the same; the mark is taken off, or the next run may delete it
//	exists as the undo leaves it                       | as it was
//	exists as the first call, made by us just now, has | restored, by the call that is left
//	exists otherwise                                   | refused: somebody made another one
//
// A mode is never set on a group that this undo did not make: there is no telling whose
// it is, and the mode may open it.
func (g *group) look(ctx context.Context, v View) Standing {
	what := fmt.Sprintf("package group %s of domain %s", g.create.PackageGroup, g.create.Domain)
	now, err := describe(ctx, v.API, g)
	switch {
	case noDomain(err):
		return Standing{Refused: fmt.Sprintf("domain %s of account %s is gone, and everything in it", g.create.Domain, g.create.DomainOwner)}
	case awsio.Classify(err) == awsio.NotFound:
		return Standing{Left: g.calls(), Notes: g.notes(v)}
	case err != nil:
		return unread(ctx, what+" could not be read", err)
	}
	s := Standing{Now: now}
	same := now.Contact == g.create.ContactInfo && now.Description == g.create.Description && maps.Equal(unmarked(now.Tags), g.tags())
	switch {
	case now.Created.UnixMilli() == g.before.Created.UnixMilli(): // one that is made again is younger
		g.still(&s, what, now)
	case same && g.has(now, g.wanted()):
		s.Differs = g.differs(now)
	case same && g.made && g.modes != nil && g.has(now, nil):
		s.Left, s.Notes = g.calls()[1:], g.notes(v)
	default:
		s.Refused = fmt.Sprintf("%s exists again, since %s, and is not as it was; if it should be, set it with `aws codeartifact update-package-group` and `update-package-group-origin-configuration`, or delete it and undo this again",
			what, now.Created.Format("2006-01-02 15:04:05 UTC"))
	}
	return s
}

// still says what is known of a group that was to go and is there: AWS takes a while to
// show a deletion. Nothing of it is restored, but a mark is taken off that another
// outcome set, as the undo of that does.
func (g *group) still(s *Standing, what string, now snapshot) {
	s.Open = fmt.Sprintf("%s is still the one that was made on %s; %s", what, now.Created.Format("2006-01-02 15:04:05 UTC"), later)
	value, marked := now.Tags[packagegroup.MarkTag]
	if !marked {
		return
	}
	if m := g.markOf(value); m != nil {
		s.Left = m.calls()
		s.Notes = []string{"with its mark, the next run may delete it", markedAgain}
		return
	}
	s.Open += fmt.Sprintf("; it bears a mark that no outcome in the files set, %q, with which the next run may delete it: give the outcome of that as well, or take it off with `aws codeartifact untag-resource`", value)
}

// markOf is the mark of this value; nil where no outcome set it.
func (g *group) markOf(value string) *mark {
	for _, m := range g.marks {
		if m.value() == value {
			return m
		}
	}
	return nil
}

// notes are what the undo does not bring back, and what the policy will do.
func (g *group) notes(v View) []string {
	var notes []string
	for _, kind := range kinds() {
		if g.modes != nil && g.modes.Restrictions[kind] == string(packagegroup.Specific) {
			notes = append(notes, kind+" allows specific repositories, whose list is not on record: fill it again with `aws codeartifact update-package-group-origin-configuration --add-allowed-repositories`")
		}
	}
	if v.Policy == nil || v.Policy.PackageGroups == nil || g.modes != nil {
		return notes
	}
	rules := v.Policy.PackageGroups
	for _, k := range rules.Keep {
		if k.Matches(g.create.Domain, g.create.PackageGroup) {
			return notes
		}
	}
	for key := range g.tags() {
		if key == packagegroup.KeepTag || key == rules.KeepTag {
			return notes
		}
	}
	return append(notes, fmt.Sprintf("no keep rule of the policy speaks of it: where a function enforces, it may be marked again once it is %s old, and go %s later; add one first",
		days(rules.MinAge), days(rules.Grace)))
}

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return fmt.Sprintf("%d hours", d/time.Hour)
}

func (g *group) tags() map[string]string {
	tags := map[string]string{}
	for _, t := range g.create.Tags {
		tags[t.Key] = t.Value
	}
	return tags
}

func unmarked(tags map[string]string) map[string]string {
	tags = maps.Clone(tags)
	delete(tags, packagegroup.MarkTag)
	return tags
}

// wanted are the modes that the group had of its own.
func (g *group) wanted() map[string]string {
	if g.modes == nil {
		return nil
	}
	return g.modes.Restrictions
}

// has tells whether these are the modes that a group has of its own.
func (g *group) has(now snapshot, modes map[string]string) bool {
	return !slices.ContainsFunc(kinds(), func(kind string) bool {
		want := packagegroup.Inherit
		if mode, ok := modes[kind]; ok {
			want = packagegroup.Mode(mode)
		}
		return now.Controls[kind].Own != want
	})
}

// differs says in what the group is not as it was before, although it has all that it
// had of its own: it inherits from what is above it now.
func (g *group) differs(now snapshot) []string {
	var list []string
	if now.Parent != g.before.Parent {
		list = append(list, fmt.Sprintf("its parent is %s now, and was %s", now.Parent, g.before.Parent))
	}
	for _, kind := range kinds() {
		if is, was := now.Controls[kind].Effective, g.before.Controls[kind].Effective; now.Controls[kind].Own == packagegroup.Inherit && is != was {
			list = append(list, fmt.Sprintf("%s is %s by inheritance now, and was %s", kind, is, was))
		}
	}
	return list
}

// describe reads the group, and takes over only an answer that is whole.
func describe(ctx context.Context, api Reader, g *group) (snapshot, error) {
	out, err := api.DescribePackageGroup(ctx, &codeartifact.DescribePackageGroupInput{
		Domain: &g.create.Domain, DomainOwner: &g.create.DomainOwner, PackageGroup: &g.create.PackageGroup,
	})
	if err != nil {
		return snapshot{}, err
	}
	p := out.PackageGroup
	switch {
	case p == nil || p.CreatedTime == nil || p.OriginConfiguration == nil:
		return snapshot{}, awsio.ErrMalformed("the answer lacks the package group, its creation time or its origin configuration")
	case aws.ToString(p.Pattern) != g.create.PackageGroup || aws.ToString(p.DomainName) != g.create.Domain || aws.ToString(p.DomainOwner) != g.create.DomainOwner:
		return snapshot{}, awsio.ErrMalformed("the answer is about another package group")
	}
	now := snapshot{Group: packagegroup.Group{
		ARN: g.arn, Pattern: *p.Pattern, Created: p.CreatedTime.UTC(), Contact: aws.ToString(p.ContactInfo), Description: aws.ToString(p.Description),
		Controls: map[string]packagegroup.Control{},
	}}
	if p.Parent != nil {
		now.Parent = aws.ToString(p.Parent.Pattern)
	}
	for _, kind := range kinds() {
		got, ok := p.OriginConfiguration.Restrictions[kind]
		if !ok || got.Mode == "" {
			return snapshot{}, awsio.ErrMalformed("the answer has no mode of " + kind)
		}
		now.Controls[kind] = packagegroup.Control{Own: packagegroup.Mode(got.Mode), Effective: packagegroup.Mode(got.EffectiveMode)}
	}
	now.Tags, err = tagsOf(ctx, api, g.arn)
	return now, err
}

func tagsOf(ctx context.Context, api Reader, arn string) (map[string]string, error) {
	out, err := api.ListTagsForResource(ctx, &codeartifact.ListTagsForResourceInput{ResourceArn: &arn})
	if err != nil {
		return nil, err
	}
	if out.Tags == nil {
		return nil, awsio.ErrMalformed("the answer has no list of tags in it")
	}
	tags := map[string]string{}
	for _, t := range out.Tags {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags, nil
}

func (g *group) write(ctx context.Context, api Writer, operation string) error {
	if operation == "UntagResource" {
		return unmark(ctx, api, g.arn)
	}
	if operation == "CreatePackageGroup" {
		in := &codeartifact.CreatePackageGroupInput{Domain: &g.create.Domain, DomainOwner: &g.create.DomainOwner, PackageGroup: &g.create.PackageGroup, Tags: sdkTags(g.create.Tags)}
		if g.create.ContactInfo != "" {
			in.ContactInfo = &g.create.ContactInfo
		}
		if g.create.Description != "" {
			in.Description = &g.create.Description
		}
		_, err := api.CreatePackageGroup(ctx, in)
		g.made = mayHaveDone(awsio.Answer(err))
		return err
	}
	modes := map[string]types.PackageGroupOriginRestrictionMode{}
	for kind, mode := range g.modes.Restrictions {
		modes[kind] = types.PackageGroupOriginRestrictionMode(mode)
	}
	_, err := api.UpdatePackageGroupOriginConfiguration(ctx, &codeartifact.UpdatePackageGroupOriginConfigurationInput{
		Domain: &g.create.Domain, DomainOwner: &g.create.DomainOwner, PackageGroup: &g.create.PackageGroup, Restrictions: modes,
	})
	return err
}

func sdkTags(tags []tag) []types.Tag {
	var list []types.Tag
	for _, t := range tags {
		list = append(list, types.Tag{Key: &t.Key, Value: &t.Value})
	}
	return list
}
