package endtoend

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"portcullis/shared/localaws/eventbridge"
)

// checkLog holds every line of standard output to be one JSON object.
func (s *Stage) checkLog() {
	for _, line := range s.Function.Logs() {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			s.T.Errorf("not a JSON object: %q", line)
		}
	}
}

func (s *Stage) checkEvents() { checkEvents(s.T, s.Events) }

// checkEvents holds every event of ours on the bus against the schemas of
// docs/events.md.
func checkEvents(t *testing.T, events *eventbridge.Service) {
	schemas := Schemas(t)
	for _, e := range events.Events(Home, Region, Bus) {
		if e.Source != "portcullis" {
			continue
		}
		schema := schemas[e.DetailType]
		if schema == nil {
			t.Errorf("docs/events.md has no schema for %q", e.DetailType)
			continue
		}
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(e.Detail)))
		if err == nil {
			err = schema.Validate(instance)
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", e.DetailType, err, e.Detail)
		}
	}
}

var schemaBlock = regexp.MustCompile("(?s)```json schema=([A-Za-z ]+)\n(.*?)```")

// Schemas returns the schemas of docs/events.md by detail-type.
func Schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	return SchemasIn(t, "events.md")
}

// SchemasIn returns the schemas of a page in docs, by the names that they have there.
func SchemasIn(t *testing.T, name string) map[string]*jsonschema.Schema {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root(), "docs", name)) //nolint:gosec // tests name the pages
	if err != nil {
		t.Fatal(err)
	}
	compiled := map[string]*jsonschema.Schema{}
	for _, block := range schemaBlock.FindAllStringSubmatch(string(page), -1) {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(block[2]))
		if err != nil {
			t.Fatalf("schema of %s: %v", block[1], err)
		}
		closed(document)
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		if err := c.AddResource("mem:///schema", document); err != nil {
			t.Fatal(err)
		}
		if compiled[block[1]], err = c.Compile("mem:///schema"); err != nil {
			t.Fatal(err)
		}
	}
	return compiled
}

// closed makes every object of a schema take no other properties than it names.
// The published schemas are open, so that a version may gain fields; a field that
// the page does not describe is an error all the same.
func closed(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		if _, names := s["properties"].(map[string]any); names && s["additionalProperties"] == nil {
			s["additionalProperties"] = false
		}
		for _, child := range s {
			closed(child)
		}
	case []any:
		for _, child := range s {
			closed(child)
		}
	}
}
