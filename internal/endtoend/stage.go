// Package endtoend is the stage for tests of the real function binaries: it
// builds one as it is deployed, runs it under a local Lambda against a local AWS,
// and collects what it reported.
//
// What a run did is told by the server's journal, not by the program. When a
// test ends, every event that reached the bus is held against its JSON Schema in
// docs/events.md, and every line of the log must be one JSON object. Only tests
// import this package.
package endtoend

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/lambda"
	"portcullis/shared/localaws/witness"
)

// The accounts and the Region of the stage. The function is deployed in Home.
const (
	Home    = "111122223333"
	Partner = "444455556666"
	Region  = "eu-west-1"
	Bus     = "portcullis"
)

// Sweep is what the schedule sends.
const Sweep = `{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"schedule"}}`

// Start is where the clock of every stage stands at first.
func Start() time.Time { return time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC) }

// Stage is one local AWS with one deployed function.
type Stage struct {
	T        *testing.T
	World    *localaws.World
	Artifact *codeartifact.Service
	Events   *eventbridge.Service
	Function *lambda.Running

	folder string
}

// Option changes a function before it is deployed.
type Option func(*lambda.Function)

// Env sets a variable of the function's environment.
func Env(name, value string) Option { return func(f *lambda.Function) { f.Env[name] = value } }

// patience is the timeout of a function that a test says nothing else of, in real
// time: the machine may be slow, and then a run of a minute would be told to stop.
const patience = 5 * time.Minute

// Timeout sets the function's timeout, in real time.
func Timeout(d time.Duration) Option { return func(f *lambda.Function) { f.Timeout = d } }

// New returns a stage with the function of a folder below functions/, in a mode
// and under a policy.
func New(t *testing.T, folder, mode, policy string, options ...Option) *Stage {
	t.Helper()
	world, err := localaws.New(Start())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	witness.Watch(t, world)
	s := &Stage{T: t, World: world, Artifact: codeartifact.New(world), Events: eventbridge.New(world), folder: folder}
	s.Events.AddBus(Home, Region, Bus)
	s.Deploy(mode, policy, options...)
	t.Cleanup(s.checkEvents)
	t.Cleanup(s.checkLog)
	return s
}

// Deploy puts the function in place as a new deployment would.
func (s *Stage) Deploy(mode, policy string, options ...Option) {
	s.T.Helper()
	binary, err := build(s.folder)
	if err != nil {
		s.T.Fatal(err)
	}
	file := filepath.Join(s.T.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(policy), 0o600); err != nil {
		s.T.Fatal(err)
	}
	f := lambda.Function{Name: s.folder, Account: Home, Region: Region, Binary: binary, Timeout: patience, Env: map[string]string{
		"ACCOUNT_ID": Home, "ENFORCEMENT_MODE": mode, "EVENT_BUS": Bus, "POLICY_FILE": file,
		"ROLE_ARN": "arn:aws:iam::" + Home + ":role/portcullis",
		// The rate of requests is not what these tests are about, and it would make them slow.
		"READS_PER_SECOND": "0", "WRITES_PER_SECOND": "0",
	}}
	for _, o := range options {
		o(&f)
	}
	if s.Function, err = lambda.Start(s.World, f); err != nil {
		s.T.Fatal(err)
	}
}

// Summary is what an invocation returns.
type Summary struct {
	Complete      bool
	Gone          bool
	Looked        int
	Wanted        int
	Allowed       int
	LimitExceeded bool
	Undelivered   int
	Ignored       string
	Verdicts      map[string]int
	Outcomes      map[string]int
	Details       struct{ Kept, Freeable map[string]int }
}

// Invoke hands the function a payload. A function that fails gives an error of
// type *lambda.FunctionError.
func (s *Stage) Invoke(payload string) (Summary, error) {
	s.T.Helper()
	result, err := s.Function.Invoke(s.T.Context(), []byte(payload))
	var out Summary
	if err == nil {
		if err := json.Unmarshal(result.Payload, &out); err != nil {
			s.T.Fatalf("summary %s: %v", result.Payload, err)
		}
	}
	return out, err
}

// Sweep runs a sweep that must not end with an error.
func (s *Stage) Sweep() Summary {
	s.T.Helper()
	out, err := s.Invoke(Sweep)
	if err != nil {
		s.T.Fatalf("sweep: %v\n%s", err, strings.Join(s.Function.Logs(), "\n"))
	}
	return out
}

// ArtifactCalls lists the operations of CodeArtifact that were called, in order.
func (s *Stage) ArtifactCalls() []string {
	var list []string
	for _, c := range s.World.Calls() {
		if c.Service == "codeartifact" {
			list = append(list, c.Operation)
		}
	}
	return list
}

// ArtifactWrites returns the writes to CodeArtifact that the server executed.
func (s *Stage) ArtifactWrites() []localaws.Call {
	var list []localaws.Call
	for _, c := range s.World.Writes() {
		if c.Service == "codeartifact" {
			list = append(list, c)
		}
	}
	return list
}

// Event has the fields of events' details that tests look at.
type Event struct {
	ID, Cause, Resource, Subject, Verdict, Code, Reason, Effect, Status, Detail string
	Undo                                                                        []Call
	Notes                                                                       []string
	Details                                                                     json.RawMessage
}

// Call is one call of an undo.
type Call struct {
	Service, Operation string
	Input              json.RawMessage
}

// Reported returns the details of the events of one detail-type, in order.
func (s *Stage) Reported(detailType string) []Event {
	s.T.Helper()
	var list []Event
	for _, e := range s.Events.Events(Home, Region, Bus) {
		if e.DetailType == detailType {
			var d Event
			if err := json.Unmarshal(e.Detail, &d); err != nil {
				s.T.Fatal(err)
			}
			list = append(list, d)
		}
	}
	return list
}

// binaries holds the result of building each folder, once in a process.
var binaries sync.Map

// build compiles the function of a folder for this machine, otherwise as it is
// deployed.
func build(folder string) (string, error) {
	once, _ := binaries.LoadOrStore(folder, sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "portcullis")
		if err != nil {
			return "", err
		}
		if _, err := MadeOf(folder); err != nil {
			return "", err
		}
		path := filepath.Join(dir, "bootstrap")
		c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-o", path, "./functions/"+folder) //nolint:gosec // G204: tests name our own folders
		c.Dir = root()
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building %s: %w\n%s", folder, err, out)
		}
		return path, nil
	}))
	return once.(func() (string, error))()
}

// MadeOf lists the packages that a function is built from, and looks at every source
// of them. The build is made by another process, and so is the list: without this go
// test would not know that the result of a test depends on the sources, and would
// answer from its cache after they have changed. Nobody asks git, which refuses a
// checkout of another user.
func MadeOf(folder string) (packages []string, err error) {
	var said strings.Builder
	c := exec.Command("go", "list", "-buildvcs=false", "-deps", "-f", `{{.ImportPath}}{{if not .Standard}}{{$d := .Dir}}{{range .GoFiles}}{{"\n"}}{{$d}}/{{.}}{{end}}{{end}}`, "./functions/"+folder) //nolint:gosec // G204: tests name our own folders
	c.Dir, c.Stderr = root(), &said
	list, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the sources of %s: %w\n%s", folder, err, said.String())
	}
	files := []string{filepath.Join(c.Dir, "go.mod")}
	for line := range strings.Lines(string(list)) {
		if line = strings.TrimSuffix(line, "\n"); filepath.IsAbs(line) {
			files = append(files, line)
		} else {
			packages = append(packages, line)
		}
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			return nil, err
		}
	}
	return packages, nil
}

// Main runs the tests of a package and removes what was built for them.
func Main(m *testing.M) {
	code := m.Run()
	binaries.Range(func(_, once any) bool {
		if path, err := once.(func() (string, error))(); err == nil {
			_ = os.RemoveAll(filepath.Dir(path))
		}
		return true
	})
	os.Exit(code)
}

// root is the folder of the module.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}
