package externalconn

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
)

// Of the three walls in monitor mode this is the second. It must stand even where
// the first, the gate, has let something through.
func TestTheHandlerHasAWayToWriteInEnforceModeOnly(t *testing.T) {
	for mode, writes := range map[string]int32{"": 0, "off": 0, "monitor": 0, "enforce": 1} {
		t.Run("mode "+mode, func(t *testing.T) {
			var sent atomic.Int32
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				sent.Add(1)
				_, _ = w.Write([]byte(`{"repository":{}}`))
			}))
			defer web.Close()
			file := filepath.Join(t.TempDir(), "policy.yaml")
			if err := os.WriteFile(file, []byte("version: 1\nlimits: {count: 1, share: 1%}\nexternal_connections: {allow: []}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			env := map[string]string{
				"ACCOUNT_ID": owner, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
				"AWS_ENDPOINT_URL": web.URL, "EVENT_BUS": "portcullis", "POLICY_FILE": file, "ENFORCEMENT_MODE": mode,
			}
			h, err := New(func(name string) string { return env[name] }, &bytes.Buffer{})
			if err != nil {
				t.Fatal(err)
			}
			session, err := h.AWS.Session(scope)
			if err != nil {
				t.Fatal(err)
			}
			a := &actor{write: codeartifact.NewFromConfig(session.Writes)}
			action := control.Action{Resource: name("app").ARN("eu-west-1"), Subject: "public:npmjs"}
			answer, err := a.Write(t.Context(), action)
			if writes == 0 && (!errors.Is(err, awsio.ErrReadOnly) || answer != control.Refused) {
				t.Errorf("answer %d, error %v, want it refused as read-only", answer, err)
			}
			if writes == 1 && err != nil {
				t.Error(err)
			}
			if got := sent.Load(); got != writes {
				t.Errorf("%d calls were sent, want %d", got, writes)
			}
		})
	}
}
