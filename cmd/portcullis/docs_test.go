package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"portcullis/internal/endtoend"
)

const page = "../../docs/cli.md"

// The reference in docs/cli.md is what the commands say of themselves.
func TestThePageSaysWhatTheCommandsSay(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text, written, found := strings.Cut(string(data), "from the commands themselves. -->\n")
	if !found {
		t.Fatal("the mark is gone after which the reference begins")
	}
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		text += "from the commands themselves. -->\n" + reference()
		if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(reference(), written); diff != "" {
		t.Errorf("UPDATE_SCRIPTS=1 go test ./cmd/portcullis writes it anew (-commands +page):\n%s", diff)
	}
}

func reference() string {
	var b strings.Builder
	for _, c := range everyCommand(newRoot())[1:] {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", c.CommandPath(), c.Long)
		if c.HasSubCommands() {
			continue
		}
		fmt.Fprintf(&b, "\n```\n%s\n\n%s\n```\n", c.UseLine(), strings.Trim(strings.ReplaceAll("\n"+c.Example, "\n  ", "\n"), "\n"))
		c.InitDefaultHelpFlag()
		if flags := c.LocalFlags().FlagUsages(); strings.Count(flags, "\n") > 1 {
			fmt.Fprintf(&b, "\n```\n%s```\n", flags)
		}
	}
	return b.String()
}

// shaped holds what a command printed as JSON to its schema in docs/cli.md, which is
// the one that its format names.
func shaped(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: shaped stdout|FILE")
	}
	text := ts.ReadFile(args[0])
	var head struct{ Format string }
	ts.Check(json.Unmarshal([]byte(text), &head))
	schema := ts.Value(outputs{}).(map[string]*jsonschema.Schema)[strings.TrimPrefix(head.Format, "portcullis-")]
	if schema == nil {
		ts.Fatalf("docs/cli.md has no schema of the format %q", head.Format)
	}
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	ts.Check(err)
	ts.Check(schema.Validate(instance))
}

// recipe writes the shell script on the page into a file.
func recipe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: recipe FILE")
	}
	data, err := os.ReadFile(page)
	ts.Check(err)
	_, rest, found := strings.Cut(string(data), "```sh\n")
	script, _, ended := strings.Cut(rest, "```")
	if !found || !ended || strings.Contains(rest, "```sh\n") {
		ts.Fatalf("docs/cli.md has not one shell script")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(script), 0o600))
}

// outputs is the key of the schemas in docs/cli.md, by the names that they have there.
type outputs struct{}

// Whoever reads a page must find the files that it names, and the headings in them.
func TestTheFilesOnThePagesAreThere(t *testing.T) {
	for _, page := range []string{readme, page} {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for part := range bytes.SplitSeq(data, []byte("](")) {
			link, _, _ := strings.Cut(string(part), ")")
			if strings.ContainsAny(link, "\n :") {
				continue
			}
			name, heading, _ := strings.Cut(link, "#")
			target := filepath.Join(filepath.Dir(page), name)
			if name == "" {
				target = page
			}
			if heading == "" {
				_, err = os.Stat(target)
			} else {
				err = hasHeading(target, heading)
			}
			if err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

// hasHeading looks for a heading in a page, by the name that GitHub gives it.
func hasHeading(page, name string) error {
	data, err := os.ReadFile(page) //nolint:gosec // our own pages name it
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		if heading := strings.TrimLeft(line, "#"); heading != line {
			slug := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(heading)), " ", "-")
			if regexp.MustCompile("[^a-z0-9_-]").ReplaceAllString(slug, "") == name {
				return nil
			}
		}
	}
	return fmt.Errorf("%s has no heading #%s", page, name)
}

// Every command that takes --output json has its schema on the page.
func outputSchemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	schemas := endtoend.SchemasIn(t, "cli.md")
	for _, c := range everyCommand(newRoot()) {
		if c.Flags().Lookup("output") != nil && schemas[c.Name()] == nil {
			t.Fatalf("docs/cli.md has no schema of what %s prints", c.CommandPath())
		}
	}
	return schemas
}
