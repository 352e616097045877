package proton_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/proton"
	"github.com/aws/aws-sdk-go-v2/service/proton/types"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/proton"
)

// send makes a request of the environment account by hand and returns status and body of the answer.
func (s stage) send(target, body string) string {
	s.t.Helper()
	return s.sendWith(s.world.Account(environment).AccessKeyID, target, body)
}

func (s stage) sendWith(key, target, body string) string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.world.URL(), strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20260901/"+region+
		"/proton/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/x-amz-json-1.0" {
		s.t.Errorf("the content type is %s", got)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, text)
}

func TestAMistakeOfTheClientIs400(t *testing.T) {
	s := newStage(t)
	const of = "AwsProton20200720."
	const id = `00000000-0000-4000-9000-00000000abcd`
	fifty := strings.Repeat(`"k",`, 50) + `"k"`
	for _, test := range []struct{ name, target, body, code, message string }{
		{"an id that is not valid", of + "GetEnvironmentAccountConnection", `{"id":"a1b2c3d4-5678-90ab-cdef-EXAMPLE11111"}`,
			"ValidationException", `id "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111" does not match`},
		{"nothing where something is required", of + "DeleteEnvironmentAccountConnection", `{}`, "ValidationException", "id is required"},
		{"null where something is required", of + "ListEnvironmentAccountConnections", `{"requestedBy":null}`,
			"ValidationException", "requestedBy is required"},
		{"a side that there is not", of + "ListEnvironmentAccountConnections", `{"requestedBy":"ME"}`,
			"ValidationException", `requestedBy "ME" does not match`},
		{"a status that there is not", of + "ListEnvironmentAccountConnections",
			`{"requestedBy":"MANAGEMENT_ACCOUNT","statuses":["PENDING","DELETED"]}`, "ValidationException", `there is no status "DELETED"`},
		{"an empty page", of + "ListEnvironments", `{"maxResults":0}`, "ValidationException", "maxResults 0 is not from 1 to 100"},
		{"a page that is too long", of + "ListEnvironments", `{"maxResults":101}`, "ValidationException", "maxResults 101 is not from 1 to 100"},
		{"a filter that is not served", of + "ListEnvironments", `{"environmentTemplates":[]}`,
			"ValidationException", `ListEnvironments has no member "environmentTemplates"`},
		{"a role that is a user", of + "UpdateEnvironmentAccountConnection", `{"id":"` + id + `","roleArn":"arn:aws:iam::222222222222:user/x"}`,
			"ValidationException", `roleArn "arn:aws:iam::222222222222:user/x" does not match`},
		{"a role that is too long", of + "UpdateEnvironmentAccountConnection",
			`{"id":"` + id + `","roleArn":"arn:aws:iam::222222222222:role/` + strings.Repeat("path/", 420) + `x"}`,
			"ValidationException", "roleArn is too long"},
		{"a resource that is too long", of + "UntagResource", `{"resourceArn":"arn:aws:proton:us-east-1:222222222222:` +
			strings.Repeat("x", 200) + `","tagKeys":[]}`, "ValidationException", "resourceArn is too long"},
		{"an account of eleven digits", of + "CreateEnvironmentAccountConnection",
			`{"environmentName":"e","managementAccountId":"11111111111"}`, "ValidationException", "managementAccountId"},
		{"a name that begins with a hyphen", of + "CreateEnvironmentAccountConnection",
			`{"environmentName":"-e","managementAccountId":"111111111111"}`, "ValidationException", "environmentName"},
		{"a token of 65 characters", of + "CreateEnvironmentAccountConnection",
			`{"environmentName":"e","managementAccountId":"111111111111","clientToken":"` + strings.Repeat("x", 65) + `"}`,
			"ValidationException", "clientToken"},
		{"a tag without a key", of + "CreateEnvironmentAccountConnection",
			`{"environmentName":"e","managementAccountId":"111111111111","tags":[{"key":"","value":"v"}]}`,
			"ValidationException", `tag "" is not valid`},
		{"51 tags", of + "UntagResource", `{"resourceArn":"arn:aws:proton:us-east-1:222222222222:x","tagKeys":[` + fifty + `]}`,
			"ValidationException", "there are more than 50 tags"},
		{"an empty key", of + "UntagResource", `{"resourceArn":"arn:aws:proton:us-east-1:222222222222:x","tagKeys":[""]}`,
			"ValidationException", `tag key "" is not valid`},
		{"a connection that is not there", of + "GetEnvironmentAccountConnection", `{"id":"` + id + `"}`,
			"ResourceNotFoundException", "there is no environment account connection " + id},
		{"a number for a string", of + "GetEnvironmentAccountConnection", `{"id":5}`, "SerializationException", "json: cannot unmarshal number"},
		{"a body that is no JSON", of + "GetEnvironmentAccountConnection", `id=5`, "SerializationException", "the body is not a JSON object"},
		{"an operation that is not served", of + "CreateService", `{}`, "UnknownOperationException", `no operation "AwsProton20200720.CreateService"`},
		{"an operation of another service", "ListEnvironments", `{}`, "UnknownOperationException", `no operation "ListEnvironments"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.send(test.target, test.body)
			if want := `400 {"__type":"com.amazonaws.proton#` + test.code + `","message":"`; !strings.HasPrefix(got, want) ||
				!strings.Contains(strings.ReplaceAll(got, `\"`, `"`), test.message) {
				t.Errorf("got %s, want %s%s", got, want, test.message)
			}
		})
	}
	const list = `{"requestedBy":"MANAGEMENT_ACCOUNT"}`
	if got := s.sendWith("ASIALOCL999999999999", of+"ListEnvironmentAccountConnections", list); !strings.HasPrefix(got,
		`400 {"__type":"com.amazonaws.proton#UnrecognizedClientException"`) {
		t.Errorf("with an unknown key got %s", got)
	}
	s.world.SetThrottle(localaws.Rate{PerSecond: 1e-9}, localaws.Rate{})
	if got := s.send(of+"ListEnvironmentAccountConnections", list); !strings.HasPrefix(got,
		`400 {"__type":"com.amazonaws.proton#ThrottlingException"`) {
		t.Errorf("throttled, got %s", got)
	}
}

func TestPaging(t *testing.T) {
	s := newStage(t)
	for range 150 {
		s.add(proton.Pending)
	}
	byName := s.proton.Connections(environment, region)
	// walk reads all pages, and returns the ids and the lengths of the pages.
	walk := func(t *testing.T, size *int32, between func()) (ids []string, pages []int) {
		t.Helper()
		in := sdk.ListEnvironmentAccountConnectionsInput{RequestedBy: "MANAGEMENT_ACCOUNT", MaxResults: size}
		for {
			out := must(s.as(management).list(in))(t)
			for _, c := range out.EnvironmentAccountConnections {
				ids = append(ids, *c.Id)
			}
			pages = append(pages, len(out.EnvironmentAccountConnections))
			if out.NextToken == nil {
				return ids, pages
			}
			in.NextToken = out.NextToken
			between()
		}
	}
	nothing := func() {}
	lengths := func(t *testing.T, got []int, want ...int) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got pages of %v, want %v", got, want)
		}
	}

	t.Run("pages have 100 items by default", func(t *testing.T) {
		ids, pages := walk(t, nil, nothing)
		lengths(t, pages, 100, 50)
		for i, id := range ids {
			if id != byName[i].ID {
				t.Fatalf("the connection %d is %s", i, id)
			}
		}
	})
	t.Run("the default can be set", func(t *testing.T) {
		s.proton.SetPageSize(60)
		defer s.proton.SetPageSize(100)
		_, pages := walk(t, nil, nothing)
		lengths(t, pages, 60, 60, 30)
	})
	t.Run("a limit holds whatever the request asks for", func(t *testing.T) {
		s.proton.SetPageLimit(60)
		defer s.proton.SetPageLimit(0)
		_, pages := walk(t, aws.Int32(100), nothing)
		lengths(t, pages, 60, 60, 30)
		_, pages = walk(t, aws.Int32(50), nothing)
		lengths(t, pages, 50, 50, 50)
	})
	t.Run("a full last page has no token", func(t *testing.T) {
		_, pages := walk(t, aws.Int32(75), nothing)
		lengths(t, pages, 75, 75)
	})
	t.Run("what goes between two pages hides nothing else", func(t *testing.T) {
		ids, pages := walk(t, aws.Int32(100), byName[99].Remove)
		lengths(t, pages, 100, 50)
		if len(ids) != 150 {
			t.Errorf("got %d", len(ids))
		}
	})
	t.Run("a last page is empty when the rest has gone", func(t *testing.T) {
		_, pages := walk(t, aws.Int32(100), func() {
			for _, c := range byName[100:] {
				c.Remove()
			}
		})
		lengths(t, pages, 100, 0) // one went in the test before
	})
	t.Run("environments and tags have pages, too", func(t *testing.T) {
		for _, name := range []string{"c", "a", "b"} {
			s.proton.AddEnvironment(management, region, name)
			byName[0].Tag(name, "")
		}
		first := must(s.as(management).environments(sdk.ListEnvironmentsInput{MaxResults: aws.Int32(2)}))(t)
		second := must(s.as(management).environments(sdk.ListEnvironmentsInput{MaxResults: aws.Int32(2), NextToken: first.NextToken}))(t)
		if len(first.Environments) != 2 || *first.Environments[0].Name != "a" || *second.Environments[0].Name != "c" || second.NextToken != nil {
			t.Errorf("got %+v and %+v", first.Environments, second.Environments)
		}
		in := sdk.ListTagsForResourceInput{ResourceArn: aws.String(byName[0].ARN()), MaxResults: aws.Int32(2)}
		tags := must(s.as(environment).tags(in))(t)
		in.NextToken = tags.NextToken
		same(t, []types.Tag{{Key: aws.String("c"), Value: aws.String("")}}, must(s.as(environment).tags(in))(t).Tags)
	})
	t.Run("a token is good for its own list only", func(t *testing.T) {
		in := sdk.ListEnvironmentAccountConnectionsInput{RequestedBy: "MANAGEMENT_ACCOUNT", MaxResults: aws.Int32(1)}
		in.NextToken = must(s.as(management).list(in))(t).NextToken
		in.MaxResults = aws.Int32(2) // another length of page is no other list
		must(s.as(management).list(in))(t)
		_, err := s.as(environment).list(in)
		if got := code(t, err); got != "ValidationException" {
			t.Errorf("of another account: got %q", got)
		}
		in.RequestedBy = "ENVIRONMENT_ACCOUNT"
		_, err = s.as(management).list(in)
		if got := code(t, err); got != "ValidationException" {
			t.Errorf("of the other side: got %q", got)
		}
		in.NextToken = aws.String("nonsense")
		_, err = s.as(management).list(in)
		if got := code(t, err); got != "ValidationException" {
			t.Errorf("nonsense: got %q", got)
		}
	})
}
