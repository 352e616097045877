package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
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

// shaped holds what a plan printed to its schema in docs/cli.md.
func shaped(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: shaped stdout|FILE")
	}
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(ts.Value(plans{}).(*jsonschema.Schema).Validate(instance))
}

type plans struct{}

// Whoever reads the page must find the files that it names.
func TestTheFilesOnThePageAreThere(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for part := range bytes.SplitSeq(data, []byte("](")) {
		name, _, _ := bytes.Cut(part, []byte(")"))
		if bytes.ContainsAny(name, "\n ") || bytes.Contains(name, []byte(":")) {
			continue
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(page), string(name))); err != nil {
			t.Error(err)
		}
	}
}

func planSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema := endtoend.SchemasIn(t, "cli.md")["plan"]
	if schema == nil {
		t.Fatal("docs/cli.md has no schema of a plan")
	}
	return schema
}
