package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/lambda"
)

const (
	home   = "111122223333"
	region = "eu-west-1"
	bus    = "portcullis"
)

// The functions, by the name of their folder, and what they are held against.
const (
	connections = "external-connections"
	groups      = "package-groups"
	origins     = "package-origins"
	requests    = "proton-connections"
	planner     = "planner"

	bare = "bare"
	peer = "peer"
)

func functions() []string { return []string{connections, groups, origins, requests, planner} }

const sweep = `{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"schedule"}}`

//go:embed policy.yaml
var policyFile []byte

// bench is what all measures share.
type bench struct {
	ctx      context.Context
	progress io.Writer
	quick    bool
	root     string // of the repository
	dir      string // holds the binaries and the policy

	runtime map[string]string // the variables of every process that Go's runtime looks at
}

func newBench(ctx context.Context, progress io.Writer, quick bool, set map[string]string) (_ *bench, err error) {
	dir, err := os.MkdirTemp("", "portcullis-bench")
	if err != nil {
		return nil, err
	}
	b := &bench{ctx: ctx, progress: progress, quick: quick, dir: dir}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("asking Go for the module: %w; run this inside the repository, with Go on the PATH", err)
	}
	b.root = strings.TrimSpace(string(root))
	template, err := os.ReadFile(filepath.Join(b.root, "template.yaml"))
	if err != nil {
		return nil, err
	}
	if b.runtime, err = runtimeIn(template); err != nil {
		return nil, err
	}
	maps.Copy(b.runtime, set)
	packages := []string{"./cmd/bench/bare", "./cmd/bench/peer"}
	for _, f := range functions() {
		packages = append(packages, "./functions/"+f)
	}
	if err := b.build(dir+string(filepath.Separator), nil, packages...); err != nil {
		return nil, err
	}
	return b, os.WriteFile(b.policy(), policyFile, 0o600)
}

func (b *bench) close() { _ = os.RemoveAll(b.dir) }

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }

// size returns one of two numbers: how much is measured, and how much where it is
// only shown that the measure works.
func (b *bench) size(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}

func (b *bench) policy() string            { return filepath.Join(b.dir, "policy.yaml") }
func (b *bench) binary(name string) string { return filepath.Join(b.dir, name) }

// build compiles as the Makefile does, for this machine where env does not say
// otherwise. Before the packages there may be further flags.
func (b *bench) build(out string, env []string, packages ...string) error {
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=", "-o", out}, packages...)
	c := exec.CommandContext(b.ctx, "go", args...) //nolint:gosec // they are ours
	c.Dir = b.root
	c.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", strings.Join(packages, ", "), err, out)
	}
	return nil
}

// workersAre is where awsio says how many workers a sweep has.
const workersAre = "const Workers = 64\n"

// withWorkers builds external-connections with another number of workers, which no
// deployment can ask for, and returns the name of the binary.
func (b *bench) withWorkers(n int) (string, error) {
	file := filepath.Join(b.root, "shared", "awsio", "session.go")
	source, err := os.ReadFile(file) //nolint:gosec // it is ours
	if err != nil {
		return "", err
	}
	if strings.Count(string(source), workersAre) != 1 {
		return "", fmt.Errorf("%s does not say %q: the benchmark has to learn anew how many workers there are", file, workersAre)
	}
	name := fmt.Sprintf("%s-with-%d-workers", connections, n)
	changed, overlay := b.binary(name+".go"), b.binary(name+".json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		return "", err
	}
	source = []byte(strings.Replace(string(source), workersAre, fmt.Sprintf("const Workers = %d\n", n), 1))
	err = errors.Join(os.WriteFile(changed, source, 0o600), os.WriteFile(overlay, replace, 0o600)) //nolint:gosec // G703: the paths are ours
	if err != nil {
		return "", err
	}
	return name, b.build(b.binary(name), nil, "-overlay", overlay, "./functions/"+connections)
}

// environment is what the template gives to a function. The caps are lifted: who
// measures them sets them.
func (b *bench) environment(name, mode string) map[string]string {
	env := map[string]string{
		"ACCOUNT_ID": home, "ENFORCEMENT_MODE": mode, "EVENT_BUS": bus, "POLICY_FILE": b.policy(),
		"ROLE_ARN":         "arn:aws:iam::" + home + ":role/portcullis-" + name,
		"READS_PER_SECOND": "0", "WRITES_PER_SECOND": "0",
		"CONTROLS": connections, "EVENTS_LOG": "/portcullis/events", "SWEEP_SECONDS": "3600",
	}
	maps.Copy(env, b.runtime)
	return env
}

// runtimeIn finds what a template says to Go's runtime in every function, such as
// GOGC. What the functions are held against gets the same.
func runtimeIn(template []byte) (map[string]string, error) {
	var t struct {
		Globals struct {
			Function struct {
				Environment struct {
					Variables map[string]yaml.Node `yaml:"Variables"`
				} `yaml:"Environment"`
			} `yaml:"Function"`
		} `yaml:"Globals"`
	}
	if err := yaml.Unmarshal(template, &t); err != nil {
		return nil, fmt.Errorf("reading template.yaml: %w", err)
	}
	found := map[string]string{}
	for name, value := range t.Globals.Function.Environment.Variables {
		if strings.HasPrefix(value.Tag, "!!") && strings.HasPrefix(name, "GO") {
			found[name] = value.Value
		}
	}
	return found, nil
}

// stage is one local AWS.
type stage struct {
	*bench
	world     *localaws.World
	artifacts *codeartifact.Service
	events    *eventbridge.Service
}

func (b *bench) newStage() (*stage, error) {
	world, err := localaws.New(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
	if err != nil {
		return nil, fmt.Errorf("starting the local AWS: %w", err)
	}
	s := &stage{bench: b, world: world, artifacts: codeartifact.New(world), events: eventbridge.New(world)}
	s.events.AddBus(home, region, bus)
	return s, nil
}

// deploy puts a function in place. The changes are in turn the names and values of
// what is different in its environment.
func (s *stage) deploy(name, mode string, concurrency int, changes ...string) (*lambda.Running, error) {
	return s.deployAs("", name, mode, concurrency, changes...)
}

// deployAs is deploy for a function that acts as a role of the account.
func (s *stage) deployAs(role, name, mode string, concurrency int, changes ...string) (*lambda.Running, error) {
	env := s.environment(name, mode)
	for pair := range slices.Chunk(changes, 2) {
		env[pair[0]] = pair[1]
	}
	return lambda.Start(s.world, lambda.Function{
		Name: name, Account: home, Region: region, Role: role, Binary: s.binary(name), Env: env,
		Timeout: 15 * time.Minute, Concurrency: concurrency,
	})
}

// fill adds a domain with so many repositories, each of which has the first one as
// an upstream where that is wanted.
func (s *stage) fill(owner, domain string, size int, upstreams bool) {
	d := s.artifacts.AddDomain(owner, region, domain)
	for i := range size {
		r := d.AddRepository(fmt.Sprintf("repository-%06d", i))
		if upstreams && i > 0 {
			r.Upstream("repository-000000")
		}
	}
}

// summary is what an invocation returns, as far as it is looked at.
type summary struct {
	Complete bool
	Looked   int
	Outcomes map[string]int
	Ignored  string
}

// invoke hands a function an event and says how long it took. It is an error if
// something was left out.
func (s *stage) invoke(f *lambda.Running, payload string) (summary, time.Duration, error) {
	began := time.Now()
	result, err := f.Invoke(s.ctx, []byte(payload))
	took := time.Since(began)
	if err != nil {
		return summary{}, took, errors.Join(err, errors.New(lastOf(f.Logs())))
	}
	var out summary
	if err := json.Unmarshal(result.Payload, &out); err != nil {
		return out, took, fmt.Errorf("reading %q: %w", result.Payload, err)
	}
	return out, took, nil
}

// sweepAll has a control sweep everything, which must be so many resources.
func (s *stage) sweepAll(f *lambda.Running, want int) (time.Duration, error) {
	out, took, err := s.invoke(f, sweep)
	if err == nil && (!out.Complete || out.Looked != want) {
		err = fmt.Errorf("the sweep looked at %d of %d, complete: %t\n%s", out.Looked, want, out.Complete, lastOf(f.Logs()))
	}
	return took, err
}

// start has a function begin its process, by an event that it ignores.
func (s *stage) start(f *lambda.Running) error {
	_, _, err := s.invoke(f, `{"source":"nobody","detail-type":"Nothing","detail":{}}`)
	return err
}

// operations lists the calls since a place in the journal.
func (s *stage) operations(since int) []string {
	var list []string
	for _, c := range s.world.Calls()[since:] {
		list = append(list, c.Operation)
	}
	return list
}

// lastOf is the end of a log, for an error.
func lastOf(lines []string) string { return strings.Join(lines[max(0, len(lines)-5):], "\n") }
