package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"portcullis/internal/present"
	"portcullis/shared/control"
	"portcullis/shared/report"
	"portcullis/shared/trigger"
)

// record is the file that says what a command was about to write to AWS, and what
// became of it. Its lines are those of a function's log, so that what reads the one
// reads the other. Each is on the disk before the command goes on.
type record struct {
	path    string
	run     string // id of this run of the command
	file    durable
	written bool
	err     error // why a line could not be written; none is tried after that
}

// durable is a file of which is known when it is on the disk.
type durable interface {
	io.WriteCloser
	Sync() error
}

// newRecord makes the file, which must not be there. Without a path it gets a name
// of its own in the current folder.
func newRecord(command, path string) (*record, error) {
	run := fmt.Sprintf("portcullis-%s-%s", command, time.Now().UTC().Format("20060102T150405.000Z"))
	if path == "" {
		path = run + ".jsonl"
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the one who runs the command chooses the file
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("the record %s is there already, and is not written over; name another file with --record", path)
	}
	if err == nil {
		err = syncFolder(path)
	}
	if err != nil {
		err = withoutPath(err)
		return nil, fmt.Errorf("the record %s cannot be written: %w; nothing is changed without one, so name a file with --record in a folder that can be written to", path, err)
	}
	return &record{path: path, run: run, file: f}, nil
}

// syncFolder has the name of a new file outlast a loss of power.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	return folder.Sync()
}

// Write writes one line, and returns when it is on the disk.
func (r *record) Write(line []byte) (int, error) {
	if r.err != nil {
		return 0, r.err // half a line may be there, and a line after it could not be read
	}
	r.written = true
	n, err := r.file.Write(line)
	if err == nil {
		err = r.file.Sync()
	}
	r.err = err
	return n, err
}

// close ends the record. One that nothing was written into is taken away again.
func (r *record) close() {
	_ = r.file.Close() // what was written is on the disk
	if !r.written {
		_ = os.Remove(r.path)
	}
}

// of returns what the actions of one control are recorded with, and told by.
func (r *record) of(ctx context.Context, name string, out, errs io.Writer, colour bool) *telling {
	reporter := &report.Reporter{Out: r, Log: report.NewLogger(r, "INFO"), Run: r.run}
	return &telling{
		run: reporter.Begin(ctx, name, string(trigger.Hand), func() time.Time { return time.Time{} }),
		out: out, colour: colour, progress: present.NewProgress(errs), rest: "not begun, as the command was interrupted",
	}
}

// telling records what is done, and tells it as it happens. It is a
// [control.Recorder].
type telling struct {
	run      *report.Run
	out      io.Writer
	colour   bool
	progress present.Progress
	rest     string // what is said of actions that there was no time for
	outcomes []control.Outcome
}

func (t *telling) Intent(ctx context.Context, a control.Action) error {
	t.progress.Say("calling %s: %s", a.Call.Operation, present.About(a))
	return t.run.Intent(ctx, a)
}

func (t *telling) Outcome(ctx context.Context, o control.Outcome) {
	if o.Code == "deadline" {
		o.Detail = t.rest
	}
	t.progress.Done()
	t.run.Outcome(ctx, o)
	t.outcomes = append(t.outcomes, o)
	present.Outcome(t.out, o, t.colour)
}
