package externalconn

import (
	"strings"
	"testing"
)

// FuzzParseARN: what is read as the ARN of a repository names all of it, and the ARN
// that is made of it is read as the same again.
func FuzzParseARN(f *testing.F) {
	for _, arn := range []string{
		"arn:aws:codeartifact:eu-west-1:111122223333:repository/corp/npm-store", "arn:aws-cn:codeartifact:cn-north-1:111122223333:repository/corp/a.b",
		"arn:aws:codeartifact:eu-west-1:111122223333:repository/corp/a/b", "arn:aws:codeartifact:::repository/a/b:c", "arn:aws:codeartifact:eu-west-1:111122223333:domain/corp",
	} {
		f.Add(arn)
	}
	f.Fuzz(func(t *testing.T, arn string) {
		name, err := ParseARN(arn)
		if err != nil {
			if name != (Name{}) {
				t.Errorf("%q: %+v beside error %v", arn, name, err)
			}
			return
		}
		if name.Domain == "" || name.Repo == "" || strings.Contains(name.Domain+name.Repo, "/") || strings.Contains(name.Owner, ":") {
			t.Errorf("%q is %+v", arn, name)
		}
		if again, err := ParseARN(name.ARN("eu-west-1")); err != nil || again != name {
			t.Errorf("%q is %+v, then %+v (%v)", arn, name, again, err)
		}
	})
}
