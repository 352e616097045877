package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"portcullis/shared/awsio"
	"portcullis/shared/externalconn"
	"portcullis/shared/localaws"
	"portcullis/shared/packagegroup"
	"portcullis/shared/packageorigin"
	"portcullis/shared/protonconn"
)

// The controls, by the names of their functions.
const (
	connections = "external-connections"
	groups      = "package-groups"
	origins     = "package-origins"
	accounts    = "proton-connections"
)

var controls = []string{connections, groups, origins, accounts}

// A fault is what goes wrong in a run, from one of its calls on.
type fault struct {
	At    int // number of the call, from 1, among those of its class
	Among class
	Kind  int  // among kinds
	After bool // the call took effect before
	Lasts lasting
	Step  step // what somebody does at that moment, if the kind is meanwhile

	Beside *move // the other run that begins at that moment, if the kind is anotherRun
	Ahead  int   // so many of its calls come before any other of this run
}

// class is what calls a fault counts.
type class int

const (
	anyCall class = iota
	aWrite
	aPage // a page of a list after its first
	aTree // the first page of a list of all package groups
)

type lasting int

const (
	once      lasting = iota
	operation         // every call of the same operation from then on
	all               // every call from then on
)

// kind is one way in which a call goes wrong.
type kind struct {
	name  string
	of    localaws.Kind
	sound bool // the answer is what the service said

	refusal bool // AWS says that it did nothing, so it did nothing
	late    bool // AWS says that it did nothing, and did it
}

const (
	meanwhile    = "meanwhile"
	anotherRun   = "another run"
	betweenPages = "meanwhile, between two pages"
	noDate       = "no date"
	killed       = "killed"
	hangs        = "hangs"
	silent       = "log fails"
)

var kinds = []kind{
	{name: meanwhile, sound: true}, // somebody is quicker
	{name: meanwhile, sound: true},
	{name: meanwhile, sound: true},
	{name: anotherRun, sound: true},
	{name: killed},
	{name: killed},
	{name: hangs},
	{name: silent, sound: true}, // what the run writes down from then on is refused
	{name: "throttled", of: localaws.Fail(429, "ThrottlingException", "Rate exceeded"), refusal: true},
	{name: "throttled without a type", of: localaws.Fail(429, "", "slow down"), refusal: true},
	{name: "500", of: localaws.Fail(500, "InternalServerException", "oops")},
	{name: "503 of a proxy", of: localaws.HTML(503)},
	{name: "reset", of: localaws.Reset()},
	{name: "truncated", of: localaws.Truncate()},
	{name: "truncated chunk", of: localaws.TruncateChunked()},
	{name: "empty body", of: localaws.Body(200, "")},
	{name: "{}", of: localaws.Body(200, "{}")},
	{name: "null", of: localaws.Body(200, "null")},
	{name: "foreign body", of: localaws.Body(200, `{"assets":[],"package":"x"}`)},
	{name: "a page", of: localaws.HTML(200)},
	{name: "redirect", of: localaws.Redirect("http://192.0.2.1/")},
	{name: "access denied", of: localaws.Fail(403, "AccessDeniedException", "no"), refusal: true},
	{name: "credentials expired", of: localaws.Fail(403, "ExpiredTokenException", "The security token included in the request is expired"), refusal: true},
	{name: "not found", of: localaws.Fail(404, "ResourceNotFoundException", "no"), refusal: true},
	{name: "conflict", of: localaws.Fail(409, "ConflictException", "busy"), refusal: true},
	{name: "not found, although it was done", of: localaws.Fail(404, "ResourceNotFoundException", "no"), late: true},
	{name: "conflict, although it was done", of: localaws.Fail(409, "ConflictException", "busy"), late: true},
	{name: "not valid, although it was done", of: localaws.Fail(400, "ValidationException", "no"), late: true},
	{name: noDate, of: localaws.NoDate(), sound: true},
}

// invoker is what Lambda calls.
type invoker interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

// process is one sandbox of a function, which serves one run after another until it
// is killed.
type process struct {
	stage   *stage
	judged  *rules // what its runs are judged by: the policy is the one that it started with
	handler invoker
	run     *record // the run that is under way

	mu     sync.Mutex
	faults []fault
	lasts  map[string]fault // by operation, or "" for all
	calls  map[class]int

	old    map[string]func(*http.Request) *http.Response // answers to reads, by what was asked
	cancel context.CancelFunc
	dead   bool
	mute   bool
}

// start starts a function. Everything that it sends goes by the process.
func (s *stage) start(control string) (*process, error) {
	p := &process{stage: s, judged: s.judged}
	env := s.environment(control)
	getenv := func(name string) string { return env[name] }
	var a *awsio.AWS
	var err error
	switch control {
	case connections:
		var h *externalconn.Handler
		if h, err = externalconn.New(getenv, p); err == nil {
			p.handler, a = h, h.AWS
		}
	case groups:
		var h *packagegroup.Handler
		if h, err = packagegroup.New(getenv, p); err == nil {
			p.handler, a = h, h.AWS
		}
	case origins:
		var h *packageorigin.Handler
		if h, err = packageorigin.New(getenv, p); err == nil {
			p.handler, a = h, h.AWS
		}
	case accounts:
		var h *protonconn.Handler
		if h, err = protonconn.New(getenv, p); err == nil {
			p.handler, a = h, h.AWS
		}
	}
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", control, err)
	}
	// Package awsio lets nobody choose its transport, and should not for a test. A
	// transport takes another one for a scheme, so what is around it stays as it is.
	transport := reflect.ValueOf(a.Events().HTTPClient).FieldByName("transport").UnsafePointer()
	(*http.Transport)(transport).RegisterProtocol("http", p)
	return p, nil
}

// record is all there is to know of one run.
type record struct {
	Run     string
	Control string
	Account string // the one that is looked at
	Mode    string
	Subject string // what the event is about; empty for a sweep
	Rules   *rules
	Undo    bool // somebody undoes what it did
	Batch   []message
	Reply   []byte

	Calls   []*call
	Lines   []said
	States  []*state // at the start, and after each change
	Killed  bool
	Mute    bool // its log failed
	Err     error
	Faults  map[string]int
	Deeds   []string // what others did meanwhile
	Outside []int    // the states that somebody else brought about, another run among them
	Crossed bool     // another run changed something before it was over
}

// call is one call of a run, as it was served.
type call struct {
	localaws.Call
	of     *record
	Fault  string
	Sound  bool // what came back is what the service said
	Effect int  // the state that it brought about, or 0
	Before int  // the state when it came
	Key    string
	Next   string // token of the page after the one that it answered, if there is one
}

// said is one line that a run wrote.
type said struct {
	At   int // so many calls had been made
	Text json.RawMessage
	Line logLine
}

// logLine has the fields of lines that are looked at.
type logLine struct {
	Msg     string `json:"message"`
	Action  *action
	Outcome *action
	Finding *struct{ ID, Account, Resource, Subject, Verdict, Code, Reason string }
	Summary *summary
	Detail  *action
}

type summary struct {
	Complete, LimitExceeded, Gone bool
	Ignored                       string
	Looked, Wanted, Allowed       int
}

// action is an intent or an outcome.
type action struct {
	ID, Resource, Subject, Owner, Domain string
	Status, Code, Detail                 string
	Call                                 apiCall
	Undo                                 []apiCall
	Before                               json.RawMessage
}

type apiCall struct {
	Service, Operation string
	Input              json.RawMessage
}

// Write takes down a line of the log.
func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.run == nil || p.dead:
		return len(text), nil // nobody hears it
	case p.mute:
		return 0, errors.New("the log takes nothing any more")
	}
	l := said{At: len(p.run.Calls), Text: append(json.RawMessage{}, text...)}
	if p.stage.broken.line != nil {
		if l.Text = json.RawMessage(p.stage.broken.line(string(text))); len(l.Text) == 0 {
			return len(text), nil
		}
	}
	if err := json.Unmarshal(l.Text, &l.Line); err != nil {
		l.Line.Msg = "unreadable: " + err.Error()
	}
	p.run.Lines = append(p.run.Lines, l)
	return len(text), nil
}

// RoundTrip is the network under a run.
func (p *process) RoundTrip(req *http.Request) (*http.Response, error) {
	key, again, err := keyOf(req)
	if err != nil {
		return nil, err
	}
	run := p.underWay()
	if run == nil {
		return nil, errKilled
	}
	line := p.stage.line
	if err := line.wait(req.Context(), run.Run, key, again); err != nil {
		return nil, err
	}
	defer line.rest()
	if p.underWay() != run {
		return nil, errKilled
	}
	if answer := p.old[key]; answer != nil && p.stage.broken.replay {
		return answer(req), nil
	}
	c, met := p.next(req, key, again)
	var f *fault
	happen := func(after bool) error {
		for i, m := range met {
			switch name := kinds[m.Kind].name; {
			case name != meanwhile && name != anotherRun:
				f = &met[i]
			case m.After != after:
			case name == anotherRun:
				if !p.stage.begin(m) {
					continue
				}
				run.Faults[name]++
				// Once everything is at rest again, it is for the line to say who goes on.
				if err := line.wait(req.Context(), run.Run, key, again); err != nil {
					return err
				}
				if p.underWay() != run {
					return errKilled
				}
			default:
				if m.Among == aPage {
					name = betweenPages
				}
				run.Faults[name]++
				p.stage.meanwhile(run, m.Step)
			}
		}
		return nil
	}
	if err := happen(false); err != nil {
		return nil, err
	}
	c.Before = len(run.States) - 1
	resp, err := p.meet(req, c, f)
	if lost := happen(true); lost != nil {
		return nil, lost
	}
	return resp, err
}

// meet serves a call that is met by a fault, or by none.
func (p *process) meet(req *http.Request, c *call, f *fault) (*http.Response, error) {
	if f == nil {
		return p.serve(req, c)
	}
	k := kinds[f.Kind]
	c.Fault, c.Sound = k.name, k.sound
	p.run.Faults[k.name]++
	switch {
	case (k.name == killed || k.name == hangs) && f.After:
		if _, err := p.serve(req, c); err != nil {
			return nil, err
		}
		return nil, p.lose(req, k)
	case k.name == killed || k.name == hangs:
		return nil, p.lose(req, k)
	case k.name == silent:
		p.mu.Lock()
		p.mute, p.run.Mute = true, true
		p.mu.Unlock()
		return p.serve(req, c)
	}
	when := localaws.Before
	if f.After && !k.refusal || k.late {
		when = localaws.After
	}
	injected := p.stage.world.Inject(localaws.Fault{Times: 1, When: when, Kind: k.of})
	defer injected.Remove()
	return p.serve(req, c)
}

func (p *process) lose(req *http.Request, k kind) error {
	if k.name == hangs {
		<-req.Context().Done()
		return errHung
	}
	p.mu.Lock()
	p.dead, p.run.Killed = true, true
	p.mu.Unlock()
	p.cancel()
	return errKilled
}

// underWay is the run that is served; nil if the process is not there any more.
func (p *process) underWay() *record {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return nil
	}
	return p.run
}

// writing is the calls that write.
var writing = []string{
	"DELETE/v1/repository/external-connection", "DELETE/v1/package-group", "POST/v1/tag", "POST/v1/untag",
	"POST/AwsProton20200720.RejectEnvironmentAccountConnection", "POST/AwsProton20200720.DeleteEnvironmentAccountConnection",
}

// next numbers a call, and says what it is met by. What is tried again has no number:
// how often that is depends on delays that are random.
func (p *process) next(req *http.Request, key string, again bool) (*call, []fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &call{of: p.run, Sound: true, Before: len(p.run.States) - 1, Key: key}
	p.run.Calls = append(p.run.Calls, c)
	name := req.Method + req.URL.Path + req.Header.Get("X-Amz-Target")
	writes := slices.Contains(writing, name)
	var met []fault
	if !again {
		is := map[class]bool{anyCall: true, aWrite: writes, aPage: strings.Contains(key, "next-token=") || strings.Contains(key, `"nextToken"`)}
		is[aTree] = name == "POST/v1/package-groups" && !is[aPage]
		for among, yes := range is {
			if yes {
				p.calls[among]++
			}
		}
		for _, f := range p.faults {
			if !is[f.Among] || f.At != p.calls[f.Among] {
				continue
			}
			switch f.Lasts {
			case operation:
				p.lasts[name] = f
			case all:
				p.lasts[""] = f
			case once:
				met = append(met, f)
			}
		}
	}
	for _, of := range []string{"", name} {
		if f, ok := p.lasts[of]; ok {
			met = append(met, f)
		}
	}
	return c, met
}

func (p *process) serve(req *http.Request, c *call) (*http.Response, error) {
	p.stage.serving = c
	defer func() { p.stage.serving = nil }()
	resp, err := direct{p.stage.world}.RoundTrip(req)
	if b := p.stage.broken; err == nil && (b.replay || b.answer != nil) {
		return p.change(req, c, resp)
	}
	return resp, err
}

// heard is told of every call that is served, when its effect is there.
func (s *stage) heard(c localaws.Call) {
	if c.Principal == "" || s.serving == nil || s.serving.Operation != "" {
		return
	}
	s.serving.Call = c
	if c.Changed && (c.Service == "codeartifact" || c.Service == "proton") {
		s.changed(s.serving)
	}
}

// changed takes down what is there now: for the run whose call did that, if it was one,
// and for all others as what somebody else did.
func (s *stage) changed(by *call) {
	now := s.look()
	for _, r := range s.running {
		r.States = append(r.States, now)
		if at := len(r.States) - 1; by != nil && by.of == r {
			by.Effect = at
		} else {
			r.Outside = append(r.Outside, at)
			r.Crossed = r.Crossed || by != nil
		}
	}
}

// answered is told of what a service itself answers.
func (s *stage) answered(c localaws.Call, body []byte) {
	if c.Principal == "" || s.serving == nil || c.Write {
		return
	}
	var page struct{ NextToken string }
	if json.Unmarshal(body, &page) == nil { // what is not JSON is no list
		s.serving.Next = page.NextToken
	}
}

// meanwhile has somebody do something between two calls of a run.
// It often concerns what the run is at.
func (s *stage) meanwhile(r *record, what step) {
	for _, l := range slices.Backward(r.Lines) {
		if what.D%4 == 0 {
			break
		}
		if l.Line.Action != nil {
			s.aim = l.Line.Action.Resource
			break
		}
		if l.Line.Finding != nil {
			s.aim = l.Line.Finding.Resource
			break
		}
	}
	r.Deeds = append(r.Deeds, what.do(s))
	s.aim = ""
	s.changed(nil)
}

// invoke has a function run, with the run that begins beside it if there is one.
func (s *stage) invoke(r *record, payload string, m move) ([]*record, error) {
	s.line, s.running, s.failed = newLine(m.Order), nil, nil
	s.perform(r, payload, m, r.Control)
	s.others.Wait()
	s.line.close()
	both := s.running
	s.line, s.running = nil, nil
	// A call for credentials outlives the run that needed it. Between runs it reaches
	// nobody, and a minute later it has given up.
	time.Sleep(time.Minute)
	return both, s.failed
}

// begin lets another run begin, and says whether it did. It is in a process of its own,
// and one run has one beside it at most.
func (s *stage) begin(f fault) bool {
	if f.Beside == nil || len(s.running) > 1 {
		return false
	}
	r, payload := s.open(*f.Beside)
	if r == nil {
		return false
	}
	s.others.Add(1)
	s.line.prefer(fmt.Sprintf("run-%d", s.runs+1), f.Ahead)
	go func() {
		defer s.others.Done()
		s.perform(r, payload, *f.Beside, r.Control+", beside another")
	}()
	return true
}

// perform has a function run in the process of that name, if there is one.
func (s *stage) perform(r *record, payload string, m move, name string) {
	s.runs++
	r.Run = fmt.Sprintf("run-%d", s.runs)
	r.Faults, r.States = map[string]int{}, []*state{s.look()}
	s.running = append(s.running, r)
	p := s.processes[name]
	if p == nil {
		var err error
		if p, err = s.start(r.Control); err != nil {
			s.failed = err
			return
		}
		s.processes[name] = p
	}
	ctx, cancel := context.WithTimeout(lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: r.Run}), m.Time)
	defer cancel()
	r.Rules, r.Mode = p.judged, p.judged.modes[r.Control]
	p.mu.Lock()
	p.run, p.faults, p.lasts, p.cancel, p.mute, p.calls, p.old = r, m.Faults, map[string]fault{}, cancel, false, map[class]int{}, map[string]func(*http.Request) *http.Response{}
	p.mu.Unlock()
	r.Reply, r.Err = p.handler.Invoke(ctx, []byte(payload))
	if s.broken.reply != nil {
		r.Reply, r.Err = s.broken.reply(r.Reply, r.Err)
	}
	p.mu.Lock()
	p.run = nil
	p.mu.Unlock()
	if r.Killed {
		r.Err = errKilled
		delete(s.processes, name)
	}
}

// String is a call in a story.
func (c *call) String() string {
	text := c.Operation
	if c.Fault != "" {
		text += " [" + c.Fault + "]"
	}
	return strings.TrimSpace(text)
}
