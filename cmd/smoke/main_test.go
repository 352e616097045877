package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/internal/signin"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/proton"
	"portcullis/shared/localaws/sts"
	"portcullis/shared/localaws/witness"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
)

// stage is an empty account in which Proton is over.
func stage(t *testing.T) (*localaws.World, *codeartifact.Service, options) {
	t.Helper()
	w, err := localaws.New(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	sts.New(w)
	proton.New(w, eventbridge.New(w)).Retire(proton.UnknownOperation)
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, value)
			_ = os.Unsetenv(name) // t.Setenv puts it back
		}
	}
	for _, v := range append(w.Environment(account, region), "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	return w, codeartifact.New(w), options{
		sandbox: account, record: filepath.Join(t.TempDir(), "smoke.jsonl"), signin: signin.Options{},
		patient: time.Second, again: 100 * time.Millisecond, pause: time.Millisecond,
	}
}

// wrote lists what was changed.
func wrote(w *localaws.World) []string {
	var operations []string
	for _, c := range w.Writes() {
		operations = append(operations, c.Operation)
	}
	return operations
}

// somebody is another client of the account.
func somebody(w *localaws.World) *sdk.Client {
	who := w.Account(account)
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(w.URL()), HTTPClient: w.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(who.AccessKeyID, who.SecretAccessKey, who.SessionToken),
	})
}

// domains says how many there are.
func domains(t *testing.T, w *localaws.World) int {
	t.Helper()
	out, err := somebody(w).ListDomains(context.WithoutCancel(t.Context()), &sdk.ListDomainsInput{})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Domains)
}

// What is assumed in the questions is what the small AWS plays, and nothing is left of it all.
func TestItAsksEverythingAndCleansUp(t *testing.T) {
	w, _, o := stage(t)
	var out strings.Builder
	status, err := run(t.Context(), o, &out)
	if status != asAssumed || err != nil {
		t.Fatalf("status %d, %v\n%s", status, err, out.String())
	}
	for _, want := range []string{
		"DisassociateExternalConnection is withheld", "TagResource is withheld", "the connection is back", "the mark is off again",
		"the domain portcullis-smoke is removed",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not said:\n%s", want, out.String())
		}
	}
	if n := domains(t, w); n > 0 {
		t.Errorf("%d domains are left", n)
	}
	if n := len(questions()); n != strings.Count(out.String(), "as assumed")+strings.Count(out.String(), "measured") {
		t.Errorf("there are %d questions:\n%s", n, out.String())
	}
	if n := slices.Index(wrote(w), "CreateDomain"); n != 0 {
		t.Errorf("the first write is not the domain: %v", wrote(w))
	}
}

// An answer that is not as assumed is told, and is no failure.
func TestItTellsWhatDiffers(t *testing.T) {
	w, _, o := stage(t)
	w.Inject(localaws.Fault{Operation: "PublishPackageVersion", Kind: localaws.Fail(403, "AccessDeniedException", "no"),
		Match: func(input map[string]any) bool { return input["package"] == "tool" }})
	var out strings.Builder
	status, err := run(t.Context(), o, &out)
	if line := regexp.MustCompile(`C21 .*ConflictException +AccessDeniedException +differs`); status != differs || err != nil || !line.MatchString(out.String()) {
		t.Errorf("status %d, %v\n%s", status, err, out.String())
	}
}

// What keeps a control from its work may be what is asked, so it is asked all the same.
func TestItAsksAlsoIfAControlFails(t *testing.T) {
	w, _, o := stage(t)
	w.Inject(localaws.Fault{Operation: "TagResource", Kind: localaws.Fail(403, "AccessDeniedException", "no")})
	var out strings.Builder
	status, err := run(t.Context(), o, &out)
	if status != failed || err == nil || !strings.Contains(err.Error(), "TagResource is failed") || strings.Count(out.String(), "as assumed") != len(questions())-1 {
		t.Errorf("status %d, %v\n%s", status, err, out.String())
	}
	if n := domains(t, w); n > 0 {
		t.Errorf("%d domains are left", n)
	}
}

// A question without an answer is a failure.
func TestItTellsWhatItCouldNotAsk(t *testing.T) {
	w, _, o := stage(t)
	w.Inject(localaws.Fault{Operation: "GetAssociatedPackageGroup", Kind: localaws.HTML(403)})
	var out strings.Builder
	status, err := run(t.Context(), o, &out)
	if line := regexp.MustCompile(`C7 .*not known`); status != failed || err == nil || !line.MatchString(out.String()) {
		t.Errorf("status %d, %v\n%s", status, err, out.String())
	}
}

func TestItRefusesWhatIsNoSandbox(t *testing.T) {
	for _, test := range []struct {
		name    string
		setup   func(*codeartifact.Service, *options)
		want    string
		cleanup string // what -cleanup refuses too, which looks at our own domain only
	}{
		{"another account", func(_ *codeartifact.Service, o *options) { o.sandbox = "999999999999" },
			"and not of the sandbox 999999999999", "and not of the sandbox 999999999999"},
		{"a foreign domain", func(s *codeartifact.Service, _ *options) { s.AddDomain(account, region, "corp") },
			"there is a domain corp in Region eu-west-1", ""},
		{"a domain of our name", func(s *codeartifact.Service, _ *options) { s.AddDomain(account, region, domain) },
			"has no tag portcullis:smoke", "has no tag portcullis:smoke"},
		{"a repository in another account's domain", func(s *codeartifact.Service, _ *options) {
			s.AddDomain("444455556666", region, "corp").AddRepositoryOf(account, "npm")
		}, "the account administers the repository corp/npm", ""},
		{"a record that is there", func(_ *codeartifact.Service, o *options) { o.record = os.DevNull }, "the record cannot be written", ""},
	} {
		for _, cleanup := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cleanup %t", test.name, cleanup), func(t *testing.T) {
				w, s, o := stage(t)
				o.cleanup = cleanup
				test.setup(s, &o)
				want := test.want
				if cleanup {
					want = test.cleanup
				}
				var out strings.Builder
				status, err := run(t.Context(), o, &out)
				if want == "" {
					if status != asAssumed || err != nil || !strings.Contains(out.String(), "nothing is left to remove") {
						t.Errorf("status %d, %v\n%s", status, err, out.String())
					}
				} else if status != failed || err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "nothing was changed") {
					t.Errorf("status %d, %v", status, err)
				}
				if got := wrote(w); len(got) > 0 {
					t.Errorf("wrote %v", got)
				}
			})
		}
	}
}

// Wherever it fails or is interrupted, nothing is left. The effect of the write is there, and only its answer is not.
func TestNothingIsLeftAfterAFailureOrAnInterrupt(t *testing.T) {
	for _, test := range []struct {
		operation string
		fails     bool
	}{
		{"CreateDomain", true},
		{"CreateDomain", false},
		{"CreateRepository", true},
		{"CreateRepository", false},
		{"AssociateExternalConnection", true},
		{"CreatePackageGroup", true},
		{"CreatePackageGroup", false},
		{"UpdatePackageGroupOriginConfiguration", true},
		{"DisassociateExternalConnection", false},
		{"TagResource", false},
		{"UntagResource", false},
		{"PutPackageOriginConfiguration", false},
		{"DeletePackageGroup", false},
		{"PublishPackageVersion", false},
	} {
		t.Run(fmt.Sprintf("%s, fails %t", test.operation, test.fails), func(t *testing.T) {
			w, _, o := stage(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			kind := localaws.Meanwhile(cancel)
			if test.fails {
				kind = localaws.Fail(500, "InternalServerException", "no")
			}
			fault := w.Inject(localaws.Fault{Operation: test.operation, Times: 1, When: localaws.After, Kind: kind})
			var out strings.Builder
			if status, err := run(ctx, o, &out); status != failed || err == nil || fault.Count() != 1 {
				t.Errorf("status %d, %v, %d faults:\n%s", status, err, fault.Count(), out.String())
			}
			if n := domains(t, w); n > 0 {
				t.Errorf("%d domains are left:\n%s", n, out.String())
			}
		})
	}
}

// A run that was killed leaves its domain, which the next one does not take for its own.
func TestWhatIsLeftIsRemovedOnRequest(t *testing.T) {
	w, _, o := stage(t)
	fault := w.Inject(localaws.Fault{Operation: "DeleteDomain", Kind: localaws.Fail(500, "InternalServerException", "no")})
	status, err := run(t.Context(), o, &strings.Builder{})
	if status != failed || err == nil || !strings.Contains(err.Error(), "make smoke ACCOUNT=111122223333 CLEANUP=1") {
		t.Fatalf("status %d, %v", status, err)
	}
	fault.Remove()
	before := len(w.Writes())
	if status, err := run(t.Context(), o, &strings.Builder{}); status != failed || err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("status %d, %v", status, err)
	}
	if len(w.Writes()) != before {
		t.Error("it wrote into what another run has left")
	}
	o.cleanup = true
	for _, want := range []string{"is removed", "nothing is left to remove"} {
		var out strings.Builder
		if status, err := run(t.Context(), o, &out); status != asAssumed || err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("status %d, %v\n%s", status, err, out.String())
		}
	}
	if n := domains(t, w); n > 0 {
		t.Errorf("%d domains are left", n)
	}
}

// docs/fidelity.md and the questions here name each other.
func TestTheQuestionsAreThoseOfTheDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/fidelity.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed, asked []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) > 2 && strings.Contains(cells[len(cells)-2], "**smoke**") {
			listed = append(listed, strings.TrimSpace(cells[1]))
		}
	}
	for _, q := range questions() {
		asked = append(asked, q.id)
	}
	if !slices.Equal(listed, asked) {
		t.Errorf("the document has %v, and the program asks %v", listed, asked)
	}
}
