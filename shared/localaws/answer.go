package localaws

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"maps"
	"net"
	"net/http"
	"strconv"
)

// An answer is what is about to be sent: nothing, as long as its status is zero.
type answer struct {
	protocol  Protocol
	namespace string // of the service's model
	operation string
	requestID string
	status    int
	code      string // of an error
	header    http.Header
	body      []byte
	send      func(http.ResponseWriter, *http.Request, *answer)
	own       own // zero if the service was not asked
}

// own is what the service itself answered, whatever a fault then made of it.
type own struct {
	status int
	code   string
	body   []byte
}

func newAnswer(protocol Protocol, call *Call) *answer {
	return &answer{
		protocol:  protocol,
		namespace: "com.amazonaws." + call.Service,
		operation: call.Operation,
		requestID: call.RequestID,
		send:      abort,
		header: http.Header{
			"Content-Type":     {string(protocol)},
			"Date":             {call.Time.UTC().Format(http.TimeFormat)},
			"X-Amzn-Requestid": {call.RequestID},
		},
	}
}

func (a *answer) succeed(output any) {
	marshal := json.Marshal
	if a.protocol == Query {
		output = response{XMLName: xml.Name{Local: a.operation + "Response"}, Result: output, RequestID: a.requestID}
		marshal = xml.Marshal
	}
	body, err := marshal(output)
	if err != nil {
		a.fail(err)
		return
	}
	a.status, a.body, a.send = http.StatusOK, body, sendWhole
}

func (a *answer) fail(err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Status: http.StatusInternalServerError, Code: "InternalServerException", Message: err.Error()}
	}
	if a.protocol == Query {
		a.failXML(e)
		return
	}
	members := map[string]any{"message": e.Message}
	maps.Copy(members, e.Members)
	a.header.Del("X-Amzn-ErrorType")
	switch {
	case e.Code == "":
	case a.protocol == RESTJSON:
		a.header.Set("X-Amzn-ErrorType", e.Code)
	case a.protocol == JSON10:
		members["__type"] = a.namespace + "#" + e.Code
	default:
		members["__type"] = e.Code
	}
	if e.Status == http.StatusTooManyRequests {
		a.header.Set("Retry-After", "1")
	}
	body, _ := json.Marshal(members) // strings always encode, and a service has nothing else to say
	a.status, a.code, a.body, a.send = e.Status, e.Code, body, sendWhole
}

// A response is an answer in the Query protocol.
type response struct {
	XMLName   xml.Name
	Result    any
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

// failXML is fail in the Query protocol, where an error has a type, a code and a message.
func (a *answer) failXML(e *Error) {
	answer := struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code,omitempty"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}{Type: "Sender", Code: e.Code, Message: e.Message, RequestID: a.requestID}
	if e.Status >= http.StatusInternalServerError {
		answer.Type = "Receiver"
	}
	body, _ := xml.Marshal(answer) // strings always encode
	a.status, a.code, a.body, a.send = e.Status, e.Code, body, sendWhole
}

// replace puts an answer that is not the service's in its place.
func (a *answer) replace(status int, contentType, body string) {
	a.header.Del("X-Amzn-ErrorType")
	a.header.Set("Content-Type", contentType)
	a.status, a.code, a.body, a.send = status, "", []byte(body), sendWhole
}

func (a *answer) writeHeader(rw http.ResponseWriter) {
	maps.Copy(rw.Header(), a.header)
	rw.WriteHeader(a.status)
}

func sendWhole(rw http.ResponseWriter, _ *http.Request, a *answer) {
	a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	a.writeHeader(rw)
	write(rw, a.body)
}

// write says whether the client still takes what is sent.
func write(rw http.ResponseWriter, part []byte) bool {
	_, err := rw.Write(part) //nolint:gosec // G705: the reader is an SDK, not a browser
	return err == nil
}

// abort ends the connection with a reset and without an answer.
func abort(rw http.ResponseWriter, _ *http.Request, _ *answer) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http's own way to drop a request, for writers that are no connection
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
