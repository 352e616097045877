package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// initTimes holds the start of each function against that of one that does
// nothing.
func initTimes(b *bench) ([]line, error) {
	names := append([]string{bare}, functions()...)
	times, err := b.starts(names, b.size(120, 3))
	if err != nil {
		return nil, err
	}
	var lines []line
	for _, name := range functions() {
		lines = append(lines, atMost("init of "+name, ratio(times[name], times[bare]), 1.75, " x bare",
			fmt.Sprintf("%.2f of %.2f ms", ms(times[name]), ms(times[bare]))))
	}
	return lines, nil
}

// A dependency is linked into a function that does nothing else, and used as the
// real ones use it.
type dependency struct{ name, imports, set, use string }

const sdk = "github.com/aws/aws-sdk-go-v2/"

func dependencies() (codeartifact dependency, others []dependency) {
	client := func(name, operation string) dependency {
		return dependency{name, `"` + sdk + "service/" + name + `"`,
			name + `Client := ` + name + `.New(` + name + `.Options{Region: "eu-west-1"})`,
			`_, _ = ` + name + `Client.` + operation + `(ctx, &` + name + `.` + operation + `Input{})`}
	}
	assume := client("sts", "AssumeRole")
	assume.imports += "\n\"" + sdk + `credentials/stscreds"`
	assume.use += "\n_, _ = stscreds.NewAssumeRoleProvider(stsClient, \"\").Retrieve(ctx)"
	return client("codeartifact", "DescribeRepository"), []dependency{
		client("eventbridge", "PutEvents"),
		assume,
		client("proton", "ListEnvironmentAccountConnections"),
		client("organizations", "ListAccounts"),
		client("cloudwatchlogs", "FilterLogEvents"),
		{"policy", `"portcullis/shared/policy"` + "\n" + `"os"`, `_, err := policy.Load(os.Getenv("POLICY_FILE")); if err != nil { panic(err) }`, ""},
	}
}

// dependencyTimes tells what each dependency adds. The SDK's own core comes with
// the first client, so the others are linked in beside that one.
func dependencyTimes(b *bench) ([]line, error) {
	first, others := dependencies()
	names := []string{bare}
	add := func(name string, list ...dependency) error {
		names = append(names, name)
		return b.link(name, list...)
	}
	err := add("with-codeartifact", first)
	for _, d := range others {
		err = errors.Join(err, add("with-"+d.name, first, d))
	}
	if err = errors.Join(err, add("with-all", append(others, first)...)); err != nil {
		return nil, err
	}
	times, err := b.starts(names, b.size(120, 2))
	if err != nil {
		return nil, err
	}
	sizes := map[string]float64{}
	for _, name := range names {
		info, err := os.Stat(b.binary(name))
		if err != nil {
			return nil, err
		}
		sizes[name] = float64(info.Size()) / 1e6
	}
	describe := func(title, name, base string) line {
		return remark(title, "%.2f x bare (%.2f ms, %+.2f ms; %.2f MB, %+.2f MB)", ratio(times[name], times[bare]),
			ms(times[name]), ms(times[name]-times[base]), sizes[name], sizes[name]-sizes[base])
	}
	lines := []line{
		remark("bare function", "1 x bare (%.2f ms; %.2f MB)", ms(times[bare]), sizes[bare]),
		describe("bare and codeartifact", "with-codeartifact", bare),
	}
	for _, d := range others {
		lines = append(lines, describe("bare, codeartifact and "+d.name, "with-"+d.name, "with-codeartifact"))
	}
	return append(lines, describe("bare and all of these", "with-all", bare)), nil
}

// link builds a bare function with dependencies.
func (b *bench) link(name string, list ...dependency) error {
	var imports, set, use strings.Builder
	for _, d := range list {
		fmt.Fprintln(&imports, d.imports)
		fmt.Fprintln(&set, d.set)
		fmt.Fprintln(&use, d.use)
	}
	source := fmt.Sprintf(`package main
import (
"context"
"github.com/aws/aws-lambda-go/lambda"
%s)
type handler struct{ use func(context.Context) }
func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if len(payload) == 1 { h.use(ctx) }
	return payload, nil
}
func main() {
%slambda.Start(handler{func(ctx context.Context) {
%s}})
}
`, &imports, &set, &use)
	dir := b.binary(name + ".src")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		return err
	}
	return b.build(b.binary(name), nil, file)
}

// starts has every binary start so often, in turn and in an order that changes,
// and returns the median of each.
func (b *bench) starts(names []string, rounds int) (map[string]time.Duration, error) {
	all := map[string][]time.Duration{}
	for round := range rounds + 1 {
		err := shuffled(len(names), func(i int) error {
			took, err := b.startOnce(names[i])
			if err != nil {
				return fmt.Errorf("starting %s: %w", names[i], err)
			}
			if round > 0 { // in the first round they come from the disk
				all[names[i]] = append(all[names[i]], took)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	times := map[string]time.Duration{}
	for name, list := range all {
		times[name] = median(list)
	}
	return times, nil
}

// startOnce starts a process and waits until it asks for its first event.
func (b *bench) startOnce(name string) (time.Duration, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	_ = listener.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)) // it is open
	ctx, cancel := context.WithCancel(b.ctx)
	c := exec.CommandContext(ctx, b.binary(name)) //nolint:gosec // it is ours
	c.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "AWS_REGION=" + region,
		"AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token",
	}
	for k, v := range b.environment(name, "monitor") {
		c.Env = append(c.Env, k+"="+v)
	}
	var said strings.Builder
	c.Stdout, c.Stderr = &said, &said
	began := time.Now()
	if err := c.Start(); err != nil {
		cancel()
		return 0, err
	}
	defer func() {
		cancel()
		_ = c.Wait() // it was killed
	}()
	connection, err := listener.Accept()
	if err != nil {
		cancel()
		_ = c.Wait()
		return 0, fmt.Errorf("it did not ask for an event: %w\n%s", err, &said)
	}
	defer func() { _ = connection.Close() }()
	request, err := bufio.NewReader(connection).ReadString('\n')
	took := time.Since(began)
	if err != nil || !strings.HasPrefix(request, "GET /2018-06-01/runtime/invocation/next ") {
		return 0, fmt.Errorf("its first request is %q (%w)", request, err)
	}
	return took, nil
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// sizes looks at the binaries as they are deployed.
func sizes(b *bench) ([]line, error) {
	dir := b.binary("arm64") + string(filepath.Separator)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	packages := []string{}
	for _, f := range functions() {
		packages = append(packages, "./functions/"+f)
	}
	if err := b.build(dir, []string{"GOOS=linux", "GOARCH=arm64"}, packages...); err != nil {
		return nil, err
	}
	var lines []line
	for _, f := range functions() {
		info, err := os.Stat(dir + f)
		if err != nil {
			return nil, err
		}
		lines = append(lines, atMost("size of "+f+", arm64", float64(info.Size())/1e6, 10, " MB", ""))
	}
	return lines, nil
}
