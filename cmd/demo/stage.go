package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/cloudtrail"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/lambda"
	"portcullis/shared/localaws/proton"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
	bus     = "portcullis"
)

// The functions, by the name of their folder.
const (
	connections = "external-connections"
	groups      = "package-groups"
	origins     = "package-origins"
	requests    = "proton-connections"
)

func functions() []string { return []string{connections, groups, origins, requests} }

// The rules in template.yaml that wake all of them but package-groups.
const (
	connectionRule = "ExternalConnectionsAssociated"
	groupRule      = "PackageOriginsGroupChanged"
	statusRule     = "ProtonConnectionsStatus"
	callRule       = "ProtonConnectionsCalls"
)

//go:embed policy.yaml
var policyFile []byte

// stage is the local AWS, with the functions deployed in it.
type stage struct {
	ctx      context.Context
	out      io.Writer
	verbose  bool
	dir      string // holds the binaries and the policy
	world    *localaws.World
	corp     codeartifact.Domain
	proton   *proton.Service
	events   *eventbridge.Service
	deployed map[string]*lambda.Running // by name

	// What the rules did: the calls and statuses for which each function was woken at
	// once, and what waits for package-origins. Both are read only while the events
	// are idle.
	woken map[string][]string
	queue queue

	seenEvents int // how many events and writes earlier scenes have told of
	seenWrites int

	mu   sync.Mutex
	last map[string]time.Time // the real time of the last call of each operation
}

func newStage(ctx context.Context, out io.Writer, verbose bool) (_ *stage, err error) {
	dir, err := os.MkdirTemp("", "portcullis-demo")
	if err != nil {
		return nil, err
	}
	s := &stage{
		ctx: ctx, out: out, verbose: verbose, dir: dir,
		deployed: map[string]*lambda.Running{}, woken: map[string][]string{}, last: map[string]time.Time{},
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	if err := build(ctx, root, dir); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), policyFile, 0o600); err != nil {
		return nil, err
	}
	template, err := os.ReadFile(filepath.Join(root, "template.yaml")) //nolint:gosec // it is ours
	if err != nil {
		return nil, err
	}
	if s.world, err = localaws.New(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)); err != nil {
		return nil, fmt.Errorf("starting the local AWS: %w; the demo needs one free port on 127.0.0.1", err)
	}
	s.world.OnCall(func(c localaws.Call) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.last[c.Operation] = time.Now()
	})
	s.events = eventbridge.New(s.world)
	s.events.AddBus(account, region, bus)
	packages := codeartifact.New(s.world)
	s.estate(packages)
	s.proton = proton.New(s.world, s.events)
	s.proton.Assume(proton.Unknowns{EventsTo: proton.BothAccounts}) // AWS does not say to which
	cloudtrail.New(s.world, packages, s.events)
	if s.queue.delay, err = delayIn(template); err != nil {
		return nil, err
	}
	for _, rule := range []struct {
		name   string
		target func(event []byte)
	}{
		{connectionRule, s.wake(connections)},
		{groupRule, s.enqueue},
		{statusRule, s.wake(requests)},
		{callRule, s.wake(requests)},
	} {
		if err := s.addRule(template, rule.name, rule.target); err != nil {
			return nil, err
		}
	}
	for _, f := range functions() {
		if err := s.deploy(f, "monitor"); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *stage) close() {
	if s.world != nil {
		s.world.Close()
	}
	_ = os.RemoveAll(s.dir)
}

// moduleRoot is the folder of the repository.
func moduleRoot(ctx context.Context) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("asking Go for the module: %w; run the demo inside the repository, with Go on the PATH", err)
	}
	return strings.TrimSpace(string(root)), nil
}

// build compiles all functions at once into a folder, for this machine but
// otherwise as they are deployed.
func build(ctx context.Context, root, dir string) error {
	args := []string{"build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", dir + string(filepath.Separator)}
	for _, f := range functions() {
		args = append(args, "./functions/"+f)
	}
	c := exec.CommandContext(ctx, "go", args...) //nolint:gosec // they are ours
	c.Dir = root
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("building the functions: %w\n%s", err, out)
	}
	return nil
}

// deploy puts a function in place in one mode, as a deployment would. It logs all
// that it concludes, so that the reasons of what is kept can be shown.
func (s *stage) deploy(name, mode string) error {
	f := lambda.Function{
		Name: name, Account: account, Region: region,
		Binary: filepath.Join(s.dir, name),
		Env: map[string]string{
			"ACCOUNT_ID": account, "ENFORCEMENT_MODE": mode, "EVENT_BUS": bus, "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
			"POLICY_FILE": filepath.Join(s.dir, "policy.yaml"),
			"ROLE_ARN":    "arn:aws:iam::" + account + ":role/portcullis-" + name,
		},
	}
	if s.verbose {
		f.Output = s.out
	}
	var err error
	s.deployed[name], err = lambda.Start(s.world, f)
	return err
}

// estate fills the domain: two gateways, what hangs on them, and what should not
// be there; and two package groups, for names that are taken and not yet used.
func (s *stage) estate(service *codeartifact.Service) {
	s.corp = service.AddDomain(account, region, "corp")
	s.corp.AddRepository("npm-store").Connect("public:npmjs")
	s.corp.AddRepository("pypi-store").Connect("public:pypi")
	s.corp.AddRepository("legacy-tools").Connect("public:pypi")
	s.corp.AddRepository("data-science").Connect("public:pypi")
	s.corp.AddRepository("web-frontend").Connect("public:npmjs")
	s.corp.AddRepository("web-build").Upstream("web-frontend")
	s.corp.AddRepository("web-release").Upstream("web-build")
	for i := range 13 {
		s.corp.AddRepository(fmt.Sprintf("team-%02d", i+1)).Upstream("npm-store", "pypi-store")
	}
	s.corp.PackageGroup(guard).Add().SetMode(codeartifact.ExternalUpstream, codeartifact.Block)
	s.corp.PackageGroup(lookalike).Add()
	service.SetConsistencyDelay(time.Minute) // AWS says that there is such a delay, and not how long it is
}

// addRule hands events to a target by a rule as it is deployed.
func (s *stage) addRule(template []byte, name string, target func(event []byte)) error {
	pattern, err := eventbridge.PatternIn(template, name)
	if err != nil {
		return err
	}
	return s.events.AddRule(account, region, "default", eventbridge.Rule{Name: name, Pattern: pattern, Target: target})
}

// wake is the target of a rule that wakes a function.
func (s *stage) wake(name string) func(event []byte) {
	return func(event []byte) {
		var e struct {
			Detail struct{ EventName, Status string }
		}
		_ = json.Unmarshal(event, &e) // the function itself has to cope with what is no record
		s.woken[name] = append(s.woken[name], cmp.Or(e.Detail.EventName, e.Detail.Status))
		<-s.deployed[name].InvokeAsync(event)
	}
}

// sweep wakes a function as the schedule does, prints what it reported on the
// bus, and returns that. A run that ends with an error is part of the play.
func (s *stage) sweep(name string) (report, error) {
	_, err := s.deployed[name].Invoke(s.ctx, []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"schedule"}}`))
	var failure *lambda.FunctionError
	if err != nil && !errors.As(err, &failure) {
		return report{}, err
	}
	return s.report(failure)
}

// person makes a call as somebody with the AWS CLI does. The input is data, as
// an undo holds it, or what encodes to that.
func (s *stage) person(operation string, input any) error {
	client := sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(s.world.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return s.credentials(account), nil
		}),
	})
	switch operation {
	case "AssociateExternalConnection":
		return send(s.ctx, client.AssociateExternalConnection, input)
	case "CreatePackageGroup":
		return send(s.ctx, client.CreatePackageGroup, input)
	case "DeletePackageGroup":
		return send(s.ctx, client.DeletePackageGroup, input)
	case "UpdatePackageGroupOriginConfiguration":
		return send(s.ctx, client.UpdatePackageGroupOriginConfiguration, input)
	default:
		return fmt.Errorf("nobody in this play calls %s", operation)
	}
}

func (s *stage) credentials(account string) aws.Credentials {
	who := s.world.Account(account)
	return aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}
}

func send[In, Out any](ctx context.Context, call func(context.Context, *In, ...func(*sdk.Options)) (*Out, error), input any) error {
	data, err := json.Marshal(input)
	if err != nil {
		return err
	}
	in := new(In)
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // an undo must not lose anything here
	if err := d.Decode(in); err != nil {
		return fmt.Errorf("reading the input %s: %w", data, err)
	}
	_, err = call(ctx, in)
	return err
}

// undo makes the calls that an outcome carries.
func (s *stage) undo(outcome event) error {
	for _, c := range outcome.Undo {
		if err := s.person(c.Operation, c.Input); err != nil {
			return fmt.Errorf("undoing what was done to %s: %w", outcome.name(), err)
		}
	}
	return nil
}

// apart is the real time between the last calls of two operations.
func (s *stage) apart(first, second string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[second].Sub(s.last[first])
}
