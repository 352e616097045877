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
	// Run does it and returns what is encoded as the answer, and whether anything changed. It runs under the World's
	// lock. An error that is not an *Error is answered as a fault of the service.
	Run func(Caller) (output any, changed bool, err error)
}

// A Caller is who asks, in which Region, and when by the World's clock.
type Caller struct {
	Account, Region, RequestID string
	Now                        time.Time
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
const (
	RESTJSON Protocol = "application/json"
	JSON10   Protocol = "application/x-amz-json-1.0"
	JSON11   Protocol = "application/x-amz-json-1.1"
)

// clientError is the status of a mistake of the client that other protocols answer with status.
func (p Protocol) clientError(status int) int {
	if p == JSON10 {
		return http.StatusBadRequest
	}
	return status
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
