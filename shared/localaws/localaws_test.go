package localaws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/witness"
)

const (
	account   = "111122223333"
	other     = "444455556666"
	region    = "eu-central-1"
	describe  = "GET /v1/repository?domain=corp&repository=store"
	associate = "POST /v1/repository/external-connection?domain=corp&repository=store&external-connection=public:npmjs"
)

func start() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

// newWorld returns a World with one repository, corp/store.
func newWorld(t *testing.T) (*localaws.World, codeartifact.Repository) {
	t.Helper()
	w, err := localaws.New(start())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	return w, codeartifact.New(w).AddDomain(account, region, "corp").AddRepository("store")
}

// An answer is what a client saw; err says what went wrong with the connection, if anything did.
type answer struct {
	status int
	code   string
	header http.Header
	body   string
	err    error
}

// send makes a request, such as describe, over a connection of its own and follows no redirect.
func send(ctx context.Context, w *localaws.World, account, line string) answer {
	r := request(ctx, w, account, line)
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header.Get("X-Amzn-ErrorType"), resp.Header, string(body), err}
}

func request(ctx context.Context, w *localaws.World, account, line string) *http.Request {
	method, uri, _ := strings.Cut(line, " ")
	r, err := http.NewRequestWithContext(ctx, method, w.URL()+uri, http.NoBody)
	if err != nil {
		panic(err) // the lines are constants
	}
	r.Header.Set("User-Agent", "test")
	r.Header.Set("Authorization", authorization(w.Account(account).AccessKeyID, "codeartifact"))
	return r
}

func authorization(key, service string) string {
	return "AWS4-HMAC-SHA256 Credential=" + key + "/20261120/" + region + "/" + service +
		"/aws4_request, SignedHeaders=host, Signature=0"
}

func TestTheCallerIsWhoTheKeyBelongsTo(t *testing.T) {
	w, _ := newWorld(t)
	known := w.Account(account).AccessKeyID
	for _, test := range []struct {
		name, authorization string
		status              int
		code                string
	}{
		{"a known key", authorization(known, "codeartifact"), 200, ""},
		{"an unknown key", authorization("ASIALOCL999999999999", "codeartifact"), 403, "UnrecognizedClientException"},
		{"no signature", "", 403, "MissingAuthenticationTokenException"},
		{"another kind of signature", "Bearer " + known, 400, "IncompleteSignatureException"},
		{"half a credential", "AWS4-HMAC-SHA256 Credential=" + known + "/20261120, Signature=0", 400, "IncompleteSignatureException"},
		{"a service that did not join", authorization(known, "proton"), 404, "UnknownOperationException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := request(t.Context(), w, account, describe)
			r.Header.Set("Authorization", test.authorization)
			recorder := httptest.NewRecorder() // the World is a handler, too
			w.ServeHTTP(recorder, r)
			if got := recorder.Result(); got.StatusCode != test.status || got.Header.Get("X-Amzn-ErrorType") != test.code {
				t.Errorf("got %d %s", got.StatusCode, got.Header.Get("X-Amzn-ErrorType"))
			}
		})
	}
}

func TestOnlyAdvanceMovesTheClock(t *testing.T) {
	w, _ := newWorld(t)
	const morning = "Fri, 20 Nov 2026 12:00:00 GMT"
	for range 2 {
		if got := send(t.Context(), w, account, describe).header.Get("Date"); got != morning {
			t.Errorf("the date is %s, not %s", got, morning)
		}
	}
	w.Advance(36 * time.Hour)
	if got := send(t.Context(), w, account, describe).header.Get("Date"); got != "Sun, 22 Nov 2026 00:00:00 GMT" {
		t.Errorf("the date is %s", got)
	}
	if got := w.Now(); !got.Equal(start().Add(36 * time.Hour)) {
		t.Errorf("the clock stands at %v", got)
	}
}

func TestTheJournalHasEveryCall(t *testing.T) {
	w, _ := newWorld(t)
	var heard []string
	w.OnCall(func(c localaws.Call) { heard = append(heard, c.Operation+" at "+w.Now().Format(time.TimeOnly)) })

	send(t.Context(), w, account, describe)
	w.Advance(time.Minute)
	done := send(t.Context(), w, account, associate)
	send(t.Context(), w, account, associate) // refused by the service
	send(t.Context(), w, other, associate)
	w.Inject(localaws.Fault{Kind: localaws.Fail(500, "InternalServerException", "")})
	send(t.Context(), w, account, associate) // never gets there

	input := map[string]any{"domain": "corp", "repository": "store"}
	write := localaws.Call{
		Time: start().Add(time.Minute), RequestID: "00000000-0000-4000-8000-000000000002",
		Account: account, Region: region, Service: "codeartifact", Operation: "AssociateExternalConnection", UserAgent: "test",
		Input: map[string]any{"domain": "corp", "repository": "store", "externalConnection": "public:npmjs"},
		Write: true, Executed: true, Changed: true, Status: 200,
	}
	write.Output = json.RawMessage(done.body)
	refused := write
	refused.RequestID, refused.Changed, refused.Status = "00000000-0000-4000-8000-000000000003", false, 400
	refused.ErrorCode, refused.Output = "ValidationException", nil
	denied := refused
	denied.RequestID, denied.Account = "00000000-0000-4000-8000-000000000004", other
	denied.Status, denied.ErrorCode = 404, "ResourceNotFoundException"
	failed := refused
	failed.RequestID, failed.Executed = "00000000-0000-4000-8000-000000000005", false
	failed.Status, failed.ErrorCode = 500, "InternalServerException"
	want := []localaws.Call{
		{
			Time: start(), RequestID: "00000000-0000-4000-8000-000000000001",
			Account: account, Region: region, Service: "codeartifact", Operation: "DescribeRepository", UserAgent: "test",
			Input: input, Executed: true, Status: 200,
		},
		write, refused, denied, failed,
	}
	if diff := cmp.Diff(want, w.Calls()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[1:4], w.Writes()); diff != "" {
		t.Error(diff)
	}
	if len(heard) != 5 || heard[1] != "AssociateExternalConnection at 12:01:00" {
		t.Errorf("the subscriber heard %q", heard)
	}
}

func TestAnAnswerWaitsForTheLatency(t *testing.T) {
	w, repository := newWorld(t)
	w.SetLatency(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.OnCall(func(localaws.Call) { cancel() }) // after the effect, before the answer
	if got := send(ctx, w, account, associate); !errors.Is(got.err, context.Canceled) {
		t.Errorf("got %d and %v, not a client that gave up", got.status, got.err)
	}
	if len(repository.Connections()) != 1 {
		t.Error("the latency came before the effect")
	}
	w.SetLatency(20 * time.Millisecond)
	before := time.Now()
	if got := send(t.Context(), w, account, describe); got.status != 200 || time.Since(before) < 20*time.Millisecond {
		t.Errorf("got %d after %v", got.status, time.Since(before))
	}
}

func TestThrottlingIsPerAccountAndKind(t *testing.T) {
	w, _ := newWorld(t)
	const never = 1e-9 // a second: no token comes back during the test
	w.SetThrottle(localaws.Rate{PerSecond: never, Burst: 2}, localaws.Rate{PerSecond: never, Burst: 1})
	for _, test := range []struct {
		name, account, line string
		status              int
	}{
		{"the first read", account, describe, 200},
		{"the second read", account, describe, 200},
		{"the third read", account, describe, 429},
		{"the first write", account, associate, 200},
		{"the second write", account, associate, 429},
		{"another account", other, describe, 404},
	} {
		got := send(t.Context(), w, test.account, test.line)
		if got.status != test.status {
			t.Errorf("%s: got %d %s", test.name, got.status, got.code)
		}
		if got.status == 429 && (got.code != "ThrottlingException" || got.header.Get("Retry-After") != "1") {
			t.Errorf("%s: got %s, Retry-After %q", test.name, got.code, got.header.Get("Retry-After"))
		}
	}
	if n := len(w.Writes()); n != 1 {
		t.Errorf("%d writes were executed", n)
	}
	w.SetThrottle(localaws.Rate{PerSecond: 1e9, Burst: 1}, localaws.Rate{})
	for range 3 {
		if got := send(t.Context(), w, account, describe); got.status != 200 {
			t.Errorf("a bucket that fills at once gave %d", got.status)
		}
	}
}

func TestAFaultBeforeTheOperationKeepsItFromRunning(t *testing.T) {
	for _, test := range []struct {
		name string
		kind localaws.Kind
		want string // status, error type and body
		err  error
	}{
		{"an error", localaws.Fail(409, "ConflictException", "busy"), `409 ConflictException {"message":"busy"}`, nil},
		{"an untyped error", localaws.Fail(429, "", "slow down"), `429  {"message":"slow down"}`, nil},
		{"a page", localaws.HTML(200), "200  <html><body><h1>OK</h1></body></html>", nil},
		{"nothing in the body", localaws.Body(200, ""), "200  ", nil},
		{"an empty object", localaws.Body(200, "{}"), "200  {}", nil},
		{"a redirect", localaws.Redirect("http://127.0.0.1:1/"), "307  ", nil},
		{"a reset", localaws.Reset(), "0  ", syscall.ECONNRESET},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, repository := newWorld(t)
			w.Inject(localaws.Fault{Kind: test.kind})
			got := send(t.Context(), w, account, associate)
			if text := fmt.Sprintf("%d %s %s", got.status, got.code, got.body); text != test.want || !errors.Is(got.err, test.err) {
				t.Errorf("got %q and %v", text, got.err)
			}
			if _, typed := got.header["X-Amzn-Errortype"]; typed != (got.code != "") {
				t.Error("there is an error type, but an empty one")
			}
			if repository.Connections() != nil || len(w.Writes()) != 0 {
				t.Error("the operation ran")
			}
			if call := w.Calls()[0]; call.Status != got.status || call.ErrorCode != got.code {
				t.Errorf("the journal has %d %s", call.Status, call.ErrorCode)
			}
		})
	}
}

func TestAFaultAfterTheOperationSpoilsOnlyTheAnswer(t *testing.T) {
	w, repository := newWorld(t)
	w.Inject(localaws.Fault{When: localaws.After, Kind: localaws.Reset()})
	if got := send(t.Context(), w, account, associate); !errors.Is(got.err, syscall.ECONNRESET) {
		t.Errorf("got %d and %v", got.status, got.err)
	}
	if len(repository.Connections()) != 1 {
		t.Error("the effect is not there")
	}
	if writes := w.Writes(); len(writes) != 1 || !writes[0].Changed || writes[0].Status != 0 {
		t.Errorf("the journal has %+v", writes)
	}
}

func TestAFaultCanSpoilTheServicesOwnAnswer(t *testing.T) {
	w, _ := newWorld(t)
	whole := send(t.Context(), w, account, describe)
	if whole.status != 200 || len(whole.body) < 100 {
		t.Fatalf("got %d %s", whole.status, whole.body)
	}
	half := whole.body[:len(whole.body)/2]
	for _, test := range []struct {
		name string
		kind localaws.Kind
		body string
		err  error
		date string
	}{
		{"half of it", localaws.Truncate(), half, io.ErrUnexpectedEOF, "Fri, 20 Nov 2026 12:00:00 GMT"},
		{"seven bytes of it", localaws.Cut(7), whole.body[:7], io.ErrUnexpectedEOF, "Fri, 20 Nov 2026 12:00:00 GMT"},
		{"no more bytes than there are", localaws.Cut(1 << 20), whole.body, nil, "Fri, 20 Nov 2026 12:00:00 GMT"},
		{"half of it in chunks", localaws.TruncateChunked(), half, io.ErrUnexpectedEOF, "Fri, 20 Nov 2026 12:00:00 GMT"},
		{"byte by byte", localaws.Drip(time.Microsecond), whole.body, nil, "Fri, 20 Nov 2026 12:00:00 GMT"},
		{"far too much", localaws.Pad(3), strings.Repeat(" ", 3<<20) + whole.body, nil, "Fri, 20 Nov 2026 12:00:00 GMT"},
		{"without a date", localaws.NoDate(), whole.body, nil, ""},
		{"with a date of choice", localaws.Date("yesterday"), whole.body, nil, "yesterday"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fault := w.Inject(localaws.Fault{Kind: test.kind})
			defer fault.Remove()
			got := send(t.Context(), w, account, describe)
			if got.status != 200 || got.body != test.body || !errors.Is(got.err, test.err) {
				t.Errorf("got %d, %d bytes and %v", got.status, len(got.body), got.err)
			}
			if date := got.header.Get("Date"); date != test.date {
				t.Errorf("the date is %q", date)
			}
		})
	}
}

func TestAFaultChoosesItsCalls(t *testing.T) {
	w, _ := newWorld(t)
	for _, test := range []struct {
		name  string
		fault localaws.Fault
		want  bool
	}{
		{"every call", localaws.Fault{}, true},
		{"this service", localaws.Fault{Service: "codeartifact"}, true},
		{"another service", localaws.Fault{Service: "events"}, false},
		{"this operation", localaws.Fault{Operation: "DescribeRepository"}, true},
		{"another operation", localaws.Fault{Operation: "DescribeDomain"}, false},
		{"this account", localaws.Fault{Account: account}, true},
		{"another account", localaws.Fault{Account: other}, false},
		{"this input", localaws.Fault{Match: func(in map[string]any) bool { return in["repository"] == "store" }}, true},
		{"another input", localaws.Fault{Match: func(in map[string]any) bool { return in["repository"] == "base" }}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.fault.Kind = localaws.Fail(500, "InternalServerException", "")
			fault := w.Inject(test.fault)
			defer fault.Remove()
			if got := send(t.Context(), w, account, describe).status == 500; got != test.want {
				t.Errorf("struck: %t", got)
			}
		})
	}
}

func TestAFaultSkipsAndEnds(t *testing.T) {
	w, _ := newWorld(t)
	first := w.Inject(localaws.Fault{Skip: 1, Times: 2, Kind: localaws.Fail(500, "InternalServerException", "")})
	second := w.Inject(localaws.Fault{Kind: localaws.Fail(503, "ServiceUnavailable", "")})
	var got []int
	for range 4 {
		got = append(got, send(t.Context(), w, account, describe).status)
	}
	second.Remove()
	got = append(got, send(t.Context(), w, account, describe).status)
	if diff := cmp.Diff([]int{503, 500, 500, 503, 200}, got); diff != "" {
		t.Error(diff)
	}
	if first.Count() != 2 || second.Count() != 2 {
		t.Errorf("the counts are %d and %d", first.Count(), second.Count())
	}
}

func TestSomebodyElseActsMeanwhile(t *testing.T) {
	for when, want := range map[localaws.When]bool{localaws.Before: true, localaws.After: false} {
		w, repository := newWorld(t)
		w.Inject(localaws.Fault{When: when, Kind: localaws.Meanwhile(func() { repository.Connect("public:pypi") })})
		got := send(t.Context(), w, account, describe)
		if got.status != 200 || strings.Contains(got.body, "public:pypi") != want {
			t.Errorf("when %d: got %d %s", when, got.status, got.body)
		}
		if repository.Connections() == nil {
			t.Errorf("when %d: it did not happen", when)
		}
	}
}

func TestACallHangsUntilItIsLetGo(t *testing.T) {
	w, _ := newWorld(t)
	arrived := make(chan struct{})
	fault := w.Inject(localaws.Fault{
		Match: func(map[string]any) bool { defer close(arrived); return true }, Times: 1, Kind: localaws.Hang()})
	answered := make(chan answer)
	go func() { answered <- send(context.Background(), w, account, associate) }()
	<-arrived
	if len(w.Writes()) != 0 {
		t.Error("it did not hang before the operation")
	}
	fault.Remove()
	if got := <-answered; got.status != 200 || len(w.Writes()) != 1 {
		t.Errorf("got %d and %v after %d writes", got.status, got.err, len(w.Writes()))
	}
}

func TestACallHangsUntilItsClientGoes(t *testing.T) {
	w, repository := newWorld(t)
	ended := make(chan localaws.Call)
	w.OnCall(func(c localaws.Call) { ended <- c })
	ctx, cancel := context.WithCancel(t.Context())
	w.Inject(localaws.Fault{Match: func(map[string]any) bool { cancel(); return true }, Kind: localaws.Hang()})
	if got := send(ctx, w, account, associate); !errors.Is(got.err, context.Canceled) {
		t.Errorf("got %d and %v", got.status, got.err)
	}
	if call := <-ended; call.Executed || call.Status != 0 || repository.Connections() != nil {
		t.Errorf("the journal has %+v", call)
	}
}

// A call goes on without its client, and Idle waits for what becomes of it.
func TestACallTakesEffectWithoutItsClient(t *testing.T) {
	t.Parallel()
	w, store := newWorld(t)
	ctx, leave := context.WithCancel(t.Context())
	goesOn := make(chan struct{})
	w.Inject(localaws.Fault{Kind: localaws.Meanwhile(func() { leave(); <-goesOn })})
	if a := send(ctx, w, account, associate); a.err == nil {
		t.Errorf("an answer for a client that is gone: %+v", a)
	}
	time.AfterFunc(50*time.Millisecond, func() { close(goesOn) })
	w.Idle()
	if got := store.Connections(); len(got) != 1 {
		t.Errorf("connections %q, want one", got)
	}
}

func TestCloseWaitsForNobody(t *testing.T) {
	for name, kind := range map[string]localaws.Kind{
		"who hangs":            localaws.Hang(),
		"who drips":            localaws.Drip(time.Hour),
		"who never comes back": localaws.Meanwhile(func() { select {} }),
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := newWorld(t)
			arrived := make(chan struct{})
			w.Inject(localaws.Fault{Match: func(map[string]any) bool { close(arrived); return true }, Kind: kind})
			answered := make(chan answer)
			go func() { answered <- send(context.Background(), w, account, describe) }()
			<-arrived
			w.Close()
			if got := <-answered; got.err == nil {
				t.Errorf("got a whole answer, %d", got.status)
			}
		})
	}
}

func TestCloseEndsWhatServicesStarted(t *testing.T) {
	w, _ := newWorld(t)
	var ended []string
	w.OnClose(func() { ended = append(ended, "first") })
	w.OnClose(func() { ended = append(ended, "second") })
	w.Close()
	w.Close()
	if diff := cmp.Diff([]string{"second", "first"}, ended); diff != "" {
		t.Error(diff)
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	w, repository := newWorld(t)
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			for range 10 {
				w.Advance(time.Second)
				send(t.Context(), w, account, associate)
				w.Inject(localaws.Fault{Times: 1, Kind: localaws.Fail(500, "", "")}).Remove()
				w.SetLatency(time.Duration(i))
				w.Now()
				w.Calls()
			}
		})
	}
	clients.Wait()
	changes := 0
	for _, call := range w.Writes() {
		if call.Changed {
			changes++
		}
	}
	if len(w.Calls()) != 80 || changes != 1 || len(repository.Connections()) != 1 || !w.Now().Equal(start().Add(80*time.Second)) {
		t.Errorf("%d calls, %d changes, %v", len(w.Calls()), changes, w.Now())
	}
}
