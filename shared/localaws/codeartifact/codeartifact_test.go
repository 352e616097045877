package codeartifact_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/witness"
)

const (
	owner  = "111122223333"
	other  = "444455556666"
	region = "eu-central-1"
)

func start() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 500e6, time.UTC) }

func newWorld(t *testing.T) (*localaws.World, *codeartifact.Service) {
	t.Helper()
	w, err := localaws.New(start())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	return w, codeartifact.New(w)
}

// client is the real SDK client, acting as account, without retries.
func client(w *localaws.World, account string, options ...func(*sdk.Options)) *sdk.Client {
	c := w.Account(account)
	return sdk.New(sdk.Options{
		Region:       region,
		BaseEndpoint: aws.String(w.URL()),
		HTTPClient:   w.Client(),
		Retryer:      aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		}),
	}, options...)
}

// must returns the answer of a call that succeeds.
func must[Out any](out Out, err error) func(*testing.T) Out {
	return func(t *testing.T) Out {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// same compares what the SDK decoded.
func same(t *testing.T, want, got any) {
	t.Helper()
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return strings.HasSuffix(p.String(), "noSmithyDocumentSerde") }, cmp.Ignore())
	if diff := cmp.Diff(want, got, ignore); diff != "" {
		t.Error(diff)
	}
}

// show prints a control in one line.
func show(c codeartifact.Control) string {
	return strings.Join(append([]string{string(c.Mode)}, c.Repositories...), " ")
}
