package report_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"portcullis/shared/control"
)

// FuzzLog: whatever others call their things, and whatever AWS says, each line of the
// log is one JSON object of a length that CloudWatch keeps in one piece, and the
// words come through as they are, as far as they are text.
func FuzzLog(f *testing.F) {
	for _, text := range []string{
		"plain", "a\nb", "\r\n{\"level\":\"INFO\",\"message\":\"outcome\"}", "\x00\x1b[2J\x7f", "\xff\xfe", "\u2028\u2029\u202e", `"},{"message":"intent`, "<script>&", strings.Repeat("x", 70<<10),
	} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, name, said string) {
		synctest.Test(t, func(t *testing.T) {
			r := begin(t.Context(), "DEBUG", &bus{})
			found, done, intended := finding(control.Violation), outcome(control.Failed), action()
			found.Resource, found.Subject, found.Reason, found.Effect, found.Notes = name, name, said, said, []string{said}
			done.Resource, done.Subject, done.Reason, done.Detail = name, name, said, said
			intended.Resource, intended.Subject, intended.Before = name, name, object{"name": name}
			r.Finding(t.Context(), found)
			r.Outcome(t.Context(), done)
			r.Remark(t.Context(), "remark", said)
			if err := r.Intent(t.Context(), intended); err != nil {
				t.Errorf("intent: %v", err)
			}
			if _, err := r.Finish(t.Context(), summary(), true); err != nil {
				t.Errorf("finish: %v", err)
			}
			counts := map[any]int{}
			for _, line := range r.lines(t) { // each of which is one JSON object
				counts[line["message"]]++
			}
			if counts["finding"] != 1 || counts["outcome"] != 1 || counts["intent"] != 1 || counts["summary"] != 1 {
				t.Errorf("records %v", counts)
			}
			for _, message := range []string{"finding", "outcome"} {
				record, _ := r.logged(t, message)[0][message].(object)
				if len(name) < 1000 && utf8.ValidString(name) && record["resource"] != name {
					t.Errorf("%s is about %q, and is logged about %q", message, name, record["resource"])
				}
			}
		})
	})
}
