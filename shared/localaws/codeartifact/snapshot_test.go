package codeartifact

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/internal/snapshot"
	"portcullis/shared/localaws/witness"
)

// The placeholders do not pass the constraints, so what is asked here is only that each request is taken for the right
// operation with all its members, and reaches the point where they are judged.
func TestTheSnapshotsOfTheSDKAreUnderstood(t *testing.T) {
	w, err := localaws.New(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	witness.Watch(t, w)
	key := w.Account("111122223333").AccessKeyID
	s := New(w)
	snapshots := snapshot.Load(t, "github.com/aws/aws-sdk-go-v2/service/codeartifact")
	for _, o := range s.operations {
		t.Run(o.name, func(t *testing.T) {
			r := snapshots[o.name]
			if r == nil {
				t.Fatal("the SDK has no snapshot of it")
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{}
			if len(body) > 0 {
				if err := json.Unmarshal(body, &want); err != nil {
					t.Fatal(err)
				}
			}
			for name, values := range r.URL.Query() {
				want[placeholder(name, values[0])] = decoded(values[0])
			}
			for name, values := range r.Header {
				if strings.HasPrefix(values[0], "__") {
					want[placeholder(name, values[0])] = values[0]
				}
			}
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+
				"/19700101/eu-central-1/codeartifact/aws4_request, SignedHeaders=host, Signature=0")
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			w.ServeHTTP(httptest.NewRecorder(), r)

			calls := w.Calls()
			got := calls[len(calls)-1]
			if got.Operation != o.name || !got.Executed {
				t.Errorf("got %s, reached the service: %t", got.Operation, got.Executed)
			}
			if diff := cmp.Diff(want, got.Input); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// placeholder returns the name of a member by its placeholder, such as __DomainOwner__. Numbers, truth values and
// members with a choice have none; but for maxResults, these have the same name in the query.
func placeholder(name, value string) string {
	member, found := strings.CutPrefix(strings.TrimSuffix(value, "__"), "__")
	switch {
	case found:
		return strings.ToLower(member[:1]) + member[1:]
	case name == "max-results":
		return "maxResults"
	}
	return name
}

// decoded returns a value as it would be in a JSON body.
func decoded(value string) any {
	var v any
	if err := json.Unmarshal([]byte(value), &v); err != nil {
		return value
	}
	return v
}
