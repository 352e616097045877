package control_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/control"
)

func TestParseMode(t *testing.T) {
	for in, want := range map[string]control.Mode{"": control.Monitor, "off": control.Off, "monitor": control.Monitor, "enforce": control.Enforce} {
		if got, err := control.ParseMode(in); got != want || err != nil {
			t.Errorf("ParseMode(%q) is %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"Enforce", "ENFORCE", " enforce", "enforced", "on", "true", "1"} {
		if got, err := control.ParseMode(in); got != "" || err == nil || !strings.Contains(err.Error(), in) {
			t.Errorf("ParseMode(%q) is %q, %v; want an error that names it", in, got, err)
		}
	}
}

func TestFindingIDs(t *testing.T) {
	// Other systems keep these, so the same finding must have the same ID for ever:
	// printf 'c\0r\0s' | sha256sum | cut -c1-16
	if got, want := control.FindingID("c", "r", "s"), "dc1df9a93f8652bb"; got != want {
		t.Errorf("the ID is %s, want %s", got, want)
	}
	ids := map[string][3]string{}
	for _, parts := range [][3]string{{"c", "r", "s"}, {"c", "rs", ""}, {"cr", "", "s"}, {"cr", "s", ""}, {"", "cr", "s"}, {"c", "", "rs"}, {"c", "s", "r"}} {
		id := control.FindingID(parts[0], parts[1], parts[2])
		if other, taken := ids[id]; taken {
			t.Errorf("%q and %q have the same ID", parts, other)
		}
		ids[id] = parts
	}
}

func TestReadSettings(t *testing.T) {
	t.Run("takes the defaults for what is not set", func(t *testing.T) {
		got, err := control.ReadSettings(environment(map[string]string{"EVENT_BUS": "portcullis"}))
		if err != nil {
			t.Fatal(err)
		}
		want := control.Settings{Mode: control.Monitor, Policy: "/opt/policy.yaml", EventBus: "portcullis"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("settings (-want +got):\n%s", diff)
		}
	})
	t.Run("takes what is set", func(t *testing.T) {
		got, err := control.ReadSettings(environment(map[string]string{
			"ENFORCEMENT_MODE": "enforce", "POLICY_FILE": "p.yaml", "EVENT_BUS": "bus",
			"ROLE_ARN": "arn:aws:iam::111122223333:role/r", "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
		}))
		if err != nil {
			t.Fatal(err)
		}
		want := control.Settings{Mode: control.Enforce, Policy: "p.yaml", EventBus: "bus", Role: "arn:aws:iam::111122223333:role/r", LogLevel: "DEBUG"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("settings (-want +got):\n%s", diff)
		}
	})
	for name, env := range map[string]map[string]string{
		"EVENT_BUS":        {"ENFORCEMENT_MODE": "monitor"},
		"ENFORCEMENT_MODE": {"ENFORCEMENT_MODE": "yes", "EVENT_BUS": "bus"},
	} {
		t.Run("names "+name+" where it is wrong", func(t *testing.T) {
			if _, err := control.ReadSettings(environment(env)); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}
