package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const source = `package p

func first(a, b int) bool {
	return a < b
}

func second(a, b int) bool {
	return a < b
}
`

// A report of gremlins, with one mutant in each state.
const report = `{"files":[{"file_name":"p.go","mutations":[
	{"type":"CONDITIONALS_NEGATION","status":"LIVED","line":8,"column":11},
	{"type":"CONDITIONALS_BOUNDARY","status":"KILLED","line":4,"column":11},
	{"type":"CONDITIONALS_NEGATION","status":"TIMED OUT","line":4,"column":11},
	{"type":"ARITHMETIC_BASE","status":"NOT VIABLE","line":4,"column":9},
	{"type":"CONDITIONALS_BOUNDARY","status":"NOT COVERED","line":8,"column":11}
]}]}`

// This program stands in for the go command, and so does its test.
func TestMain(m *testing.M) {
	if goCommand := os.Getenv(standsFor); goCommand != "" {
		os.Exit(standIn(goCommand, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func read(t *testing.T) []result {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "shared/p/p.go"), source)
	found, err := readReport(write(t, filepath.Join(root, "report.json"), report), root, "shared/p")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAMutantIsNamedByWhatStandsThere(t *testing.T) {
	c := tally(read(t))
	want := []mutant{
		{"shared/p/p.go", "second", "return a < b", 9, "CONDITIONALS_BOUNDARY"},
		{"shared/p/p.go", "second", "return a < b", 9, "CONDITIONALS_NEGATION"},
	}
	var got []mutant
	for _, r := range c.survived {
		got = append(got, r.mutant)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("survivors (-want +got):\n%s", diff)
	}
}

func TestWhatWasNotTriedSurvivedAndWhatDoesNotCompileIsNone(t *testing.T) {
	c := tally(read(t))
	if c.killed != 1 || c.timedOut != 1 || len(c.survived) != 2 || c.tried() != 4 || c.share() != 50 {
		t.Errorf("got %+v of %d, a share of %v", c, c.tried(), c.share())
	}
	if nothing := (count{}); nothing.share() != 0 {
		t.Errorf("of nothing, %v was noticed", nothing.share())
	}
}

func TestOnlyKnownSurvivorsAreNoError(t *testing.T) {
	p := pkg{dir: "shared/p"}
	found := tally(read(t)).survived
	both := survivors{found[0].mutant: "why", found[1].mutant: "why"}
	elsewhere := survivors{found[0].mutant: "why", found[1].mutant: "why", {File: "shared/q/q.go"}: "why"}
	for _, test := range []struct {
		name string
		list survivors
		want []string // what the errors say
	}{
		{"all are known", both, nil},
		{"another package is not looked at", elsewhere, nil},
		{"one is not known", survivors{found[0].mutant: "why"}, []string{`line 8: no test notices {"file":"shared/p/p.go","func":"second"`}},
		{"one is noticed by now", survivors{found[0].mutant: "why", found[1].mutant: "why", {File: "shared/p/p.go", Func: "third"}: "why"}, []string{"take this out"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.list.compare(p, found)
			if len(got) != len(test.want) {
				t.Fatalf("got %v, want %q", got, test.want)
			}
			for i, err := range got {
				if !strings.Contains(err.Error(), test.want[i]) {
					t.Errorf("error %q does not say %q", err, test.want[i])
				}
			}
		})
	}
}

func TestTheListOfSurvivorsHasAReasonForEachAndFitsTheSource(t *testing.T) {
	list, err := readSurvivors("survivors.json")
	if err != nil {
		t.Fatal(err)
	}
	for m := range list {
		source, err := os.ReadFile(filepath.Join("..", "..", m.File))
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(source), m.Line) {
			t.Errorf("there is no such line any more: %s", m)
		}
	}
	name := filepath.Join(t.TempDir(), "list.json")
	for text, want := range map[string]string{
		`[{"file":"a","why":""}]`:                         "without a reason",
		`[{"file":"a","why":"b"},{"file":"a","why":"c"}]`: "twice",
		`{`: "unexpected end",
	} {
		if _, err := readSurvivors(write(t, name, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", text, err, want)
		}
	}
}

// The module on which the driver is tried. One test guards the sum, and only where it
// runs with -short; nobody guards the difference.
const (
	sums = `package p

func Add(a, b int) int {
	return a + b
}

func Sub(a, b int) int {
	return a - b
}
`
	sumsTest = `package p

import "testing"

func TestAdd(t *testing.T) {
	if testing.Short() && Add(2, 1) != 3 {
		t.Error("not 3")
	}
}
`
	elsewhereTest = `package q

import (
	"testing"

	"portcullis/shared/p"
)

func TestSub(t *testing.T) {
	if p.Sub(2, 1) != 1 {
		t.Error("not 1")
	}
}

func TestNotAskedFor(t *testing.T) { t.Error("it was not to run") }
`
)

// gremlin stands in for gremlins. It does what gremlins does, for three changes of
// one file: it asks for the coverage, makes one change at a time, and calls the go
// command that it finds. Its report has what the exit codes mean to gremlins.
const gremlin = `#!/bin/sh
set -e
for argument; do case $before in --output) report=$argument ;; --exclude-files) excluded="$excluded $argument" ;; esac; before=$argument; done
echo "excluded:$excluded"
go test -cover -coverprofile profile ./shared/p/... >/dev/null
cat profile
try() {
	sed -i.orig "$2" shared/p/p.go
	code=0; go test -timeout 5m -failfast ./shared/p >said 2>&1 || code=$?
	mv shared/p/p.go.orig shared/p/p.go
	case $code in 0) status=LIVED ;; 1) status=KILLED ;; 2) status="NOT VIABLE" ;; *) cat said; exit 1 ;; esac
	printf '{"type":"ARITHMETIC_BASE","status":"%s","line":%s,"column":11}' "$status" "$1"
}
all="$(try 4 's/a + b/a - b/'),$(try 4 's/a + b/a + "b"/'),$(try 8 's/a - b/a + b/')"
printf '{"files":[{"file_name":"p.go","mutations":[%s]}]}' "$all" >"$report"
`

// module makes the module, and the stand-in for gremlins.
func module(t *testing.T) (root, gremlins string) {
	t.Helper()
	if _, err := exec.LookPath("sed"); err != nil {
		t.Skip(err)
	}
	root = t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module portcullis\n\ngo 1.26.0\n")
	write(t, filepath.Join(root, "shared/p/p.go"), sums)
	write(t, filepath.Join(root, "shared/p/p_test.go"), sumsTest)
	write(t, filepath.Join(root, "shared/p/other.go"), "package p\n")
	write(t, filepath.Join(root, "shared/q/q_test.go"), elsewhereTest)
	gremlins = write(t, filepath.Join(t.TempDir(), "gremlins"), gremlin)
	if err := os.Chmod(gremlins, 0o700); err != nil {
		t.Fatal(err)
	}
	return root, gremlins
}

// The driver is tried whole, with a stand-in for gremlins and the real go command.
func TestTheDriver(t *testing.T) {
	sum := mutant{"shared/p/p.go", "Add", "return a + b", 9, "ARITHMETIC_BASE"}
	difference := mutant{"shared/p/p.go", "Sub", "return a - b", 9, "ARITHMETIC_BASE"}
	for _, test := range []struct {
		name     string
		p        pkg
		survivor mutant // the other is killed, and the third does not compile
	}{
		{"with the tests beside the code", pkg{dir: "shared/p"}, difference},
		{"with the tests of another folder", pkg{dir: "shared/p", files: []string{"p.go"}, tests: "shared/q", which: "TestSub"}, sum},
	} {
		t.Run(test.name, func(t *testing.T) {
			root, program := module(t)
			t.Parallel() // not before: who starts a program hands on the files that are being written, and the system starts none of these
			found, err := test.p.unleash(root, program)
			told, _ := os.ReadFile(filepath.Join(filepath.Dir(program), "mutants-"+strings.ReplaceAll(test.p.String(), "/", "-")+".txt"))
			if err != nil {
				t.Fatalf("%v: %s", err, told)
			}
			c := tally(found)
			if c.killed != 1 || c.tried() != 2 || len(c.survived) != 1 || c.survived[0].mutant != test.survivor {
				t.Errorf("got %+v, want one killed and %s: %s", c, test.survivor, told)
			}
			if excluded := strings.Contains(string(told), `(^|/)other\.go$`); excluded != (test.p.files != nil) {
				t.Errorf("other.go is left out: %t", excluded)
			}
			// All of the code is tried, whether Go's coverage has a block for it or not.
			for _, want := range []string{"portcullis/shared/p/p.go:1.1,", "portcullis/shared/p/other.go:1.1,"} {
				if !strings.Contains(string(told), want) {
					t.Errorf("the coverage lacks %s: %s", want, told)
				}
			}
		})
	}
}

func TestARunFailsForWhatItFinds(t *testing.T) {
	t.Parallel()
	root, program := module(t)
	list := write(t, filepath.Join(root, "survivors.json"), `[{"file":"shared/p/p.go","func":"Gone","why":"b"}]`)
	err := run([]pkg{{dir: "shared/p"}, {dir: "shared/none"}}, root, list, program, []string{"shared/p"})
	for _, want := range []string{
		"shared/p: less than 95 % of the mutants were noticed",
		`line 8: no test notices {"file":"shared/p/p.go","func":"Sub"`,
		"take this out of the list, it did not survive: shared/p/p.go: Gone",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

// A go command that cannot be called at all is no mutant that was noticed.
func TestAGoCommandThatIsNotThereIsNoKill(t *testing.T) {
	t.Setenv("PATH", "nowhere:"+os.Getenv("PATH"))
	if code := standIn(filepath.Join(t.TempDir(), "go"), []string{"test", "."}); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
}

func TestEveryPackageIsThereAndHasItsTests(t *testing.T) {
	for _, p := range packages {
		for _, file := range p.files {
			if _, err := os.Stat(filepath.Join("../..", p.dir, file)); err != nil {
				t.Error(err)
			}
		}
		folder := p.dir
		if p.tests != "" {
			folder = p.tests
		}
		if tests, err := filepath.Glob(filepath.Join("../..", folder, "*_test.go")); err != nil || len(tests) == 0 {
			t.Errorf("%s: %d files with tests in %s (%v)", p, len(tests), folder, err)
		}
	}
}
