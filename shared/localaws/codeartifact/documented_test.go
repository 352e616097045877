package codeartifact_test

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
)

// TestTheExamplesThatAWSDocuments asks each question of testdata/documented.txt over the wire.
func TestTheExamplesThatAWSDocuments(t *testing.T) {
	text, err := os.ReadFile("testdata/documented.txt")
	if err != nil {
		t.Fatal(err)
	}
	var groups string
	var c *sdk.Client
	corp, owned := aws.String("corp"), aws.String(owner)
	asked := 0
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if words[0] == "groups" {
			w, s := newWorld(t)
			s.AddDomain(owner, region, "corp")
			c, groups = client(w, owner), strings.TrimSpace(line)
			for _, pattern := range words[1:] {
				must(c.CreatePackageGroup(t.Context(), &sdk.CreatePackageGroupInput{Domain: corp, DomainOwner: owned, PackageGroup: &pattern}))(t)
			}
			continue
		}
		subject, verb, want := words[0], words[1], words[2]
		asked++
		var got string
		switch verb {
		case "under":
			got = *must(c.DescribePackageGroup(t.Context(), &sdk.DescribePackageGroupInput{
				Domain: corp, DomainOwner: owned, PackageGroup: &subject}))(t).PackageGroup.Parent.Pattern
		case "in", "varies":
			parts := strings.Split(subject, "/")
			out := must(c.GetAssociatedPackageGroup(t.Context(), &sdk.GetAssociatedPackageGroupInput{Domain: corp, DomainOwner: owned,
				Format: types.PackageFormat(parts[1]), Namespace: optional(parts[2]), Package: &parts[3]}))(t)
			got = *out.PackageGroup.Pattern
			if strong := out.AssociationType == types.PackageGroupAssociationTypeStrong; strong != (verb == "in") {
				t.Errorf("%s: the match of %s is %s", groups, subject, out.AssociationType)
			}
		default:
			t.Fatalf("%s is not understood", line)
		}
		if got != want {
			t.Errorf("%s: %s is %s %s, and not %s", groups, subject, verb, got, want)
		}
	}
	if asked < 40 {
		t.Errorf("the table has only %d questions", asked)
	}
}

// The two configurations of https://docs.aws.amazon.com/codeartifact/latest/ug/package-group-origin-controls.html
func TestTheOriginControlsThatAWSDocuments(t *testing.T) {
	w, s := newWorld(t)
	corp := s.AddDomain(owner, region, "my-domain")
	for _, name := range []string{"repoA", "repoB"} {
		corp.AddRepository(name)
	}
	corp.PackageGroup("/npm/space/anycompany~").Add()
	set := func(in *sdk.UpdatePackageGroupOriginConfigurationInput) {
		t.Helper()
		in.Domain, in.PackageGroup = aws.String("my-domain"), aws.String("/npm/space/anycompany~")
		must(client(w, owner).UpdatePackageGroupOriginConfiguration(t.Context(), in))(t)
	}
	enforced := func(name string, publish, external, internal string) {
		t.Helper()
		_, _, controls := corp.Effective("npm", "space", name)
		got := strings.Join([]string{show(controls["PUBLISH"]), show(controls["EXTERNAL_UPSTREAM"]), show(controls["INTERNAL_UPSTREAM"])}, ", ")
		if want := strings.Join([]string{publish, external, internal}, ", "); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}

	set(&sdk.UpdatePackageGroupOriginConfigurationInput{Restrictions: map[string]types.PackageGroupOriginRestrictionMode{
		"PUBLISH": "ALLOW", "EXTERNAL_UPSTREAM": "BLOCK", "INTERNAL_UPSTREAM": "ALLOW"}})
	enforced("anycompany-ui", "ALLOW", "BLOCK", "ALLOW")
	enforced("AnyCompany-ui", "BLOCK", "BLOCK", "BLOCK")
	enforced("other", "ALLOW", "ALLOW", "ALLOW")

	set(&sdk.UpdatePackageGroupOriginConfigurationInput{
		Restrictions: map[string]types.PackageGroupOriginRestrictionMode{"PUBLISH": "BLOCK",
			"EXTERNAL_UPSTREAM": "ALLOW_SPECIFIC_REPOSITORIES", "INTERNAL_UPSTREAM": "ALLOW_SPECIFIC_REPOSITORIES"},
		AddAllowedRepositories: []types.PackageGroupAllowedRepository{
			{OriginRestrictionType: "INTERNAL_UPSTREAM", RepositoryName: aws.String("repoA")},
			{OriginRestrictionType: "EXTERNAL_UPSTREAM", RepositoryName: aws.String("repoB")},
		}})
	enforced("anycompany-ui", "BLOCK", "ALLOW_SPECIFIC_REPOSITORIES repoB", "ALLOW_SPECIFIC_REPOSITORIES repoA")
	enforced("any.company", "ALLOW", "ALLOW", "ALLOW")
}
