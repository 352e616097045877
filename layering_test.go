// Package portcullis_test holds the rules about which part of this repository may know which other part. They are
// tests, because a rule that nobody checks is a wish. It looks only at the source; the linters and the template have
// their own checks.
package portcullis_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const module = "portcullis"

// maxMainLines keeps the entry points to wiring: whoever needs more has logic there that belongs in shared/.
const maxMainLines = 40

func TestTheTreeKeepsTheRules(t *testing.T) {
	tree := os.DirFS(".")
	if files, err := fs.Glob(tree, "shared/*/*.go"); err != nil || len(files) == 0 {
		t.Fatalf("no Go files under shared/ (%v): the rules look at the wrong folder", err)
	}
	found, err := breaches(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, breach := range found {
		t.Error(breach)
	}
}

// A rule is one sentence and the check that finds what breaks it, one package (all Go files of one folder) at a time.
type rule struct {
	sentence string
	check    func(pkg []sourceFile) []string
}

func rules() []rule {
	return []rule{
		forbid("control, policy and trigger import nothing of ours and nothing of AWS",
			func(f sourceFile, imported string) bool {
				// An external test imports the package that it tests.
				self := imported == module+"/"+path.Dir(f.name)
				return f.under("shared/control", "shared/policy", "shared/trigger") && (ours(imported) && !self || aws(imported))
			}),
		forbid("a decision knows nothing of AWS",
			func(f sourceFile, imported string) bool {
				return path.Base(f.name) == "decide.go" && aws(imported)
			}),
		forbid("no control imports another",
			func(f sourceFile, imported string) bool {
				controls := []string{"shared/externalconn", "shared/packagegroup", "shared/packageorigin", "shared/protonconn"}
				return slices.ContainsFunc(controls, func(control string) bool {
					return within(imported, module+"/"+control) && !f.under(control) && f.under(controls...)
				})
			}),
		forbid("nothing that runs in Lambda imports localaws",
			func(f sourceFile, imported string) bool {
				return f.under("functions", "shared") && !f.under("shared/localaws") && !f.isTest() &&
					within(imported, module+"/shared/localaws")
			}),
		forbid("what runs in Lambda looks for no person's credentials, reads no command line and restores nothing",
			func(f sourceFile, imported string) bool {
				return f.under("functions", "shared") && !f.under("shared/localaws") && !f.isTest() &&
					(within(imported, "github.com/aws/aws-sdk-go-v2/config") || within(imported, "github.com/spf13") ||
						within(imported, module+"/internal"))
			}),
		forbid("localaws imports nothing of ours but itself",
			func(f sourceFile, imported string) bool {
				return f.under("shared/localaws") && !f.isTest() &&
					ours(imported) && !within(imported, module+"/shared/localaws")
			}),
		forbid("only shared/protonconn/proton.go knows the client of a service that has ended",
			func(f sourceFile, imported string) bool {
				return !f.isTest() && f.name != "shared/protonconn/proton.go" &&
					within(imported, "github.com/aws/aws-sdk-go-v2/service/proton")
			}),
		{"every package says in a comment what it is", undocumented},
		{fmt.Sprintf("functions/*/main.go has at most %d lines", maxMainLines), longMains},
		{"functions/*/main.go has no init", mainsWithInit},
	}
}

// forbid makes a rule about single imports.
func forbid(sentence string, forbidden func(f sourceFile, imported string) bool) rule {
	return rule{sentence, func(pkg []sourceFile) []string {
		var found []string
		for _, f := range pkg {
			for _, spec := range f.Imports {
				if imported := strings.Trim(spec.Path.Value, "\"`"); forbidden(f, imported) {
					found = append(found, f.name+" imports "+imported)
				}
			}
		}
		return found
	}}
}

func undocumented(pkg []sourceFile) []string {
	pkg = slices.DeleteFunc(slices.Clone(pkg), sourceFile.isTest)
	if len(pkg) == 0 || !pkg[0].under("shared", "functions", "cmd", "internal") ||
		slices.ContainsFunc(pkg, func(f sourceFile) bool { return f.Doc.Text() != "" }) {
		return nil
	}
	return []string{path.Dir(pkg[0].name) + " has no package comment"}
}

func longMains(pkg []sourceFile) []string {
	var found []string
	for _, f := range pkg {
		if f.isFunctionMain() && f.lines > maxMainLines {
			found = append(found, fmt.Sprintf("%s has %d lines", f.name, f.lines))
		}
	}
	return found
}

func mainsWithInit(pkg []sourceFile) []string {
	var found []string
	for _, f := range pkg {
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && f.isFunctionMain() && fn.Recv == nil && fn.Name.Name == "init" {
				found = append(found, f.name+" has an init")
			}
		}
	}
	return found
}

// breaches returns a line for everything in the tree that breaks a rule. Like the go command, it passes over testdata
// and names that begin with a dot or an underscore.
func breaches(tree fs.FS) ([]string, error) {
	pkgs := map[string][]sourceFile{}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if name != "." && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		f, err := parse(tree, name)
		if err != nil {
			return fmt.Errorf("reading source: %w", err)
		}
		pkgs[path.Dir(name)] = append(pkgs[path.Dir(name)], f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var found []string
	for _, folder := range slices.Sorted(maps.Keys(pkgs)) {
		for _, rule := range rules() {
			for _, what := range rule.check(pkgs[folder]) {
				found = append(found, what+"; rule: "+rule.sentence)
			}
		}
	}
	return found, nil
}

// A sourceFile is one parsed Go file. Its name is its path from the root of the repository, with slashes.
type sourceFile struct {
	*ast.File
	name  string
	lines int
}

func parse(tree fs.FS, name string) (sourceFile, error) {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return sourceFile{}, err
	}
	syntax, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return sourceFile{}, err
	}
	return sourceFile{syntax, name, bytes.Count(text, []byte("\n"))}, nil
}

func (f sourceFile) isTest() bool { return strings.HasSuffix(f.name, "_test.go") }

func (f sourceFile) isFunctionMain() bool {
	ok, err := path.Match("functions/*/main.go", f.name)
	return ok && err == nil
}

func (f sourceFile) under(folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool { return within(f.name, folder) })
}

func ours(imported string) bool { return within(imported, module) }

func aws(imported string) bool { return within(imported, "github.com/aws") }

func within(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }

// A rule that cannot fail guards nothing, so each one is shown source that breaks it, beside source that comes close
// and may stay.
func TestEveryRuleCanFail(t *testing.T) {
	const (
		core      = "control, policy and trigger import nothing of ours and nothing of AWS"
		decision  = "a decision knows nothing of AWS"
		controls  = "no control imports another"
		lambda    = "nothing that runs in Lambda imports localaws"
		person    = "what runs in Lambda looks for no person's credentials, reads no command line and restores nothing"
		local     = "localaws imports nothing of ours but itself"
		ended     = "only shared/protonconn/proton.go knows the client of a service that has ended"
		comment   = "every package says in a comment what it is"
		shortMain = "functions/*/main.go has at most 40 lines"
		noInit    = "functions/*/main.go has no init"
	)
	tests := map[string]struct {
		file, source string
		want         []string
	}{
		"refuses the SDK in the core": {
			"shared/control/gate.go", importing("github.com/aws/aws-sdk-go-v2/aws"),
			[]string{"shared/control/gate.go imports github.com/aws/aws-sdk-go-v2/aws; rule: " + core},
		},
		"refuses our own packages in the core, in its tests as well": {
			"shared/trigger/trigger_test.go", importing("portcullis/shared/policy"),
			[]string{"shared/trigger/trigger_test.go imports portcullis/shared/policy; rule: " + core},
		},
		"lets a test of the core import what it tests": {
			"shared/policy/policy_test.go", importing("portcullis/shared/policy"), nil,
		},
		"does not take a longer name for the core": {
			"shared/policyfile/file.go", importing("portcullis/shared/policy"), nil,
		},
		"refuses the SDK in a decision": {
			"shared/externalconn/decide.go", importing("github.com/aws/aws-sdk-go-v2/service/codeartifact/types"),
			[]string{"shared/externalconn/decide.go imports github.com/aws/aws-sdk-go-v2/service/codeartifact/types; rule: " + decision},
		},
		"allows the SDK beside a decision": {
			"shared/externalconn/observe.go", importing("github.com/aws/aws-sdk-go-v2/service/codeartifact"), nil,
		},
		"refuses one control in another": {
			"shared/protonconn/decide.go", importing("portcullis/shared/externalconn"),
			[]string{"shared/protonconn/decide.go imports portcullis/shared/externalconn; rule: " + controls},
		},
		"allows a control in its own function": {
			"functions/package-groups/main.go", importing("portcullis/shared/packagegroup"), nil,
		},
		"refuses localaws in what runs in Lambda, however deep": {
			"functions/external-connections/main.go", importing("portcullis/shared/localaws/lambda"),
			[]string{"functions/external-connections/main.go imports portcullis/shared/localaws/lambda; rule: " + lambda},
		},
		"refuses localaws in shared code": {
			"shared/awsio/client.go", importing("portcullis/shared/localaws"),
			[]string{"shared/awsio/client.go imports portcullis/shared/localaws; rule: " + lambda},
		},
		"allows localaws in tests": {
			"shared/externalconn/handler_test.go", importing("portcullis/shared/localaws"), nil,
		},
		"refuses the SDK's search for credentials in what runs in Lambda": {
			"shared/awsio/person.go", importing("github.com/aws/aws-sdk-go-v2/config"),
			[]string{"shared/awsio/person.go imports github.com/aws/aws-sdk-go-v2/config; rule: " + person},
		},
		"refuses what may search for them in what runs in Lambda": {
			"functions/package-groups/main.go", importing("portcullis/internal/signin"),
			[]string{"functions/package-groups/main.go imports portcullis/internal/signin; rule: " + person},
		},
		"refuses what restores in what runs in Lambda": {
			"shared/externalconn/act.go", importing("portcullis/internal/undo"),
			[]string{"shared/externalconn/act.go imports portcullis/internal/undo; rule: " + person},
		},
		"allows the search in the command line": {
			"cmd/portcullis/plan.go", importing("github.com/aws/aws-sdk-go-v2/config"), nil,
		},
		"refuses our own packages in localaws": {
			"shared/localaws/codeartifact/service.go", importing("portcullis/shared/packagegroup"),
			[]string{"shared/localaws/codeartifact/service.go imports portcullis/shared/packagegroup; rule: " + local},
		},
		"allows localaws in localaws": {
			"shared/localaws/codeartifact/service.go", importing("portcullis/shared/localaws"), nil,
		},
		"refuses the client of an ended service beside its file": {
			"shared/protonconn/observe.go", importing("github.com/aws/aws-sdk-go-v2/service/proton/types"),
			[]string{"shared/protonconn/observe.go imports github.com/aws/aws-sdk-go-v2/service/proton/types; rule: " + ended},
		},
		"allows the client of an ended service in its file": {
			"shared/protonconn/proton.go", importing("github.com/aws/aws-sdk-go-v2/service/proton"), nil,
		},
		"refuses a package without a comment": {
			"cmd/demo/main.go", "package main\n", []string{"cmd/demo has no package comment; rule: " + comment},
		},
		"refuses a main that is too long": {
			"functions/planner/main.go", "// Wiring.\npackage main\n" + strings.Repeat("\n", 39),
			[]string{"functions/planner/main.go has 41 lines; rule: " + shortMain},
		},
		"allows a main of exactly the most lines": {
			"functions/planner/main.go", "// Wiring.\npackage main\n" + strings.Repeat("\n", 38), nil,
		},
		"refuses init in a main": {
			"functions/planner/main.go", "// Wiring.\npackage main\n\nfunc init() {}\n",
			[]string{"functions/planner/main.go has an init; rule: " + noInit},
		},
		"passes over testdata": {
			"cmd/demo/testdata/bare.go", "package bare\n", nil,
		},
	}
	unbroken := map[string]bool{}
	for _, rule := range rules() {
		unbroken[rule.sentence] = true
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := breaches(fstest.MapFS{test.file: {Data: []byte(test.source)}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("breaches (-want +got):\n%s", diff)
			}
		})
		for _, breach := range test.want {
			_, sentence, _ := strings.Cut(breach, "; rule: ")
			delete(unbroken, sentence)
		}
	}
	for sentence := range unbroken {
		t.Errorf("no case breaks the rule %q", sentence)
	}
}

func TestSourceThatDoesNotParseIsNotPassedOver(t *testing.T) {
	_, err := breaches(fstest.MapFS{"shared/control/gate.go": {Data: []byte("package")}})
	if err == nil || !strings.Contains(err.Error(), "shared/control/gate.go") {
		t.Errorf("got error %v, want one that names the file", err)
	}
}

func importing(path string) string {
	return fmt.Sprintf("// Package p is a sample.\npackage p\n\nimport _ %q\n", path)
}
