package endtoend

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"portcullis/internal/cloudformation"
	"portcullis/internal/hub"
)

// Notices plays the topic of template.yaml's NoticesTopicArn, from now on, and
// returns what gives the texts that it was told, in order. What a rule matches and
// what it makes of an event is read from the template. The topic itself, its policy
// and its subscriptions are not played.
func (h *Hub) Notices() (told func() []string) {
	h.T.Helper()
	text, err := os.ReadFile(filepath.Join(root(), "template.yaml"))
	if err != nil {
		h.T.Fatal(err)
	}
	template, err := cloudformation.Read(string(text))
	if err != nil {
		h.T.Fatal(err)
	}
	stack, err := template.Deploy(map[string]string{"NoticesTopicArn": "arn:aws:sns:" + Region + ":" + Home + ":news"})
	if err != nil {
		h.T.Fatal(err)
	}
	var mu sync.Mutex
	var texts []string
	for _, rule := range []string{"ViolationsToTopic", "OutcomesToTopic"} {
		t := transformer{paths: map[string]string{}}
		t.template, _ = stack.Get(rule, "Targets", 0, "InputTransformer", "InputTemplate").(string)
		t.template = strings.ReplaceAll(t.template, "<EventsLog>", hub.EventsLog)
		paths, _ := stack.Get(rule, "Targets", 0, "InputTransformer", "InputPathsMap").(map[string]any)
		for name, path := range paths {
			t.paths[name] = fmt.Sprint(path)
		}
		if err := h.Wake(rule, func(event []byte) {
			text, err := t.text(event)
			if err != nil {
				h.T.Errorf("%s: %v\n%s", rule, err, event)
			}
			mu.Lock()
			defer mu.Unlock()
			texts = append(texts, text)
		}); err != nil {
			h.T.Fatal(err)
		}
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), texts...)
	}
}

// A transformer is the input transformer of a rule, as far as it makes one text in
// quotation marks. AWS says neither what becomes of a variable that an event does not
// have, nor that it escapes what it puts in: here both are errors, so that nothing
// rests on them.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
type transformer struct {
	paths    map[string]string
	template string
}

var variable = regexp.MustCompile(`<([^<>]*)>`)

func (t transformer) text(event []byte) (string, error) {
	var whole any
	if err := json.Unmarshal(event, &whole); err != nil {
		return "", err
	}
	var wrong error
	filled := variable.ReplaceAllStringFunc(t.template, func(name string) string {
		path, known := strings.CutPrefix(t.paths[name[1:len(name)-1]], "$.")
		value := whole
		for part := range strings.SplitSeq(path, ".") {
			object, _ := value.(map[string]any)
			value = object[part]
		}
		text, isText := value.(string)
		if !known || !isText || text == "" || strings.ContainsAny(text, "\"\\\n") {
			wrong = fmt.Errorf("%s is %q, which cannot stand in a text", name, value)
		}
		return text
	})
	if wrong != nil {
		return "", wrong
	}
	var text string
	if err := json.Unmarshal([]byte(filled), &text); err != nil {
		return "", fmt.Errorf("%s: %w", filled, err)
	}
	return text, nil
}
