package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

const readme = "../../README.md"

// What the pages show of the program is what it prints: each block that begins with a
// prompt is a paragraph of testdata/first_day.txtar, byte for byte, and none of these is
// left out. TestScripts, which runs before, holds the script to the program.
func TestThePagesShowWhatTheProgramPrints(t *testing.T) {
	want := paragraphs(t, "testdata/first_day.txtar")
	for _, page := range []string{readme, page} {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text := shown.ReplaceAllStringFunc(string(data), func(block string) string {
			first, _, _ := strings.Cut(strings.TrimPrefix(block, "```\n"), "\n")
			i := slices.IndexFunc(want, func(p string) bool { return strings.HasPrefix(p, first+"\n") })
			if i < 0 {
				t.Errorf("%s shows %q, which no paragraph of the script begins with, or which was shown before", page, first)
				return block
			}
			p := want[i]
			want = slices.Delete(want, i, i+1)
			return "```\n" + p + "```"
		})
		if os.Getenv("UPDATE_SCRIPTS") != "" {
			if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(text, string(data)); diff != "" {
			t.Errorf("%s shows what the program does not print; UPDATE_SCRIPTS=1 go test ./cmd/portcullis writes it anew (-program +page):\n%s", page, diff)
		}
	}
	for _, p := range want {
		t.Errorf("no page shows:\n%s", p)
	}
}

// A reader without AWS finds in examples/first-day what the script ran on.
func TestTheExampleIsWhatTheScriptRunsOn(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/first_day.txtar")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range archive.Files {
		if name, is := strings.CutPrefix(f.Name, "examples/first-day/"); is {
			want[name] = string(f.Data)
		}
	}
	const folder = "../../examples/first-day"
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	got := map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(data)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("UPDATE_SCRIPTS=1 go test ./cmd/portcullis writes %s anew (-script +folder):\n%s", folder, diff)
	}
}

var (
	shown   = regexp.MustCompile("(?s)```\n\\$ .*?\n```")
	ran     = regexp.MustCompile(`^exits [0-9] (portcullis .*)$`)
	printed = regexp.MustCompile(`^cmp (?:stdout|got) (?:\$WORK/)?(\S+)$`)
)

// paragraphs returns the commands of each paragraph of a script, each after a prompt
// and with what it prints below.
func paragraphs(t *testing.T, script string) []string {
	t.Helper()
	archive, err := txtar.ParseFile(script)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	var all []string
	for paragraph := range strings.SplitSeq(string(archive.Comment), "\n\n") {
		var b strings.Builder
		for line := range strings.Lines(paragraph) {
			line = strings.TrimSuffix(line, "\n")
			if command := ran.FindStringSubmatch(line); command != nil {
				if b.Len() > 0 {
					b.WriteString("\n")
				}
				b.WriteString("$ " + command[1] + "\n")
			}
			if output := printed.FindStringSubmatch(line); output != nil {
				b.WriteString(files[output[1]])
			}
		}
		if b.Len() > 0 {
			all = append(all, b.String())
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s runs nothing", script)
	}
	return all
}

// A command that a page tells people to type must be one.
func TestTheCommandsOnThePagesAreUnderstood(t *testing.T) {
	typed := regexp.MustCompile(`(?m)^ *(?:\$ |\t)?(?:go run \./cmd/)?portcullis ((?:plan|apply|undo|explain|doctor|policy|completion)\b.*)$`)
	n := 0
	for _, page := range []string{readme, page, "../../docs/operations.md", "../../docs/organization.md"} {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for block := range everyBlock(string(data)) {
			for _, found := range typed.FindAllStringSubmatch(block, -1) {
				n++
				line, _, _ := strings.Cut(found[1], " # ")
				understood(t, page, line)
			}
		}
	}
	if n == 0 {
		t.Error("no page has a command: the test looks for the wrong thing")
	}
}

// everyBlock yields what stands between fences.
func everyBlock(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i, part := range strings.Split(text, "```") {
			if i%2 == 1 && !yield(part) {
				return
			}
		}
	}
}
