package main

import (
	"os"
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
