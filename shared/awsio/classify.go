package awsio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"portcullis/shared/control"
)

// Class is the kind of a failed call, as far as the program acts on it.
type Class string

// The classes.
const (
	Denied      Class = "access-denied" // the role may not do this
	Credentials Class = "credentials"   // AWS does not accept the credentials
	NotFound    Class = "not-found"     // AWS said that the resource does not exist
	Conflict    Class = "conflict"      // the state moved under the call
	Invalid     Class = "invalid"       // AWS found the request wrong
	Throttled   Class = "throttled"     // too many requests
	Unavailable Class = "unavailable"   // a server error or a broken connection
	Timeout     Class = "timeout"       // no answer in time
	Unreachable Class = "unreachable"   // there is no such host
	Malformed   Class = "malformed"     // an answer that cannot be understood, or lacks what it must have
	Deadline    Class = "deadline"      // the run had to stop
	Other       Class = "error"
)

// Classify tells the kind of a failed call. What AWS answered is told by the error's
// code and the HTTP status, never by its Go type: some operations, such as
// GetAssociatedPackageGroup, do not model throttling and return it untyped.
// NotFound is only what AWS called so. A bare status of 404 comes from something
// in between as easily, and is not taken as proof that a resource is gone.
func Classify(err error) Class {
	var (
		api     smithy.APIError
		answer  *smithyhttp.ResponseError
		garbled *smithy.DeserializationError
		dns     *net.DNSError
		unknown *tls.CertificateVerificationError
		network net.Error
		send    *smithyhttp.RequestSendError
	)
	status := 0
	if errors.As(err, &answer) && answer.Response != nil {
		status = answer.HTTPStatusCode()
	}
	unsent, unread := errors.As(err, &send), errors.As(err, &garbled)
	switch {
	case errors.As(err, &malformed{}), errors.Is(err, errTooLarge):
		return Malformed
	case errors.Is(err, errOwnPace):
		return Throttled
	case errors.As(err, &api) && byCode[api.ErrorCode()] != "":
		return byCode[api.ErrorCode()]
	case status == http.StatusTooManyRequests:
		return Throttled
	case status >= 500:
		return Unavailable
	case errors.As(err, &dns) && dns.IsNotFound:
		return Unreachable
	case errors.Is(err, errInsecure), errors.As(err, &unknown):
		return Other // it will not pass by itself
	case (unsent || unread) && errors.As(err, &network) && network.Timeout():
		return Timeout
	case unsent:
		return Unavailable
	case unread:
		return Malformed
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Deadline
	case status == http.StatusForbidden:
		return Denied
	default:
		return Other
	}
}

// byCode maps the error codes of the AWS services used here, and the common ones
// of https://docs.aws.amazon.com/codeartifact/latest/APIReference/CommonErrors.html.
var byCode = map[string]Class{
	"AccessDenied":                  Denied,
	"AccessDeniedException":         Denied,
	"UnauthorizedOperation":         Denied,
	"NotAuthorized":                 Denied,
	"ExpiredToken":                  Credentials,
	"ExpiredTokenException":         Credentials,
	"IncompleteSignature":           Credentials,
	"InvalidClientTokenId":          Credentials,
	"InvalidSignatureException":     Credentials,
	"MissingAuthenticationToken":    Credentials,
	"OptInRequired":                 Credentials,
	"RequestExpired":                Credentials,
	"SignatureDoesNotMatch":         Credentials,
	"UnrecognizedClientException":   Credentials,
	"ResourceNotFoundException":     NotFound,
	"ConflictException":             Conflict,
	"ValidationException":           Invalid,
	"ValidationError":               Invalid,
	"ServiceQuotaExceededException": Invalid,
	"Throttling":                    Throttled,
	"ThrottlingException":           Throttled,
	"ThrottledException":            Throttled,
	"RequestLimitExceeded":          Throttled,
	"RequestThrottled":              Throttled,
	"RequestThrottledException":     Throttled,
	"TooManyRequestsException":      Throttled,
	"InternalFailure":               Unavailable,
	"InternalServerException":       Unavailable,
	"ServiceUnavailable":            Unavailable,
	"ServiceUnavailableException":   Unavailable,
}

// malformed is the error of an answer that arrived and cannot be what AWS meant.
type malformed struct{ what string }

func (m malformed) Error() string { return m.what }

// ErrMalformed returns an error of class Malformed: AWS answered with success,
// and the answer lacks what it must have. What says what is wrong with it.
func ErrMalformed(what string) error { return malformed{what} }

// Answer tells how much the error of a write says about its effect. Only what AWS
// itself put into words is taken for more than a lost answer, and only where it
// turned the request away without looking at the state is it proof that nothing
// happened.
func Answer(err error) control.Answer {
	if err == nil {
		return control.Accepted
	}
	if errors.Is(err, ErrReadOnly) || errors.As(err, &inLine{}) {
		return control.Refused // it was never sent
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return control.Lost
	}
	switch byCode[api.ErrorCode()] {
	case Denied, Credentials, Throttled:
		return control.Refused
	case NotFound, Conflict, Invalid:
		return control.Objected
	default:
		return control.Lost
	}
}

// Failure classifies the error of a read and explains it. A read that was cut off
// by the end of its context met the deadline, whatever else its error says.
func Failure(ctx context.Context, what string, err error) (Class, string) {
	class := Classify(err)
	if ctx.Err() != nil {
		class = Deadline
	}
	if ctx.Value(byHand{}) != nil {
		return class, explain(what, err, nextStepByHand(class))
	}
	return class, Explain(what, err, class)
}

// Explain says what could not be done and why, in one line that ends with what a
// person can do about it, where there is something.
func Explain(what string, err error, class Class) string { return explain(what, err, nextStep(class)) }

func explain(what string, err error, next string) string {
	reason := fmt.Sprintf("%s: %s", what, strings.ReplaceAll(err.Error(), "\n", "; "))
	if errors.Is(err, errOwnPace) {
		next = "raise the cap if the account's builds leave room for it; the next sweep tries again"
	}
	if next != "" {
		reason += "; " + next
	}
	return reason
}

// nextStep is what an operator can do about a class of failure.
func nextStep(c Class) string {
	switch c {
	case Denied:
		return "grant the action to the function's role (template.yaml), or look for a service control policy or resource policy that denies it"
	case Credentials:
		return "the credentials were not accepted; redeploy the function if this goes on"
	case Throttled:
		return "the account's request quota is used up; the next sweep tries again"
	case Unavailable, Timeout:
		return "AWS or the network had trouble; the next sweep tries again"
	case Unreachable:
		return "the service has no endpoint in this Region, or the function's network cannot resolve it"
	case Malformed:
		return "something between the function and AWS may be answering in its place"
	case Deadline:
		return "give the function more time, or lower the number of resources in one account"
	default:
		return ""
	}
}
