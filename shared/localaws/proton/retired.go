package proton

import (
	"fmt"
	"net"
	"net/http"
	"strings"

	"portcullis/shared/localaws"
)

// A Retirement is a way in which the endpoint of a service that AWS has ended may answer. AWS does not say what that of
// Proton does. The first four were seen with others of its services, and their texts are made up after those; the rest is
// what something in between may send. For no answer at all there are [NoSuchHost], [Service.Refusing], [Service.Silent]
// and [Service.Deaf].
type Retirement int

// The retirements. The errors differ from those of a service that lives in nothing but their texts.
const (
	AccessDenied Retirement = iota
	Forbidden               // an error that is not in the model
	Invalid
	Throttled // for ever, as something that may be tried again
	UnknownOperation
	WebPage     // a page in HTML, 404
	EmptyObject // 200 with {}
	EmptyBody   // 200 with nothing
)

// Retirements lists all of them.
func Retirements() []Retirement {
	return []Retirement{AccessDenied, Forbidden, Invalid, Throttled, UnknownOperation, WebPage, EmptyObject, EmptyBody}
}

// String says what is answered.
func (r Retirement) String() string {
	name, _ := r.played()
	return name
}

func (r Retirement) played() (name string, kind localaws.Kind) {
	fail := func(code, text string) (string, localaws.Kind) {
		return code, localaws.Fail(http.StatusBadRequest, code, text)
	}
	switch r {
	case AccessDenied:
		return fail("AccessDeniedException", "AWS Proton no longer accepts new customers.")
	case Forbidden:
		return fail("ForbiddenException", "AWS Proton is only available to existing customers.")
	case Invalid:
		return fail("ValidationException", "AWS Proton takes no new customers, so this command is no longer supported.")
	case Throttled:
		return fail("ThrottlingException", "Support for AWS Proton has ended.")
	case UnknownOperation:
		return fail("UnknownOperationException", "")
	case WebPage:
		return "a web page", localaws.HTML(http.StatusNotFound)
	case EmptyObject:
		return "200 with {}", localaws.Body(http.StatusOK, "{}")
	case EmptyBody:
		return "200 with nothing", localaws.Body(http.StatusOK, "")
	}
	return fmt.Sprintf("Retirement(%d)", int(r)), localaws.Kind{}
}

// Retire has every call answered in this way, until it is removed. Nothing is done to the connections.
func (s *Service) Retire(r Retirement) *localaws.Injected {
	_, kind := r.played()
	return s.world.Inject(localaws.Fault{Service: "proton", Kind: kind})
}

// NoSuchHost is an endpoint whose name does not resolve. No server is asked for it, as a part of it is longer than names may
// have; so it is the same where servers do not answer, and where one answers for every name.
// https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4
var NoSuchHost = "https://proton." + strings.Repeat("x", 64) + ".invalid"

// Refusing returns an endpoint that refuses connections, until the World is closed. Its port is that of the near end of a
// connection: nobody listens there, and nobody else is given the port meanwhile.
func (s *Service) Refusing() (url string, err error) {
	l, err := listen()
	if err != nil {
		return "", err
	}
	s.world.OnClose(func() { _ = l.Close() })
	taken, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return "", fmt.Errorf("taking a port: %w", err)
	}
	s.world.OnClose(func() { _ = taken.Close() })
	return "http://" + taken.LocalAddr().String(), nil
}

// Silent returns an endpoint that takes connections and requests and never answers, until the World is closed.
func (s *Service) Silent() (url string, err error) {
	l, err := listen()
	if err != nil {
		return "", err
	}
	s.world.OnClose(func() { _ = l.Close() })
	return "http://" + l.Addr().String(), nil // the system takes what nobody accepts
}

func listen() (*net.TCPListener, error) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("listening on loopback: %w", err)
	}
	return l, nil
}
