package codeartifact_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/localaws/codeartifact"
)

func TestAnErrorAboutAGroupOrAPackage(t *testing.T) {
	w, s := newWorld(t)
	domain := s.AddDomain(owner, region, "corp")
	domain.AddRepository("team")
	domain.PackageGroup("/npm/*").Add()
	domain.AddPackage("team", "generic", "acme", "tool")
	corp, team := aws.String("corp"), aws.String("team")

	create := func(pattern string) func(*sdk.Client) error {
		return func(c *sdk.Client) error {
			_, err := c.CreatePackageGroup(t.Context(), &sdk.CreatePackageGroupInput{Domain: corp, PackageGroup: &pattern})
			return err
		}
	}
	remove := func(pattern string) func(*sdk.Client) error {
		return func(c *sdk.Client) error {
			_, err := c.DeletePackageGroup(t.Context(), &sdk.DeletePackageGroupInput{Domain: corp, PackageGroup: &pattern})
			return err
		}
	}
	configure := func(pattern, restriction, mode string, add ...types.PackageGroupAllowedRepository) func(*sdk.Client) error {
		return func(c *sdk.Client) error {
			_, err := c.UpdatePackageGroupOriginConfiguration(t.Context(), &sdk.UpdatePackageGroupOriginConfigurationInput{
				Domain: corp, PackageGroup: &pattern, AddAllowedRepositories: add,
				Restrictions: map[string]types.PackageGroupOriginRestrictionMode{restriction: types.PackageGroupOriginRestrictionMode(mode)}})
			return err
		}
	}
	allow := func(restriction, repository string) types.PackageGroupAllowedRepository {
		return types.PackageGroupAllowedRepository{
			OriginRestrictionType: types.PackageGroupOriginRestrictionType(restriction), RepositoryName: &repository}
	}
	associated := func(format types.PackageFormat, namespace, name string) func(*sdk.Client) error {
		return func(c *sdk.Client) error {
			_, err := c.GetAssociatedPackageGroup(t.Context(), &sdk.GetAssociatedPackageGroupInput{
				Domain: corp, Format: format, Namespace: optional(namespace), Package: &name})
			return err
		}
	}
	put := func(restrictions *types.PackageOriginRestrictions) func(*sdk.Client) error {
		return func(c *sdk.Client) error {
			_, err := c.PutPackageOriginConfiguration(t.Context(), &sdk.PutPackageOriginConfigurationInput{Domain: corp, Repository: team,
				Format: "npm", Package: aws.String("ui"), Restrictions: restrictions})
			return err
		}
	}
	published := func(change func(*sdk.PublishPackageVersionInput)) func(*sdk.Client) error {
		return func(c *sdk.Client) error {
			_, err := publish(t, c, "tool", "1.0.0", change)
			return err
		}
	}
	tags := func(arn string) func(*sdk.Client) error {
		return func(c *sdk.Client) error {
			_, err := c.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceArn: &arn})
			return err
		}
	}
	other := func(reason types.ValidationExceptionReason, message string) error {
		return &types.ValidationException{Reason: reason, Message: &message}
	}
	field := func(message string) error {
		return other(types.ValidationExceptionReasonFieldValidationFailed, message)
	}
	groupMissing := &types.ResourceNotFoundException{ResourceId: aws.String("/npm/acme/*"),
		Message: aws.String("Package group '/npm/acme/*' does not exist in domain 'corp'")}

	for _, test := range []struct {
		name   string
		call   func(*sdk.Client) error
		status int
		want   error
	}{
		{"a pattern that is none", create("npm/acme/*"), 400,
			field(`package group "npm/acme/*" is not /*, /FORMAT/NAMESPACE or /FORMAT/NAMESPACE/NAME`)},
		{"a pattern with a space", create("/npm/a b/*"), 400,
			field(`packageGroup "/npm/a b/*" does not match \A(?:[^\p{C}\p{Z}\s]{2,520})\z`)},
		{"a group that exists", create("/npm/*"), 409, &types.ConflictException{ResourceId: aws.String("/npm/*"),
			Message: aws.String("Package group '/npm/*' already exists in domain 'corp'")}},
		{"the root once more", create("/*"), 409, &types.ConflictException{ResourceId: aws.String("/*"),
			Message: aws.String("Package group '/*' already exists in domain 'corp'")}},
		{"deleting the root", remove("/*"), 400, other("OTHER", "the root package group cannot be deleted")},
		{"deleting what is not there", remove("/npm/acme/*"), 404, groupMissing},
		{"describing what is not there", func(c *sdk.Client) error {
			_, err := c.DescribePackageGroup(t.Context(), &sdk.DescribePackageGroupInput{Domain: corp, PackageGroup: aws.String("/npm/acme/*")})
			return err
		}, 404, groupMissing},
		{"the children of what is not there", func(c *sdk.Client) error {
			_, err := c.ListSubPackageGroups(t.Context(), &sdk.ListSubPackageGroupsInput{Domain: corp, PackageGroup: aws.String("/npm/acme/*")})
			return err
		}, 404, groupMissing},
		{"controls of what is not there", configure("/npm/acme/*", "PUBLISH", "BLOCK"), 404, groupMissing},
		{"a root that inherits", configure("/*", "PUBLISH", "INHERIT"), 400, other("OTHER", "the root package group cannot inherit PUBLISH")},
		{"a restriction that is none", configure("/npm/*", "UPSTREAM", "BLOCK"), 400, field(`restriction "UPSTREAM" cannot be "BLOCK"`)},
		{"a mode that is none", configure("/npm/*", "PUBLISH", "DENY"), 400, field(`restriction "PUBLISH" cannot be "DENY"`)},
		{"a list where there is none", configure("/npm/*", "PUBLISH", "BLOCK", allow("PUBLISH", "team")), 400,
			other("OTHER", "PUBLISH is not ALLOW_SPECIFIC_REPOSITORIES")},
		{"a list of no restriction", configure("/npm/*", "PUBLISH", "BLOCK", allow("UPSTREAM", "team")), 400,
			field(`"UPSTREAM" is no restriction, or "team" not the name of a repository`)},
		{"a repository that is not there", configure("/npm/*", "PUBLISH", "ALLOW_SPECIFIC_REPOSITORIES", allow("PUBLISH", "gone")), 404,
			&types.ResourceNotFoundException{ResourceId: aws.String("gone"), ResourceType: types.ResourceTypeRepository,
				Message: aws.String("Repository not found. Repository 'gone' in domain 'corp' does not exist")}},
		{"a format that is none", associated("python", "", "requests"), 400,
			field(`format "python" does not match \A(?:cargo|generic|maven|npm|nuget|pypi|ruby|swift)\z`)},
		{"a namespace where there is none", associated("pypi", "acme", "requests"), 400, field("pypi packages have no namespace")},
		{"no namespace where there is one", associated("maven", "", "core"), 400, field("maven packages have a namespace")},
		{"a name with a slash", associated("npm", "", "@acme/ui"), 400, field(`package "@acme/ui" does not match \A(?:[^#/\s]{1,255})\z`)},
		{"one restriction of a package", put(&types.PackageOriginRestrictions{Publish: "ALLOW", Upstream: "MAYBE"}), 400,
			field("restrictions are not publish and upstream, ALLOW or BLOCK")},
		{"a package that is not there", func(c *sdk.Client) error {
			_, err := c.DescribePackage(t.Context(), &sdk.DescribePackageInput{Domain: corp, Repository: team, Format: "npm", Package: aws.String("ui")})
			return err
		}, 404, &types.ResourceNotFoundException{ResourceId: aws.String("ui"), ResourceType: types.ResourceTypePackage,
			Message: aws.String("Package '/npm//ui' does not exist in repository 'team'")}},
		{"a version that is there", published(func(*sdk.PublishPackageVersionInput) {}), 409,
			&types.ConflictException{ResourceId: aws.String("1.0.0"), ResourceType: types.ResourceTypePackageVersion,
				Message: aws.String("version 1.0.0 of '/generic/acme/tool' is published")}},
		{"another hash", published(func(in *sdk.PublishPackageVersionInput) { in.AssetContent = strings.NewReader("else") }), 400,
			other("OTHER", "assetSHA256 is not the hash of the content")},
		{"another format", published(func(in *sdk.PublishPackageVersionInput) { in.Format = "npm" }), 400,
			other("OTHER", "only generic packages can be published here, and not npm")},
		{"tags of no group", tags(groupARNs + "/npm/acme/%2a"), 404, groupMissing},
		{"an ARN in capital letters", tags(groupARNs + "/npm/%2A"), 400, field(`"/npm/%2A" is not a pattern as ARNs encode it: /npm/%2a`)},
		{"an ARN that is not encoded", tags(groupARNs + "/npm/*"), 400, field(`"/npm/*" is not a pattern as ARNs encode it: /npm/%2a`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			refused(t, w, test.call(client(w, owner)), test.status, test.want)
		})
	}
}

func TestAnotherAccountNeedsAGrantOnTheDomainForItsGroups(t *testing.T) {
	w, s := newWorld(t)
	domain := s.AddDomain(owner, region, "corp")
	domain.PackageGroup("/npm/*").Add()
	c := client(w, other)
	describe := func() error {
		_, err := c.DescribePackageGroup(t.Context(), &sdk.DescribePackageGroupInput{
			Domain: aws.String("corp"), DomainOwner: aws.String(owner), PackageGroup: aws.String("/npm/*")})
		return err
	}
	remove := func() error {
		_, err := c.DeletePackageGroup(t.Context(), &sdk.DeletePackageGroupInput{
			Domain: aws.String("corp"), DomainOwner: aws.String(owner), PackageGroup: aws.String("/npm/*")})
		return err
	}
	denied := func(action string) error {
		return &types.AccessDeniedException{Message: aws.String("User: arn:aws:iam::444455556666:root is not authorized to perform: " +
			"codeartifact:" + action + " on resource: " + groupARNs + "/npm/%2a")}
	}
	refused(t, w, describe(), 403, denied("DescribePackageGroup"))
	domain.Grant(other, codeartifact.Read)
	if err := describe(); err != nil {
		t.Error(err)
	}
	refused(t, w, remove(), 403, denied("DeletePackageGroup"))
	domain.Grant(other, codeartifact.Write)
	if err := remove(); err != nil {
		t.Error(err)
	}
}
