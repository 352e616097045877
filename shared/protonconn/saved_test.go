package protonconn

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portcullis/shared/control"
)

// Environments that were not read are not none.
func TestWhatIsKeptIsJudgedTheSame(t *testing.T) {
	p := parse(t, rules)
	rapid.Check(t, func(t *rapid.T) {
		account := rapid.SampledFrom([]string{management, environment}).Draw(t, "account")
		o := Observation{Scope: control.Scope{Account: account, Region: region}, Sides: map[Side][]Connection{}}
		for _, side := range []Side{Management, Environment} {
			if rapid.IntRange(0, 4).Draw(t, "unread side") == 0 {
				o.Unread = append(o.Unread, Unread{"arn:x", side, "timeout", "no answer"})
				continue
			}
			o.Sides[side] = []Connection{}
			for range rapid.IntRange(0, 4).Draw(t, "connections") {
				c := Connection{
					ID: rapid.SampledFrom([]string{"a", "b", "c", ""}).Draw(t, "id"), EnvironmentAccount: environment,
					ManagementAccount: rapid.SampledFrom([]string{management, foreign}).Draw(t, "management account"),
					Name:              rapid.SampledFrom([]string{"prod-eu", "lab-1", "old-1", "build-1", "images-1"}).Draw(t, "environment"),
					Status:            rapid.SampledFrom([]string{pending, connected, rejected, "NEW"}).Draw(t, "status"),
					Role:              rapid.SampledFrom([]string{"", "arn:aws:iam::222222222222:role/proton-a", "arn:aws:iam::222222222222:role/admin"}).Draw(t, "role"),
				}
				c.ARN = "arn:aws:proton:" + region + ":" + environment + ":environment-account-connection/" + c.ID
				if rapid.Bool().Draw(t, "dated") {
					c.Requested = noon.Add(-time.Duration(rapid.IntRange(0, 1e10).Draw(t, "age")) * time.Millisecond)
					c.Modified = c.Requested
				}
				o.Sides[side] = append(o.Sides[side], c)
			}
		}
		o.Users = rapid.SampledFrom([]map[string][]string{nil, {}, {"a": {"prod-eu"}}}).Draw(t, "users")
		if rapid.IntRange(0, 5).Draw(t, "gone") == 0 {
			o.Gone = &Unread{"arn:x", Management, "service-retired", "AWS Proton is retired"}
		}

		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var loaded Observation
		if err := json.Unmarshal(data, &loaded); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, loaded); diff != "" {
			t.Fatalf("-seen +kept:\n%s", diff)
		}
		for _, now := range []time.Time{noon, {}} {
			if diff := cmp.Diff(Decide(o, p, now), Decide(loaded, p, now)); diff != "" {
				t.Fatalf("plan (-seen +kept):\n%s", diff)
			}
		}
	})
}

// A side that nothing is said of would look like one without connections.
func TestASideThatNothingIsSaidOfIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		accept bool
	}{
		"both listed":            {`{"sides":{"MANAGEMENT_ACCOUNT":[],"ENVIRONMENT_ACCOUNT":[]}}`, true},
		"one listed, one unread": {`{"sides":{"ENVIRONMENT_ACCOUNT":[]},"unread":[{"side":"MANAGEMENT_ACCOUNT"}]}`, true},
		"Proton is gone":         {`{"sides":{},"gone":{"code":"service-retired"}}`, true},
		"one listed":             {`{"sides":{"ENVIRONMENT_ACCOUNT":[]}}`, false},
		"one that is no list":    {`{"sides":{"MANAGEMENT_ACCOUNT":[],"ENVIRONMENT_ACCOUNT":null}}`, false},
		"the same one unread":    {`{"sides":{"ENVIRONMENT_ACCOUNT":[]},"unread":[{"side":"ENVIRONMENT_ACCOUNT"}]}`, false},
	} {
		if err := json.Unmarshal([]byte(test.text), new(Observation)); (err == nil) != test.accept {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
