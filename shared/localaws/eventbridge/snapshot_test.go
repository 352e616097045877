package eventbridge

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/internal/snapshot"
	"portcullis/shared/localaws/witness"
)

func TestTheSnapshotOfTheSDKIsUnderstood(t *testing.T) {
	w, err := localaws.New(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	witness.Watch(t, w)
	New(w)
	r := snapshot.Load(t, "github.com/aws/aws-sdk-go-v2/service/eventbridge")["PutEvents"]
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+w.Account("111122223333").AccessKeyID+
		"/19700101/eu-central-1/events/aws4_request, SignedHeaders=host, Signature=0")
	r.Body = io.NopCloser(bytes.NewReader(body))
	w.ServeHTTP(httptest.NewRecorder(), r)

	got := w.Calls()[0]
	if got.Operation != "PutEvents" || !got.Executed {
		t.Errorf("got %s, reached the service: %t, %s", got.Operation, got.Executed, got.ErrorCode)
	}
	if diff := cmp.Diff(want, got.Input); diff != "" {
		t.Error(diff)
	}
}
