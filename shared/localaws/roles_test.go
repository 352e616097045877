package localaws_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/proton"
	"portcullis/shared/localaws/sts"
	"portcullis/shared/localaws/witness"
)

// as makes a request with these credentials, without a connection.
func as(t *testing.T, w *localaws.World, c localaws.Credentials, service, method, uri, target, body string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, uri, strings.NewReader(body))
	r.Header.Set("Authorization", authorization(c.AccessKeyID, service))
	r.Header.Set("X-Amz-Target", target)
	recorder := httptest.NewRecorder()
	w.ServeHTTP(recorder, r)
	return recorder.Result()
}

func read(t *testing.T, w *localaws.World, c localaws.Credentials) int {
	t.Helper()
	method, uri, _ := strings.Cut(describe, " ")
	return as(t, w, c, "codeartifact", method, uri, "", "").StatusCode
}

func TestARoleMayDoWhatItsLimitSays(t *testing.T) {
	w, _ := newWorld(t)
	role := w.Role(account, "reader")
	c := role.Session("s")
	for _, test := range []struct {
		name   string
		change func()
		status int
	}{
		{"everything at first", func() {}, 200},
		{"nothing", func() { role.Limit() }, 403},
		{"one action", func() { role.Limit("codeartifact:DescribeRepository") }, 200},
		{"another action", func() { role.Limit("codeartifact:DescribeDomain", "codeartifact:Describe") }, 403},
		{"what begins so", func() { role.Limit("codeartifact:List*", "codeartifact:Describe*") }, 200},
		{"what begins otherwise", func() { role.Limit("codeartifact:List*") }, 403},
		{"the action of another service", func() { role.Limit("proton:DescribeRepository") }, 403},
		{"all of a service", func() { role.Limit("codeartifact:*") }, 200},
		{"events only", func() { role.Limit().AllowEvents("Finding") }, 403},
		{"everything again", func() { role.Unlimit() }, 200},
		{"nothing once it was removed", func() { role.Remove() }, 403},
		{"nothing as another of that name", func() { w.Role(account, "reader") }, 403},
	} {
		test.change()
		if got := read(t, w, c); got != test.status {
			t.Errorf("%s: got %d", test.name, got)
		}
	}
	if got := read(t, w, role.Session("another")); got != 403 {
		t.Errorf("a new session of a role that was removed: got %d", got)
	}
	if got := read(t, w, w.Role(account, "reader").Session("s")); got != 200 {
		t.Errorf("the new role: got %d", got)
	}
}

func TestAnAccountIsNotLimited(t *testing.T) {
	w, _ := newWorld(t)
	w.Role(account, "nobody").Limit()
	if got := send(t.Context(), w, account, describe).status; got != 200 {
		t.Errorf("got %d", got)
	}
}

func TestARoleIsOfItsAccount(t *testing.T) {
	w, repository := newWorld(t)
	mine, theirs := w.Role(account, "writer").Session("s"), w.Role(other, "writer").Session("s")
	method, uri, _ := strings.Cut(associate, " ")
	if got := as(t, w, theirs, "codeartifact", method, uri, "", ""); got.StatusCode != 404 || repository.Connections() != nil {
		t.Errorf("a role of another account got %d", got.StatusCode)
	}
	if got := as(t, w, mine, "codeartifact", method, uri, "", ""); got.StatusCode != 200 {
		t.Errorf("a role of the account got %d", got.StatusCode)
	}
	writes := w.Writes()
	if len(writes) != 2 || writes[1].Account != account || writes[1].Principal != "arn:aws:iam::111122223333:role/writer" || writes[1].Session != "s" {
		t.Errorf("the journal has %+v", writes)
	}
}

func TestADenialIsAnAnswerOfTheService(t *testing.T) {
	w, err := localaws.New(start())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	bridge := eventbridge.New(w)
	codeartifact.New(w)
	proton.New(w, bridge)
	sts.New(w)
	role := w.Role(account, "nobody").Limit()
	const user = "User: arn:aws:sts::111122223333:assumed-role/nobody/s is not authorized to perform: "
	for _, test := range []struct {
		service, method, uri, target, body string
		status                             int
		want                               string
	}{
		{"codeartifact", "GET", "/v1/domain?domain=corp", "", "", 403, `{"message":"` + user + `codeartifact:DescribeDomain"}`},
		{"proton", "POST", "/", "AwsProton20200720.ListEnvironments", "{}", 400,
			`{"__type":"com.amazonaws.proton#AccessDeniedException","message":"` + user + `proton:ListEnvironments"}`},
		{"events", "POST", "/", "AWSEvents.PutEvents", "{}", 403,
			`{"__type":"AccessDeniedException","message":"` + user + `events:PutEvents"}`},
		{"sts", "POST", "/", "", "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:x", 403,
			`<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>` + user +
				`sts:AssumeRole on resource: arn:x</Message></Error><RequestId>00000000-0000-4000-8000-000000000004</RequestId></ErrorResponse>`},
	} {
		got := as(t, w, role.Session("s"), test.service, test.method, test.uri, test.target, test.body)
		body := new(strings.Builder)
		if err := got.Write(body); err != nil {
			t.Fatal(err)
		}
		if got.StatusCode != test.status || !strings.HasSuffix(body.String(), "\r\n\r\n"+test.want) {
			t.Errorf("%s: got %d %s", test.service, got.StatusCode, body)
		}
	}
	for _, c := range w.Calls() {
		if !c.Executed || c.Changed || !strings.HasPrefix(c.ErrorCode, "AccessDenied") {
			t.Errorf("the journal has %+v", c)
		}
	}
}

func TestTheJournalCanCountOnly(t *testing.T) {
	w, _ := newWorld(t)
	send(t.Context(), w, account, describe)
	w.CountOnly(true)
	heard := 0
	w.OnCall(func(localaws.Call) { heard++ })
	send(t.Context(), w, account, describe)
	send(t.Context(), w, other, describe)
	if len(w.Calls()) != 0 || heard != 2 {
		t.Errorf("%d calls are kept, and %d heard of", len(w.Calls()), heard)
	}
	w.CountOnly(false)
	send(t.Context(), w, account, describe)
	calls := w.Calls()
	if len(calls) != 1 || calls[0].RequestID != "00000000-0000-4000-8000-000000000004" {
		t.Errorf("kept are %+v", calls)
	}
	kind := localaws.CallKind{Account: account, Region: region, Service: "codeartifact", Operation: "DescribeRepository", Status: 200}
	refused := kind
	refused.Account, refused.Status, refused.ErrorCode = other, 404, "ResourceNotFoundException"
	if diff := cmp.Diff(map[localaws.CallKind]int{kind: 3, refused: 1}, w.Counts()); diff != "" {
		t.Error(diff)
	}
}
