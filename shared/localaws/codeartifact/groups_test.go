package codeartifact_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws/codeartifact"
)

const groupARNs = "arn:aws:codeartifact:eu-central-1:111122223333:package-group/corp"

// inherited is a restriction that comes from the root.
func inherited() types.PackageGroupOriginRestriction {
	return types.PackageGroupOriginRestriction{Mode: "INHERIT", EffectiveMode: "ALLOW", RepositoriesCount: aws.Int64(0),
		InheritedFrom: &types.PackageGroupReference{Arn: aws.String(groupARNs + "/%2a"), Pattern: aws.String("/*")}}
}

// own is a restriction that a group sets itself.
func own(mode types.PackageGroupOriginRestrictionMode, repositories int64) types.PackageGroupOriginRestriction {
	return types.PackageGroupOriginRestriction{Mode: mode, EffectiveMode: mode, RepositoriesCount: &repositories}
}

func TestEveryOperationOnOnePackageGroup(t *testing.T) {
	w, s := newWorld(t)
	c, ctx := client(w, owner), t.Context()
	domain := s.AddDomain(owner, region, "corp")
	domain.AddRepository("team")
	corp, owned, npm := aws.String("corp"), aws.String(owner), aws.String("/npm/*")

	root := types.PackageGroupSummary{
		Arn: aws.String(groupARNs + "/%2a"), Pattern: aws.String("/*"), DomainName: corp, DomainOwner: owned,
		CreatedTime: aws.Time(start()),
		OriginConfiguration: &types.PackageGroupOriginConfiguration{Restrictions: map[string]types.PackageGroupOriginRestriction{
			"PUBLISH": own("ALLOW", 0), "EXTERNAL_UPSTREAM": own("ALLOW", 0), "INTERNAL_UPSTREAM": own("ALLOW", 0)}},
	}
	w.Advance(time.Hour)
	group := &types.PackageGroupDescription{
		Arn: aws.String(groupARNs + "/npm/%2a"), Pattern: npm, DomainName: corp, DomainOwner: owned,
		CreatedTime: aws.Time(start().Add(time.Hour)), Description: aws.String("of npm"), ContactInfo: aws.String("build@corp"),
		Parent: &types.PackageGroupReference{Arn: root.Arn, Pattern: root.Pattern},
		OriginConfiguration: &types.PackageGroupOriginConfiguration{Restrictions: map[string]types.PackageGroupOriginRestriction{
			"PUBLISH": inherited(), "EXTERNAL_UPSTREAM": inherited(), "INTERNAL_UPSTREAM": inherited()}},
	}
	same(t, group, must(c.CreatePackageGroup(ctx, &sdk.CreatePackageGroupInput{Domain: corp, PackageGroup: npm,
		Description: group.Description, ContactInfo: group.ContactInfo,
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("build")}}}))(t).PackageGroup)

	group.Description = aws.String("of all npm")
	same(t, group, must(c.UpdatePackageGroup(ctx, &sdk.UpdatePackageGroupInput{Domain: corp, PackageGroup: npm,
		Description: group.Description}))(t).PackageGroup) // and not the contact

	update := &sdk.UpdatePackageGroupOriginConfigurationInput{Domain: corp, PackageGroup: npm,
		Restrictions: map[string]types.PackageGroupOriginRestrictionMode{
			"PUBLISH": "BLOCK", "EXTERNAL_UPSTREAM": "ALLOW_SPECIFIC_REPOSITORIES"},
		AddAllowedRepositories: []types.PackageGroupAllowedRepository{
			{OriginRestrictionType: "EXTERNAL_UPSTREAM", RepositoryName: aws.String("team")}},
	}
	group.OriginConfiguration.Restrictions["PUBLISH"] = own("BLOCK", 0)
	group.OriginConfiguration.Restrictions["EXTERNAL_UPSTREAM"] = own("ALLOW_SPECIFIC_REPOSITORIES", 1)
	updated := must(c.UpdatePackageGroupOriginConfiguration(ctx, update))(t)
	same(t, group, updated.PackageGroup)
	same(t, map[string]map[string][]string{"EXTERNAL_UPSTREAM": {"ADDED": {"team"}}}, updated.AllowedRepositoryUpdates)

	same(t, group, must(c.DescribePackageGroup(ctx, &sdk.DescribePackageGroupInput{Domain: corp, PackageGroup: npm}))(t).PackageGroup)
	summary := types.PackageGroupSummary{Arn: group.Arn, Pattern: npm, DomainName: corp, DomainOwner: owned, CreatedTime: group.CreatedTime,
		Description: group.Description, ContactInfo: group.ContactInfo, Parent: group.Parent, OriginConfiguration: group.OriginConfiguration}
	same(t, []types.PackageGroupSummary{root, summary},
		must(c.ListPackageGroups(ctx, &sdk.ListPackageGroupsInput{Domain: corp}))(t).PackageGroups)
	same(t, []types.PackageGroupSummary{summary}, must(c.ListPackageGroups(ctx, &sdk.ListPackageGroupsInput{
		Domain: corp, Prefix: aws.String("/np")}))(t).PackageGroups)
	same(t, []types.PackageGroupSummary{summary}, must(c.ListSubPackageGroups(ctx, &sdk.ListSubPackageGroupsInput{
		Domain: corp, PackageGroup: aws.String("/*")}))(t).PackageGroups)
	same(t, []types.PackageGroupSummary{}, must(c.ListSubPackageGroups(ctx, &sdk.ListSubPackageGroupsInput{
		Domain: corp, PackageGroup: npm}))(t).PackageGroups)
	allowed := func(r types.PackageGroupOriginRestrictionType) []string {
		return must(c.ListAllowedRepositoriesForGroup(ctx, &sdk.ListAllowedRepositoriesForGroupInput{
			Domain: corp, PackageGroup: npm, OriginRestrictionType: r}))(t).AllowedRepositories
	}
	same(t, []string{"team"}, allowed("EXTERNAL_UPSTREAM"))
	same(t, []string{}, allowed("PUBLISH"))

	associated := must(c.GetAssociatedPackageGroup(ctx, &sdk.GetAssociatedPackageGroupInput{
		Domain: corp, Format: "npm", Package: aws.String("left-pad")}))(t)
	same(t, group, associated.PackageGroup)
	same(t, types.PackageGroupAssociationTypeStrong, associated.AssociationType)
	domain.AddPackage("team", "npm", "acme", "ui")
	domain.AddPackage("team", "pypi", "", "ui")
	same(t, []types.AssociatedPackage{{AssociationType: "STRONG", Format: "npm", Namespace: aws.String("acme"), Package: aws.String("ui")}},
		must(c.ListAssociatedPackages(ctx, &sdk.ListAssociatedPackagesInput{Domain: corp, PackageGroup: npm}))(t).Packages)

	same(t, group, must(c.DeletePackageGroup(ctx, &sdk.DeletePackageGroupInput{Domain: corp, PackageGroup: npm}))(t).PackageGroup)
	same(t, []types.PackageGroupSummary{root}, must(c.ListPackageGroups(ctx, &sdk.ListPackageGroupsInput{Domain: corp}))(t).PackageGroups)
	for _, call := range w.Writes() {
		if !call.Changed {
			t.Errorf("%s changed nothing", call.Operation)
		}
	}
}

func TestAWriteThatChangesNothingSaysSo(t *testing.T) {
	w, s := newWorld(t)
	c, ctx := client(w, owner), t.Context()
	domain := s.AddDomain(owner, region, "corp")
	domain.AddRepository("team")
	group := domain.PackageGroup("/npm/*").Add()
	group.Inform("of npm", "")
	group.SetMode(codeartifact.Publish, codeartifact.AllowSpecific, "team")
	corp, npm := aws.String("corp"), aws.String("/npm/*")

	before := group.State()
	must(c.UpdatePackageGroup(ctx, &sdk.UpdatePackageGroupInput{Domain: corp, PackageGroup: npm, Description: aws.String("of npm")}))(t)
	must(c.UpdatePackageGroupOriginConfiguration(ctx, &sdk.UpdatePackageGroupOriginConfigurationInput{Domain: corp, PackageGroup: npm}))(t)
	out := must(c.UpdatePackageGroupOriginConfiguration(ctx, &sdk.UpdatePackageGroupOriginConfigurationInput{Domain: corp, PackageGroup: npm,
		Restrictions:              map[string]types.PackageGroupOriginRestrictionMode{"PUBLISH": "ALLOW_SPECIFIC_REPOSITORIES"},
		AddAllowedRepositories:    []types.PackageGroupAllowedRepository{{OriginRestrictionType: "PUBLISH", RepositoryName: aws.String("team")}},
		RemoveAllowedRepositories: []types.PackageGroupAllowedRepository{{OriginRestrictionType: "PUBLISH", RepositoryName: aws.String("gone")}},
	}))(t)
	same(t, map[string]map[string][]string{}, out.AllowedRepositoryUpdates)
	same(t, before, group.State())
	for _, call := range w.Writes() {
		if call.Changed {
			t.Errorf("%s changed something", call.Operation)
		}
	}
}

func TestTheListsOfAllowedRepositories(t *testing.T) {
	w, s := newWorld(t)
	domain := s.AddDomain(owner, region, "corp")
	for _, name := range []string{"r1", "r2", "r3"} {
		domain.AddRepository(name)
	}
	group := domain.PackageGroup("/npm/*").Add()
	list := func(names ...string) []types.PackageGroupAllowedRepository {
		var all []types.PackageGroupAllowedRepository
		for _, name := range names {
			all = append(all, types.PackageGroupAllowedRepository{OriginRestrictionType: "PUBLISH", RepositoryName: &name})
		}
		return all
	}
	for _, test := range []struct {
		name        string
		mode        types.PackageGroupOriginRestrictionMode
		add, remove []string
		want        codeartifact.Control
	}{
		{"begin empty", "ALLOW_SPECIFIC_REPOSITORIES", nil, nil, codeartifact.Control{Mode: "ALLOW_SPECIFIC_REPOSITORIES"}},
		{"are sorted", "ALLOW_SPECIFIC_REPOSITORIES", []string{"r2", "r1", "r2"}, nil,
			codeartifact.Control{Mode: "ALLOW_SPECIFIC_REPOSITORIES", Repositories: []string{"r1", "r2"}}},
		{"lose what is added and removed at once", "ALLOW_SPECIFIC_REPOSITORIES", []string{"r3"}, []string{"r1", "r3"},
			codeartifact.Control{Mode: "ALLOW_SPECIFIC_REPOSITORIES", Repositories: []string{"r2"}}},
		{"lose what is removed alone", "ALLOW_SPECIFIC_REPOSITORIES", nil, []string{"r2"}, codeartifact.Control{Mode: "ALLOW_SPECIFIC_REPOSITORIES"}},
		{"grow again", "ALLOW_SPECIFIC_REPOSITORIES", []string{"r1"}, nil,
			codeartifact.Control{Mode: "ALLOW_SPECIFIC_REPOSITORIES", Repositories: []string{"r1"}}},
		{"go with the mode", "INHERIT", nil, nil, codeartifact.Control{Mode: "INHERIT"}},
		{"do not come back with it", "ALLOW_SPECIFIC_REPOSITORIES", nil, nil, codeartifact.Control{Mode: "ALLOW_SPECIFIC_REPOSITORIES"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			old := group.State().Controls["PUBLISH"].Repositories
			before := slices.Clone(old)
			must(client(w, owner).UpdatePackageGroupOriginConfiguration(t.Context(), &sdk.UpdatePackageGroupOriginConfigurationInput{
				Domain: aws.String("corp"), PackageGroup: aws.String("/npm/*"),
				Restrictions:           map[string]types.PackageGroupOriginRestrictionMode{"PUBLISH": test.mode},
				AddAllowedRepositories: list(test.add...), RemoveAllowedRepositories: list(test.remove...)}))(t)
			got := group.State().Controls["PUBLISH"]
			if got.Mode != test.want.Mode || !slices.Equal(got.Repositories, test.want.Repositories) {
				t.Errorf("got %s, want %s", show(got), show(test.want))
			}
			if !slices.Equal(before, old) {
				t.Error("the state of before has changed as well")
			}
		})
	}
}

func TestChildrenGoToTheNextAncestorAndInheritFromIt(t *testing.T) {
	w, s := newWorld(t)
	domain := s.AddDomain(owner, region, "corp")
	domain.PackageGroup("/npm/*").Add().SetMode(codeartifact.Publish, codeartifact.Block)
	leaf := domain.PackageGroup("/npm/acme/ui$").Add()
	c := client(w, owner)
	check := func(when, parent string, controls ...string) {
		t.Helper()
		out := must(c.DescribePackageGroup(t.Context(), &sdk.DescribePackageGroupInput{
			Domain: aws.String("corp"), PackageGroup: &leaf.Pattern}))(t).PackageGroup
		got := []string{*out.Parent.Pattern}
		for _, r := range []string{"PUBLISH", "EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM"} {
			restriction := out.OriginConfiguration.Restrictions[r]
			got = append(got, string(restriction.EffectiveMode)+" of "+*restriction.InheritedFrom.Pattern)
		}
		if diff := cmp.Diff(append([]string{parent}, controls...), got); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
		if state := leaf.State(); state.Parent != parent {
			t.Errorf("%s: the state has %s", when, state.Parent)
		}
	}
	check("at first", "/npm/*", "BLOCK of /npm/*", "ALLOW of /*", "ALLOW of /*")
	must(c.CreatePackageGroup(t.Context(), &sdk.CreatePackageGroupInput{Domain: aws.String("corp"), PackageGroup: aws.String("/npm/acme/*")}))(t)
	check("with a group between", "/npm/acme/*", "BLOCK of /npm/*", "ALLOW of /*", "ALLOW of /*")
	between := domain.PackageGroup("/npm/acme/*")
	between.SetMode(codeartifact.ExternalUpstream, codeartifact.Block)
	check("with a mode of that", "/npm/acme/*", "BLOCK of /npm/*", "BLOCK of /npm/acme/*", "ALLOW of /*")
	must(c.DeletePackageGroup(t.Context(), &sdk.DeletePackageGroupInput{Domain: aws.String("corp"), PackageGroup: aws.String("/npm/*")}))(t)
	check("without the first", "/npm/acme/*", "ALLOW of /*", "BLOCK of /npm/acme/*", "ALLOW of /*")
	must(c.DeletePackageGroup(t.Context(), &sdk.DeletePackageGroupInput{Domain: aws.String("corp"), PackageGroup: &between.Pattern}))(t)
	check("without both", "/*", "ALLOW of /*", "ALLOW of /*", "ALLOW of /*")
}

func TestAPreviewIsOfAGroupThatIsNotThere(t *testing.T) {
	w, s := newWorld(t)
	domain := s.AddDomain(owner, region, "corp")
	domain.AddRepository("team")
	domain.PackageGroup("/npm/acme/taken$").Add()
	for _, name := range []string{"ui", "taken"} {
		domain.AddPackage("team", "npm", "acme", name)
	}
	domain.AddPackage("team", "npm", "Acme", "ui")
	domain.AddPackage("team", "npm", "", "ui")
	list := func(pattern string, preview *bool) ([]types.AssociatedPackage, error) {
		out, err := client(w, owner).ListAssociatedPackages(t.Context(), &sdk.ListAssociatedPackagesInput{
			Domain: aws.String("corp"), PackageGroup: &pattern, Preview: preview})
		if err != nil {
			return nil, err
		}
		return out.Packages, nil
	}
	want := []types.AssociatedPackage{
		{AssociationType: "WEAK", Format: "npm", Namespace: aws.String("Acme"), Package: aws.String("ui")},
		{AssociationType: "STRONG", Format: "npm", Namespace: aws.String("acme"), Package: aws.String("ui")},
	}
	same(t, want, must(list("/npm/acme/*", aws.Bool(true)))(t))
	if domain.PackageGroup("/npm/acme/*").Exists() {
		t.Error("the preview made the group")
	}
	_, err := list("/npm/acme/*", aws.Bool(false))
	refused(t, w, err, 404, &types.ResourceNotFoundException{ResourceId: aws.String("/npm/acme/*"),
		Message: aws.String("Package group '/npm/acme/*' does not exist in domain 'corp'")})
	_, err = list("/npm/acme", aws.Bool(true))
	refused(t, w, err, 400, &types.ValidationException{Reason: types.ValidationExceptionReasonFieldValidationFailed,
		Message: aws.String(`package group "/npm/acme" does not end in $, ~ or *`)})
	domain.PackageGroup("/npm/acme/*").Add()
	same(t, want, must(list("/npm/acme/*", nil))(t))
	same(t, want, must(list("/npm/acme/*", aws.Bool(true)))(t))
}

func TestTagsOfPackageGroupsWithOddPatterns(t *testing.T) {
	w, s := newWorld(t)
	c, ctx := client(w, owner), t.Context()
	s.AddDomain(owner, region, "corp")
	s.AddDomain(owner, region, "corp2")
	for pattern, arn := range map[string]string{
		"/*":                          groupARNs + "/%2a",
		"/nuget//alpha$":              groupARNs + "/nuget//alpha%24",
		"/npm/scope/anycompany~":      groupARNs + "/npm/scope/anycompany~",
		"/generic/100%/a+b%2a$":       groupARNs + "/generic/100%25/a+b%252a%24",
		"/generic/a:b/*$":             groupARNs + "/generic/a:b/%2a%24",
		"/npm//stra\u00dfe?x=y&z;~a~": groupARNs + "/npm//stra\u00dfe?x=y&z;~a~",
	} {
		for _, domain := range []string{"corp", "corp2"} {
			s.Domain(owner, region, domain).PackageGroup(pattern).Add()
		}
		group := s.Domain(owner, region, "corp").PackageGroup(pattern)
		if group.ARN() != arn {
			t.Errorf("%s: got ARN %s", pattern, group.ARN())
		}
		must(c.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{
			{Key: aws.String("b"), Value: aws.String("2")}, {Key: aws.String("a"), Value: &pattern}}}))(t)
		must(c.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"b"}}))(t)
		same(t, []types.Tag{{Key: aws.String("a"), Value: &pattern}},
			must(c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &arn}))(t).Tags)
		same(t, map[string]string{"a": pattern}, group.Tags())
		if tags := s.Domain(owner, region, "corp2").PackageGroup(pattern).Tags(); len(tags) > 0 {
			t.Errorf("%s: the tags went to another domain, too", pattern)
		}
	}
	group := s.Domain(owner, region, "corp").PackageGroup("/npm/acme/*").Add()
	group.Tag("keep", "yes")
	group.Remove()
	if tags := group.Add().Tags(); len(tags) > 0 {
		t.Errorf("the tags %v outlived their group", tags)
	}
}

func TestReadsAreBehindWhenGroupsComeAndGo(t *testing.T) {
	w, s := newWorld(t)
	c, ctx := client(w, owner), t.Context()
	domain := s.AddDomain(owner, region, "corp")
	domain.AddRepository("team")
	domain.AddPackage("team", "npm", "acme", "ui")
	old := domain.PackageGroup("/npm/acme/*").Add()
	old.SetMode(codeartifact.Publish, codeartifact.Block)
	s.SetConsistencyDelay(time.Minute)
	corp := aws.String("corp")

	// look says which group every read finds: the list, the description, the parent, both associations, and what is enforced.
	look := func(pattern string) []bool {
		t.Helper()
		listed := slices.ContainsFunc(must(c.ListPackageGroups(ctx, &sdk.ListPackageGroupsInput{Domain: corp}))(t).PackageGroups,
			func(g types.PackageGroupSummary) bool { return *g.Pattern == pattern })
		_, err := c.DescribePackageGroup(ctx, &sdk.DescribePackageGroupInput{Domain: corp, PackageGroup: &pattern})
		children := must(c.ListSubPackageGroups(ctx, &sdk.ListSubPackageGroupsInput{Domain: corp, PackageGroup: aws.String("/*")}))(t)
		_, listErr := c.ListAssociatedPackages(ctx, &sdk.ListAssociatedPackagesInput{Domain: corp, PackageGroup: &pattern})
		associated := must(c.GetAssociatedPackageGroup(ctx, &sdk.GetAssociatedPackageGroupInput{
			Domain: corp, Format: "npm", Namespace: aws.String("acme"), Package: aws.String("ui")}))(t)
		enforced, _, _ := domain.Effective("npm", "acme", "ui")
		return []bool{listed, err == nil, len(children.PackageGroups) == 1 && *children.PackageGroups[0].Pattern == pattern,
			listErr == nil, *associated.PackageGroup.Pattern == pattern, enforced == pattern}
	}
	all, none := []bool{true, true, true, true, true, true}, make([]bool, 6)

	must(c.DeletePackageGroup(ctx, &sdk.DeletePackageGroupInput{Domain: corp, PackageGroup: &old.Pattern}))(t)
	same(t, all, look(old.Pattern))
	if old.Exists() {
		t.Error("the deleted group exists")
	}
	_, err := c.DeletePackageGroup(ctx, &sdk.DeletePackageGroupInput{Domain: corp, PackageGroup: &old.Pattern})
	refused(t, w, err, 404, &types.ResourceNotFoundException{ResourceId: &old.Pattern,
		Message: aws.String("Package group '/npm/acme/*' does not exist in domain 'corp'")})
	w.Advance(time.Minute - time.Nanosecond)
	same(t, all, look(old.Pattern))
	w.Advance(time.Nanosecond)
	same(t, none, look(old.Pattern))

	must(c.CreatePackageGroup(ctx, &sdk.CreatePackageGroupInput{Domain: corp, PackageGroup: &old.Pattern}))(t)
	must(c.UpdatePackageGroupOriginConfiguration(ctx, &sdk.UpdatePackageGroupOriginConfigurationInput{Domain: corp, PackageGroup: &old.Pattern,
		Restrictions: map[string]types.PackageGroupOriginRestrictionMode{"PUBLISH": "BLOCK"}}))(t) // a write works on what is there
	same(t, none, look(old.Pattern))
	w.Advance(time.Minute)
	same(t, all, look(old.Pattern))
	controls := func() string {
		_, _, controls := domain.Effective("npm", "acme", "ui")
		return show(controls["PUBLISH"])
	}
	same(t, "BLOCK", controls())
	old.SetMode(codeartifact.Publish, codeartifact.Allow) // other changes have no delay
	same(t, "ALLOW", controls())

	// A group that is deleted and made anew is first the old one and then the new one.
	created := func() time.Time {
		return *must(c.DescribePackageGroup(ctx, &sdk.DescribePackageGroupInput{Domain: corp, PackageGroup: &old.Pattern}))(t).PackageGroup.CreatedTime
	}
	before := created()
	must(c.DeletePackageGroup(ctx, &sdk.DeletePackageGroupInput{Domain: corp, PackageGroup: &old.Pattern}))(t)
	must(c.CreatePackageGroup(ctx, &sdk.CreatePackageGroupInput{Domain: corp, PackageGroup: &old.Pattern}))(t)
	same(t, before, created())
	same(t, "ALLOW", controls())
	w.Advance(time.Minute)
	same(t, before.Add(time.Minute), created())

	must(c.DeletePackageGroup(ctx, &sdk.DeletePackageGroupInput{Domain: corp, PackageGroup: &old.Pattern}))(t)
	old.Add() // what is set up is seen at once, with all that came before
	same(t, w.Now(), created())
	old.Remove()
	same(t, none, look(old.Pattern))
}
