package packagegroup

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
)

type options = func(*codeartifact.Options)

// Reader is the part of CodeArtifact that this control reads with. Together with
// [Writer] its methods are exactly the IAM actions of the function in
// template.yaml; a test compares them.
type Reader interface {
	ListDomains(context.Context, *codeartifact.ListDomainsInput, ...options) (*codeartifact.ListDomainsOutput, error)
	ListPackageGroups(context.Context, *codeartifact.ListPackageGroupsInput, ...options) (*codeartifact.ListPackageGroupsOutput, error)
	ListAssociatedPackages(context.Context, *codeartifact.ListAssociatedPackagesInput, ...options) (*codeartifact.ListAssociatedPackagesOutput, error)
	ListTagsForResource(context.Context, *codeartifact.ListTagsForResourceInput, ...options) (*codeartifact.ListTagsForResourceOutput, error)
	GetAssociatedPackageGroup(context.Context, *codeartifact.GetAssociatedPackageGroupInput, ...options) (*codeartifact.GetAssociatedPackageGroupOutput, error)
}

// Writer is the writes of this control.
type Writer interface {
	TagResource(context.Context, *codeartifact.TagResourceInput, ...options) (*codeartifact.TagResourceOutput, error)
	UntagResource(context.Context, *codeartifact.UntagResourceInput, ...options) (*codeartifact.UntagResourceOutput, error)
	DeletePackageGroup(context.Context, *codeartifact.DeletePackageGroupInput, ...options) (*codeartifact.DeletePackageGroupOutput, error)
}
