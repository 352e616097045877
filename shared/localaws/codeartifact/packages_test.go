package codeartifact_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/localaws/codeartifact"
)

func origin(publish types.AllowPublish, upstream types.AllowUpstream) *types.PackageOriginConfiguration {
	return &types.PackageOriginConfiguration{Restrictions: &types.PackageOriginRestrictions{Publish: publish, Upstream: upstream}}
}

// publish publishes a generic package of the namespace acme in the repository team of the domain corp.
func publish(t *testing.T, c *sdk.Client, name, version string, change ...func(*sdk.PublishPackageVersionInput)) (*sdk.PublishPackageVersionOutput, error) {
	t.Helper()
	const content = "what is published"
	sum := sha256.Sum256([]byte(content))
	in := &sdk.PublishPackageVersionInput{Domain: aws.String("corp"), Repository: aws.String("team"), Format: "generic",
		Namespace: aws.String("acme"), Package: &name, PackageVersion: &version, AssetName: aws.String("a.tar"),
		AssetContent: strings.NewReader(content), AssetSHA256: aws.String(hex.EncodeToString(sum[:]))}
	for _, f := range change {
		f(in)
	}
	return c.PublishPackageVersion(t.Context(), in)
}

func TestEveryOperationOnOnePackage(t *testing.T) {
	w, s := newWorld(t)
	c, ctx := client(w, owner), t.Context()
	s.AddDomain(owner, region, "corp").AddRepository("team")
	corp, team, acme, tool := aws.String("corp"), aws.String("team"), aws.String("acme"), aws.String("tool")

	out := must(publish(t, c, "tool", "1.0"))(t)
	same(t, &types.AssetSummary{Name: aws.String("a.tar"), Size: aws.Int64(17), Hashes: map[string]string{
		"SHA-256": "e811386154f55601350f4480638b72330391d89a78291db5ba3070d8ca42f83c"}}, out.Asset)
	same(t, []any{types.PackageFormatGeneric, acme, tool, aws.String("1.0"), types.PackageVersionStatusPublished},
		[]any{out.Format, out.Namespace, out.Package, out.Version, out.Status})
	if aws.ToString(out.VersionRevision) == "" {
		t.Error("the version has no revision")
	}

	describe := &sdk.DescribePackageInput{Domain: corp, Repository: team, Format: "generic", Namespace: acme, Package: tool}
	same(t, &types.PackageDescription{Format: "generic", Namespace: acme, Name: tool, OriginConfiguration: origin("ALLOW", "BLOCK")},
		must(c.DescribePackage(ctx, describe))(t).Package)
	same(t, origin("BLOCK", "ALLOW"), must(c.PutPackageOriginConfiguration(ctx, &sdk.PutPackageOriginConfigurationInput{
		Domain: corp, Repository: team, Format: "generic", Namespace: acme, Package: tool,
		Restrictions: origin("BLOCK", "ALLOW").Restrictions}))(t).OriginConfiguration)
	summary := types.PackageSummary{Format: "generic", Namespace: acme, Package: tool, OriginConfiguration: origin("BLOCK", "ALLOW")}
	same(t, []types.PackageSummary{summary}, must(c.ListPackages(ctx, &sdk.ListPackagesInput{Domain: corp, Repository: team}))(t).Packages)
	same(t, &summary, must(c.DeletePackage(ctx, &sdk.DeletePackageInput{
		Domain: corp, Repository: team, Format: "generic", Namespace: acme, Package: tool}))(t).DeletedPackage)
	same(t, []types.PackageSummary{}, must(c.ListPackages(ctx, &sdk.ListPackagesInput{Domain: corp, Repository: team}))(t).Packages)
	for _, call := range w.Writes() {
		if !call.Changed {
			t.Errorf("%s changed nothing", call.Operation)
		}
	}
}

func TestAListOfPackagesIsNarrowedByEachFilter(t *testing.T) {
	w, s := newWorld(t)
	domain := s.AddDomain(owner, region, "corp")
	domain.AddRepository("team")
	domain.AddRepository("other")
	domain.AddPackage("other", "npm", "acme", "elsewhere")
	for _, name := range []string{"ui", "ui-kit", "core"} {
		domain.AddPackage("team", "npm", "acme", name)
	}
	domain.AddPackage("team", "npm", "acme-labs", "ui")
	domain.AddPackage("team", "pypi", "", "ui")
	must(client(w, owner).PutPackageOriginConfiguration(t.Context(), &sdk.PutPackageOriginConfigurationInput{
		Domain: aws.String("corp"), Repository: aws.String("team"), Format: "npm", Namespace: aws.String("acme"), Package: aws.String("core"),
		Restrictions: origin("BLOCK", "ALLOW").Restrictions}))(t)
	for want, in := range map[string]*sdk.ListPackagesInput{
		"acme-labs/ui acme/core acme/ui acme/ui-kit /ui": {},
		"acme-labs/ui acme/core acme/ui acme/ui-kit":     {Format: "npm"},
		"acme-labs/ui":                         {Namespace: aws.String("acme-")},
		"acme-labs/ui acme/ui acme/ui-kit /ui": {PackagePrefix: aws.String("ui")},
		"acme/core":                            {Publish: "BLOCK"},
		"acme/core ":                           {Upstream: "ALLOW"},
		"":                                     {Format: "npm", Upstream: "ALLOW", PackagePrefix: aws.String("ui")},
	} {
		in.Domain, in.Repository = aws.String("corp"), aws.String("team")
		var got []string
		for _, p := range must(client(w, owner).ListPackages(t.Context(), in))(t).Packages {
			got = append(got, aws.ToString(p.Namespace)+"/"+*p.Package)
		}
		if strings.Join(got, " ") != strings.TrimSpace(want) {
			t.Errorf("%+v: got %v", in, got)
		}
	}
}

func TestNamesAreNormalizedAsTheirFormatNeedsIt(t *testing.T) {
	w, s := newWorld(t)
	c := client(w, owner)
	domain := s.AddDomain(owner, region, "corp")
	domain.AddRepository("team")
	for _, test := range []struct{ format, namespace, name, path string }{
		{"nuget", "", "Newtonsoft.JSON", "/nuget//newtonsoft.json"},
		{"pypi", "", "My_.Package", "/pypi//my-package"},
		{"swift", "myScope", "myPackage", "/swift/myscope/mypackage"},
		{"npm", "Acme", "UI_kit", "/npm/Acme/UI_kit"},
		{"maven", "com.Acme", "Core", "/maven/com.Acme/Core"},
	} {
		domain.AddPackage("team", test.format, test.namespace, test.name)
		got := must(c.DescribePackage(t.Context(), &sdk.DescribePackageInput{Domain: aws.String("corp"), Repository: aws.String("team"),
			Format: types.PackageFormat(test.format), Namespace: optional(test.namespace), Package: &test.name}))(t).Package
		if path := "/" + test.format + "/" + aws.ToString(got.Namespace) + "/" + *got.Name; path != test.path {
			t.Errorf("%+v is stored as %s", test, path)
		}
		domain.PackageGroup(test.path + "$").Add()
		if group, strong, _ := domain.Effective(test.format, test.namespace, test.name); group != test.path+"$" || !strong {
			t.Errorf("%+v is in %s (%t)", test, group, strong)
		}
		out := must(c.GetAssociatedPackageGroup(t.Context(), &sdk.GetAssociatedPackageGroupInput{Domain: aws.String("corp"),
			Format: types.PackageFormat(test.format), Namespace: optional(test.namespace), Package: &test.name}))(t)
		if normal := test.path == "/"+test.format+"/"+test.namespace+"/"+test.name; (out.AssociationType == "STRONG") != normal {
			t.Errorf("%+v: the caller did not normalize the name, and the match is %s", test, out.AssociationType)
		}
		domain.RemovePackage("team", test.format, test.namespace, test.name)
	}
	same(t, []types.PackageSummary{}, must(c.ListPackages(t.Context(), &sdk.ListPackagesInput{
		Domain: aws.String("corp"), Repository: aws.String("team")}))(t).Packages)
}

func TestADomainHasAPackageAsLongAsARepositoryHasIt(t *testing.T) {
	w, s := newWorld(t)
	c, ctx := client(w, owner), t.Context()
	domain := s.AddDomain(owner, region, "corp")
	for _, name := range []string{"r1", "r2", "r3"} {
		domain.AddRepository(name)
	}
	associated := func() int {
		return len(must(c.ListAssociatedPackages(ctx, &sdk.ListAssociatedPackagesInput{
			Domain: aws.String("corp"), PackageGroup: aws.String("/*")}))(t).Packages)
	}
	domain.AddPackage("r1", "npm", "acme", "ui")
	domain.AddPackage("r1", "npm", "acme", "ui") // is there
	domain.AddPackage("r2", "npm", "acme", "ui")
	must(c.PutPackageOriginConfiguration(ctx, &sdk.PutPackageOriginConfigurationInput{Domain: aws.String("corp"), Repository: aws.String("r3"),
		Format: "npm", Namespace: aws.String("acme"), Package: aws.String("ui"), Restrictions: origin("BLOCK", "BLOCK").Restrictions}))(t)
	same(t, 1, associated())
	domain.RemovePackage("r1", "npm", "acme", "ui")
	domain.RemovePackage("r1", "npm", "acme", "ui") // is gone
	same(t, 1, associated())
	domain.Repository("r2").Remove()
	same(t, 1, associated()) // without a version
	must(c.DeletePackage(ctx, &sdk.DeletePackageInput{Domain: aws.String("corp"), Repository: aws.String("r3"),
		Format: "npm", Namespace: aws.String("acme"), Package: aws.String("ui")}))(t)
	same(t, 0, associated())
}

func TestPublishingIsHeldBackByTheOriginControls(t *testing.T) {
	w, s := newWorld(t)
	domain := s.AddDomain(owner, region, "corp")
	domain.AddRepository("team")
	group := domain.PackageGroup("/generic/acme/tool$").Add()
	blocked := func(name, message string) {
		t.Helper()
		_, err := publish(t, client(w, owner), name, "1.0")
		refused(t, w, err, 409, &types.ConflictException{ResourceId: &name, ResourceType: types.ResourceTypePackage, Message: &message})
	}
	group.SetMode(codeartifact.Publish, codeartifact.Block)
	blocked("tool", "the package group of '/generic/acme/tool' blocks publishing")
	group.SetMode(codeartifact.Publish, codeartifact.AllowSpecific, "another")
	blocked("tool", "the package group of '/generic/acme/tool' blocks publishing")
	group.SetMode(codeartifact.Publish, codeartifact.AllowSpecific, "another", "team")
	must(publish(t, client(w, owner), "tool", "1.0"))(t)
	blocked("Tool", "the package group of '/generic/acme/Tool' blocks publishing") // a variation

	unfinished := func(in *sdk.PublishPackageVersionInput) { in.Unfinished = aws.Bool(true) }
	same(t, types.PackageVersionStatusUnfinished, must(publish(t, client(w, owner), "tool", "2.0", unfinished))(t).Status)
	same(t, types.PackageVersionStatusPublished, must(publish(t, client(w, owner), "tool", "2.0"))(t).Status)

	must(client(w, owner).PutPackageOriginConfiguration(t.Context(), &sdk.PutPackageOriginConfigurationInput{
		Domain: aws.String("corp"), Repository: aws.String("team"), Format: "generic", Namespace: aws.String("acme"), Package: aws.String("tool"),
		Restrictions: origin("BLOCK", "ALLOW").Restrictions}))(t)
	blocked("tool", "package '/generic/acme/tool' blocks publishing")
}

func TestADisposedVersionLeavesItsPackage(t *testing.T) {
	w, s := newWorld(t)
	domain := s.AddDomain(owner, region, "corp")
	domain.AddRepository("team")
	c := client(w, owner)
	first := must(publish(t, c, "tool", "1.0"))(t).VersionRevision
	second := must(publish(t, c, "tool", "2.0"))(t).VersionRevision
	dispose := func(change func(*sdk.DisposePackageVersionsInput), versions ...string) *sdk.DisposePackageVersionsOutput {
		t.Helper()
		in := &sdk.DisposePackageVersionsInput{Domain: aws.String("corp"), Repository: aws.String("team"), Format: "generic",
			Namespace: aws.String("acme"), Package: aws.String("tool"), Versions: versions}
		change(in)
		return must(c.DisposePackageVersions(t.Context(), in))(t)
	}
	same(t, []any{
		map[string]types.SuccessfulPackageVersionInfo{"1.0": {Revision: first, Status: types.PackageVersionStatusDisposed}},
		map[string]types.PackageVersionError{
			"2.0": {ErrorCode: types.PackageVersionErrorCodeMismatchedRevision, ErrorMessage: aws.String("the version is of revision " + *second)},
			"3.0": {ErrorCode: types.PackageVersionErrorCodeNotFound, ErrorMessage: aws.String("there is no such version")}},
	}, func() []any {
		out := dispose(func(in *sdk.DisposePackageVersionsInput) {
			in.VersionRevisions = map[string]string{"2.0": "another"}
		}, "1.0", "2.0", "3.0")
		return []any{out.SuccessfulVersions, out.FailedVersions}
	}())
	expecting := func(in *sdk.DisposePackageVersionsInput) { in.ExpectedStatus = types.PackageVersionStatusPublished }
	same(t, map[string]types.PackageVersionError{
		"1.0": {ErrorCode: types.PackageVersionErrorCodeMismatchedStatus, ErrorMessage: aws.String("the version is Disposed")},
	}, dispose(expecting, "1.0", "2.0").FailedVersions)
	if again := dispose(func(*sdk.DisposePackageVersionsInput) {}, "1.0"); len(again.SuccessfulVersions) != 1 {
		t.Errorf("once more: %v", again.FailedVersions)
	}
	if writes := w.Writes(); writes[len(writes)-1].Changed {
		t.Error("disposing once more changed something")
	}

	listed := must(c.ListAssociatedPackages(t.Context(), &sdk.ListAssociatedPackagesInput{
		Domain: aws.String("corp"), PackageGroup: aws.String("/*")}))(t).Packages
	if len(listed) != 1 {
		t.Errorf("%d packages are associated", len(listed))
	}
	_, err := publish(t, c, "tool", "1.0")
	refused(t, w, err, 409, &types.ConflictException{ResourceId: aws.String("1.0"), ResourceType: types.ResourceTypePackageVersion,
		Message: aws.String("version 1.0 of '/generic/acme/tool' was disposed of")})
}
