package undo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"portcullis/shared/control"
	"portcullis/shared/report"
)

// Intended is the status of what has an intent on record and no outcome: it is not
// known whether the call was made.
const Intended control.Status = "intent"

// Outcome is what a record says was done, or was about to be.
type Outcome struct {
	ID       string `json:"id"`
	Control  string `json:"control"`
	Account  string `json:"account"`
	Region   string `json:"region"`
	Resource string `json:"resource"`
	Subject  string `json:"subject"`
	Owner    string `json:"owner"`
	Domain   string `json:"domain"`
	Reason   string `json:"reason"`

	Call   Call            `json:"call"`
	Before json.RawMessage `json:"before"`
	Undo   []Call          `json:"undo"`

	Status control.Status `json:"status"`
	Code   string         `json:"code"`
	Detail string         `json:"detail"`

	Run  string    `json:"-"`
	At   time.Time `json:"-"` // zero where the record does not say
	File string    `json:"-"`
}

// Call is one call as it is recorded. Its input was checked by nobody.
type Call struct {
	Service   string          `json:"service"`
	Operation string          `json:"operation"`
	Input     json.RawMessage `json:"input"`
}

// Read takes the outcomes, and the intents, out of the text of a file: JSON, or one
// JSON text after the other. It knows the events of EventBridge and their details,
// the log lines of the functions and of `portcullis apply`, and both as `aws logs`
// prints them. What else is there is passed over, but a text that is cut off or is no
// JSON makes the whole file an error.
func Read(file string, data []byte) ([]Outcome, error) {
	r := reader{file: file}
	decoder := json.NewDecoder(bytes.NewReader(data))
	for n := 1; ; n++ {
		var value json.RawMessage
		begin := int(decoder.InputOffset())
		begin += len(data[begin:]) - len(bytes.TrimLeft(data[begin:], " \t\r\n"))
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = r.value(value, 0)
		} else {
			err = broken(err)
		}
		if err != nil {
			return nil, fmt.Errorf("%s, record %d, on line %d: %w", file, n, 1+bytes.Count(data[:begin], []byte("\n")), err)
		}
	}
	if len(r.found) == 0 {
		return nil, fmt.Errorf("%s: there is no outcome in it; give an event of the type %q, log lines of a function, or the file that `portcullis apply` wrote", file, report.OutcomeEvent)
	}
	return r.found, nil
}

func broken(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is cut off before its end; fetch it again, whole")
	}
	return errors.New("it is not JSON; fetch it again with --output json")
}

type reader struct {
	file  string
	found []Outcome
}

// deepest bounds how records may be wrapped. Insights needs four, for a list of fields in
// a list of results, and a list of its pages one more.
const deepest = 16

// value takes up one JSON value, which may be a record, or hold some.
func (r *reader) value(raw json.RawMessage, depth int) error {
	if depth > deepest {
		return fmt.Errorf("something in it is wrapped more than %d times, and there may be records in it; take them out", deepest)
	}
	switch raw[0] {
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return broken(err)
		}
		for _, v := range list {
			if err := r.value(v, depth+1); err != nil {
				return err
			}
		}
		return nil
	case '{':
		var object map[string]json.RawMessage
		if err := json.Unmarshal(raw, &object); err != nil {
			return broken(err)
		}
		return r.object(raw, object, depth)
	case '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return broken(err)
		}
		return r.message(text, depth)
	default:
		return nil
	}
}

// message takes up the text of a log line. One that does not begin like a record is
// of somebody else.
func (r *reader) message(text string, depth int) error {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") {
		return nil
	}
	if !json.Valid([]byte(text)) {
		return errors.New("a message in it is cut off, or is not JSON; fetch it again, whole")
	}
	return r.value(json.RawMessage(text), depth+1)
}

func (r *reader) object(raw json.RawMessage, o map[string]json.RawMessage, depth int) error {
	_, isCall := o["call"]
	_, isUndo := o["undo"]
	switch word(o, "message") {
	case "outcome":
		return r.outcome(o["outcome"], word(o, "run"), word(o, "timestamp"), "")
	case "intent":
		return r.outcome(o["action"], word(o, "run"), word(o, "timestamp"), Intended)
	case "event not delivered":
		if word(o, "detailType") == report.OutcomeEvent {
			return r.outcome(o["detail"], "", word(o, "timestamp"), "")
		}
		return nil
	}
	switch {
	case o["detail-type"] != nil:
		if word(o, "detail-type") == report.OutcomeEvent && word(o, "source") == report.Source {
			return r.outcome(o["detail"], "", word(o, "time"), "")
		}
		return nil
	case isCall && isUndo:
		return r.outcome(raw, "", "", "")
	case o["events"] != nil: // aws logs filter-log-events, get-log-events
		return r.value(o["events"], depth+1)
	case o["eventId"] != nil || o["ingestionTime"] != nil: // one of those
		return r.message(word(o, "message"), depth)
	case o["results"] != nil: // aws logs get-query-results: lists of fields
		return r.value(o["results"], depth+1)
	case word(o, "field") == "@message":
		return r.message(word(o, "value"), depth)
	}
	return nil
}

// word is the text of a member; empty where it is none.
func word(o map[string]json.RawMessage, name string) string {
	var s string
	if json.Unmarshal(o[name], &s) != nil {
		return ""
	}
	return s
}

var (
	idForm      = regexp.MustCompile(`^[0-9a-f]{16}$`)
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]+$`)
)

// outcome takes up one record. Fields that it does not know are of a later portcullis;
// one that is missing is a sign that it is not whole.
func (r *reader) outcome(raw json.RawMessage, run, at string, status control.Status) error {
	var o struct {
		Outcome
		Version *int   `json:"version"`
		Run     string `json:"run"`
		At      string `json:"at"`
	}
	if len(raw) == 0 || raw[0] != '{' {
		return errors.New("it has no outcome in it; it was changed after it was written")
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return fmt.Errorf("its outcome cannot be read: %w", err)
	}
	if status != "" {
		o.Status = status
	}
	statuses := []control.Status{Intended, control.Applied, control.Withheld, control.AlreadyDone, control.Failed, control.RestoreNeeded}
	wrong := ""
	switch {
	case o.Version != nil && *o.Version != report.Version:
		return fmt.Errorf("its version is %d, and this portcullis reads version %d; take a newer one", *o.Version, report.Version)
	case !idForm.MatchString(o.ID):
		wrong = "id"
	case !accountForm.MatchString(o.Account):
		wrong = "account"
	case !regionForm.MatchString(o.Region):
		wrong = "region"
	case !strings.HasPrefix(o.Resource, "arn:"):
		wrong = "resource"
	case o.Control == "":
		wrong = "control"
	case o.Call.Operation == "":
		wrong = "call"
	case o.Undo == nil:
		wrong = "undo"
	case !slices.Contains(statuses, o.Status):
		wrong = "status"
	}
	if wrong != "" {
		return fmt.Errorf("its outcome has no %s that can be understood; it was changed after it was written", wrong)
	}
	out := o.Outcome
	out.Run, out.File = run, r.file
	if o.Run != "" {
		out.Run = o.Run
	}
	if o.At != "" {
		at = o.At
	}
	if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
		out.At = t.UTC()
	}
	r.found = append(r.found, out)
	return nil
}
