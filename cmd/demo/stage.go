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
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/internal/hub"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/cloudtrail"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/lambda"
	"portcullis/shared/localaws/logs"
	"portcullis/shared/localaws/proton"
	"portcullis/shared/localaws/sts"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
	bus     = hub.Name
)

// The functions, by the name of their folder.
const (
	connections = "external-connections"
	groups      = "package-groups"
	origins     = "package-origins"
	requests    = "proton-connections"
	planner     = "planner"
)

func controls() []string { return []string{connections, groups, origins, requests} }

func functions() []string { return append(controls(), planner) }

// The accounts that the hub looks into beside its own.
const (
	shop  = "222233334444"
	data  = "333344445555"
	tools = "555566667777"
)

func members() []string { return []string{shop, data, tools} }

// The rules of template.yaml on the hub's bus: those on events of AWS, and that on
// the planner's requests to each control.
const (
	connectionRule = "ExternalConnectionsAssociated"
	groupRule      = "PackageOriginsGroupChanged"
	statusRule     = "ProtonConnectionsStatus"
	callRule       = "ProtonConnectionsCalls"
)

func requestRule(control string) string {
	return map[string]string{
		connections: "ExternalConnections", groups: "PackageGroups", origins: "PackageOrigins", requests: "ProtonConnections",
	}[control] + "SweepRequested"
}

//go:embed policy.yaml
var policyFile []byte

// stage is the local AWS: the hub with its functions, and the members.
type stage struct {
	ctx      context.Context
	out      io.Writer
	verbose  bool
	dir      string // holds the binaries and the policy
	world    *localaws.World
	template []byte // template.yaml
	hub      *hub.Hub
	packages *codeartifact.Service
	corp     codeartifact.Domain // of the hub's own account
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
	if s.template, err = os.ReadFile(filepath.Join(root, "template.yaml")); err != nil { //nolint:gosec // it is ours
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
	s.packages = codeartifact.New(s.world)
	s.estate()
	s.proton = proton.New(s.world, s.events)
	s.proton.Assume(proton.Unknowns{EventsTo: proton.BothAccounts}) // AWS does not say to which
	cloudtrail.New(s.world, s.packages, s.events)
	services := hub.Services{World: s.world, Events: s.events, STS: sts.New(s.world), Logs: logs.New(s.world)}
	if s.hub, err = hub.New(services, account, region, root); err != nil {
		return nil, err
	}
	if s.queue.delay, err = delayIn(s.template); err != nil {
		return nil, err
	}
	if err := s.rules(); err != nil {
		return nil, err
	}
	for _, member := range members() {
		if err := s.hub.Join(member); err != nil {
			return nil, err
		}
	}
	for _, control := range controls() {
		if err := s.deploy(control, "monitor"); err != nil {
			return nil, err
		}
	}
	if err := s.deploy(planner, strings.Join(controls(), ",")); err != nil {
		return nil, err
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
	args := []string{"build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", dir + string(filepath.Separator)}
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

// rules has the rules of the hub's bus wake the functions.
func (s *stage) rules() error {
	targets := map[string]func(event []byte){
		connectionRule: s.wake(connections), groupRule: s.enqueue, statusRule: s.wake(requests), callRule: s.wake(requests),
	}
	for _, control := range controls() {
		targets[requestRule(control)] = func(event []byte) { <-s.deployed[control].InvokeAsync(event) }
	}
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		if err := s.hub.Wake(name, targets[name]); err != nil {
			return err
		}
	}
	return nil
}

// deploy puts a function in place in one mode, or the planner for the controls that
// are on, as a deployment would: with what its role may do then. It logs all that it
// concludes, so that the reasons of what is kept can be shown.
func (s *stage) deploy(name, mode string) error {
	role, err := s.hub.Role(name, mode)
	if err != nil {
		return err
	}
	f := lambda.Function{
		Name: name, Account: account, Region: region, Role: role,
		Binary: filepath.Join(s.dir, name), Env: s.hub.Environment(name, mode),
	}
	f.Env["MEMBER_ACCOUNTS"] = strings.Join(members(), ",")
	f.Env["AWS_LAMBDA_LOG_LEVEL"] = "DEBUG"
	f.Env["READS_PER_SECOND"], f.Env["WRITES_PER_SECOND"] = "800", "100" // all of the quota, which nobody shares here
	f.Env["POLICY_FILE"] = filepath.Join(s.dir, "policy.yaml")
	if s.verbose {
		f.Output = s.out
	}
	s.deployed[name], err = lambda.Start(s.world, f)
	return err
}

// estate fills the hub's domain: two gateways, what hangs on them, and what should not
// be there; and two package groups, for names that are taken and not yet used. Each
// member has a domain too, and something in it that should not be there.
func (s *stage) estate() {
	s.corp = s.packages.AddDomain(account, region, "corp")
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

	inShop := s.packages.AddDomain(shop, region, "shop")
	inShop.AddRepository("npm-store").Connect("public:npmjs")
	inShop.AddRepository("catalog")
	inShop.AddRepository("checkout").Connect("public:npmjs")
	inShop.AddRepositoryOf(data, sharedName).Connect("public:pypi")
	inData := s.packages.AddDomain(data, region, "data")
	inData.AddRepository("notebooks").Connect("public:pypi")
	inData.AddRepository("models")
	inTools := s.packages.AddDomain(tools, region, "tools")
	inTools.AddRepository("runner").Connect("public:maven-central")
	inTools.PackageGroup(unused).Add()
	s.packages.SetConsistencyDelay(time.Minute) // AWS says that there is such a delay, and not how long it is
}

// wake is the target of a rule that wakes a function.
func (s *stage) wake(name string) func(event []byte) {
	return func(event []byte) {
		var e struct {
			Account string
			Detail  struct{ EventName, Status string }
		}
		_ = json.Unmarshal(event, &e) // the function itself has to cope with what is no record
		why := cmp.Or(e.Detail.EventName, e.Detail.Status)
		if e.Account != account {
			why += " in " + e.Account
		}
		s.woken[name] = append(s.woken[name], why)
		<-s.deployed[name].InvokeAsync(event)
	}
}

// sweep has a control sweep the hub's own account, as an operator does by hand, prints
// what it reported on the bus, and returns that. A run that ends with an error is part
// of the play.
func (s *stage) sweep(name string) (report, error) {
	_, err := s.deployed[name].Invoke(s.ctx, []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"hand"}}`))
	var failure *lambda.FunctionError
	if err != nil && !errors.As(err, &failure) {
		return report{}, err
	}
	return s.report(failure)
}

// person makes a call as somebody in the hub's account does.
func (s *stage) person(operation string, input any) error {
	return s.personIn(account, operation, input)
}

// personIn makes a call as somebody in an account with the AWS CLI does. The input is
// data, as an undo holds it, or what encodes to that.
func (s *stage) personIn(account, operation string, input any) error {
	client := sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(s.world.URL()), HTTPClient: s.world.Client(),
		Credentials: provider(s.world.Account(account)),
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

func credentials(who localaws.Credentials) aws.Credentials {
	return aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}
}

func provider(who localaws.Credentials) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials(who), nil })
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
