package awsio

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/control"
)

func TestFromEnvironment(t *testing.T) {
	needed := []string{"ACCOUNT_ID", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
	for _, name := range needed {
		t.Run("says that "+name+" is missing", func(t *testing.T) {
			env := environment()
			delete(env, name)
			_, err := FromEnvironment("external-connections", lookup(env), control.Monitor)
			if !mentions(err, "environment lacks "+name+":") {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("names everything that is missing at once", func(t *testing.T) {
		_, err := FromEnvironment("external-connections", lookup(nil), control.Monitor)
		if !mentions(err, strings.Join(needed, ", ")+":") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("needs neither a session token nor an endpoint", func(t *testing.T) {
		env := environment()
		delete(env, "AWS_SESSION_TOKEN")
		a, err := FromEnvironment("external-connections", lookup(env), control.Monitor)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(home(), a.Home()); diff != "" {
			t.Errorf("home (-want +got):\n%s", diff)
		}
		if url := a.session(t, control.Monitor).Reads.BaseEndpoint; url != nil {
			t.Errorf("endpoint %s, want AWS's own", *url)
		}
	})
}

func TestCallsAreSignedWithTheCredentialsOfTheEnvironment(t *testing.T) {
	var header http.Header
	aws := serve(t, func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		works()(w, r)
	})
	if err := describe(t.Context(), aws.session(t, control.Monitor).Reads); err != nil {
		t.Fatal(err)
	}
	if got := header.Get("Authorization"); !strings.Contains(got, "Credential=AKIDEXAMPLE/") || !strings.Contains(got, "/eu-west-1/codeartifact/aws4_request") {
		t.Errorf("authorization %q", got)
	}
	if got := header.Get("X-Amz-Security-Token"); got != "token" {
		t.Errorf("session token %q", got)
	}
}

func TestThereIsNoWayIntoAForeignScope(t *testing.T) {
	a := open(t, "http://127.0.0.1", control.Enforce)
	for name, scope := range map[string]control.Scope{
		"another account": {Account: "444455556666", Region: "eu-west-1"},
		"another Region":  {Account: "111122223333", Region: "us-east-1"},
		"nowhere":         {},
	} {
		t.Run(name, func(t *testing.T) {
			session, err := a.Session(scope)
			if session != nil || !mentions(err, "no way into account "+scope.Account+", Region "+scope.Region) {
				t.Errorf("session %v, error %v", session, err)
			}
		})
	}
}

func TestOnlyWritesInEnforceModeWrite(t *testing.T) {
	for _, mode := range []control.Mode{control.Off, control.Monitor, control.Enforce, ""} {
		aws := serve(t, works())
		session, err := open(t, aws.url, mode).Session(home())
		if err != nil {
			t.Fatal(err)
		}
		if err := disconnect(t.Context(), session.Reads); !errors.Is(err, ErrReadOnly) || !mentions(err, "DisassociateExternalConnection") {
			t.Errorf("mode %q: writing through Reads: error %v, want ErrReadOnly with the operation", mode, err)
		}
		if got := aws.requests(); got != nil {
			t.Errorf("mode %q: Reads sent %q", mode, got)
		}
		err = disconnect(t.Context(), session.Writes)
		got := aws.requests()
		if mode == control.Enforce {
			if diff := cmp.Diff([]string{"DELETE /v1/repository/external-connection"}, got); diff != "" || err != nil {
				t.Errorf("mode %q: error %v, requests (-want +got):\n%s", mode, err, diff)
			}
			continue
		}
		if !errors.Is(err, ErrReadOnly) || got != nil {
			t.Errorf("mode %q: writing through Writes: error %v, want ErrReadOnly; requests %q", mode, err, got)
		}
	}
}

func TestBothReadInEveryMode(t *testing.T) {
	for _, mode := range []control.Mode{control.Off, control.Monitor, control.Enforce} {
		session := serve(t, works()).session(t, mode)
		if err := errors.Join(describe(t.Context(), session.Reads), describe(t.Context(), session.Writes)); err != nil {
			t.Errorf("mode %q: error %v", mode, err)
		}
	}
}
