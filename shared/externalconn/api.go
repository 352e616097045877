package externalconn

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
	ListRepositories(context.Context, *codeartifact.ListRepositoriesInput, ...options) (*codeartifact.ListRepositoriesOutput, error)
	ListRepositoriesInDomain(context.Context, *codeartifact.ListRepositoriesInDomainInput, ...options) (*codeartifact.ListRepositoriesInDomainOutput, error)
	DescribeRepository(context.Context, *codeartifact.DescribeRepositoryInput, ...options) (*codeartifact.DescribeRepositoryOutput, error)
}

// Writer is the one write of this control.
type Writer interface {
	DisassociateExternalConnection(context.Context, *codeartifact.DisassociateExternalConnectionInput, ...options) (*codeartifact.DisassociateExternalConnectionOutput, error)
}
