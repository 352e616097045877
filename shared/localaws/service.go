package localaws

import (
	"net/http"
	"time"
)

// A Router says which operation of a service a request asks for. It decodes the input but does not judge it. The
// Operation it returns with an error names what it could make out.
type Router func(r *http.Request, body []byte) (Operation, error)

// An Operation is one request, decoded and ready to run.
type Operation struct {
	Name  string
	Write bool           // it may change something
	Input map[string]any // by the names of the API, as decoded JSON

	// What a limited role is judged by, apart from the name: an operation that is open needs no permission. Resource is
	// only for the text of a refusal. Conditions are the values of condition keys of IAM, such as events:detail-type.
	Open       bool
	Resource   string
	Conditions map[string][]string

	// Run does it and returns what is encoded as the answer, and whether anything changed. It runs under the World's
	// lock. An error that is not an *Error is answered as a fault of the service.
	Run func(Caller) (output any, changed bool, err error)
}

// A Caller is who asks, in which Region, and when by the World's clock.
type Caller struct {
	Account, Region, RequestID string
	// Principal is the ARN of the role that asks, in a session of this name. Both are empty for an account itself.
	Principal, Session string
	Now                time.Time
	world              *World
}

// An Error is an answer of AWS that is not a success.
type Error struct {
	Status        int    // HTTP status
	Code, Message string // such as "ResourceNotFoundException"; an untyped error has no code
	// Members are further members of the body, such as resourceId.
	Members map[string]any
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// A Protocol is how a service encodes answers and errors. Its value is the content type.
type Protocol string

// The protocols that are spoken here. REST-JSON names an error in a header, AWS JSON in the body; 1.0 names it with its
// namespace. The services that speak 1.0 answer every mistake of a client with 400.
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
// https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
//
// The Query protocol takes a form and answers in XML, and its services have short names for the errors that all share. The
// output of an operation is then a struct whose XMLName is the name of the result.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
const (
	RESTJSON Protocol = "application/json"
	JSON10   Protocol = "application/x-amz-json-1.0"
	JSON11   Protocol = "application/x-amz-json-1.1"
	Query    Protocol = "text/xml"
)

// clientError is the status of a mistake of the client that other protocols answer with status.
func (p Protocol) clientError(status int) int {
	if p == JSON10 || p == Query && status == http.StatusTooManyRequests {
		return http.StatusBadRequest
	}
	return status
}

// code chooses between the names that an error has in JSON and in the Query protocol.
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
func (p Protocol) code(json, query string) string {
	if p == Query {
		return query
	}
	return json
}

type service struct {
	protocol Protocol
	route    Router
}

// Serve adds a service under the name by which clients sign for it, such as "codeartifact".
func (w *World) Serve(name string, protocol Protocol, route Router) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.services[name] = service{protocol, route}
}
