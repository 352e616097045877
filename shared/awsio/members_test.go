package awsio

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/control"
)

const (
	member    = "444455556666"
	stranger  = "999988887777"
	theirRead = "arn:aws:iam::444455556666:role/portcullis-eu-west-1-read"
	theirPen  = "arn:aws:iam::444455556666:role/portcullis-eu-west-1-external-connections-write"
)

// hub is the environment of a deployment with members; the changes are in turn the
// names and values of what is different.
func hub(changes ...string) map[string]string {
	env := environment()
	env["ROLE_ARN"] = "arn:aws:iam::111122223333:role/portcullis-eu-west-1-external-connections"
	env["MEMBER_ROLES"], env["EXTERNAL_ID"], env["MEMBER_ACCOUNTS"] = "portcullis-eu-west-1", "s3cret", member
	for i := 0; i < len(changes); i += 2 {
		env[changes[i]] = changes[i+1]
	}
	return env
}

func TestMembersAreReadFromTheEnvironment(t *testing.T) {
	const org = "o-a1b2c3d4e5"
	for _, test := range []struct {
		name    string
		changes []string
		admits  []string // of those asked for
		err     string
	}{
		{"a list", nil, []string{member}, ""},
		{"a list with spaces", []string{"MEMBER_ACCOUNTS", " 999988887777, 444455556666 ,"}, []string{member, stranger}, ""},
		{"nobody", []string{"MEMBER_ACCOUNTS", ""}, nil, ""},
		{"nobody, without what members need", []string{"MEMBER_ACCOUNTS", "", "MEMBER_ROLES", "", "EXTERNAL_ID", ""}, nil, ""},
		{"an organization", []string{"MEMBER_ACCOUNTS", "", "ORGANIZATION_ID", org}, []string{member, stranger}, ""},
		{"an organization, but for one", []string{"MEMBER_ACCOUNTS", "", "ORGANIZATION_ID", org, "EXCLUDED_ACCOUNTS", stranger}, []string{member}, ""},
		{"a list, but for one", []string{"EXCLUDED_ACCOUNTS", member}, nil, ""},
		{"a list and an organization", []string{"ORGANIZATION_ID", org}, nil, "are both set"},
		{"an id that is none", []string{"MEMBER_ACCOUNTS", "4444"}, nil, `MEMBER_ACCOUNTS has "4444" in it`},
		{"an exclusion that is none", []string{"EXCLUDED_ACCOUNTS", "all"}, nil, `EXCLUDED_ACCOUNTS has "all" in it`},
		{"an organization that is none", []string{"MEMBER_ACCOUNTS", "", "ORGANIZATION_ID", "r-a1b2"}, nil, "not the id of an organization"},
		{"a list without an external id", []string{"EXTERNAL_ID", ""}, nil, "EXTERNAL_ID is not set"},
		{"a list without roles", []string{"MEMBER_ROLES", ""}, nil, "MEMBER_ROLES or"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := FromEnvironment("external-connections", lookup(hub(test.changes...)), control.Monitor)
			if test.err != "" {
				if !mentions(err, test.err) {
					t.Errorf("error %v, want one that says %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var admits []string
			for _, id := range []string{member, stranger, "", "444455556666x"} {
				_, err := a.Session(control.Scope{Account: id, Region: "eu-west-1"})
				if a.Members().Admits(id) != (err == nil) {
					t.Errorf("account %q: admitted %t, way in: %v", id, a.Members().Admits(id), err)
				}
				if err == nil {
					admits = append(admits, id)
				}
			}
			if diff := cmp.Diff(test.admits, admits); diff != "" {
				t.Errorf("admitted (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsKnownOfTheMembers(t *testing.T) {
	const org, third = "o-a1b2c3d4e5", "222233334444"
	type answer struct{ member, known, concerned bool } // concerned: the deployment looks at the account, as far as it knows
	for _, test := range []struct {
		name    string
		changes []string
		want    map[string]answer
	}{
		{"of a list", []string{"EXCLUDED_ACCOUNTS", third}, map[string]answer{
			home().Account: {false, true, true}, member: {true, true, true}, stranger: {false, true, false}, third: {false, true, false},
		}},
		{"of an organization", []string{"MEMBER_ACCOUNTS", "", "ORGANIZATION_ID", org, "EXCLUDED_ACCOUNTS", third}, map[string]answer{
			member: {true, false, true}, stranger: {true, false, true}, third: {false, true, true},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := FromEnvironment("external-connections", lookup(hub(test.changes...)), control.Monitor)
			if err != nil {
				t.Fatal(err)
			}
			for account, want := range test.want {
				var got answer
				got.member, got.known = a.Members().Has(account)
				got.concerned = a.Concerns(func(id string) bool { return id == account })
				if got != want {
					t.Errorf("%s: %+v, want %+v", account, got, want)
				}
			}
		})
	}
}

func TestAMemberIsReachedInTheRegionOfHomeOnly(t *testing.T) {
	a, err := FromEnvironment("external-connections", lookup(hub()), control.Monitor)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Session(control.Scope{Account: member, Region: "us-east-1"}); !mentions(err, "no way into account "+member+", Region us-east-1") {
		t.Errorf("error %v", err)
	}
}

// A counter of roles is an STS that gives each role credentials of its own, and
// answers for CodeArtifact what works.
type roles struct {
	mu      sync.Mutex
	assumed []string // role and external id of each request
	signed  []string // operation and access key of each call
	denied  string   // ARN of a role that may not be assumed
	unknown string   // access key that is not accepted any more
	expires time.Time
	down    bool // no role can be assumed now
}

func (s *roles) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/")
	if r.URL.Path != "/" {
		s.signed = append(s.signed, r.Method+" by "+key)
		if s.unknown == key {
			answer(http.StatusForbidden, `{"message":"The security token included in the request is invalid."}`, "X-Amzn-ErrorType", "UnrecognizedClientException")(w, r)
			return
		}
		works()(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	role := form.Get("RoleArn")
	s.assumed = append(s.assumed, strings.Join([]string{form.Get("Action"), role, form.Get("ExternalId"), form.Get("RoleSessionName"), form.Get("DurationSeconds")}, " "))
	if s.down {
		answer(http.StatusServiceUnavailable, "")(w, r)
		return
	}
	if role == s.denied {
		answer(http.StatusForbidden, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>`)(w, r)
		return
	}
	expires := s.expires
	if expires.IsZero() {
		expires = time.Now().Add(time.Hour)
	}
	answer(http.StatusOK, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>`+strings.ToUpper(role[strings.LastIndex(role, "-")+1:])+
		`</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>x</SessionToken><Expiration>`+expires.UTC().Format(time.RFC3339)+`</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)(w, r)
}

func TestAMemberIsReadAndWrittenByTheRolesThatItGrants(t *testing.T) {
	const (
		read  = "AssumeRole " + theirRead + " s3cret portcullis-external-connections 3600"
		write = "AssumeRole " + theirPen + " s3cret portcullis-external-connections 3600"
	)
	for _, test := range []struct {
		mode    control.Mode
		assumed []string
		signed  []string
	}{
		{control.Monitor, []string{read}, []string{"GET by READ"}},
		{control.Enforce, []string{read, write}, []string{"GET by READ", "DELETE by WRITE"}},
	} {
		t.Run(string(test.mode), func(t *testing.T) {
			sts := &roles{}
			server := serve(t, sts.serve)
			a, err := FromEnvironment("external-connections", lookup(hub("AWS_ENDPOINT_URL", server.url)), test.mode)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second run has the credentials of the first
				s, err := a.Session(control.Scope{Account: member, Region: "eu-west-1"})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Enter(t.Context()); err != nil {
					t.Fatal(err)
				}
				sts.signed = nil
				if err := describe(t.Context(), s.Reads); err != nil {
					t.Fatal(err)
				}
				_ = s.EnterToWrite(t.Context())
				_ = disconnect(t.Context(), s.Writes)
				if diff := cmp.Diff(test.signed, sts.signed); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff(test.assumed, sts.assumed); diff != "" {
				t.Errorf("assumed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARoleThatIsNotGrantedIsDenied(t *testing.T) {
	for _, role := range []string{theirRead, theirPen} {
		sts := &roles{denied: role}
		server := serve(t, sts.serve)
		a, err := FromEnvironment("external-connections", lookup(hub("AWS_ENDPOINT_URL", server.url)), control.Enforce)
		if err != nil {
			t.Fatal(err)
		}
		s, err := a.Session(control.Scope{Account: member, Region: "eu-west-1"})
		if err != nil {
			t.Fatal(err)
		}
		read, write := s.Enter(t.Context()), s.EnterToWrite(t.Context())
		if got := read != nil && Classify(read) == Denied; got != (role == theirRead) {
			t.Errorf("%s is denied, and reading gives %v", role, read)
		}
		if got := write != nil && Classify(write) == Denied; got != (role == theirPen) {
			t.Errorf("%s is denied, and writing gives %v", role, write)
		}
		if len(sts.assumed) != 2 {
			t.Errorf("asked %q: a denial is not tried again", sts.assumed)
		}
	}
}

// A role that was made anew is another one, and what the former gave out is worth nothing.
func TestCredentialsThatAreNotAcceptedAreAskedForAnew(t *testing.T) {
	for _, role := range []string{"READ", "WRITE"} {
		t.Run(role, func(t *testing.T) {
			sts := &roles{}
			server := serve(t, sts.serve)
			a, err := FromEnvironment("external-connections", lookup(hub("AWS_ENDPOINT_URL", server.url)), control.Enforce)
			if err != nil {
				t.Fatal(err)
			}
			for _, unknown := range []string{"", role, "", ""} {
				sts.unknown = unknown
				s, err := a.Session(control.Scope{Account: member, Region: "eu-west-1"})
				if err != nil {
					t.Fatal(err)
				}
				read, write := describe(t.Context(), s.Reads), disconnect(t.Context(), s.Writes)
				if (read != nil) != (unknown == "READ") || (write != nil) != (unknown == "WRITE") {
					t.Errorf("unknown %q: reading %v, writing %v", unknown, read, write)
				}
			}
			if n := len(sts.assumed); n != 3 || !strings.Contains(sts.assumed[2], "-"+strings.ToLower(role)+" ") {
				t.Errorf("assumed %q, want each once, and then the one that was not accepted", sts.assumed)
			}
		})
	}
}

func TestCredentialsDoNotEndDuringARun(t *testing.T) {
	for left, again := range map[time.Duration]bool{20 * time.Minute: false, 15 * time.Minute: true} {
		sts := &roles{expires: time.Now().Add(left)}
		server := serve(t, sts.serve)
		a, err := FromEnvironment("external-connections", lookup(hub("AWS_ENDPOINT_URL", server.url)), control.Monitor)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			s, err := a.Session(control.Scope{Account: member, Region: "eu-west-1"})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(sts.assumed) > 1; got != again {
			t.Errorf("with %s left, asked again: %t", left, got)
		}
	}
}

// A write that had to wait for credentials would be sent when what the second reading
// found is old.
func TestARunKeepsTheCredentialsThatItEnteredWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &roles{expires: time.Now().Add(assumedAhead + time.Second)}
		server := serveInBubble(t, sts.serve)
		a, err := FromEnvironment("external-connections", lookup(hub("AWS_ENDPOINT_URL", server.url)), control.Enforce)
		if err != nil {
			t.Fatal(err)
		}
		a.http = server.http
		s, err := a.Session(control.Scope{Account: member, Region: "eu-west-1"})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Enter(t.Context()), s.EnterToWrite(t.Context())); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Minute) // no run is longer
		sts.down = true
		for name, call := range map[string]func() error{
			"a read":  func() error { return describe(t.Context(), s.Reads) },
			"a write": func() error { return disconnect(t.Context(), s.Writes) },
		} {
			start := time.Now()
			if err := call(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(start); took > 0 {
				t.Errorf("%s was sent %v late", name, took)
			}
		}
		if len(sts.assumed) != 2 {
			t.Errorf("%d roles were assumed, want each once", len(sts.assumed))
		}
	})
}

func TestTheDeploymentItselfCannotBeExcluded(t *testing.T) {
	_, err := FromEnvironment("external-connections", lookup(hub("EXCLUDED_ACCOUNTS", "111122223333")), control.Monitor)
	if !mentions(err, "which is the account of this deployment") {
		t.Errorf("error %v", err)
	}
}
