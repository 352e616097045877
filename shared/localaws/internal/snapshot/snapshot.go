// Package snapshot reads the request snapshots that the modules of the AWS SDK ship: one request per operation, with
// every member set to a placeholder such as "__DomainOwner__". They are AWS's own word on the wire format, and so a
// witness that the services in localaws did not write themselves. It is for tests only.
package snapshot

import (
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Load returns the snapshot of every operation of an SDK module, by operation.
func Load(t testing.TB, module string) map[string]*http.Request {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output() //nolint:gosec // G204: tests name the module
	if err != nil {
		t.Fatalf("finding %s: %v", module, err)
	}
	const suffix = ".request.snap"
	folder := os.DirFS(filepath.Join(strings.TrimSpace(string(dir)), "request_snapshot"))
	files, err := fs.Glob(folder, "*"+suffix)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s ships no request snapshots (%v)", module, err)
	}
	requests := map[string]*http.Request{}
	for _, file := range files {
		text, err := fs.ReadFile(folder, file)
		if err != nil {
			t.Fatal(err)
		}
		requests[strings.TrimSuffix(file, suffix)] = parse(t, file, string(text))
	}
	return requests
}

// parse reads a request line, headers and a body, with an empty line between them.
func parse(t testing.TB, file, text string) *http.Request {
	t.Helper()
	line, rest, _ := strings.Cut(text, "\n\n")
	headers, body, _ := strings.Cut(rest, "\n\n")
	method, uri, ok := strings.Cut(line, " ")
	if !ok {
		t.Fatalf("%s does not begin with a request line", file)
	}
	r, err := http.NewRequest(method, uri, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for header := range strings.Lines(headers) {
		if name, value, ok := strings.Cut(strings.TrimSpace(header), ": "); ok {
			r.Header.Set(name, value)
		}
	}
	return r
}
