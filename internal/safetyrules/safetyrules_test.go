// Package safetyrules_test takes out the safety rules of this program, one after the
// other, and sees whether a test fails. They stand in rules.yaml, each with what it
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
	"slices"
	"strings"
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
	Test string
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
			if !slices.Contains(testsIn(t, filepath.Join(root, r.In)), r.Test) {
				t.Errorf("there is no %s in %s", r.Test, r.In)
			}
		})
	}
}

// testsIn returns the names of the tests in a folder.
func testsIn(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range files {
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

// Every rule is guarded: its test passes, and fails without it.
func TestEveryRuleIsGuarded(t *testing.T) {
	if !*takeOut {
		t.Skip("it takes many minutes; make mutants runs it")
	}
	tree := t.TempDir()
	if err := copyTree(tree); err != nil {
		t.Fatal(err)
	}
	passes := map[string]bool{}
	for _, r := range rules(t) {
		t.Run(r.Rule, func(t *testing.T) {
			if name := r.In + " " + r.Test; !passes[name] {
				if out, ok := r.test(tree); !ok {
					t.Fatalf("%s in %s fails with the rule:\n%s", r.Test, r.In, out)
				}
				passes[name] = true
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
			out, ok := r.test(tree)
			switch {
			case ok:
				t.Errorf("nobody guards it: %s in %s passes without it", r.Test, r.In)
			case !strings.Contains(out, "--- FAIL: "+r.Test+" ") && !strings.Contains(out, "panic: test timed out"):
				t.Errorf("it was not %s that failed:\n%s", r.Test, out)
			}
		})
	}
}

// test runs the test of a rule in a copy of the tree.
func (r rule) test(tree string) (out string, ok bool) {
	c := exec.Command("go", "test", "-vet=off", "-count=1", "-short", "-timeout=1m", "-run", "^"+r.Test+"$", "./"+r.In)
	c.Dir = tree
	said, err := c.CombinedOutput()
	return string(said), err == nil
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
