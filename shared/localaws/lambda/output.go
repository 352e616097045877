package lambda

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// An output is one of the two streams of all processes of a function. It is a file, because what a process has written to a file can be read
// at once; from a pipe it would come some time after the invocation. The file has no name and goes with the last that
// hold it open, so that logs outlive the World and nothing is left behind. It is written only at its end, so that a line
// that a process writes at once stays whole beside those of others.
type output struct {
	file *os.File

	mu           sync.Mutex
	marked, teed int64
}

func newOutput() (*output, error) {
	made, err := os.CreateTemp("", "localaws-lambda-")
	if err != nil {
		return nil, fmt.Errorf("making a log file: %w", err)
	}
	defer func() { _ = made.Close() }()
	file, err := os.OpenFile(made.Name(), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		_ = os.Remove(made.Name())
		return nil, fmt.Errorf("making a log file: %w", err)
	}
	if err := os.Remove(made.Name()); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("making a log file: %w", err)
	}
	return &output{file: file}, nil
}

// since returns what was written from offset on, and where it ends.
func (o *output) since(offset int64) (string, int64) {
	text, err := io.ReadAll(io.NewSectionReader(o.file, offset, 1<<62))
	if err != nil {
		return fmt.Sprintf("reading the log of a function: %v", err), offset
	}
	return string(text), offset + int64(len(text))
}

func (o *output) mark() {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, o.marked = o.since(o.marked)
}

func (o *output) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text, _ := o.since(o.marked)
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func (o *output) tee(w io.Writer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var text string
	text, o.teed = o.since(o.teed)
	_, _ = io.WriteString(w, text) // a copy is a convenience, not a promise
}

// Logs returns the lines that the function wrote to stdout since the last Mark, also while an invocation runs.
func (r *Running) Logs() []string { return r.stdout.lines() }

// Stderr returns the lines that the function wrote to stderr since the last Mark.
func (r *Running) Stderr() []string { return r.stderr.lines() }

// Mark has Logs and Stderr begin here.
func (r *Running) Mark() {
	r.stdout.mark()
	r.stderr.mark()
}

func (r *Running) tee() {
	if r.function.Output != nil {
		r.stdout.tee(r.function.Output)
		r.stderr.tee(r.function.Output)
	}
}

// tail is the end of the output, for an error message.
func (r *Running) tail() string {
	lines := append(r.Logs(), r.Stderr()...)
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
