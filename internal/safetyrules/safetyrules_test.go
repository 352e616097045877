// Package safetyrules_test takes out the safety rules of this program, each by itself,
// and sees whether a test fails. They stand in rules.yaml, each with what it
// says, the patch that takes it out, and the test that guards it.
//
// That takes many builds, so it is done only when asked for: make mutants. Every run
// of the tests sees that the patches still fit and that the tests they name exist.
package safetyrules_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

var takeOut = flag.Bool("takeout", false, "take each rule out, and see that its test fails")

// A rule is one entry of rules.yaml.
type rule struct {
	Rule string
	File string // where it is kept, from the root of the module
	Old  string // what keeps it
	New  string // what is put in its place
	In   string // the folder of the test that guards it
	Test string // its name, and after slashes that of the row, as the go command prints it
}

const root = "../.."

func rules(t *testing.T) []rule {
	t.Helper()
	file, err := os.Open("rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	var list []rule
	if err := decoder.Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

// patched is the file of a rule without the rule.
func (r rule) patched(source []byte) ([]byte, error) {
	switch n := bytes.Count(source, []byte(r.Old)); {
	case r.Old == "" || r.Old == r.New:
		return nil, fmt.Errorf("the patch changes nothing")
	case n != 1:
		return nil, fmt.Errorf("what keeps it is %d times in %s", n, r.File)
	}
	return bytes.Replace(source, []byte(r.Old), []byte(r.New), 1), nil
}

func TestThePatchesFitAndTheTestsAreThere(t *testing.T) {
	list := rules(t)
	if len(list) < 100 {
		t.Errorf("there are %d rules: some are lost", len(list))
	}
	said := map[string]bool{}
	for _, r := range list {
		t.Run(r.Rule, func(t *testing.T) {
			if said[r.Rule] {
				t.Error("it is there twice")
			}
			said[r.Rule] = true
			source, err := os.ReadFile(filepath.Join(root, r.File))
			if err != nil {
				t.Fatal(err)
			}
			without, err := r.patched(source)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(r.File, ".go") {
				if _, err := parser.ParseFile(token.NewFileSet(), r.File, without, 0); err != nil {
					t.Errorf("the patch leaves no Go: %v", err)
				}
			}
			names := strings.Split(r.Test, "/")
			if !slices.Contains(testsIn(t, filepath.Join(root, r.In)), names[0]) {
				t.Errorf("there is no %s in %s", names[0], r.In)
			}
			for _, name := range names[1:] {
				if !rowIn(t, filepath.Join(root, r.In), name) {
					t.Errorf("there is no %s of %s in %s", name, names[0], r.In)
				}
			}
		})
	}
}

// testsIn returns the names of the tests in a folder.
func testsIn(t *testing.T, folder string) []string {
	t.Helper()
	var names []string
	for _, name := range glob(t, filepath.Join(folder, "*_test.go")) {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// rowIn tells whether a row of a test has this name, as the go command prints it. It
// is a text in one of the tests of the folder, or the name of a script.
func rowIn(t *testing.T, folder, name string) bool {
	t.Helper()
	if len(glob(t, filepath.Join(folder, "testdata", name+".txtar"))) > 0 {
		return true
	}
	for _, file := range glob(t, filepath.Join(folder, "*_test.go")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ReplaceAll(string(text), " ", "_"), `"`+name+`"`) {
			return true
		}
	}
	return false
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Every rule is guarded: its test passes, and fails without it.
func TestEveryRuleIsGuarded(t *testing.T) {
	if !*takeOut {
		t.Skip("it takes many minutes; make mutants runs it")
	}
	// Rules are taken out side by side, each in a copy of the tree that no other has at that time.
	trees := make(chan string, runtime.GOMAXPROCS(0))
	for range cap(trees) {
		tree := t.TempDir()
		if err := copyTree(tree); err != nil {
			t.Fatal(err)
		}
		trees <- tree
	}
	folders := map[string]*folder{}
	for _, r := range rules(t) {
		if folders[r.In] == nil {
			folders[r.In] = &folder{}
		}
		f := folders[r.In]
		f.tests = append(f.tests, r.Test)
		t.Run(r.Rule, func(t *testing.T) {
			t.Parallel()
			tree := <-trees
			defer func() { trees <- tree }()
			f.once.Do(func() { f.out = run(tree, r.In, f.tests...) })
			if !strings.Contains(f.out, "--- PASS: "+r.Test+" (") {
				t.Fatalf("%s in %s does not pass with the rule:\n%s", r.Test, r.In, f.out)
			}
			file := filepath.Join(tree, r.File)
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			without, err := r.patched(source)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, without, 0o600); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := os.WriteFile(file, source, 0o600); err != nil {
					t.Fatal(err)
				}
			}()
			switch out := run(tree, r.In, r.Test); {
			case strings.Contains(out, "panic: test timed out"):
				t.Errorf("%s in %s hangs without it, which may be for any reason:\n%s", r.Test, r.In, out)
			case strings.Contains(out, "--- PASS: "+r.Test+" ("):
				t.Errorf("nobody guards it: %s in %s passes without it", r.Test, r.In)
			case !strings.Contains(out, "--- FAIL: "+r.Test+" ("):
				t.Errorf("it was not %s that failed:\n%s", r.Test, out)
			default:
				t.Log(out)
			}
		})
	}
}

// A folder has the tests of some rules, and what they said with all rules in place.
type folder struct {
	tests []string
	once  sync.Once
	out   string
}

// run runs tests of one folder in a copy of the tree, and returns what they said.
func run(tree, in string, tests ...string) string {
	var patterns []string
	for _, test := range tests {
		var names []string
		for name := range strings.SplitSeq(test, "/") {
			names = append(names, "^"+regexp.QuoteMeta(name)+"$")
		}
		patterns = append(patterns, strings.Join(names, "/"))
	}
	c := exec.Command("go", "test", "-vet=off", "-count=1", "-short", "-v", "-timeout=5m", "-run", strings.Join(patterns, "|"), ".")
	c.Dir = filepath.Join(tree, in)
	said, err := c.CombinedOutput()
	if err != nil {
		said = fmt.Appendln(said, err)
	}
	return string(said)
}

// copyTree copies the module, without what was built of it.
func copyTree(to string) error {
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && slices.Contains([]string{".git", "build", ".aws-sam"}, path):
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, path), 0o755)
		case !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, path), text, info.Mode().Perm()|0o600)
	})
}
