package control_test

import (
	"strings"
	"testing"

	"portcullis/shared/control"
)

// FuzzSettings: the settings of a deployment are refused with what to set, or the mode
// is one of three; and only what says enforce, in these letters, enforces.
func FuzzSettings(f *testing.F) {
	for _, mode := range []string{"", "off", "monitor", "enforce", "Enforce", "enforce ", "enforced", "enforce\n", "enforce\x00", "ｅnforce"} {
		f.Add(mode, "portcullis", "")
		f.Add(mode, "", "policy.yaml")
	}
	f.Fuzz(func(t *testing.T, mode, bus, file string) {
		env := map[string]string{"ENFORCEMENT_MODE": mode, "EVENT_BUS": bus, "POLICY_FILE": file}
		s, err := control.ReadSettings(func(name string) string { return env[name] })
		if err != nil {
			if s != (control.Settings{}) || !strings.Contains(err.Error(), "ENFORCEMENT_MODE") && !strings.Contains(err.Error(), "EVENT_BUS") {
				t.Errorf("%+v beside error %v", s, err)
			}
			return
		}
		if (s.Mode == control.Enforce) != (mode == "enforce") || (s.Mode == control.Off) != (mode == "off") || s.Mode == control.Monitor && mode != "" && mode != "monitor" {
			t.Errorf("%q is mode %q", mode, s.Mode)
		}
		if s.EventBus == "" || s.EventBus != bus || s.Policy == "" || file != "" && s.Policy != file {
			t.Errorf("settings %+v", s)
		}
	})
}
