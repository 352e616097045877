package witness_test

import (
	"strings"
	"testing"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/witness"
)

// A witness that agrees with everything is none.
func TestWhatTheModelsDoNotAllowIsSeen(t *testing.T) {
	const connection = `"arn":"a","environmentAccountId":"2","environmentName":"e","id":"i","managementAccountId":"1","requestedAt":1.5,"roleArn":"r","status":"PENDING"`
	for _, test := range []struct {
		name                     string
		service, operation, body string
		code                     string // of an error
		want                     string // part of what is said; empty if nothing
	}{
		{"an answer as it should be", "codeartifact", "DescribeRepository", `{"repository":{"name":"a","createdTime":1.5,"upstreams":[]}}`, "", ""},
		{"a member that the model does not know", "codeartifact", "DescribeRepository", `{"repository":{"Name":"a"}}`, "", `.repository: the model has no member "Name"`},
		{"a member of an operation that answers nothing", "codeartifact", "TagResource", `{"done":true}`, "", `the model has no member "done"`},
		{"text where a number belongs", "codeartifact", "DescribeRepository", `{"repository":{"createdTime":"now"}}`, "", "string is no number"},
		{"a number where text belongs", "codeartifact", "DescribeRepository", `{"repository":{"name":1}}`, "", "float64 is no text"},
		{"a value that is not listed", "codeartifact", "DescribeRepository", `{"repository":{"externalConnections":[{"status":"AVAILABLE"}]}}`, "", ".repository.externalConnections[0].status: AVAILABLE is not one of [Available]"},
		{"a value in a map", "codeartifact", "DescribePackageGroup", `{"packageGroup":{"originConfiguration":{"restrictions":{"PUBLISH":{"mode":"FORBID"}}}}}`, "", ".restrictions[PUBLISH].mode: FORBID is not one of"},
		{"null", "codeartifact", "ListDomains", `{"domains":null}`, "", `the member "domains" is null`},
		{"a list that is a structure", "codeartifact", "ListDomains", `{"domains":{}}`, "", "is no list"},
		{"what is no structure", "codeartifact", "ListDomains", `[]`, "", "is no structure"},
		{"what is no JSON", "codeartifact", "ListDomains", `{`, "", "is no JSON"},
		{"an operation that there is not", "codeartifact", "ListDoors", `{}`, "", "there is no such operation"},
		{"a service that nobody knows", "doors", "List", `{}`, "", "no model"},
		{"an error of the service", "codeartifact", "ListDomains", `{"message":"m","resourceId":"i","resourceType":"domain"}`, "ConflictException", ""},
		{"an error of any service", "codeartifact", "ListAssociatedPackages", `{"message":"m"}`, "ThrottlingException", ""},
		{"an error that there is not", "codeartifact", "ListDomains", `{"message":"m"}`, "NoSuchDomain", `there is no error "NoSuchDomain"`},
		{"an error with a member too many", "codeartifact", "ListDomains", `{"message":"m","hint":"h"}`, "ConflictException", `no member "hint"`},
		{"a required member", "proton", "GetEnvironmentAccountConnection", `{"environmentAccountConnection":{` + connection + `}}`, "", "the member LastModifiedAt is required"},
		{"all required members", "proton", "GetEnvironmentAccountConnection", `{"environmentAccountConnection":{"lastModifiedAt":1,` + connection + `}}`, "", ""},
		{"a module with schemas", "sqs", "GetQueueAttributes", `{"Attributes":{"QueueArn":"a"}}`, "", ""},
		{"a member that a schema does not know", "sqs", "GetQueueAttributes", `{"attributes":{}}`, "", `no member "attributes"`},
		{"XML", "sts", "GetCallerIdentity", `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>a</Arn></GetCallerIdentityResult><ResponseMetadata/></GetCallerIdentityResponse>`, "", ""},
		{"a member of XML that the model does not know", "sts", "GetCallerIdentity", `<GetCallerIdentityResponse><GetCallerIdentityResult><Name>a</Name></GetCallerIdentityResult><ResponseMetadata/></GetCallerIdentityResponse>`, "", `no member "Name"`},
		{"XML in another frame", "sts", "GetCallerIdentity", `<GetCallerIdentityResult><Arn>a</Arn></GetCallerIdentityResult>`, "", "is not <GetCallerIdentityResponse>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := localaws.Call{Service: test.service, Operation: test.operation, Status: 200}
			if test.code != "" {
				c.Status, c.ErrorCode = 400, test.code
			}
			got := strings.Join(witness.Check(c, []byte(test.body)), "\n")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) || strings.Contains(got, "\n") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
