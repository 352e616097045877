package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/proton"
	"portcullis/shared/localaws/witness"
)

const (
	home    = "111122223333"
	foreign = "999999999999"
	region  = "eu-west-1"
)

// world starts a small AWS for a script, and sets the environment in which this
// program finds it. The file says what is in it, a line for each thing:
//
//	repository corp/npm-store public:npmjs    a repository and its connections; the domain is made with it
//	foreign corp/npm-store public:npmjs       one that the account administers in a domain of another account
//	connect corp/web public:npmjs             a connection of a repository that is there
//	upstream corp/web npm-store               what it draws from
//	group corp /npm/acme/* external_upstream  a package group, and what it blocks itself
//	block corp /npm/acme/* publish            what a package group that is there blocks
//	tag corp /npm/acme/* team:owned
//	package corp/npm-store npm acme ui        a package in a repository
//	request 222222222222 111122223333 prod    from an environment account to a management account
//	grant                                     every request of Proton in the account is accepted
//	delay 1m                                  how long a package group takes to show, or to go
//	deployed ExternalConnectionsMode=enforce  the stack portcullis-prod, and what it is made of; see deployed_test.go
//	advance 9600h                             time passes
//	fault codeartifact ListDomains denied     denied, expired, throttled, html or hang
//	inform corp /npm/acme/* ours team@x       description and contact of a group
//	remove corp/web                           a repository goes, or a package group
//	retire                                    Proton is over
func world(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: world FILE")
	}
	w, err := localaws.New(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
	ts.Check(err)
	ts.Defer(w.Close)
	witness.Watch(ts.Value(whole{}).(*testing.T), w)
	events := eventbridge.New(w)
	s := setup{w, codeartifact.New(w), proton.New(w, events), newDeployment(w, events), map[string]bool{}, map[string]*localaws.Injected{}}
	for n, line := range strings.Split(ts.ReadFile(args[0]), "\n") {
		line, _, _ := strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 {
			if err := s.line(words); err != nil {
				ts.Fatalf("%s:%d: %v", args[0], n+1, err)
			}
		}
	}
	front := httptest.NewServer(s.front())
	ts.Defer(front.Close)
	for _, v := range w.Environment(home, region) {
		name, value, _ := strings.Cut(v, "=")
		ts.Setenv(name, value)
	}
	ts.Setenv("AWS_ENDPOINT_URL", front.URL)
	*ts.Value(current{}).(*setup) = s
}

// also changes the last world by one line.
func also(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: also WORD...")
	}
	ts.Check(ts.Value(current{}).(*setup).line(args))
}

// wrote keeps in a file what was written to the world so far, a line for each call,
// and what of it was refused.
func wrote(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: wrote FILE")
	}
	var b strings.Builder
	for _, c := range ts.Value(current{}).(*setup).world.Writes() {
		input, err := json.Marshal(c.Input)
		ts.Check(err)
		fmt.Fprintf(&b, "%s %s", c.Operation, input)
		if c.ErrorCode != "" {
			fmt.Fprintf(&b, " %s", c.ErrorCode)
		}
		b.WriteString("\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// patience is how long is waited for what must come. It is no promise of the program: a busy machine may need long, and only
// one on which nothing happens any more needs so long.
const patience = 2 * time.Minute

// called waits until an operation was executed.
func called(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: called OPERATION")
	}
	w := ts.Value(current{}).(*setup).world
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if slices.ContainsFunc(w.Writes(), func(c localaws.Call) bool { return c.Operation == args[0] }) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nobody has called %s", args[0])
		}
	}
}

// release lets the calls go on that a fault of an operation holds.
func release(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: release OPERATION")
	}
	fault := ts.Value(current{}).(*setup).faults[args[0]]
	if fault == nil {
		ts.Fatalf("there is no fault of %s", args[0])
	}
	fault.Remove()
}

// wrapped writes the outcomes of a record in another way in which they are found.
func wrapped(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: wrapped detail|event|messages|logs|insights|pretty RECORD FILE")
	}
	var texts []string
	var lines []map[string]any
	var fields [][]map[string]any
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		var r struct {
			Run     string
			Outcome map[string]any
		}
		ts.Check(json.Unmarshal([]byte(line), &r))
		if args[0] != "detail" && args[0] != "event" && args[0] != "pretty" {
			texts = append(texts, line)
			lines = append(lines, map[string]any{"logStreamName": "stream", "timestamp": 1700000000000, "message": line, "eventId": "1"})
			fields = append(fields, []map[string]any{{"field": "@timestamp", "value": "2026-11-20 09:00:00.000"}, {"field": "@message", "value": line}})
			continue
		}
		if r.Outcome == nil {
			continue
		}
		r.Outcome["version"], r.Outcome["run"], r.Outcome["at"] = 1, r.Run, "2026-11-20T09:00:00Z"
		var v any = r.Outcome
		if args[0] == "event" {
			v = map[string]any{"version": "0", "id": "x", "detail-type": "Action Outcome", "source": "portcullis", "account": home, "time": "2026-11-20T09:00:00Z", "region": region, "resources": []string{}, "detail": v}
		}
		text, err := json.Marshal(v)
		if args[0] == "pretty" {
			text, err = json.MarshalIndent(v, "", "    ")
		}
		ts.Check(err)
		texts = append(texts, string(text))
	}
	out := strings.Join(texts, "\n") + "\n"
	if whole := map[string]any{"messages": texts, "logs": map[string]any{"events": lines, "searchedLogStreams": []string{}}, "insights": map[string]any{"results": fields, "status": "Complete"}}[args[0]]; whole != nil {
		text, err := json.MarshalIndent(whole, "", "    ")
		ts.Check(err)
		out = string(text)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(out), 0o600))
}

// told waits until a program has written a text into a file.
func told(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: told FILE TEXT")
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && strings.Contains(string(text), args[1]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nobody has said %q in %s", args[1], args[0])
		}
	}
}

// unwritten checks that nothing in the world was written to, and nothing was even
// tried.
func unwritten(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: unwritten")
	}
	calls := ts.Value(current{}).(*setup).world.Calls()
	if len(calls) == 0 {
		ts.Fatalf("nothing was called at all")
	}
	for _, c := range calls {
		if c.Write {
			ts.Fatalf("%s was called", c.Operation)
		}
	}
}

// current is the key of the setup of the script's last world.
type current struct{}

// whole is the key of the test that all scripts belong to.
type whole struct{}

// met waits until a fault of an operation has been met, so many times.
func met(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: met OPERATION [TIMES]")
	}
	times := 1
	if len(args) > 1 {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		times = n
	}
	fault := ts.Value(current{}).(*setup).faults[args[0]]
	if fault == nil {
		ts.Fatalf("there is no fault of %s", args[0])
	}
	for deadline := time.Now().Add(patience); fault.Count() < times; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("nobody has met the fault of %s", args[0])
		}
	}
}

type setup struct {
	world    *localaws.World
	packages *codeartifact.Service
	proton   *proton.Service
	stack    *deployment
	sts      map[string]bool               // faults of STS, which the World does not have
	faults   map[string]*localaws.Injected // by operation
}

func (s setup) line(words []string) error {
	domain, repository, _ := strings.Cut(words[min(1, len(words)-1)], "/")
	d := s.packages.Domain(home, region, domain)
	switch words[0] {
	case "repository":
		s.packages.AddDomain(home, region, domain).AddRepository(repository).Connect(words[2:]...)
	case "foreign":
		s.packages.AddDomain(foreign, region, domain).AddRepositoryOf(home, repository).Connect(words[2:]...)
	case "connect":
		d.Repository(repository).Connect(words[2:]...)
	case "upstream":
		s.packages.AddDomain(home, region, domain).AddRepository(repository).Upstream(words[2:]...)
	case "group":
		g := s.packages.AddDomain(home, region, domain).PackageGroup(words[2]).Add()
		for _, kind := range words[3:] {
			g.SetMode(codeartifact.Restriction(strings.ToUpper(kind)), codeartifact.Block)
		}
	case "inform":
		d.PackageGroup(words[2]).Inform(words[3], words[4])
	case "remove":
		if repository != "" {
			d.Repository(repository).Remove()
		} else {
			d.PackageGroup(words[2]).Remove()
		}
	case "block":
		d.PackageGroup(words[2]).SetMode(codeartifact.Restriction(strings.ToUpper(words[3])), codeartifact.Block)
	case "tag":
		d.PackageGroup(words[2]).Tag(words[3], "yes")
	case "package":
		d.AddPackage(repository, words[2], words[3], words[4])
	case "request":
		s.proton.AddConnection(proton.Request{EnvironmentAccount: words[1], ManagementAccount: words[2], EnvironmentName: words[3], Region: region})
	case "grant":
		for _, c := range s.proton.Connections(home, region) {
			c.SetStatus(proton.Connected)
		}
	case "delay":
		by, err := time.ParseDuration(words[1])
		if err != nil {
			return err
		}
		s.packages.SetConsistencyDelay(by)
	case "advance":
		by, err := time.ParseDuration(words[1])
		if err != nil {
			return err
		}
		s.world.Advance(by)
	case "retire":
		s.proton.Retire(proton.AccessDenied)
	case "fault":
		kind, known := map[string]localaws.Kind{
			"denied":    localaws.Fail(http.StatusForbidden, "AccessDeniedException", "User is not authorized to perform this action"),
			"expired":   localaws.Fail(http.StatusForbidden, "ExpiredTokenException", "The security token included in the request is expired"),
			"throttled": localaws.Fail(http.StatusTooManyRequests, "ThrottlingException", "Rate exceeded"),
			"html":      localaws.HTML(http.StatusOK),
			"hang":      localaws.Hang(),
		}[words[3]]
		switch {
		case words[1] == "sts":
			s.sts[words[3]] = true
		case !known:
			return fmt.Errorf("no fault %q", words[3])
		default:
			s.faults[words[2]] = s.world.Inject(localaws.Fault{Service: words[1], Operation: words[2], Kind: kind})
		}
	default:
		return s.stack.line(words)
	}
	return nil
}

// front answers what a person's program asks STS, and hands on the rest.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func (s setup) front() http.Handler {
	signed := regexp.MustCompile(`Credential=ASIALOCL([0-9]{12})/[0-9]{8}/[a-z0-9-]+/sts/aws4_request`)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "/sts/aws4_request") {
			s.world.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		w.Header().Set("X-Amzn-Requestid", "00000000-0000-4000-8000-000000000000")
		refuse := func(code, message string) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>`, code, message)
		}
		who := signed.FindStringSubmatch(r.Header.Get("Authorization"))
		switch {
		case s.sts["expired"]:
			refuse("ExpiredToken", "The security token included in the request is expired")
		case who == nil:
			refuse("InvalidClientTokenId", "The security token included in the request is invalid.")
		default:
			fmt.Fprintf(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>`+
				`<Arn>arn:aws:iam::%s:user/somebody</Arn><UserId>AIDA</UserId><Account>%s</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, who[1], who[1])
		}
	})
}

// calls are those that the world has seen, if there is one.
func (s setup) calls() []localaws.Call {
	if s.world == nil {
		return nil
	}
	return s.world.Calls()
}

// exits runs a program, and checks the very status that it ends with, and that the
// rights on the page let it do what it did.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGUMENT...")
	}
	status := 0
	before := ts.Value(current{}).(*setup).calls()
	defer func() { within(ts, args[2:], ts.Value(current{}).(*setup).calls()[len(before):]) }()
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			ts.Fatalf("running %s: %v", args[1], err)
		}
		status = ended.ExitCode()
	}
	if want, err := strconv.Atoi(args[0]); err != nil || status != want {
		ts.Fatalf("exit status %d, want %s", status, args[0])
	}
}

// scrubbed copies what was printed, without what differs from run to run.
func scrubbed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: scrubbed stdout|stderr FILE")
	}
	text := ts.ReadFile(args[0])
	for _, differs := range [][2]string{
		{`RequestID: [0-9a-f-]{36}`, "RequestID: ID"},
		{`127\.0\.0\.1:[0-9]+`, "127.0.0.1:PORT"},
		{`"hash": "[0-9a-f]{64}"`, `"hash": "HASH"`},
		{`"tool": "[^"]*"`, `"tool": "TOOL"`},
		{`portcullis-(apply|undo)-[0-9]{8}T[0-9.]+Z`, "portcullis-$1-TIME"},
		{` on [-0-9]{10} [:0-9]{8} UTC, by run `, " on TIME, by run "},
		{`Probable clock skew error: `, ""},
		{`"timestamp":"[^"]*"`, `"timestamp":"TIME"`},
		{`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f-]{4,22}\b`, "ID"},
	} {
		text = regexp.MustCompile(differs[0]).ReplaceAllString(text, differs[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

// emptyHome keeps the scripts from the configuration and the credentials of whoever
// runs them.
func emptyHome(e *testscript.Env) error {
	e.Setenv("HOME", e.WorkDir)
	e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	e.Values[current{}] = new(setup)
	return nil
}
