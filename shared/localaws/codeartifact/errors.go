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

func resourceError(status int, code, resourceType, id, message string) error {
	return &localaws.Error{Status: status, Code: code, Message: message,
		Members: map[string]any{"resourceId": id, "resourceType": resourceType}}
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

func conflict(resourceType, id, message string) error {
	return resourceError(http.StatusConflict, "ConflictException", resourceType, id, message)
}

// overQuota is 402 Payment Required, and not the 400 of most services.
func overQuota(resourceType, id, message string) error {
	return resourceError(http.StatusPaymentRequired, "ServiceQuotaExceededException", resourceType, id, message)
}
