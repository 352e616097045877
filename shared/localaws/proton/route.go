package proton

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"portcullis/shared/localaws"
)

// An operation is one row of the API, with the members of its input; "!" marks the required ones.
type operation struct {
	name, members string
	write         bool
	run           func(*Service, request) (output any, changed bool, err error)
}

func operations() []operation {
	const (
		read  = false
		write = true
	)
	return []operation{
		{"ListEnvironmentAccountConnections", "requestedBy! environmentName statuses maxResults nextToken",
			read, (*Service).listConnections},
		{"GetEnvironmentAccountConnection", "id!", read, (*Service).getConnection},
		{"CreateEnvironmentAccountConnection",
			"environmentName! managementAccountId! roleArn componentRoleArn codebuildRoleArn clientToken tags",
			write, (*Service).createConnection},
		{"UpdateEnvironmentAccountConnection", "id! roleArn componentRoleArn codebuildRoleArn",
			write, (*Service).updateConnection},
		{"AcceptEnvironmentAccountConnection", "id!", write, (*Service).acceptConnection},
		{"RejectEnvironmentAccountConnection", "id!", write, (*Service).rejectConnection},
		{"DeleteEnvironmentAccountConnection", "id!", write, (*Service).deleteConnection},

		{"ListEnvironments", "maxResults nextToken", read, (*Service).listEnvironments},

		{"ListTagsForResource", "resourceArn! maxResults nextToken", read, (*Service).listTagsForResource},
		{"TagResource", "resourceArn! tags!", write, (*Service).tagResource},
		{"UntagResource", "resourceArn! tagKeys!", write, (*Service).untagResource},
	}
}

// A request is an operation's input and its caller. A nil pointer or slice was not sent.
type request struct {
	localaws.Caller `json:"-"`
	operation       string

	ID, ResourceARN                             string
	EnvironmentName, ManagementAccountID        string
	RoleARN, ComponentRoleARN, CodebuildRoleARN *string
	RequestedBy                                 string
	Statuses                                    []Status
	MaxResults                                  *int
	NextToken                                   *string
	ClientToken                                 string
	Tags                                        []tag
	TagKeys                                     []string
}

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (s *Service) route(r *http.Request, body []byte) (localaws.Operation, error) {
	name, found := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AwsProton20200720.")
	i := slices.IndexFunc(s.operations, func(o operation) bool { return o.name == name })
	if !found || i < 0 {
		return localaws.Operation{}, clientError("UnknownOperationException", "no operation %q", r.Header.Get("X-Amz-Target"))
	}
	o := s.operations[i]
	op := localaws.Operation{Name: o.name, Write: o.write}
	rq := request{operation: o.name}
	if err := json.Unmarshal(body, &op.Input); err != nil {
		return op, clientError("SerializationException", "the body is not a JSON object: %v", err)
	}
	if err := json.Unmarshal(body, &rq); err != nil { // by the names of the fields, which are compared without case
		return op, clientError("SerializationException", "%v", err)
	}
	op.Run = func(c localaws.Caller) (any, bool, error) {
		if err := s.validate(o, op.Input, rq); err != nil {
			return nil, false, err
		}
		rq.Caller = c
		return o.run(s, rq)
	}
	return op, nil
}

// The errors of the API are 400 all of them, also for what is not found or not allowed. AWS does not document the texts;
// those here are made up.
// https://docs.aws.amazon.com/proton/latest/APIReference/CommonErrors.html
func clientError(code, format string, args ...any) error {
	return &localaws.Error{Status: http.StatusBadRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return clientError("ValidationException", format, args...)
}
