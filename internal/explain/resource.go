package explain

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"portcullis/shared/policy"
)

// Kind is what a resource is.
type Kind string

// The kinds.
const (
	Repository Kind = "repository"
	Group      Kind = "package-group"
	Package    Kind = "package"
	Connection Kind = "connection"
)

// Resource is what a person has named.
type Resource struct {
	Kind   Kind
	Region string // empty where the name does not say
	Owner  string // likewise: account that owns the domain, or of whom the connection is

	Domain  string
	Name    string         // of a repository; pattern of a package group; id of a connection
	Package policy.Package // of a package
}

// forms is how a resource is named, for who has named it otherwise.
const forms = "write a repository as corp/npm-store, a package group as corp:/npm/acme/*, a package as pkg:npm/%40acme/ui, a connection by its id, or any but a package by its ARN"

// Names of domains and repositories, by the API's own model:
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_CreateRepository.html
var (
	domainName     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,48}[a-z0-9]$`)
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,99}$`)
	groupPattern   = regexp.MustCompile(`^[^\p{C}\p{Z}\s]{2,520}$`)
	accountID      = regexp.MustCompile(`^[0-9]{12}$`)
	connectionID   = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	regionName     = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]+$`)
)

// Parse reads the name of a resource:
//
//	corp/npm-store                a repository
//	111122223333/corp/npm-store   one in a domain of that account
//	corp:/npm/acme/*              a package group: the domain, a colon, and the pattern
//	111122223333/corp:/npm/acme/* one in a domain of that account
//	pkg:npm/%40acme/ui            a package, as the policy writes it
//	12345678-1234-...             an environment account connection of Proton
//	arn:...                       a repository, a package group or a connection
func Parse(s string) (Resource, error) {
	switch {
	case strings.HasPrefix(s, "arn:"):
		return parseARN(s)
	case strings.HasPrefix(s, "pkg:"):
		p, err := policy.ParsePackage(s)
		return Resource{Kind: Package, Package: p}, err
	case connectionID.MatchString(s):
		return Resource{Kind: Connection, Name: strings.ToLower(s)}, nil
	}
	if before, pattern, ok := strings.Cut(s, ":"); ok {
		r := Resource{Kind: Group, Domain: before, Name: pattern}
		if owner, domain, ok := strings.Cut(before, "/"); ok {
			r.Owner, r.Domain = owner, domain
			if owner == "" {
				return Resource{}, fmt.Errorf("%.80q names no account before the domain; %s", s, forms)
			}
		}
		return r, r.check(s)
	}
	r := Resource{Kind: Repository}
	switch parts := strings.Split(s, "/"); len(parts) {
	case 2:
		r.Domain, r.Name = parts[0], parts[1]
	case 3:
		r.Owner, r.Domain, r.Name = parts[0], parts[1], parts[2]
		if r.Owner == "" {
			return Resource{}, fmt.Errorf("%.80q names no account before the domain; %s", s, forms)
		}
	default:
		return Resource{}, fmt.Errorf("%.80q is not the name of a resource; %s", s, forms)
	}
	return r, r.check(s)
}

// parseARN reads an ARN. That of a group has the characters of its pattern encoded:
// https://docs.aws.amazon.com/codeartifact/latest/ug/auth-and-access-control-permissions-reference.html
func parseARN(s string) (Resource, error) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) < 6 {
		return Resource{}, fmt.Errorf("%.120q is not a whole ARN; copy all of it, or %s", s, forms)
	}
	r := Resource{Region: parts[3], Owner: parts[4]}
	kind, name, _ := strings.Cut(parts[5], "/")
	switch parts[2] + " " + kind {
	case "codeartifact repository":
		r.Kind = Repository
		r.Domain, r.Name, _ = strings.Cut(name, "/")
	case "codeartifact package-group":
		r.Kind = Group
		domain, pattern, _ := strings.Cut(name, "/")
		decoded, err := url.PathUnescape(pattern)
		if err != nil {
			return Resource{}, fmt.Errorf("%.120q is not the ARN of a package group; copy it as AWS shows it, or write corp:/npm/acme/*", s)
		}
		r.Domain, r.Name = domain, "/"+decoded
	case "proton environment-account-connection":
		r.Kind, r.Name = Connection, name
	default:
		return Resource{}, fmt.Errorf("%.120q is the ARN of nothing that a control looks at; name a repository, a package group or an environment account connection", s)
	}
	if !regionName.MatchString(r.Region) || !accountID.MatchString(r.Owner) {
		return Resource{}, fmt.Errorf("%.120q has no Region or no account in it; copy the whole ARN", s)
	}
	return r, r.check(s)
}

// check refuses what AWS can have no resource by the name of, so that nobody is
// asked for it.
func (r Resource) check(s string) error {
	var err error
	switch {
	case r.Owner != "" && !accountID.MatchString(r.Owner):
		err = fmt.Errorf("%.20q is not an account", r.Owner)
	case r.Kind == Connection && !connectionID.MatchString(r.Name):
		err = fmt.Errorf("%.80q is not the id of a connection", r.Name)
	case r.Kind == Connection:
		return nil
	case !domainName.MatchString(r.Domain):
		err = fmt.Errorf("%.80q is not the name of a domain", r.Domain)
	case r.Kind == Repository && !repositoryName.MatchString(r.Name):
		err = fmt.Errorf("%.120q is not the name of a repository", r.Name)
	case r.Kind == Group && !groupPattern.MatchString(r.Name):
		err = fmt.Errorf("%.120q is not the pattern of a package group", r.Name)
	}
	if err != nil {
		return fmt.Errorf("%.120q: %w; %s", s, err, forms)
	}
	return nil
}

// String is how a person calls it.
func (r Resource) String() string {
	owner := ""
	if r.Owner != "" {
		owner = r.Owner + "/"
	}
	switch r.Kind {
	case Repository:
		return owner + r.Domain + "/" + r.Name
	case Group:
		return owner + r.Domain + ":" + r.Name
	case Package:
		return r.Package.URL
	default:
		return r.Name
	}
}
