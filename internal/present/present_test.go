package present

import (
	"strings"
	"testing"

	"portcullis/internal/estate"
	"portcullis/shared/control"
	"portcullis/shared/externalconn"
	"portcullis/shared/policy"
	"portcullis/shared/protonconn"
)

func finding(resource, subject string, v control.Verdict) control.Finding {
	return control.Finding{ID: control.FindingID("c", resource, subject), Control: "c", Account: "111122223333", Resource: resource, Subject: subject, Verdict: v, Reason: "a reason"}
}

const arn = "arn:aws:codeartifact:eu-west-1:111122223333:"

func TestAPatternMatches(t *testing.T) {
	repository := finding(arn+"repository/corp/npm-store", "public:npmjs", control.Violation)
	group := finding(arn+"package-group/corp/npm/acme/%2a", "", control.Violation)
	foreign := finding("arn:aws:codeartifact:eu-west-1:999999999999:repository/corp/npm-store", "public:npmjs", control.Violation)
	connection := finding("arn:aws:proton:eu-west-1:222222222222:environment-account-connection/an-id", "", control.Violation)
	for _, test := range []struct {
		pattern string
		of      control.Finding
		want    bool
	}{
		{"corp/npm-store", repository, true},
		{"npm-store", repository, false},
		{"*npm*", repository, true},
		{"corp/*", repository, true},
		{"corp/npm-stor?", repository, true},
		{"CORP/npm-store", repository, false},
		{"corp.npm-store", repository, false},
		{"public:npmjs", repository, true},
		{"public:*", repository, true},
		{arn + "repository/corp/npm-store", repository, true},
		{"arn:aws:codeartifact:*:repository/*", repository, true},
		{"corp/npm/acme/*", group, true},
		{"corp/npm/acme/%2a", group, false},
		{"", repository, false},
		{"corp/npm-store", foreign, false},
		{"corp/*", foreign, false},
		{"999999999999/corp/npm-store", foreign, true},
		{"999999999999/corp/npm-store", repository, false},
		{"111122223333/corp/npm-store", repository, true},
		{"111122223333/corp/npm-store", foreign, false},
		{"*/npm-store", foreign, true},
		{"public:npmjs", foreign, true},
		{"an-id", connection, true},
		{"corp/[n]pm-store", repository, false},
		{`corp/npm-store|x`, repository, false},
	} {
		p, err := ParsePattern(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Matches(test.of); got != test.want {
			t.Errorf("%q matches %s: %v, want %v", test.pattern, Name(test.of), got, test.want)
		}
	}
}

// A shell hands over any bytes.
func TestAPatternThatIsNoTextIsRefused(t *testing.T) {
	for _, s := range []string{"\xff", "corp/\xc3", "*\x80*", "\xed\xa0\x80"} {
		if p, err := ParsePattern(s); err == nil || !strings.Contains(err.Error(), "write ?") || p != (Pattern{}) {
			t.Errorf("%q is %+v, error %v", s, p, err)
		}
	}
}

func part(seen estate.Observation, findings ...control.Finding) Part {
	return Conclude(estate.Part{Control: "c", Seen: seen}, control.Plan{Findings: findings}, &policy.Policy{}, nil)
}

func TestWorst(t *testing.T) {
	there := externalconn.Observation{}
	gone := protonconn.Observation{Gone: &protonconn.Unread{}}
	compliant, waived := finding("a", "", control.Compliant), finding("b", "", control.Waived)
	violation, undetermined := finding("c", "", control.Violation), finding("d", "", control.Undetermined)
	for name, test := range map[string]struct {
		parts []Part
		want  control.Verdict
	}{
		"nothing to say":                      {[]Part{part(there)}, control.Compliant},
		"compliant and waived":                {[]Part{part(there, compliant, waived)}, control.Compliant},
		"something is undetermined":           {[]Part{part(there, compliant, undetermined)}, control.Undetermined},
		"a violation goes before that":        {[]Part{part(there, undetermined, violation)}, control.Violation},
		"a violation anywhere":                {[]Part{part(there, undetermined), part(there, violation)}, control.Violation},
		"gone, beside what is there":          {[]Part{part(there, compliant), part(gone, undetermined)}, control.Compliant},
		"gone, and nothing else":              {[]Part{part(gone, undetermined)}, control.Undetermined},
		"gone, beside what is undetermined":   {[]Part{part(there, undetermined), part(gone, undetermined)}, control.Undetermined},
		"gone, beside what found a violation": {[]Part{part(gone, undetermined), part(there, violation)}, control.Violation},
	} {
		if got := (Result{Parts: test.parts}).Worst(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// Names and messages come from elsewhere. None may move a cursor, hide what follows,
// or become a link, a tag or another cell.
func TestForeignTextStaysText(t *testing.T) {
	f := finding(arn+"repository/corp/$(touch x)`id`\x1b[2J\u202e'\"|<script>", "[a](b)", control.Violation)
	f.Reason = "line one\nline | two **bold**"
	r := Result{Parts: []Part{part(externalconn.Observation{}, f)}}
	var text, markdown strings.Builder
	if err := r.Text(&text, false, false); err != nil {
		t.Fatal(err)
	}
	if err := r.Markdown(&markdown, false); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{text.String(), markdown.String()} {
		if strings.ContainsAny(out, "\x1b\u202e") || strings.Contains(out, "one\nline") {
			t.Errorf("%q", out)
		}
	}
	if !strings.Contains(text.String(), "$(touch x)`id`") {
		t.Errorf("%q does not show the name", text.String())
	}
	row := markdown.String()[strings.Index(markdown.String(), "| violation"):]
	if strings.ContainsAny(strings.NewReplacer("<code>", "", "</code>", "").Replace(row), "<>[]*`") {
		t.Errorf("something is left to be rendered: %q", row)
	}
	if n := strings.Count(row, "|"); n != 5 {
		t.Errorf("%d bars in the row %q", n, row)
	}
}

func TestColoursAreForTerminalsOnly(t *testing.T) {
	r := Result{Parts: []Part{part(externalconn.Observation{}, finding(arn+"repository/corp/a", "", control.Violation))}}
	var plain, coloured strings.Builder
	if err := r.Text(&plain, Coloured(&plain), false); err != nil {
		t.Fatal(err)
	}
	if err := r.Text(&coloured, true, false); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plain.String(), "\x1b") || !strings.Contains(coloured.String(), "\x1b[31m") {
		t.Errorf("plain %q, coloured %q", plain.String(), coloured.String())
	}
}
