package trigger_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/trigger"
)

// association is what the sample of an AssociateExternalConnection means, in its
// most complete form.
func association() trigger.Trigger {
	return trigger.Trigger{
		Cause:      trigger.Event,
		ID:         "b3a1c9d2-7a54-4a55-9f1b-0f6e2d8c4a11",
		Account:    "111122223333",
		Region:     "eu-west-1",
		Caller:     "arn:aws:iam::111122223333:role/developer",
		Repository: trigger.Repository{Owner: "444455556666", Domain: "corp", Name: "npm-store"},
	}
}

// ignored is a trigger that says nothing of where it is from: nobody goes there.
func ignored(id, why string) trigger.Trigger {
	return trigger.Trigger{Cause: trigger.None, ID: id, Ignored: why}
}

func TestParseReadsTheSample(t *testing.T) {
	const envelope = "0d079340-135a-4c8a-95c2-41fb8f496c53"
	withoutOwner, copied := association(), association()
	withoutOwner.Caller, withoutOwner.Repository.Owner = "", "111122223333"
	copied.ID, copied.Account = "9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d", "444455556666"

	want := map[string]trigger.Trigger{
		"nothing.json":           {Cause: trigger.Hand},
		"sweep-by-hand.json":     {Cause: trigger.Hand, ID: "2b1a0f9e-8d7c-4b6a-9584-73625140f3e2", Request: trigger.Request{Sender: "111122223333"}},
		"sweep-by-schedule.json": {Cause: trigger.Sweep},
		"sweep-of-a-member.json": {
			Cause: trigger.Sweep, ID: "5e4d3c2b-1a0f-4e9d-8c7b-6a5948372615", Account: "444455556666", Region: "eu-west-1",
			Request: trigger.Request{
				Sender: "111122223333", Control: "external-connections", Round: "00000000-0000-4000-9000-000000000001",
				Covered: []string{"111122223333", "444455556666"},
			},
		},
		"round-by-schedule.json": ignored("", `this control does not look at "Round Requested" from "portcullis"`),

		"associate-external-connection.json":                association(),
		"associate-in-the-published-spelling.json":          association(),
		"associate-without-domain-owner.json":               withoutOwner,
		"associate-as-the-domain-owner-sees-it.json":        copied,
		"associate-failed.json":                             ignored(envelope, `the call failed: "AccessDenied"`),
		"associate-replayed.json":                           ignored(envelope, "it is replayed from an archive"),
		"disassociate-external-connection.json":             ignored(envelope, `this control does not look at "DisassociateExternalConnection" of "codeartifact.amazonaws.com"`),
		"delete-package-group.json":                         ignored("5c0d3f5e-1111-4c8a-95c2-41fb8f496c54", `this control does not look at "DeletePackageGroup" of "codeartifact.amazonaws.com"`),
		"update-package-group-origin-configuration.json":    ignored("6d1e4a6f-2222-4c8a-95c2-41fb8f496c55", `this control does not look at "UpdatePackageGroupOriginConfiguration" of "codeartifact.amazonaws.com"`),
		"group-changes-from-a-queue.json":                   ignored("", `this control does not look at "" from ""`),
		"read-from-repository.json":                         ignored(envelope, `this control does not look at "ReadFromRepository" of "codeartifact.amazonaws.com"`),
		"package-version-state-change.json":                 ignored("73f03fec-a137-971e-6ac6-07c8ffffffff", `this control does not look at "CodeArtifact Package Version State Change" from "aws.codeartifact"`),
		"create-environment-account-connection.json":        ignored("7f3d2c1b-0a9e-4d8c-b7a6-5f4e3d2c1b0a", `this control does not look at "AWS API Call via CloudTrail" from "aws.proton"`),
		"environment-account-connection-status-change.json": ignored("6a7e8feb-b491-4cf7-a9f1-bf3703467718", `this control does not look at "AWS Proton Environment Account Connection Status Change" from "aws.proton"`),
	}
	for name, payload := range samples(t) {
		t.Run(name, func(t *testing.T) {
			wanted, known := want[name]
			if !known {
				t.Fatal("nobody says what this sample means")
			}
			delete(want, name)
			got, err := trigger.Parse(payload)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wanted, got); diff != "" {
				t.Errorf("trigger (-want +got):\n%s", diff)
			}
		})
	}
	for name := range want {
		t.Errorf("there is no sample %s", name)
	}
}

// An edit replaces text in the sample of an AssociateExternalConnection. The text
// must be there, so that no edit is empty.
type edit struct{ old, new string }

func edited(t *testing.T, edits ...edit) []byte {
	t.Helper()
	text := string(samples(t)["associate-external-connection.json"])
	for _, e := range edits {
		if !strings.Contains(text, e.old) {
			t.Fatalf("the sample has no %s", e.old)
		}
		text = strings.Replace(text, e.old, e.new, 1)
	}
	return []byte(text)
}

const (
	parameters = `"requestParameters": {`
	owner      = `"domainOwner": "444455556666",`
	domain     = `"domain": "corp"`
	repository = `"repository": "npm-store"`
	caller     = `"accountId": "111122223333"` // the first is the caller's own
	detail     = `"detail": {`
	region     = `"region": "eu-west-1"`
	awsRegion  = `"awsRegion": "eu-west-1"`
)

func TestParseUnderstandsTheCall(t *testing.T) {
	for _, test := range []struct {
		name   string
		edits  []edit
		change func(*trigger.Trigger) // from what the sample means
	}{
		{"with a field that it does not know", []edit{{detail, `"new": [{}], "detail": {"new": {"a": null},`}}, nil},
		{"with parameters that it does not know", []edit{{parameters, parameters + `"new": {"deep": [1]},`}}, nil},
		{"with an errorCode of null", []edit{{detail, detail + `"errorCode": null,`}}, nil},
		{"without awsRegion", []edit{{awsRegion, `"x": 0`}}, nil},
		{"with both spellings, and takes the API's", []edit{{parameters, parameters + `"domainName": "other", "repositoryName": "other",`}}, nil},
		{"with one spelling empty", []edit{{domain, `"domain": "", "domainName": "corp"`}}, nil},
		{"with one spelling of another type", []edit{{repository, `"repository": {"name": "other"}, "repositoryName": "npm-store"`}}, nil},
		{"without an eventID", []edit{{`"eventID"`, `"x"`}}, func(t *trigger.Trigger) { t.ID = "0d079340-135a-4c8a-95c2-41fb8f496c53" }},
		{"without a session", []edit{{`"sessionContext"`, `"x"`}}, func(t *trigger.Trigger) { t.Caller = "" }},
		{"with an empty domainOwner", []edit{{owner, `"domainOwner": "",`}}, func(t *trigger.Trigger) { t.Repository.Owner = "111122223333" }},
		{"made by another account in a domain of that account's", []edit{{owner, ""}, {caller, `"accountId": "777788889999"`}},
			func(t *trigger.Trigger) { t.Repository.Owner = "777788889999" }},
		{"with the shortest names", []edit{{domain, `"domain": "c0"`}, {repository, `"repository": "0_"`}},
			func(t *trigger.Trigger) { t.Repository.Domain, t.Repository.Name = "c0", "0_" }},
		{"with the longest names", []edit{{domain, `"domain": "` + strings.Repeat("d", 50) + `"`}, {repository, `"repository": "` + strings.Repeat("R", 100) + `"`}},
			func(t *trigger.Trigger) {
				t.Repository.Domain, t.Repository.Name = strings.Repeat("d", 50), strings.Repeat("R", 100)
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := association()
			if test.change != nil {
				test.change(&want)
			}
			got, err := trigger.Parse(edited(t, test.edits...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("trigger (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefusesTheCall(t *testing.T) {
	for _, test := range []struct {
		name  string
		edits []edit
	}{
		{"without detail", []edit{{detail, `"x": {`}}},
		{"with a detail of null", []edit{{detail, `"detail": null, "x": {`}}},
		{"with a detail that is a list", []edit{{detail, `"detail": [], "x": {`}}},
		{"with a detail that is text", []edit{{detail, `"detail": "{}", "x": {`}}},
		{"with an empty detail", []edit{{detail, `"detail": {}, "x": {`}}},
		{"without eventName", []edit{{`"eventName"`, `"x"`}}},
		{"without eventSource", []edit{{`"eventSource"`, `"x"`}}},
		{"with an eventName of another type", []edit{{`"AssociateExternalConnection"`, `["AssociateExternalConnection"]`}}},
		{"with an errorCode of another type", []edit{{detail, detail + `"errorCode": 403,`}}},
		{"with a userIdentity of another type", []edit{{`"userIdentity": {`, `"userIdentity": "root", "x": {`}}},

		{"without requestParameters", []edit{{parameters, `"x": {`}}},
		{"with requestParameters of null", []edit{{parameters, `"requestParameters": null, "x": {`}}},
		{"with requestParameters of another type", []edit{{parameters, `"requestParameters": "omitted", "x": {`}}},
		{"with requestParameters that were left out for their size", []edit{{parameters, `"requestParameters": {"omitted": true}, "x": {`}}},
		{"without the domain", []edit{{domain, `"x": 0`}}},
		{"without the repository", []edit{{repository, `"x": 0`}}},
		{"with a domain of another type", []edit{{domain, `"domain": 7`}}},
		{"with a repository of another type", []edit{{repository, `"repository": ["npm-store"]`}}},
		{"without domainOwner and without the caller's account", []edit{{owner, ""}, {caller, `"x": 0`}}},

		{"with a domainOwner that is no account", []edit{{owner, `"domainOwner": "44445555666",`}}},
		{"with a domainOwner in other digits", []edit{{owner, `"domainOwner": "44445555666٦",`}}},
		{"with a domainOwner of another type", []edit{{owner, `"domainOwner": 444455556666,`}}},
		{"with a domainOwner of another type beside the caller's account", []edit{{owner, `"domainOwner": {"id": "444455556666"},`}}},
		{"with a domainOwner and a line after it", []edit{{owner, `"domainOwner": "444455556666\n",`}}},
		{"with a domain of one letter", []edit{{domain, `"domain": "c"`}}},
		{"with a domain that is too long", []edit{{domain, `"domain": "` + strings.Repeat("d", 51) + `"`}}},
		{"with a domain in capitals", []edit{{domain, `"domain": "Corp"`}}},
		{"with a domain that ends in a hyphen", []edit{{domain, `"domain": "corp-"`}}},
		{"with a domain that is a shell command", []edit{{domain, `"domain": "corp; curl example.com | sh"`}}},
		{"with a domain that is a path", []edit{{domain, `"domain": "corp/npm"`}}},
		{"with a repository of one letter", []edit{{repository, `"repository": "n"`}}},
		{"with a repository that is too long", []edit{{repository, `"repository": "` + strings.Repeat("r", 101) + `"`}}},
		{"with a repository that is an option", []edit{{repository, `"repository": "--endpoint-url"`}}},
		{"with a repository that is a substitution", []edit{{repository, `"repository": "$(id)"`}}},
		{"with a repository that climbs", []edit{{repository, `"repository": "../npm"`}}},
		{"with a repository of two lines", []edit{{repository, `"repository": "npm\nstore"`}}},
		{"with an escape character in the repository", []edit{{repository, `"repository": "npm\u001b[2J"`}}},
		{"with a NUL in the repository", []edit{{repository, `"repository": "npm\u0000"`}}},
		{"with a repository in look-alike letters", []edit{{repository, `"repository": "npm-stоre"`}}},
		{"with a repository that is not UTF-8", []edit{{repository, "\"repository\": \"npm\xff\""}}},

		{"without account", []edit{{`"account"`, `"x"`}}},
		{"with an account that is none", []edit{{`"account": "111122223333"`, `"account": "root"`}}},
		{"with an account of another type", []edit{{`"account": "111122223333"`, `"account": 111122223333`}}},
		{"without region", []edit{{region, `"x": 0`}}},
		{"without any Region", []edit{{region, `"x": 0`}, {awsRegion, `"x": 0`}}},
		{"from a Region that is none", []edit{{region, `"region": "eu-west-1/../x"`}, {awsRegion, `"x": 0`}}},
		{"from a Region of two lines", []edit{{region, `"region": "eu-west-1\n"`}, {awsRegion, `"x": 0`}}},
		{"from one Region about another", []edit{{awsRegion, `"awsRegion": "us-east-1"`}}},
	} {
		t.Run(test.name, func(t *testing.T) { refuses(t, edited(t, test.edits...)) })
	}
}

func TestParseRefuses(t *testing.T) {
	sample := samples(t)["associate-external-connection.json"]
	deep := func(open, shut string) []byte {
		const levels = 200_000
		return []byte(`{"source":"aws.codeartifact","detail-type":"AWS API Call via CloudTrail","detail":` +
			strings.Repeat(open, levels) + "0" + strings.Repeat(shut, levels) + `}`)
	}
	for name, payload := range map[string][]byte{
		"nothing":                              nil,
		"white space":                          []byte(" \n"),
		"null":                                 []byte("null"),
		"a number":                             []byte("7"),
		"text":                                 []byte(`"{}"`),
		"a list of events":                     []byte("[" + string(sample) + "]"),
		"what is not JSON":                     []byte("source=portcullis"),
		"two events":                           append(bytes.Clone(sample), sample...),
		"half an event":                        sample[:len(sample)/2],
		"an event without its last character":  bytes.TrimSpace(sample)[:len(bytes.TrimSpace(sample))-1],
		"lists in lists, 200,000 deep":         deep("[", "]"),
		"objects in objects, 200,000 deep":     deep(`{"a":`, "}"),
		"a source of another type":             []byte(`{"source":["portcullis"],"detail-type":"Sweep Requested","detail":{"by":"hand"}}`),
		"a replay-name of another type":        []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"hand"},"replay-name":true}`),
		"a sweep without detail":               []byte(`{"source":"portcullis","detail-type":"Sweep Requested"}`),
		"a sweep with a detail of null":        []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":null}`),
		"a sweep by nobody":                    []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{}}`),
		"a sweep by somebody else":             []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"Schedule"}}`),
		"a sweep of no account":                []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"hand","account":"44445555666"}}`),
		"a sweep of no Region":                 []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"hand","region":"*"}}`),
		"a sweep beside what is no account":    []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"hand","accounts":["*"]}}`),
		"a sweep with a by that is not a word": []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":["hand"]}}`),
	} {
		t.Run(name, func(t *testing.T) { refuses(t, payload) })
	}
}

func TestParseSaysThatAnEventHasNoDetail(t *testing.T) {
	for name, payload := range map[string][]byte{
		"a call without one":  edited(t, edit{detail, `"x": {`}),
		"a call with null":    edited(t, edit{detail, `"detail": null, "x": {`}),
		"a sweep without one": []byte(`{"source":"portcullis","detail-type":"Sweep Requested"}`),
		"a sweep with null":   []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":null}`),
	} {
		if _, err := trigger.Parse(payload); err == nil || !strings.Contains(err.Error(), "it has no detail") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// The planner is woken by its own request, and by nothing that a sweep is asked for
// with: otherwise a sweep could ask for sweeps.
func TestParseRound(t *testing.T) {
	for name, test := range map[string]struct {
		payload string
		want    trigger.Trigger
	}{
		"the schedule":           {string(samples(t)["round-by-schedule.json"]), trigger.Trigger{Cause: trigger.Sweep}},
		"a person":               {`{"source":"portcullis","detail-type":"Round Requested","detail":{"by":"hand"},"id":"x"}`, trigger.Trigger{Cause: trigger.Hand, ID: "x"}},
		"a person, with no word": {`{}`, trigger.Trigger{Cause: trigger.Hand}},
		"a request for a sweep":  {string(samples(t)["sweep-by-schedule.json"]), ignored("", `this control does not look at "Sweep Requested" from "portcullis"`)},
		"its own plan":           {`{"source":"portcullis","detail-type":"Round Planned","detail":{"by":"hand"}}`, ignored("", `this control does not look at "Round Planned" from "portcullis"`)},
		"somebody else's":        {`{"source":"com.example","detail-type":"Round Requested","detail":{"by":"hand"}}`, ignored("", `this control does not look at "Round Requested" from "com.example"`)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := trigger.ParseRound([]byte(test.payload))
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("error %v, trigger (-want +got):\n%s", err, diff)
			}
		})
	}
	for name, payload := range map[string]string{
		"without detail": `{"source":"portcullis","detail-type":"Round Requested"}`,
		"by nobody":      `{"source":"portcullis","detail-type":"Round Requested","detail":{}}`,
		"that is null":   `null`,
	} {
		if got, err := trigger.ParseRound([]byte(payload)); !errors.Is(err, trigger.ErrUnreadable) || !cmp.Equal(got, trigger.Trigger{}) {
			t.Errorf("%s: error %v, trigger %+v", name, err, got)
		}
	}
}

func refuses(t *testing.T, payload []byte) {
	t.Helper()
	got, err := trigger.Parse(payload)
	if !errors.Is(err, trigger.ErrUnreadable) {
		t.Errorf("error %v, want one that is ErrUnreadable", err)
	}
	if diff := cmp.Diff(trigger.Trigger{}, got); diff != "" {
		t.Errorf("trigger beside the error (-want +got):\n%s", diff)
	}
}

func TestParseIgnores(t *testing.T) {
	for name, payload := range map[string][]byte{
		"an object of somebody else's":        []byte(`{"Records":[{"eventSource":"aws:sqs"}]}`),
		"an event without detail":             []byte(`{"source":"aws.health","detail-type":"AWS Health Event"}`),
		"the call as another source tells it": edited(t, edit{`"source": "aws.codeartifact"`, `"source": "com.example"`}),
		"the call of another service":         edited(t, edit{"codeartifact.amazonaws.com", "proton.amazonaws.com"}),
		"a name that only begins alike":       edited(t, edit{"AssociateExternalConnection", "AssociateExternalConnections"}),
		"a name in other capitals":            edited(t, edit{"AssociateExternalConnection", "associateExternalConnection"}),
		"the call that failed":                edited(t, edit{detail, detail + `"errorCode": "AccessDenied",`}),
		"our own reports":                     []byte(`{"source":"portcullis","detail-type":"Run Summary","detail":{"by":"hand"}}`),
		"a sweep that somebody else asks for": []byte(`{"source":"com.example","detail-type":"Sweep Requested","detail":{"by":"hand"}}`),
		"a sweep replayed from an archive":    []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"hand"},"replay-name":"r"}`),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := trigger.Parse(payload)
			if err != nil {
				t.Fatal(err)
			}
			if got.Cause != trigger.None || got.Ignored == "" || got.Repository != (trigger.Repository{}) {
				t.Errorf("got %+v, want one that is ignored, with a reason", got)
			}
		})
	}
}

func TestParseTellsAHundredBytesWhole(t *testing.T) {
	for n, want := range map[int]string{100: strings.Repeat("x", 100), 101: strings.Repeat("x", 100) + "..."} {
		got, err := trigger.Parse([]byte(`{"id":"` + strings.Repeat("x", n) + `","source":"aws.ec2"}`))
		if err != nil || got.ID != want {
			t.Errorf("of %d bytes it tells %q, error %v", n, got.ID, err)
		}
	}
}

// Whoever writes an event does not decide how much of it is told.
func TestParseTellsOnlyTheBeginningOfWhatOthersWrote(t *testing.T) {
	const most = 1000
	long := strings.Repeat("x", 1<<20)
	in := func(old, key string) []edit { return []edit{{old, `"` + key + `": "` + long + `"`}} }
	for name, payload := range map[string][]byte{
		"an id":                     edited(t, in(`"id": "0d079340-135a-4c8a-95c2-41fb8f496c53"`, "id")...),
		"an eventID":                edited(t, in(`"eventID": "b3a1c9d2-7a54-4a55-9f1b-0f6e2d8c4a11"`, "eventID")...),
		"a sharedEventID":           edited(t, edit{detail, detail + `"sharedEventID": "` + long + `",`}),
		"a source":                  edited(t, in(`"source": "aws.codeartifact"`, "source")...),
		"a detail-type":             edited(t, in(`"detail-type": "AWS API Call via CloudTrail"`, "detail-type")...),
		"an eventSource":            edited(t, in(`"eventSource": "codeartifact.amazonaws.com"`, "eventSource")...),
		"an eventName":              edited(t, in(`"eventName": "AssociateExternalConnection"`, "eventName")...),
		"an errorCode":              edited(t, edit{detail, detail + `"errorCode": "` + long + `",`}),
		"an account":                edited(t, in(`"account": "111122223333"`, "account")...),
		"a Region":                  edited(t, in(region, "region")...),
		"an awsRegion":              edited(t, in(awsRegion, "awsRegion")...),
		"an owner":                  edited(t, edit{owner, `"domainOwner": "` + long + `",`}),
		"a caller's account":        edited(t, edit{owner, ""}, edit{caller, `"accountId": "` + long + `"`}),
		"a domain":                  edited(t, in(domain, "domain")...),
		"a repository":              edited(t, in(repository, "repository")...),
		"a requester":               []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"` + long + `"}}`),
		"a sweep's control":         []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"hand","control":"` + long + `"}}`),
		"a sweep's round":           []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"hand","round":"` + long + `"}}`),
		"a sweep's account":         []byte(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"hand","account":"` + long + `"}}`),
		"a sweep's sender":          []byte(`{"account":"` + long + `","source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"hand"}}`),
		"a sweep's id":              []byte(`{"id":"` + long + `","source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"schedule"}}`),
		"the id of a sweep by hand": []byte(`{"id":"` + long + `","source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"hand"}}`),
		"a replay's id":             []byte(`{"id":"` + long + `","replay-name":"r"}`),
		"a stranger's id":           []byte(`{"id":"` + long + `","source":"aws.ec2"}`),
		"control characters":        []byte(`{"source":"` + strings.Repeat(`\u0000`, 1<<18) + `"}`),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := trigger.Parse(payload)
			told := got.ID + got.Ignored + got.Request.Sender + got.Request.Control + got.Request.Round
			if err != nil {
				told += err.Error()
			}
			if len(told) > most {
				t.Errorf("it tells %d bytes: %s ...", len(told), told[:200])
			}
		})
	}
}

func TestParseReadsAMegabyte(t *testing.T) {
	padding := `"padding": "` + strings.Repeat("x", 1<<20) + `",`
	got, err := trigger.Parse(edited(t, edit{parameters, parameters + padding}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(association(), got); diff != "" {
		t.Errorf("trigger (-want +got):\n%s", diff)
	}
}

// FuzzParse holds what the rest of the program relies on, whatever arrives.
func FuzzParse(f *testing.F) {
	for _, payload := range samples(f) {
		f.Add(payload)
	}
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := trigger.Parse(payload)
		if err != nil {
			refuses(t, payload)
			return
		}
		switch got.Cause {
		case trigger.Event:
			r := got.Repository
			if !digits(r.Owner) || !digits(got.Account) || got.Region == "" {
				t.Errorf("owner %q, account %q, Region %q", r.Owner, got.Account, got.Region)
			}
			if !name(r.Domain, 50, "-") || r.Domain != strings.ToLower(r.Domain) || !name(r.Name, 100, "._-") {
				t.Errorf("domain %q, repository %q", r.Domain, r.Name)
			}
			if got.Ignored != "" {
				t.Errorf("it is to be looked at, and ignored: %s", got.Ignored)
			}
		case trigger.Sweep, trigger.Hand:
			whole := trigger.Trigger{Cause: got.Cause, ID: got.ID, Account: got.Account, Region: got.Region, Request: got.Request}
			if diff := cmp.Diff(whole, got); diff != "" {
				t.Errorf("a sweep says more than which account to look at (-want +got):\n%s", diff)
			}
			for _, id := range append(slices.Clone(got.Request.Covered), got.Account) {
				if id != "" && !digits(id) {
					t.Errorf("%q is an account", id)
				}
			}
		case trigger.None:
			if diff := cmp.Diff(ignored(got.ID, got.Ignored), got); diff != "" || got.Ignored == "" {
				t.Errorf("what is ignored says where to look, or not why it is (-want +got):\n%s", diff)
			}
		default:
			t.Errorf("cause %q", got.Cause)
		}
	})
}

func digits(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// name reports whether s has 2 to most characters, which are ASCII letters and
// digits and, but for the first, some others.
func name(s string, most int, others string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return len(s) >= 2 && len(s) <= most && strings.Trim(s, letters+others) == "" && strings.Contains(letters, s[:1])
}

func samples(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no samples (%v)", err)
	}
	list := map[string][]byte{}
	for _, path := range paths {
		payload, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		list[filepath.Base(path)] = payload
	}
	return list
}
