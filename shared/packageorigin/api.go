package packageorigin

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
)

type options = func(*codeartifact.Options)

// Reader is the part of CodeArtifact that this control reads with. Its methods
// are exactly the IAM actions of the function in template.yaml; a test compares
// them. There is no writer.
type Reader interface {
	ListDomains(context.Context, *codeartifact.ListDomainsInput, ...options) (*codeartifact.ListDomainsOutput, error)
	GetAssociatedPackageGroup(context.Context, *codeartifact.GetAssociatedPackageGroupInput, ...options) (*codeartifact.GetAssociatedPackageGroupOutput, error)
	ListAllowedRepositoriesForGroup(context.Context, *codeartifact.ListAllowedRepositoriesForGroupInput, ...options) (*codeartifact.ListAllowedRepositoriesForGroupOutput, error)
}
