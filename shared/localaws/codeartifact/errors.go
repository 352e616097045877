package codeartifact

import (
	"fmt"
	"net/http"

	"portcullis/shared/localaws"
)

// The errors of the API, with the status that its model gives each. AWS does not document most texts; those here are
// made up, except where a comment at the place names where the text was seen.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/CommonErrors.html

func invalid(reason, format string, args ...any) error {
	return &localaws.Error{Status: http.StatusBadRequest, Code: "ValidationException",
		Message: fmt.Sprintf(format, args...), Members: map[string]any{"reason": reason}}
}

func (rq request) denied(arn string) error {
	return &localaws.Error{Status: http.StatusForbidden, Code: "AccessDeniedException",
		Message: fmt.Sprintf("User: arn:aws:iam::%s:root is not authorized to perform: codeartifact:%s on resource: %s",
			rq.Account, rq.operation, arn)}
}

// resourceError leaves the type out where the API has none: for a package group.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_ResourceNotFoundException.html
func resourceError(status int, code, resourceType, id, message string) error {
	members := map[string]any{"resourceId": id}
	if resourceType != "" {
		members["resourceType"] = resourceType
	}
	return &localaws.Error{Status: status, Code: code, Message: message, Members: members}
}

func notFound(resourceType, id, message string) error {
	return resourceError(http.StatusNotFound, "ResourceNotFoundException", resourceType, id, message)
}

// noDomain has the text seen in https://github.com/aws/aws-cdk/issues/19792.
func noDomain(owner, name string) error {
	return notFound("domain", name,
		fmt.Sprintf("Domain not found. Domain '%s' owned by account '%s' does not exist", name, owner))
}

func noRepository(d *domain, name string) error {
	return notFound("repository", name,
		fmt.Sprintf("Repository not found. Repository '%s' in domain '%s' does not exist", name, d.name))
}

func noPackage(r *repository, c coordinate) error {
	return notFound("package", c.name, fmt.Sprintf("Package '%s' does not exist in repository '%s'", c.path(), r.name))
}

func noGroup(d *domain, pattern string) error {
	return notFound("", pattern, fmt.Sprintf("Package group '%s' does not exist in domain '%s'", pattern, d.name))
}

func conflict(resourceType, id, message string) error {
	return resourceError(http.StatusConflict, "ConflictException", resourceType, id, message)
}

// overQuota is 402 Payment Required, and not the 400 of most services.
func overQuota(resourceType, id, message string) error {
	return resourceError(http.StatusPaymentRequired, "ServiceQuotaExceededException", resourceType, id, message)
}
