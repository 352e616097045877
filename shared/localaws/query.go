package localaws

import (
	"fmt"
	"net/http"
	"net/url"
)

// ReadQuery reads a request in the Query protocol: a form that names the operation and the version of the API. The error
// is AWS's answer to what is none, or is of another version. A [Router] adds what the operation does.
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonParameters.html
func ReadQuery(body []byte, version string) (Operation, url.Values, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return Operation{}, nil, &Error{Status: http.StatusBadRequest, Code: "MalformedQueryString",
			Message: "The query string contains a syntax error."}
	}
	op := Operation{Name: form.Get("Action"), Input: map[string]any{}}
	for name, values := range form {
		if name != "Action" && name != "Version" {
			op.Input[name] = values[0]
		}
	}
	if form.Get("Version") != version {
		return op, form, UnknownAction(op.Name, form.Get("Version"))
	}
	return op, form, nil
}

// UnknownAction is the answer to an operation in the Query protocol that is not there.
func UnknownAction(name, version string) error {
	return &Error{Status: http.StatusBadRequest, Code: "InvalidAction",
		Message: fmt.Sprintf("Could not find operation %s for version %s", name, version)}
}
