package explain

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/policy"
)

func TestEveryFormOfANameIsRead(t *testing.T) {
	const id = "0a1b2c3d-0000-4000-9000-000000000001"
	for name, want := range map[string]Resource{
		"corp/npm-store":                  {Kind: Repository, Domain: "corp", Name: "npm-store"},
		"999999999999/corp/npm-store":     {Kind: Repository, Owner: "999999999999", Domain: "corp", Name: "npm-store"},
		"corp:/npm/acme/*":                {Kind: Group, Domain: "corp", Name: "/npm/acme/*"},
		"corp:/maven/com.acme:x/*":        {Kind: Group, Domain: "corp", Name: "/maven/com.acme:x/*"},
		`corp:/npm/a"b'$(x)/*`:            {Kind: Group, Domain: "corp", Name: `/npm/a"b'$(x)/*`},
		"999999999999/corp:/npm/acme/ui$": {Kind: Group, Owner: "999999999999", Domain: "corp", Name: "/npm/acme/ui$"},
		"pkg:npm/%40acme/ui":              {Kind: Package, Package: policy.Package{URL: "pkg:npm/%40acme/ui", Format: "npm", Namespace: "acme", Name: "ui"}},
		id:                                {Kind: Connection, Name: id},
		strings.ToUpper(id):               {Kind: Connection, Name: id},
		"arn:aws:proton:eu-west-1:222222222222:environment-account-connection/" + id:  {Kind: Connection, Region: "eu-west-1", Owner: "222222222222", Name: id},
		"arn:aws:codeartifact:eu-west-1:222222222222:repository/corp/npm-store":       {Kind: Repository, Region: "eu-west-1", Owner: "222222222222", Domain: "corp", Name: "npm-store"},
		"arn:aws:codeartifact:eu-west-1:222222222222:package-group/corp/npm/acme/%2a": {Kind: Group, Region: "eu-west-1", Owner: "222222222222", Domain: "corp", Name: "/npm/acme/*"},
		"arn:aws-cn:codeartifact:cn-north-1:222222222222:package-group/corp/%2a":      {Kind: Group, Region: "cn-north-1", Owner: "222222222222", Domain: "corp", Name: "/*"},
	} {
		got, err := Parse(name)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestWhatCanBeNoNameIsRefusedWithWhatToWrite(t *testing.T) {
	for name, want := range map[string]string{
		"":                     "is not the name of a resource; write a repository as corp/npm-store",
		"npm-store":            "is not the name of a resource",
		"a/b/c/d":              "is not the name of a resource",
		"/corp:/npm/acme/*":    "names no account before the domain",
		"/corp/npm-store":      "names no account before the domain",
		"corp/npm-store/":      "is not an account",
		"corp/$(id)":           `"$(id)" is not the name of a repository`,
		"corp/a\x1b[2J":        "is not the name of a repository",
		"Corp/npm-store":       `"Corp" is not the name of a domain`,
		"corp:/npm/a b/*":      "is not the pattern of a package group",
		"corp:":                "is not the pattern of a package group",
		"12345/corp:/npm/*":    `"12345" is not an account`,
		"pkg:docker/x":         "CodeArtifact has no format for",
		"arn:aws:s3:::bucket":  "of nothing that a control looks at",
		"arn:aws:codeartifact": "is not a whole ARN",
		"arn:aws:proton:eu-west-1:222222222222:environment-account-connection/x": "is not the id of a connection",
		"arn:aws:codeartifact:eu-west-1:222222222222:package-group/corp/%zz":     "is not the ARN of a package group",
		"arn:aws:codeartifact::222222222222:repository/corp/npm-store":           "has no Region or no account",
		"arn:aws:codeartifact:eu-west-1:222222222222:repository/corp/a/b":        `"a/b" is not the name of a repository`,
	} {
		if r, err := Parse(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %s", name, r, err, want)
		}
	}
}
