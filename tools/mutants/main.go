// Command mutants breaks the code that decides, one small change at a time, and
// sees whether a test of the same package notices. The changes, called mutants, are
// made and tried by gremlins: https://github.com/go-gremlins/gremlins
//
// A mutant that no test notices is a survivor. The known ones stand in
// survivors.json, each with the reason why nobody can tell it from the code as it
// is. Any other survivor is an error, and so is a known one that is noticed by now.
//
// Gremlins alone would count more kills than there are, and try fewer mutants than
// it finds. So this program stands in for the go command that gremlins calls, and
// corrects three things:
//
//   - A mutant that does not compile is none. Go answers it like a failed test.
//   - Every mutant is tried. Go's coverage has no block for the condition of a case,
//     and gremlins leaves out what is in no block.
//   - The tests run with -short, which bounds those that would take minutes.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The packages with what decides.
var packages = []pkg{
	{dir: "shared/control"},
	{dir: "shared/policy"},
	{dir: "shared/trigger"},
	{dir: "shared/awsio"},
	{dir: "shared/externalconn", files: []string{"decide.go"}},
	{dir: "shared/packageorigin", files: []string{"decide.go"}},
	{dir: "shared/protonconn", files: []string{"decide.go"}},
	{dir: "shared/packagegroup", files: []string{"decide.go", "mark.go"}},
	// What a deletion does is tested with the whole function, against a world that changes under it.
	{dir: "shared/packagegroup", files: []string{"act.go"}, tests: "functions/package-groups",
		which: "TestARace|TestADeletion|TestAPackageThatCameIn|TestTheSecondReading|TestAMarkThatIsNotOurs|TestADeadGroup|TestAMarkedGroup"},
}

type pkg struct {
	dir   string
	files []string // those that are looked at; none means all
	tests string   // the folder of the tests, where it is another one
	which string   // the names of the tests, as an expression; empty for all
}

func (p pkg) String() string {
	if len(p.files) == 1 {
		return p.dir + "/" + p.files[0]
	}
	return p.dir
}

// of tells whether a file of the module is looked at.
func (p pkg) of(file string) bool {
	return path.Dir(file) == p.dir && (p.files == nil || slices.Contains(p.files, path.Base(file)))
}

// kinds are the changes that are made beside those that gremlins makes unasked.
var kinds = []string{"--invert-logical", "--invert-loopctrl", "--invert-assignments"}

// A mutant that hangs is given ten times what all tests of the package take, and a
// minute at least, however busy the machine is.
const (
	timeFactor = "10"
	leastTime  = 6 * time.Second
)

// least is the share of mutants, in percent, that the tests of each package must
// notice.
const least = 95

func main() {
	if goCommand := os.Getenv(standsFor); goCommand != "" {
		os.Exit(standIn(goCommand, os.Args[1:]))
	}
	root := flag.String("root", "..", "the `folder` of the module whose code is broken")
	known := flag.String("survivors", "mutants/survivors.json", "the `file` with the survivors that are known")
	gremlins := flag.String("gremlins", "", "the `program` gremlins")
	flag.Parse()
	if err := run(packages, *root, *known, *gremlins, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// run tries the mutants of those packages that are named, or of all, and prints one
// line for each.
func run(packages []pkg, root, known, gremlins string, only []string) error {
	gremlins, err := filepath.Abs(gremlins)
	if err != nil {
		return err
	}
	list, err := readSurvivors(known)
	if err != nil {
		return err
	}
	fmt.Printf("%-28s %7s %7s %9s %9s %7s %9s\n", "package", "mutants", "killed", "timed out", "survived", "share", "time")
	var wrong []error
	for _, p := range packages {
		if len(only) > 0 && !slices.Contains(only, p.dir) && !slices.Contains(only, p.String()) {
			continue
		}
		begin := time.Now()
		found, err := p.unleash(root, gremlins)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		c := tally(found)
		fmt.Printf("%-28s %7d %7d %9d %9d %6.1f%% %9s\n", p, c.tried(), c.killed, c.timedOut, len(c.survived), c.share(), time.Since(begin).Round(time.Second))
		if c.share() < least {
			wrong = append(wrong, fmt.Errorf("%s: less than %d %% of the mutants were noticed", p, least))
		}
		wrong = append(wrong, list.compare(p, c.survived)...)
	}
	return errors.Join(wrong...)
}

// A mutant is one change, named so that it keeps its name when lines move.
type mutant struct {
	File string `json:"file"`
	Func string `json:"func"` // the function that it is in; empty outside of any
	Line string `json:"line"` // the text of the line
	At   int    `json:"at"`   // where in that text the changed sign begins, in bytes from 0
	Kind string `json:"kind"` // as gremlins calls it
}

func (m mutant) String() string {
	return fmt.Sprintf("%s: %s: %s at %d of `%s`", m.File, cmp.Or(m.Func, "outside of functions"), m.Kind, m.At, m.Line)
}

// A result is what gremlins says about one mutant.
type result struct {
	mutant
	number int // of the line
	status string
}

// unleash lets gremlins try the mutants of one package.
func (p pkg) unleash(root, gremlins string) ([]result, error) {
	work, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return nil, err
	}
	if err := os.Symlink(self, filepath.Join(work, "go")); err != nil {
		return nil, err
	}
	report := filepath.Join(work, "report.json")
	args := append([]string{"unleash", "--workers", "1", "--timeout-coefficient", timeFactor, "--output", report}, kinds...)
	all, err := filepath.Glob(filepath.Join(root, p.dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range all {
		if base := filepath.Base(file); !p.of(path.Join(p.dir, base)) {
			args = append(args, "--exclude-files", `(^|/)`+regexp.QuoteMeta(base)+`$`)
		}
	}
	c := exec.Command(gremlins, append(args, "./"+p.dir)...) //nolint:gosec // G204: the program that the caller names
	c.Dir = root
	c.Env = append(os.Environ(), standsFor+"="+goCommand, insteadOf+"="+p.tests, which+"="+p.which, "PATH="+work+string(filepath.ListSeparator)+os.Getenv("PATH"))
	// What gremlins says meanwhile is kept, for whoever wants to see how far it is.
	told, err := os.Create(filepath.Join(filepath.Dir(gremlins), "mutants-"+strings.ReplaceAll(p.String(), "/", "-")+".txt")) //nolint:gosec // G304: beside the program
	if err != nil {
		return nil, err
	}
	defer func() { _ = told.Close() }()
	c.Stdout, c.Stderr = told, told
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("%w; see %s", err, told.Name())
	}
	return readReport(report, root, p.dir)
}

// readReport reads what gremlins found, and gives every mutant its lasting name.
func readReport(report, root, dir string) ([]result, error) {
	raw, err := os.ReadFile(report) //nolint:gosec // G304: our own file
	if err != nil {
		return nil, err
	}
	var said struct {
		Files []struct {
			Name      string `json:"file_name"`
			Mutations []struct {
				Type, Status string
				Line, Column int
			}
		}
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		return nil, err
	}
	var found []result
	for _, f := range said.Files {
		name := filepath.Join(root, dir, f.Name)
		source, err := os.ReadFile(name) //nolint:gosec // G304: a file of the module
		if err != nil {
			return nil, err
		}
		lines := strings.Split(string(source), "\n")
		function, err := functions(name, source)
		if err != nil {
			return nil, err
		}
		for _, m := range f.Mutations {
			text := lines[m.Line-1]
			trimmed := strings.TrimSpace(text)
			found = append(found, result{
				mutant: mutant{dir + "/" + f.Name, function(m.Line), trimmed, m.Column - 1 - strings.Index(text, trimmed), m.Type},
				number: m.Line, status: m.Status,
			})
		}
	}
	slices.SortFunc(found, func(a, b result) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.number, b.number), cmp.Compare(a.At, b.At), cmp.Compare(a.Kind, b.Kind))
	})
	return found, nil
}

// functions tells which function a line of a file is in.
func functions(name string, source []byte) (func(line int) string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, 0)
	if err != nil {
		return nil, err
	}
	return func(line int) string {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && set.Position(f.Pos()).Line <= line && line <= set.Position(f.End()).Line {
				return f.Name.Name
			}
		}
		return ""
	}, nil
}

// A count is what came of the mutants of one package.
type count struct {
	killed, timedOut int
	survived         []result
}

func (c count) tried() int { return c.killed + c.timedOut + len(c.survived) }

// share is how many mutants were noticed, in percent. One that hangs the tests is
// noticed.
func (c count) share() float64 {
	if c.tried() == 0 {
		return 0
	}
	return 100 * float64(c.killed+c.timedOut) / float64(c.tried())
}

// tally counts. What gremlins did not try counts as survived.
func tally(found []result) count {
	var c count
	for _, r := range found {
		switch r.status {
		case "KILLED":
			c.killed++
		case "TIMED OUT":
			c.timedOut++
		case "NOT VIABLE":
		default:
			c.survived = append(c.survived, r)
		}
	}
	return c
}

// survivors are the mutants that are known to survive, and why.
type survivors map[mutant]string

func readSurvivors(file string) (survivors, error) {
	raw, err := os.ReadFile(file) //nolint:gosec // G304: the file that the caller names
	if err != nil {
		return nil, err
	}
	var entries []struct {
		mutant
		Why string `json:"why"`
	}
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	list := survivors{}
	for _, e := range entries {
		if _, twice := list[e.mutant]; twice || e.Why == "" {
			return nil, fmt.Errorf("%s: %s is there twice, or without a reason", file, e.mutant)
		}
		list[e.mutant] = e.Why
	}
	return list, nil
}

// compare says which survivors of a package are not known, and which of those that
// are known did not survive.
func (s survivors) compare(p pkg, survived []result) []error {
	var wrong []error
	seen := map[mutant]bool{}
	for _, r := range survived {
		seen[r.mutant] = true
		if _, known := s[r.mutant]; !known {
			name, err := json.Marshal(r.mutant)
			if err != nil {
				return []error{err}
			}
			wrong = append(wrong, fmt.Errorf("line %d: no test notices %s", r.number, name))
		}
	}
	for m := range s {
		if p.of(m.File) && !seen[m] {
			wrong = append(wrong, fmt.Errorf("take this out of the list, it did not survive: %s", m))
		}
	}
	return wrong
}

// The variables that make this program stand in for the go command.
const (
	standsFor = "MUTANTS_GO"    // the one that it stands for
	insteadOf = "MUTANTS_TESTS" // the folder of the tests, where it is not that of the package
	which     = "MUTANTS_RUN"   // the names of the tests
)

// standIn does what gremlins asks of the go command.
func standIn(goCommand string, args []string) int {
	_, search, _ := strings.Cut(os.Getenv("PATH"), string(filepath.ListSeparator)) // without the folder that led here
	if len(args) > 0 && args[0] == "test" {
		args = slices.Insert(args, 1, "-short", "-vet=off", "-count=1")
	}
	// Gremlins asks once for the coverage, and takes the time for that of the tests.
	profile, dir := "", ""
	if i := slices.Index(args, "-coverprofile"); i > 0 {
		profile = args[i+1]
		args = slices.Delete(args, i, i+2)
		args = slices.DeleteFunc(args, func(a string) bool { return a == "-cover" })
		dir = filepath.Clean(strings.TrimSuffix(args[len(args)-1], "/..."))
	}
	if tests := os.Getenv(insteadOf); tests != "" && args[0] == "test" {
		args = append(args[:len(args)-1], "-run", os.Getenv(which), "portcullis/"+tests)
	}
	begin := time.Now()
	c := exec.Command(goCommand, args...) //nolint:gosec // G204: the go command, with the arguments it was given
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, standsFor+"=") })
	c.Env = append(c.Env, "PATH="+search)
	out, err := c.CombinedOutput()
	fmt.Print(string(out))
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed) && strings.Contains(string(out), "[build failed]"):
		return 2 // which gremlins takes for what does not compile
	case errors.As(err, &failed):
		return failed.ExitCode()
	case err == nil && profile != "":
		err = coverAll(profile, dir)
		time.Sleep(leastTime - time.Since(begin))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		return 3
	}
	return 0
}

// coverAll writes a profile that has every line of a package covered.
func coverAll(profile, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintln(&b, "mode: set")
	for _, f := range files {
		fmt.Fprintf(&b, "portcullis/%s:1.1,1000000.1 1 1\n", filepath.ToSlash(f))
	}
	return os.WriteFile(profile, []byte(b.String()), 0o600) //nolint:gosec // G703: the file that gremlins asks for
}
