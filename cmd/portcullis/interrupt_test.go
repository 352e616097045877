package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Whoever waits for input that never comes can be stopped: the program, while it reads
// from a pipe, ends at a signal with the status that the page promises.
func TestASignalEndsTheWaitForInput(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		signal syscall.Signal
		args   []string
	}{
		"of a policy to check":      {syscall.SIGTERM, []string{"policy", "check", "pipe"}},
		"of a policy to test":       {syscall.SIGINT, []string{"policy", "test", "pipe"}},
		"of cases":                  {syscall.SIGINT, []string{"policy", "test", "policy.yaml", "--cases", "pipe"}},
		"of a policy to compare":    {syscall.SIGTERM, []string{"policy", "test", "policy.yaml", "--estate", "none", "--against", "pipe"}},
		"of an estate to try it on": {syscall.SIGINT, []string{"policy", "check", "policy.yaml", "--estate", "pipe"}},
		"of an estate to explain":   {syscall.SIGTERM, []string{"explain", "corp/web", "--policy", "policy.yaml", "--estate", "pipe"}},
		"of a policy to plan by":    {syscall.SIGINT, []string{"plan", "--policy", "pipe"}},
		"of a policy to apply":      {syscall.SIGTERM, []string{"apply", "--policy", "pipe"}},
		"of outcomes":               {syscall.SIGINT, []string{"undo", "pipe"}},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			pipe := filepath.Join(folder, "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Skipf("there are no pipes with a name here: %v", err)
			}
			const valid = "version: 1\nlimits: {count: 1, share: 1%}\nexternal_connections: {allow: []}\n"
			if err := os.WriteFile(filepath.Join(folder, "policy.yaml"), []byte(valid), 0o600); err != nil {
				t.Fatal(err)
			}
			stopped(t, test.signal, folder, nil, test.args, func() io.Closer {
				writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits until the program opens the other end
				if err != nil {
					t.Error(err)
				}
				return writer
			})
		})
	}
	for name, signal := range map[string]syscall.Signal{"Ctrl-C": syscall.SIGINT, "SIGTERM": syscall.SIGTERM} {
		t.Run("of the standard input, "+name, func(t *testing.T) {
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = reader.Close() }()
			stopped(t, signal, t.TempDir(), reader, []string{"undo", "-"}, func() io.Closer {
				// More than a pipe holds, so that this waits until the program reads.
				if _, err := writer.WriteString(strings.Repeat("\n", 1<<20)); err != nil {
					t.Error(err)
				}
				return writer
			})
		})
	}
}

// stopped runs the program, sends it a signal once it waits for input, and checks how
// it ends. What meet returns is closed when it has ended.
func stopped(t *testing.T, signal syscall.Signal, folder string, in io.Reader, args []string, meet func() io.Closer) {
	t.Helper()
	var out, errs strings.Builder
	program := exec.Command("portcullis", args...) //nolint:gosec // the arguments are those of this test
	program.Dir, program.Stdin, program.Stdout, program.Stderr = folder, in, &out, &errs
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	met := make(chan io.Closer, 1)
	go func() { met <- meet() }()
	ended := make(chan error, 1)
	go func() { ended <- program.Wait() }()
	select {
	case writer := <-met:
		defer func() { _ = writer.Close() }()
	case err := <-ended:
		t.Fatalf("it ended with %v before it read anything:\n%s", err, errs.String())
	case <-time.After(patience):
		_ = program.Process.Kill()
		t.Fatal("it does not read")
	}
	if err := program.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		var status *exec.ExitError
		if !errors.As(err, &status) || status.ExitCode() != exitError {
			t.Errorf("it ended with %v, want status %d", err, exitError)
		}
	case <-time.After(patience):
		_ = program.Process.Kill()
		t.Fatal("it goes on waiting")
	}
	if got, want := errs.String(), "portcullis: interrupted; nothing was changed\n"; got != want || out.String() != "" {
		t.Errorf("it said %q, and printed %q; want %q", got, out.String(), want)
	}
}
