package codeartifact

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"portcullis/shared/localaws"
)

// An operation is one row of the API. A name in query is that of the wire, a name in body that of the API; "!" marks
// the required ones.
type operation struct {
	method, path, name string
	query, body        string
	write              bool
	run                func(*Service, request) (output any, changed bool, err error)
}

func operations() []operation {
	const (
		read  = false
		write = true
	)
	return []operation{
		{"POST", "/v1/domains", "ListDomains", "", "maxResults nextToken", read, (*Service).listDomains},
		{"GET", "/v1/domain", "DescribeDomain", "domain! domain-owner", "", read, (*Service).describeDomain},
		{"POST", "/v1/domain", "CreateDomain", "domain!", "encryptionKey tags", write, (*Service).createDomain},
		{"DELETE", "/v1/domain", "DeleteDomain", "domain! domain-owner", "", write, (*Service).deleteDomain},

		{"POST", "/v1/repositories", "ListRepositories",
			"repository-prefix max-results next-token", "", read, (*Service).listRepositories},
		{"POST", "/v1/domain/repositories", "ListRepositoriesInDomain",
			"domain! domain-owner administrator-account repository-prefix max-results next-token", "",
			read, (*Service).listRepositoriesInDomain},
		{"GET", "/v1/repository", "DescribeRepository",
			"domain! domain-owner repository!", "", read, (*Service).describeRepository},
		{"POST", "/v1/repository", "CreateRepository",
			"domain! domain-owner repository!", "description upstreams tags", write, (*Service).createRepository},
		{"PUT", "/v1/repository", "UpdateRepository",
			"domain! domain-owner repository!", "description upstreams", write, (*Service).updateRepository},
		{"DELETE", "/v1/repository", "DeleteRepository",
			"domain! domain-owner repository!", "", write, (*Service).deleteRepository},

		{"POST", "/v1/repository/external-connection", "AssociateExternalConnection",
			"domain! domain-owner repository! external-connection!", "", write, (*Service).associateExternalConnection},
		{"DELETE", "/v1/repository/external-connection", "DisassociateExternalConnection",
			"domain! domain-owner repository! external-connection!", "", write, (*Service).disassociateExternalConnection},

		{"POST", "/v1/tags", "ListTagsForResource", "resourceArn!", "", read, (*Service).listTagsForResource},
		{"POST", "/v1/tag", "TagResource", "resourceArn!", "tags!", write, (*Service).tagResource},
		{"POST", "/v1/untag", "UntagResource", "resourceArn!", "tagKeys!", write, (*Service).untagResource},
	}
}

// A request is an operation's input and its caller. A nil pointer or slice was not sent.
type request struct {
	localaws.Caller `json:"-"`
	operation       string

	Domain, DomainOwner, Repository        string
	RepositoryPrefix, AdministratorAccount string
	ExternalConnection                     string
	ResourceARN                            string
	EncryptionKey, Description, NextToken  *string
	MaxResults                             *int
	Upstreams                              []upstream
	Tags                                   []tag
	TagKeys                                []string
}

type upstream struct {
	RepositoryName string `json:"repositoryName"`
}

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (s *Service) route(r *http.Request, body []byte) (localaws.Operation, error) {
	i := slices.IndexFunc(s.operations, func(o operation) bool { return o.method == r.Method && o.path == r.URL.Path })
	if i < 0 {
		return localaws.Operation{}, &localaws.Error{Status: http.StatusNotFound, Code: "UnknownOperationException",
			Message: fmt.Sprintf("no operation %s %s", r.Method, r.URL.Path)}
	}
	o := s.operations[i]
	op := localaws.Operation{Name: o.name, Write: o.write, Input: map[string]any{}}
	if err := o.decode(r, body, op.Input); err != nil {
		return op, err
	}
	rq := request{operation: o.name}
	if err := convert(op.Input, &rq); err != nil {
		return op, invalid("CANNOT_PARSE", "%v", err)
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

// decode fills input with what the operation has in its query and in its body, and refuses anything else.
func (o operation) decode(r *http.Request, body []byte, input map[string]any) error {
	for name, values := range r.URL.Query() {
		if !has(o.query, name) || len(values) != 1 {
			return invalid("CANNOT_PARSE", "%s has no single query parameter %q", o.name, name)
		}
		input[camel(name)] = values[0]
		if name == "max-results" {
			n, err := strconv.Atoi(values[0])
			if err != nil {
				return invalid("CANNOT_PARSE", "%s is not a number", name)
			}
			input[camel(name)] = float64(n) // as it would be in a JSON body
		}
	}
	if len(body) == 0 {
		return nil
	}
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		return invalid("CANNOT_PARSE", "the body is not a JSON object: %v", err)
	}
	for name, value := range members {
		if !has(o.body, name) {
			return invalid("CANNOT_PARSE", "the body of %s has no member %q", o.name, name)
		}
		input[name] = value
	}
	return nil
}

// has says whether a list of names, as in the table of operations, holds name.
func has(list, name string) bool {
	return slices.ContainsFunc(strings.Fields(list), func(n string) bool { return strings.TrimSuffix(n, "!") == name })
}

// camel turns the name of a query parameter into that of the API: domain-owner into domainOwner.
func camel(name string) string {
	words := strings.Split(name, "-")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

// convert fills a request by the names of its fields, which encoding/json compares without case.
func convert(input map[string]any, rq *request) error {
	data, err := json.Marshal(input)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, rq)
}
