package portcullis_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// shownBy finds the tests that docs/reliability.md names: a folder, and the tests in it.
var shownBy = regexp.MustCompile("(?:`([a-z/-]+)`|root) ((?:(?:Test|Fuzz)[A-Za-z0-9]+(?:, )?)+)")

// The page tells of 44 faults in their order, each with a test; and every test that it names is there.
func TestTheFaultsAreShown(t *testing.T) {
	page, err := os.ReadFile("docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	faults, named := 0, 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		if number, err := strconv.Atoi(strings.TrimSpace(cells[1])); err == nil {
			faults++
			if number != faults || len(cells) != 7 {
				t.Errorf("fault %d stands in place %d, in %d cells", number, faults, len(cells)-2)
				continue
			}
			cell := strings.TrimSpace(cells[4])
			if rest := strings.Trim(shownBy.ReplaceAllString(cell, ""), "; "); rest != "" || cell == "" {
				t.Errorf("fault %d is shown by %q, of which this is no test: %q", number, cell, rest)
			}
		}
		for _, match := range shownBy.FindAllStringSubmatch(line, -1) {
			there := testsIn(t, filepath.Join(".", match[1]))
			for name := range strings.SplitSeq(strings.TrimSuffix(match[2], ", "), ", ") {
				named++
				if !there[name] {
					t.Errorf("there is no %s in %q", name, match[1])
				}
			}
		}
	}
	if faults != 44 || named < 100 {
		t.Errorf("%d faults and %d tests are on the page", faults, named)
	}
}

// Every fuzz target is on the page.
func TestTheFuzzTargetsAreOnThePage(t *testing.T) {
	page, err := os.ReadFile("docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	_, fuzzing, _ := strings.Cut(string(page), "\n## Fuzzing\n")
	fuzzing, _, _ = strings.Cut(fuzzing, "\n## ")
	listed := map[string]bool{}
	for _, match := range shownBy.FindAllStringSubmatch(fuzzing, -1) {
		for name := range strings.SplitSeq(match[2], ", ") {
			listed[match[1]+" "+name] = true
		}
	}
	found := 0
	for _, pattern := range []string{"shared/*", "shared/*/*", "internal/*", "cmd/*", "functions/*"} {
		folders, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			for name := range testsIn(t, folder) {
				if strings.HasPrefix(name, "Fuzz") {
					found++
					if !listed[folder+" "+name] {
						t.Errorf("%s of %s is not on the page", name, folder)
					}
				}
			}
		}
	}
	if found == 0 || found != len(listed) {
		t.Errorf("%d targets in the tree, %d on the page", found, len(listed))
	}
}

// testsIn lists the tests and fuzz targets of a folder.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && (strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Fuzz")) {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}
