package protonconn

import (
	"errors"
	"slices"
	"strings"

	"github.com/aws/smithy-go"

	"portcullis/shared/awsio"
)

// gone says whether the error of the first list means that Proton is not there any
// more, and by which code that is told. AWS does not document how the endpoint of
// an ended service answers. These are the ways in which the endpoints of others
// were seen to, and what something in between may do.
//
//	the first page of the list met                            | code
//	----------------------------------------------------------+-----------------
//	an error with a text about the end of a service           | service-retired
//	an operation that nobody knows any more                   | service-retired
//	no such host                                              | unreachable
//	no connection, no answer, an error of the server, or      |
//	throttling without an end                                 | unreachable
//	an error that is none of Proton's, or of no type at all   | unreachable
//	an answer that cannot be understood, or has no list in it | unreachable
//	access denied, and nothing about an end                   | (not gone: a right is missing)
//	anything else, and anything on a later page               | (not gone)
func gone(err error) (code string, is bool) {
	if !errors.As(err, &unheard{}) {
		return "", false
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if strings.HasPrefix(api.ErrorCode(), "UnknownOperation") {
			return "service-retired", true
		}
		text := strings.ReplaceAll(strings.ToLower(api.ErrorMessage()), "-", " ")
		for _, phrase := range endings() {
			if strings.Contains(text, phrase) {
				return "service-retired", true
			}
		}
	}
	switch class := awsio.Classify(err); class {
	case awsio.Denied, awsio.Credentials, awsio.Invalid, awsio.Other:
		if api == nil || !modelled(api.ErrorCode()) && class != awsio.Credentials {
			return "unreachable", true
		}
	case awsio.Unreachable, awsio.Timeout, awsio.Unavailable, awsio.Throttled, awsio.Malformed, awsio.Deadline:
		return "unreachable", true
	}
	return "", false
}

// modelled says whether Proton itself answers with this code:
// https://docs.aws.amazon.com/proton/latest/APIReference/CommonErrors.html
func modelled(code string) bool {
	return slices.Contains([]string{
		"AccessDeniedException", "ConflictException", "InternalServerException", "ResourceNotFoundException", "ThrottlingException", "ValidationException",
	}, code)
}

// endings are the phrases by which AWS has told callers that a service is over.
func endings() []string {
	return []string{
		"new customers", "existing customers", "no longer available", "no longer supported", "no longer accessible",
		"has ended", "end of support", "end of life", "discontinued", "retired", "service is unavailable",
	}
}
