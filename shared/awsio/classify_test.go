package awsio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"portcullis/shared/control"
)

// answered is the error of a call that got an answer, wrapped as the SDK does it.
func answered(status int, err error) error {
	response := &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: http.Header{}}}
	return &smithy.OperationError{ServiceID: "codeartifact", OperationName: "DescribeRepository",
		Err: &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{Response: response, Err: err}}}
}

// sent is the error of a call that got none.
func sent(err error) error {
	return &smithy.OperationError{ServiceID: "codeartifact", OperationName: "DescribeRepository",
		Err: &smithyhttp.RequestSendError{Err: &url.Error{Op: "Get", URL: "https://example.com", Err: err}}}
}

func code(c string) error { return &smithy.GenericAPIError{Code: c, Message: "no"} }

func garbled(err error) error { return &smithy.DeserializationError{Err: err} }

// slow is an error of the kind that net/http returns for its time limit.
type slow struct{ error }

func (slow) Timeout() bool        { return true }
func (slow) Temporary() bool      { return true }
func (slow) Is(target error) bool { return target == context.DeadlineExceeded }

func TestClassifyGoesByTheCode(t *testing.T) {
	for class, codes := range map[Class][]string{
		Denied: {"AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation"},
		Credentials: {"ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidClientTokenId", "InvalidSignatureException",
			"MissingAuthenticationToken", "OptInRequired", "RequestExpired", "SignatureDoesNotMatch", "UnrecognizedClientException"},
		NotFound: {"ResourceNotFoundException"},
		Conflict: {"ConflictException"},
		Invalid:  {"ServiceQuotaExceededException", "ValidationError", "ValidationException"},
		Throttled: {"RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "ThrottledException", "Throttling",
			"ThrottlingException", "TooManyRequestsException"},
		Unavailable: {"InternalFailure", "InternalServerException", "ServiceUnavailable", "ServiceUnavailableException"},
	} {
		for _, c := range codes {
			// The code counts more than the status.
			for _, status := range []int{400, 403, 404, 429, 500} {
				if got := Classify(answered(status, code(c))); got != class {
					t.Errorf("%s with %d is %s, want %s", c, status, got, class)
				}
			}
		}
	}
}

func TestClassify(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("describing repository corp/npm-store: %w", err) }
	for _, test := range []struct {
		name string
		err  error
		want Class
	}{
		{"a modelled error", answered(429, &types.ThrottlingException{}), Throttled},
		{"an error that the operation does not model", answered(429, code("ThrottlingException")), Throttled},
		{"an error with another one around it", wrapped(answered(404, &types.ResourceNotFoundException{})), NotFound},

		{"a bare 404, which is not AWS saying so", answered(404, code("UnknownError")), Other},
		{"a bare 410", answered(410, code("UnknownError")), Other},
		{"a bare 400", answered(400, code("UnknownError")), Other},
		{"a bare 403", answered(403, code("UnknownError")), Denied},
		{"a bare 429", answered(429, code("UnknownError")), Throttled},
		{"a bare 500", answered(500, code("UnknownError")), Unavailable},
		{"a bare 599", answered(599, code("UnknownError")), Unavailable},
		{"a redirect", answered(307, code("UnknownError")), Other},
		{"a 429 that is a page", answered(429, garbled(errors.New("invalid character '<'"))), Throttled},
		{"a 500 that is a page", answered(500, garbled(errors.New("invalid character '<'"))), Unavailable},

		{"a 200 that is a page", answered(200, garbled(errors.New("invalid character '<'"))), Malformed},
		{"a 404 that is a page", answered(404, garbled(errors.New("invalid character '<'"))), Malformed},
		{"a truncated body", answered(200, garbled(io.ErrUnexpectedEOF)), Malformed},
		{"a body that is too large", answered(200, garbled(errTooLarge)), Malformed},
		{"an error page that is too large", answered(500, garbled(errTooLarge)), Malformed},
		{"an answer that lacks something", wrapped(ErrMalformed("the answer has no list in it")), Malformed},

		{"no answer in time", sent(slow{errors.New("Client.Timeout exceeded")}), Timeout},
		{"a body that stalls", answered(200, garbled(slow{errors.New("Client.Timeout exceeded")})), Timeout},
		{"a reset", sent(&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}), Unavailable},
		{"a connection that ended", sent(io.EOF), Unavailable},
		{"a host that does not exist", sent(&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}), Unreachable},
		{"a name server that did not answer", sent(&net.OpError{Op: "dial", Err: &net.DNSError{IsTimeout: true}}), Timeout},
		{"a name server in trouble", sent(&net.OpError{Op: "dial", Err: &net.DNSError{IsTemporary: true}}), Unavailable},

		{"a call that was called off", &smithy.OperationError{Err: &smithy.CanceledError{Err: context.Canceled}}, Deadline},
		{"a call that was called off by a deadline", &smithy.OperationError{Err: &smithy.CanceledError{Err: context.DeadlineExceeded}}, Deadline},
		{"a wait that was called off", &smithy.OperationError{Err: &aws.RequestCanceledError{Err: context.Canceled}}, Deadline},
		{"a context that ended before the call", wrapped(context.DeadlineExceeded), Deadline},
		{"a context that was cancelled before the call", wrapped(context.Canceled), Deadline},

		{"a call that was not sent", wrapped(ErrReadOnly), Other},
		{"anything else", errors.New("surprise"), Other},
		{"nothing", nil, Other},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Classify(test.err); got != test.want {
				t.Errorf("class %s, want %s", got, test.want)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want control.Answer
	}{
		{"accepted where there is no error", nil, control.Accepted},
		{"refused where access was denied", answered(403, &types.AccessDeniedException{}), control.Refused},
		{"refused where the credentials were not accepted", answered(403, code("ExpiredTokenException")), control.Refused},
		{"objected where there is no such connection", answered(404, &types.ResourceNotFoundException{}), control.Objected},
		{"objected where the state moved", answered(409, &types.ConflictException{}), control.Objected},
		{"objected where the request was wrong", answered(400, &types.ValidationException{}), control.Objected},
		{"refused where it was throttled", answered(429, &types.ThrottlingException{}), control.Refused},
		{"refused where it was never sent", fmt.Errorf("calling DeleteDomain: %w", ErrReadOnly), control.Refused},

		{"lost after a server error", answered(500, &types.InternalServerException{}), control.Lost},
		{"lost after a bare 404", answered(404, code("UnknownError")), control.Lost},
		{"lost after a page in place of an answer", answered(200, garbled(errors.New("invalid character '<'"))), control.Lost},
		{"lost after a truncated answer", answered(200, garbled(io.ErrUnexpectedEOF)), control.Lost},
		{"lost after a reset", sent(io.EOF), control.Lost},
		{"lost after no answer in time", sent(slow{errors.New("Client.Timeout exceeded")}), control.Lost},
		{"lost where the run had to stop", &smithy.CanceledError{Err: context.Canceled}, control.Lost},
		{"lost after anything else", errors.New("surprise"), control.Lost},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Answer(test.err); got != test.want {
				t.Errorf("answer %d, want %d", got, test.want)
			}
		})
	}
}

func TestNextStep(t *testing.T) {
	said := map[string]Class{}
	for _, c := range []Class{Denied, Credentials, Throttled, Unavailable, Unreachable, Malformed, Deadline} {
		step := nextStep(c)
		if step == "" || step[len(step)-1] == '.' {
			t.Errorf("the next step after %s is %q", c, step)
		}
		if other, twice := said[step]; twice {
			t.Errorf("the next steps after %s and %s are the same", c, other)
		}
		said[step] = c
	}
	if nextStep(Timeout) != nextStep(Unavailable) {
		t.Error("the next steps after a timeout and after other trouble of the network differ")
	}
	for _, c := range []Class{NotFound, Conflict, Invalid, Other, ""} {
		if step := nextStep(c); step != "" {
			t.Errorf("the next step after %q is %q, want none", c, step)
		}
	}
}
