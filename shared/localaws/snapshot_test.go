package localaws_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/cloudformation"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/iam"
	"portcullis/shared/localaws/internal/snapshot"
	"portcullis/shared/localaws/lambda"
	"portcullis/shared/localaws/logs"
	"portcullis/shared/localaws/organizations"
	"portcullis/shared/localaws/sqs"
	"portcullis/shared/localaws/sts"
)

// What is asked here is that each request which the SDK makes of an operation is taken for the right one, with all its
// members, and reaches the service. CodeArtifact has a test of its own. The SDK ships no snapshots of requests for Proton,
// CloudTrail and the scheduler; their tests go through its clients.
func TestTheSnapshotsOfTheSDKAreUnderstood(t *testing.T) {
	w, err := localaws.New(start())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cloudformation.New(w)
	eventbridge.New(w)
	iam.New(w)
	lambda.New(w)
	logs.New(w)
	organizations.New(w)
	sqs.New(w)
	sts.New(w)
	for _, service := range []struct {
		name, module string
		operations   []string
	}{
		{"cloudformation", "cloudformation", []string{"DescribeStacks", "ListStackResources"}},
		{"events", "eventbridge", []string{"PutEvents", "DescribeEventBus", "DescribeRule", "ListTargetsByRule"}},
		{"iam", "iam", []string{"GetRolePolicy", "ListRolePolicies", "ListAttachedRolePolicies"}},
		{"lambda", "lambda", []string{"GetFunctionConfiguration", "GetFunctionConcurrency", "GetEventSourceMapping"}},
		{"logs", "cloudwatchlogs", []string{"FilterLogEvents"}},
		{"organizations", "organizations", []string{"ListAccounts"}},
		{"sqs", "sqs", []string{"GetQueueAttributes"}},
		{"sts", "sts", []string{"AssumeRole", "GetCallerIdentity"}},
	} {
		snapshots := snapshot.Load(t, "github.com/aws/aws-sdk-go-v2/service/"+service.module)
		// Whatever else the SDK can ask for is refused as unknown, so that the list above is all that is served.
		for operation, r := range snapshots {
			t.Run(service.name+" "+operation, func(t *testing.T) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+w.Account(account).AccessKeyID+
					"/19700101/"+region+"/"+service.name+"/aws4_request, SignedHeaders=host, Signature=0")
				r.Body = io.NopCloser(bytes.NewReader(body))
				w.ServeHTTP(httptest.NewRecorder(), r)
				calls := w.Calls()
				got := calls[len(calls)-1]
				if !slices.Contains(service.operations, operation) {
					if got.Executed {
						t.Error("it is served, and the test does not know")
					}
					return
				}
				if got.Operation != operation || !got.Executed {
					t.Errorf("got %q, reached the service: %t, %s", got.Operation, got.Executed, got.ErrorCode)
				}
				if diff := cmp.Diff(sent(t, body), got.Input); diff != "" && service.name != "lambda" { // which has them in the path
					t.Error(diff)
				}
			})
		}
		for _, operation := range service.operations {
			if snapshots[operation] == nil {
				t.Errorf("the SDK has no snapshot of %s %s", service.name, operation)
			}
		}
	}
}

// sent returns the members of a body: a JSON object, or the form of the Query protocol without what names the operation.
func sent(t *testing.T, body []byte) map[string]any {
	t.Helper()
	members := map[string]any{}
	if bytes.HasPrefix(body, []byte("{")) {
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatal(err)
		}
		return members
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range form {
		if name != "Action" && name != "Version" {
			members[name] = values[0]
		}
	}
	return members
}
