package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/lambda"
	"portcullis/shared/localaws/witness"
)

const (
	account = "111122223333"
	region  = "eu-central-1"
	arn     = "arn:aws:lambda:eu-central-1:111122223333:function:probe"
)

// answer is what internal/probe returns.
type answer struct {
	Text, RequestID, ARN string
	Deadline             time.Time
	Env                  []string
	PID                  int
}

func TestFunction(t *testing.T) {
	binary := build(t)
	// start runs the probe in a World of its own, changed as the test likes.
	start := func(t *testing.T, change func(*lambda.Function)) (*localaws.World, *lambda.Running) {
		w, err := localaws.New(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Close)
		witness.Watch(t, w)
		function := lambda.Function{Name: "probe", Account: account, Region: region, Binary: binary}
		if change != nil {
			change(&function)
		}
		f, err := lambda.Start(w, function)
		if err != nil {
			t.Fatal(err)
		}
		return w, f
	}
	plain := func(t *testing.T) *lambda.Running {
		_, f := start(t, nil)
		return f
	}

	t.Run("answers, knows its request and keeps its process", func(t *testing.T) {
		f := plain(t)
		before := time.Now().Truncate(time.Millisecond) // as a deadline is told
		first := echo(t, f, "one")
		after := time.Now()
		second := echo(t, f, "two")
		if first.Text != "one" || second.Text != "two" {
			t.Errorf("got texts %q and %q", first.Text, second.Text)
		}
		if first.ARN != arn || first.RequestID == "" || first.RequestID == second.RequestID {
			t.Errorf("got ARN %q and request ids %q and %q", first.ARN, first.RequestID, second.RequestID)
		}
		if first.PID != second.PID {
			t.Error("the second invocation had a new process")
		}
		if began := first.Deadline.Add(-time.Minute); began.Before(before) || began.After(after) {
			t.Errorf("a minute before its deadline it was %v, and the invocation was between %v and %v", began, before, after)
		}
	})

	t.Run("sees nothing of the test's environment", func(t *testing.T) {
		t.Setenv("FOREIGN", "yes")
		w, f := start(t, func(f *lambda.Function) { f.Env = map[string]string{"OWN": "yes", "AWS_REGION": "us-east-1"} })
		env := echo(t, f, "").Env
		env = slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:") })
		slices.Sort(env)
		c := w.Account(account)
		want := []string{
			"AWS_ACCESS_KEY_ID=" + c.AccessKeyID,
			"AWS_DEFAULT_REGION=eu-central-1",
			"AWS_ENDPOINT_URL=" + w.URL(),
			"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
			"AWS_LAMBDA_FUNCTION_NAME=probe",
			"AWS_LAMBDA_LOG_FORMAT=JSON",
			"AWS_REGION=us-east-1",
			"AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey,
			"AWS_SESSION_TOKEN=" + c.SessionToken,
			"OWN=yes",
			"TZ=:UTC",
		}
		if diff := cmp.Diff(want, env); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("fails with its own error and keeps its process", func(t *testing.T) {
		f := plain(t)
		before := echo(t, f, "").PID
		failure := failing(t, f, "fail", "no such luck")
		if failure.Type != "errorString" || failure.Message != "no such luck" {
			t.Errorf("got %+v", failure)
		}
		if echo(t, f, "").PID != before {
			t.Error("the process did not survive its error")
		}
	})

	t.Run("panics with its own error and gets a new process", func(t *testing.T) {
		f := plain(t)
		before := echo(t, f, "").PID
		if failure := failing(t, f, "panic", "out of luck"); failure.Message != "out of luck" {
			t.Errorf("got %+v", failure)
		}
		if echo(t, f, "").PID == before {
			t.Error("the process survived its panic")
		}
	})

	t.Run("exits as a failure and gets a new process", func(t *testing.T) {
		f := plain(t)
		failure := failing(t, f, "exit", "")
		if failure.Type != "Runtime.ExitError" || !strings.HasSuffix(failure.Message, "exit status 3") {
			t.Errorf("got %+v", failure)
		}
		echo(t, f, "")
	})

	t.Run("is killed at its deadline and gets a new process", func(t *testing.T) {
		_, f := start(t, func(f *lambda.Function) { f.Timeout = 300 * time.Millisecond })
		// answered is an echo that was in time. On a busy machine one may not be, and costs a process; then there is another. None
		// of a hundred is a fault.
		answered := func() answer {
			t.Helper()
			for range 100 {
				result, err := f.Invoke(t.Context(), event(t, "echo", ""))
				var failure *lambda.FunctionError
				if errors.As(err, &failure) && failure.Type == "Sandbox.Timedout" {
					continue
				}
				var a answer
				if err != nil || json.Unmarshal(result.Payload, &a) != nil {
					t.Fatalf("%v, %s", err, result.Payload)
				}
				return a
			}
			t.Fatal("no echo is in time")
			return answer{}
		}
		before := answered().PID
		failure := failing(t, f, "hang", "")
		if failure.Type != "Sandbox.Timedout" || !strings.HasSuffix(failure.Message, "Task timed out after 0.30 seconds") {
			t.Errorf("got %+v", failure)
		}
		if lives(before) {
			t.Error("the process outlived its deadline")
		}
		if answered().PID == before {
			t.Error("there is no new process")
		}
	})

	t.Run("is killed in the middle", func(t *testing.T) {
		f := plain(t)
		pid := echo(t, f, "").PID
		killed := make(chan error)
		f.Mark()
		go func() {
			_, err := f.Invoke(context.Background(), event(t, "hang", ""))
			killed <- err
		}()
		eventually(t, func() bool { return len(f.Logs()) == 1 }) // it is in the handler
		f.Kill()
		var failure *lambda.FunctionError
		if err := <-killed; !errors.As(err, &failure) || failure.Type != "Runtime.ExitError" {
			t.Errorf("got %v", err)
		}
		if lives(pid) {
			t.Error("the process lives")
		}
	})

	t.Run("ends with a caller who gives up", func(t *testing.T) {
		f := plain(t)
		pid := echo(t, f, "").PID
		f.Mark()
		ctx, cancel := context.WithCancel(context.Background())
		gone := make(chan error)
		go func() {
			_, err := f.Invoke(ctx, event(t, "hang", ""))
			gone <- err
		}()
		eventually(t, func() bool { return len(f.Logs()) == 1 })
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) || lives(pid) {
			t.Errorf("got %v, process lives: %t", err, lives(pid))
		}
	})

	t.Run("tells why it did not come up", func(t *testing.T) {
		_, f := start(t, func(f *lambda.Function) { f.Env = map[string]string{"FAIL_INIT": "the policy is not valid"} })
		failure := failing(t, f, "echo", "")
		if failure.Type != "Runtime.ExitError" || !strings.Contains(failure.Message, "exit status 1 before") ||
			!strings.HasSuffix(failure.Message, "the policy is not valid") {
			t.Errorf("got %+v", failure)
		}
	})

	t.Run("says which binary is missing", func(t *testing.T) {
		_, f := start(t, func(f *lambda.Function) { f.Binary = "nowhere/bootstrap" })
		_, err := f.Invoke(t.Context(), nil)
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "nowhere/bootstrap") {
			t.Errorf("got %v", err)
		}
	})

	t.Run("has every line in its logs from the mark on", func(t *testing.T) {
		copied := &bytes.Buffer{}
		_, f := start(t, func(f *lambda.Function) { f.Output = copied })
		echo(t, f, "one")
		f.Mark()
		echo(t, f, "two")
		echo(t, f, "three\nlines")
		if diff := cmp.Diff([]string{"out: two", "out: three", "lines"}, f.Logs()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"err: two", "err: three", "lines"}, f.Stderr()); diff != "" {
			t.Error(diff)
		}
		want := "out: one\nerr: one\nout: two\nerr: two\nout: three\nlines\nerr: three\nlines\n"
		if diff := cmp.Diff(want, copied.String()); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("is tried three times and then recorded as failed", func(t *testing.T) {
		w, f := start(t, nil)
		payload := event(t, "fail", "again")
		<-f.InvokeAsync(payload)
		if diff := cmp.Diff([]string{"out: again", "out: again", "out: again"}, f.Logs()); diff != "" {
			t.Error(diff)
		}
		if got := w.Now(); !got.Equal(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)) {
			t.Errorf("the clock moved to %v", got)
		}
		failures := f.Failures()
		if len(failures) != 1 {
			t.Fatalf("got %d failures", len(failures))
		}
		var record map[string]any
		if data, err := json.Marshal(failures[0]); err != nil || json.Unmarshal(data, &record) != nil {
			t.Fatalf("the record is no JSON: %v", err)
		}
		want := map[string]any{
			"version":   "1.0",
			"timestamp": "2026-11-20T12:00:00.000Z",
			"requestContext": map[string]any{
				"requestId": "00000000-0000-4000-9000-000000000001", "functionArn": arn + ":$LATEST",
				"condition": "RetriesExhausted", "approximateInvokeCount": 3.0,
			},
			"requestPayload":  map[string]any{"Do": "fail", "Text": "again"},
			"responseContext": map[string]any{"statusCode": 200.0, "executedVersion": "$LATEST", "functionError": "Unhandled"},
			"responsePayload": map[string]any{"errorMessage": "again", "errorType": "errorString"},
		}
		if diff := cmp.Diff(want, record); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("is tried once when that is asked for", func(t *testing.T) {
		_, f := start(t, func(f *lambda.Function) { f.Retries = new(0) })
		<-f.InvokeAsync(event(t, "fail", "once"))
		failures := f.Failures()
		if len(failures) != 1 || len(f.Logs()) != 1 || failures[0].RequestContext.ApproximateInvokeCount != 1 {
			t.Errorf("got logs %q and failures %+v", f.Logs(), failures)
		}
	})

	t.Run("is not recorded as failed when it succeeds", func(t *testing.T) {
		f := plain(t)
		<-f.InvokeAsync(event(t, "echo", "well"))
		if len(f.Failures()) != 0 || len(f.Logs()) != 1 {
			t.Errorf("got logs %q and failures %+v", f.Logs(), f.Failures())
		}
	})

	t.Run("is idle when nothing waits for it", func(t *testing.T) {
		_, f := start(t, func(f *lambda.Function) { f.Concurrency = 2 })
		f.Idle() // at once
		for range 20 {
			f.InvokeAsync(event(t, "echo", "x"))
		}
		f.Idle()
		if n := len(f.Logs()); n != 20 {
			t.Errorf("idle after %d of 20 events", n)
		}
	})

	t.Run("acts as its role", func(t *testing.T) {
		w, f := start(t, func(f *lambda.Function) { f.Role = "portcullis" })
		env := echo(t, f, "").Env
		want := "AWS_ACCESS_KEY_ID=" + w.Role(account, "portcullis").Session("probe").AccessKeyID
		if !slices.Contains(env, want) || want == "AWS_ACCESS_KEY_ID="+w.Account(account).AccessKeyID {
			t.Errorf("got %q, not %s", env, want)
		}
	})

	// hang occupies an environment of a function, in which it waits for the kill.
	hang := func(t *testing.T, f *lambda.Running, text string) (failed <-chan error) {
		ended := make(chan error, 1)
		go func() {
			_, err := f.Invoke(context.Background(), event(t, "hang", text))
			ended <- err
		}()
		eventually(t, func() bool { return slices.Contains(f.Logs(), "out: "+text) })
		return ended
	}

	t.Run("runs side by side as far as it may", func(t *testing.T) {
		_, f := start(t, func(f *lambda.Function) { f.Concurrency, f.Retries = 2, new(0) })
		first := hang(t, f, "first")
		pid := echo(t, f, "beside it").PID
		if echo(t, f, "again").PID != pid {
			t.Error("an environment that was free was not used")
		}
		second := hang(t, f, "second")
		third := f.InvokeAsync(event(t, "echo", "third"))
		time.Sleep(50 * time.Millisecond)
		if slices.Contains(f.Logs(), "out: third") {
			t.Error("there are three environments")
		}
		f.Kill()
		for _, failed := range []<-chan error{first, second} {
			var failure *lambda.FunctionError
			if err := <-failed; !errors.As(err, &failure) || failure.Type != "Runtime.ExitError" {
				t.Errorf("got %v", err)
			}
		}
		if lives(pid) {
			t.Error("a process lives")
		}
		<-third
		if len(f.Failures()) != 0 || !slices.Contains(f.Logs(), "out: third") {
			t.Errorf("the invocation that waited: %+v, %q", f.Failures(), f.Logs())
		}
	})

	t.Run("keeps the lines of all processes whole", func(t *testing.T) {
		_, f := start(t, func(f *lambda.Function) { f.Concurrency = 4 })
		var done []<-chan struct{}
		want := map[string]int{}
		for i := range 8 {
			text := strings.Repeat(string(rune('a'+i)), 100)
			want[text], want["out: "+text] = 1000, 1
			done = append(done, f.InvokeAsync(event(t, "chat", text)))
		}
		for _, d := range done {
			<-d
		}
		got := map[string]int{}
		for _, line := range f.Logs() {
			got[line]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("ends all its processes with the World", func(t *testing.T) {
		w, f := start(t, func(f *lambda.Function) { f.Concurrency = 2 })
		first := hang(t, f, "first")
		pid := echo(t, f, "idle").PID
		w.Close()
		if err := <-first; err == nil || lives(pid) {
			t.Errorf("got %v, a process lives: %t", err, lives(pid))
		}
	})

	t.Run("says what its processes took", func(t *testing.T) {
		_, f := start(t, func(f *lambda.Function) { f.Concurrency = 2 })
		if f.PeakMemory() != 0 || len(f.Init()) != 0 {
			t.Errorf("before it ran: %d bytes and %v", f.PeakMemory(), f.Init())
		}
		first := hang(t, f, "first")
		echo(t, f, "")
		echo(t, f, "")
		inits := f.Init()
		if len(inits) != 2 || slices.Min(inits) <= 0 || slices.Max(inits) > time.Minute {
			t.Errorf("two processes came up in %v", inits)
		}
		if status, err := os.ReadFile("/proc/self/status"); err != nil || !bytes.Contains(status, []byte("VmHWM:")) {
			t.Skip("the system does not tell the peak of a process's memory: nothing was checked about it")
		}
		small := f.PeakMemory()
		if small <= 0 || small >= 64<<20 {
			t.Errorf("a process that did nothing took %d bytes", small)
		}
		if _, err := f.Invoke(t.Context(), event(t, "grow", "")); err != nil {
			t.Fatal(err)
		}
		large := f.PeakMemory()
		f.Kill()
		if err := <-first; err == nil {
			t.Error("what was killed has answered")
		}
		echo(t, f, "a small process after the large one")
		if large < 64<<20 || f.PeakMemory() != large {
			t.Errorf("a process with 64 MiB took %d bytes, and the peak is then %d", large, f.PeakMemory())
		}
	})

	t.Run("leaves no process behind, not even one that hangs", func(t *testing.T) {
		w, f := start(t, nil)
		pid := echo(t, f, "").PID
		f.Mark()
		done := f.InvokeAsync(event(t, "hang", ""))
		eventually(t, func() bool { return len(f.Logs()) == 1 })
		w.Close()
		<-done
		if lives(pid) {
			t.Error("the process lives")
		}
		if _, err := f.Invoke(t.Context(), nil); err == nil {
			t.Error("a closed World started a process")
		}
		if len(f.Failures()) != 0 {
			t.Error("the end of the World counted as a failure of the function")
		}
	})
}

// build makes the probe, as a function is built for Lambda.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "bootstrap")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-tags=lambda.norpc", "-o", binary, "./internal/probe").CombinedOutput()
	if err != nil {
		t.Fatalf("building the probe: %v\n%s", err, out)
	}
	return binary
}

func event(t *testing.T, do, text string) []byte {
	t.Helper()
	payload, err := json.Marshal(map[string]string{"Do": do, "Text": text})
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func echo(t *testing.T, f *lambda.Running, text string) answer {
	t.Helper()
	result, err := f.Invoke(t.Context(), event(t, "echo", text))
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(result.Payload, &a); err != nil {
		t.Fatalf("%v in %s", err, result.Payload)
	}
	return a
}

func failing(t *testing.T, f *lambda.Running, do, text string) *lambda.FunctionError {
	t.Helper()
	result, err := f.Invoke(t.Context(), event(t, do, text))
	var failure *lambda.FunctionError
	if !errors.As(err, &failure) {
		t.Fatalf("%s: got %s and %v, not a failure of the function", do, result.Payload, err)
	}
	return failure
}

func lives(pid int) bool { return syscall.Kill(pid, 0) == nil }

// eventually waits for something that another process does. Only where nothing happens any more it takes so long.
func eventually(t *testing.T, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !happened(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within two minutes")
		}
		time.Sleep(time.Millisecond)
	}
}
