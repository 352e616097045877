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
// the required ones. The body blob is not JSON, but the content of an asset.
type operation struct {
	method, path, name string
	query, body        string
	write              bool
	run                func(*Service, request) (output any, changed bool, err error)
}

const blob = "assetContent"

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

		{"POST", "/v1/packages", "ListPackages",
			"domain! domain-owner repository! format namespace package-prefix publish upstream max-results next-token", "",
			read, (*Service).listPackages},
		{"GET", "/v1/package", "DescribePackage",
			"domain! domain-owner repository! format! namespace package!", "", read, (*Service).describePackage},
		{"POST", "/v1/package", "PutPackageOriginConfiguration",
			"domain! domain-owner repository! format! namespace package!", "restrictions!",
			write, (*Service).putPackageOriginConfiguration},
		{"DELETE", "/v1/package", "DeletePackage",
			"domain! domain-owner repository! format! namespace package!", "", write, (*Service).deletePackage},
		{"POST", "/v1/package/version/publish", "PublishPackageVersion",
			"domain! domain-owner repository! format! namespace package! version! asset! unfinished", blob,
			write, (*Service).publishPackageVersion},
		{"POST", "/v1/package/versions/dispose", "DisposePackageVersions",
			"domain! domain-owner repository! format! namespace package!", "versions! versionRevisions expectedStatus",
			write, (*Service).disposePackageVersions},

		{"POST", "/v1/package-groups", "ListPackageGroups",
			"domain! domain-owner prefix max-results next-token", "", read, (*Service).listPackageGroups},
		{"POST", "/v1/package-groups/sub-groups", "ListSubPackageGroups",
			"domain! domain-owner package-group! max-results next-token", "", read, (*Service).listSubPackageGroups},
		{"GET", "/v1/package-group", "DescribePackageGroup",
			"domain! domain-owner package-group!", "", read, (*Service).describePackageGroup},
		{"POST", "/v1/package-group", "CreatePackageGroup",
			"domain! domain-owner", "packageGroup! contactInfo description tags", write, (*Service).createPackageGroup},
		{"PUT", "/v1/package-group", "UpdatePackageGroup",
			"domain! domain-owner", "packageGroup! contactInfo description", write, (*Service).updatePackageGroup},
		{"DELETE", "/v1/package-group", "DeletePackageGroup",
			"domain! domain-owner package-group!", "", write, (*Service).deletePackageGroup},
		{"PUT", "/v1/package-group-origin-configuration", "UpdatePackageGroupOriginConfiguration",
			"domain! domain-owner package-group!", "restrictions addAllowedRepositories removeAllowedRepositories",
			write, (*Service).updatePackageGroupOriginConfiguration},
		{"GET", "/v1/package-group-allowed-repositories", "ListAllowedRepositoriesForGroup",
			"domain! domain-owner package-group! originRestrictionType! max-results next-token", "",
			read, (*Service).listAllowedRepositoriesForGroup},
		{"GET", "/v1/list-associated-packages", "ListAssociatedPackages",
			"domain! domain-owner package-group! preview max-results next-token", "",
			read, (*Service).listAssociatedPackages},
		{"GET", "/v1/get-associated-package-group", "GetAssociatedPackageGroup",
			"domain! domain-owner format! namespace package!", "", read, (*Service).getAssociatedPackageGroup},

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

	PackageGroup, Prefix                              string
	ContactInfo                                       *string
	OriginRestrictionType                             string
	Restrictions                                      map[string]string // of a package group or of a package
	AddAllowedRepositories, RemoveAllowedRepositories []allowedRepository
	Preview                                           bool

	Format, Namespace, Package             string
	PackagePrefix, Publish, Upstream       string
	PackageVersion, AssetName, AssetSHA256 string
	Unfinished                             bool
	Versions                               []string
	VersionRevisions                       map[string]string
	ExpectedStatus                         string
	asset                                  []byte
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
	if o.body == blob {
		rq.asset = body
	}
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
		value, err := decodeParameter(name, values[0])
		if err != nil {
			return err
		}
		input[member(name)] = value
	}
	if o.body == blob {
		input["assetSHA256"] = r.Header.Get("X-Amz-Content-Sha256")
		return nil
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

// decodeParameter returns the value of a query parameter as it would be in a JSON body.
func decodeParameter(name, value string) (any, error) {
	switch name {
	case "max-results":
		n, err := strconv.Atoi(value)
		if err != nil {
			return nil, invalid("CANNOT_PARSE", "%s is not a number", name)
		}
		return float64(n), nil
	case "preview", "unfinished":
		if value != "true" && value != "false" {
			return nil, invalid("CANNOT_PARSE", "%s is not true or false", name)
		}
		return value == "true", nil
	}
	return value, nil
}

// has says whether a list of names, as in the table of operations, holds name.
func has(list, name string) bool {
	return slices.ContainsFunc(strings.Fields(list), func(n string) bool { return strings.TrimSuffix(n, "!") == name })
}

// member turns the name of a query parameter into that of the API: domain-owner into domainOwner.
func member(name string) string {
	switch name {
	case "asset":
		return "assetName"
	case "version":
		return "packageVersion"
	}
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
