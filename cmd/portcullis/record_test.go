package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portcullis/shared/control"
)

// willing is an actor that would do anything, and tells when it does.
type willing struct{ written int }

func (w *willing) Recheck(_ context.Context, a control.Action) control.Plan {
	return control.Plan{Findings: []control.Finding{{ID: a.ID, Verdict: control.Violation}}, Actions: []control.Action{a}}
}

func (w *willing) Write(context.Context, control.Action) (control.Answer, error) {
	w.written++
	return control.Accepted, nil
}

func (w *willing) Verify(context.Context, control.Action) (control.Look, error) {
	return control.Look{Done: true}, nil
}

// Where the record cannot be written any more, as on a full disk, nothing more is
// written to AWS either, and the command ends with an error.
func TestNothingIsDoneThatCannotBeRecorded(t *testing.T) {
	rec, err := newRecord("apply", filepath.Join(t.TempDir(), "record"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	tell := rec.of(t.Context(), "external-connections", &out, &out, false)
	actions := []control.Action{{ID: "1", Resource: "arn:aws:x:::a/one"}, {ID: "2", Resource: "arn:aws:x:::a/two"}, {ID: "3", Resource: "arn:aws:x:::a/three"}}
	actor := &willing{}
	control.Apply(t.Context(), t.Context(), actions[:1], actor, tell)
	if err := rec.file.Close(); err != nil {
		t.Fatal(err)
	}
	control.Apply(t.Context(), t.Context(), actions[1:], actor, tell)
	if actor.written != 1 {
		t.Errorf("%d writes were made, want the one that could be recorded", actor.written)
	}
	for i, want := range []string{"verified", "not-recorded", "not-recorded"} {
		if got := tell.outcomes[i].Code; got != want {
			t.Errorf("action %d: %s, want %s", i+1, got, want)
		}
	}
	if !errors.Is(rec.err, os.ErrClosed) {
		t.Errorf("the record ends with error %v", rec.err)
	}
	rec.close()
	data, err := os.ReadFile(rec.path)
	if err != nil || strings.Count(string(data), "\n") != 2 {
		t.Errorf("the record is %q, %v; want an intent and an outcome", data, err)
	}
	if n := strings.Count(out.String(), "could not be recorded"); n != 2 {
		t.Errorf("what was not done is told %d times, want 2:\n%s", n, out.String())
	}
}

// A record in which nothing was written would only be in the way.
func TestAnEmptyRecordIsTakenAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record")
	rec, err := newRecord("apply", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newRecord("apply", path); err == nil {
		t.Error("a record was written over")
	}
	rec.close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there (%v)", err)
	}
}

// torn is a disk that is full in the middle of one line, and has room again after it.
type torn struct {
	durable
	tears int // lines until then
}

func (t *torn) Write(line []byte) (int, error) {
	if t.tears--; t.tears != 0 {
		return t.durable.Write(line)
	}
	n, err := t.durable.Write(line[:len(line)/2])
	return n, errors.Join(err, errors.New("no space left on device"))
}

// A line after a broken one would make one line with it, which nobody can read; so there
// is none, and nothing is done any more that it would have told.
func TestNoLineComesAfterABrokenOne(t *testing.T) {
	rec, err := newRecord("apply", filepath.Join(t.TempDir(), "record"))
	if err != nil {
		t.Fatal(err)
	}
	rec.file = &torn{rec.file, 3}
	var out bytes.Buffer
	tell := rec.of(t.Context(), "external-connections", &out, &out, false)
	actor := &willing{}
	control.Apply(t.Context(), t.Context(), []control.Action{{ID: "1"}, {ID: "2"}, {ID: "3"}}, actor, tell)
	rec.close()
	data, err := os.ReadFile(rec.path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(string(data), "\n"); len(lines) != 3 || strings.HasSuffix(lines[2], "}") {
		t.Errorf("want an intent, its outcome and half an intent:\n%s", data)
	}
	if actor.written != 1 || rec.err == nil {
		t.Errorf("%d writes were made, want 1; the record ends with error %v", actor.written, rec.err)
	}
}
