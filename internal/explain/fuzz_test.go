package explain

import (
	"strings"
	"testing"
	"unicode"
)

// FuzzParse: what a person names is refused with what to write, or is a name that AWS
// can have given, and is the same when it is told and read again.
func FuzzParse(f *testing.F) {
	for _, name := range []string{
		"corp/npm-store", "999999999999/corp/npm-store", "corp:/npm/acme/*", "999999999999/corp:/npm/acme/ui$", "pkg:npm/%40acme/ui",
		"0A1b2c3d-0000-4000-9000-000000000001", "arn:aws:proton:eu-west-1:222222222222:environment-account-connection/0a1b2c3d-0000-4000-9000-000000000001",
		"arn:aws:codeartifact:eu-west-1:222222222222:repository/corp/npm-store", "arn:aws:codeartifact:eu-west-1:222222222222:package-group/corp/npm/acme/%2a",
		"arn:aws:codeartifact:eu-west-1:222222222222:package-group/corp/%00", "corp:/\u202e*", "/corp/x", "a:b:c", "corp/..",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		r, err := Parse(name)
		if err != nil {
			if err.Error() == "" || strings.ContainsFunc(err.Error(), unicode.IsControl) || len(err.Error()) > 4<<10 {
				t.Errorf("%q: error %q", name, err)
			}
			return
		}
		if r.Owner != "" && (len(r.Owner) != 12 || strings.Trim(r.Owner, "0123456789") != "") {
			t.Errorf("%q is of account %q", name, r.Owner)
		}
		switch r.Kind {
		case Repository:
			if !fitting(r.Domain, "-", 50) || !fitting(r.Name, "._-", 100) {
				t.Errorf("%q is %+v", name, r)
			}
		case Group:
			if !fitting(r.Domain, "-", 50) || len(r.Name) < 2 || strings.ContainsFunc(r.Name, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }) {
				t.Errorf("%q is %+v", name, r)
			}
		case Package:
			if r.Package.Name == "" || r.Package.Format == "" || r.Package.URL != strings.TrimSpace(name) {
				t.Errorf("%q is %+v", name, r)
			}
		case Connection:
			if len(r.Name) != 36 {
				t.Errorf("%q is %+v", name, r)
			}
			r.Owner = "" // a connection is told by its id alone
		default:
			t.Errorf("%q is of kind %q", name, r.Kind)
		}
		r.Region = "" // which only an ARN says
		if again, err := Parse(r.String()); err != nil || again != r && !strings.EqualFold(again.Name, r.Name) {
			t.Errorf("%q is %+v, and as it is told, %q, %+v (%v)", name, r, r, again, err)
		}
	})
}

// fitting tells whether a name has 2 to most letters, digits and some others.
func fitting(name, others string, most int) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return len(name) >= 2 && len(name) <= most && strings.Trim(name, letters+others) == "" && strings.Contains(letters, name[:1])
}
