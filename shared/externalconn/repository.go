package externalconn

import (
	"fmt"
	"strings"
	"time"
)

// Name identifies a repository within a Region. A domain's name is unique only
// within the account that owns it, so the owner belongs to the identity.
type Name struct {
	Owner  string // account that owns the domain
	Domain string
	Repo   string
}

// String is "domain/repository", as the policy writes it.
func (n Name) String() string { return n.Domain + "/" + n.Repo }

// in is what the repository is called for a person who looks at one account: what is in
// a domain of another one has that account before it, as two may have the same names.
func (n Name) in(account string) string {
	if n.Owner == account {
		return n.String()
	}
	return n.Owner + "/" + n.String()
}

// domain is the name of the domain that the repository is in.
func (n Name) domain() Name { return Name{Owner: n.Owner, Domain: n.Domain} }

// ARN is the repository's ARN. It carries the domain's owner, also where another
// account administers the repository:
// https://docs.aws.amazon.com/codeartifact/latest/ug/auth-and-access-control-permissions-reference.html
func (n Name) ARN(region string) string {
	return fmt.Sprintf("arn:aws:codeartifact:%s:%s:repository/%s/%s", region, n.Owner, n.Domain, n.Repo)
}

// ParseARN is the inverse of Name.ARN.
func ParseARN(arn string) (Name, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) == 6 && parts[2] == "codeartifact" {
		path := strings.Split(parts[5], "/")
		if len(path) == 3 && path[0] == "repository" && path[1] != "" && path[2] != "" {
			return Name{Owner: parts[4], Domain: path[1], Repo: path[2]}, nil
		}
	}
	return Name{}, fmt.Errorf("%q is not the ARN of a CodeArtifact repository", arn)
}

// domainARN names a whole domain, where no single repository can be named.
func domainARN(region, owner, domain string) string {
	return fmt.Sprintf("arn:aws:codeartifact:%s:%s:domain/%s", region, owner, domain)
}

// Repository is the state of one repository, as DescribeRepository gave it.
type Repository struct {
	Name          Name       `json:"-"`
	ARN           string     `json:"arn"`
	Administrator string     `json:"administratorAccount,omitempty"`
	Description   string     `json:"description,omitempty"`
	Created       *time.Time `json:"createdTime,omitempty"`
	Connections   []string   `json:"externalConnections"`
	Upstreams     []string   `json:"upstreams"` // names of repositories of the same domain, in order
}
