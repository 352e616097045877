package portcullis_test

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// It builds as `sam build` does: in a copy of the tree without .git, through the Makefile's targets. The two copies are
// at different places, so a path that gets into a program shows.
func TestTwoBuildsAreEqual(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed: nobody looked whether two builds are equal")
	}
	first := filepath.Join(t.TempDir(), "a")
	copyTree(t, ".", first)
	second := filepath.Join(t.TempDir(), "at", "another", "place")
	copyTree(t, first, second)

	built, again := samBuild(t, first, "ExternalConnectionsOnEvent"), samBuild(t, second, "ExternalConnectionsSweep")
	if !bytes.Equal(built, again) {
		t.Error("the program of the two functions differs from build to build")
	}

	program, err := elf.NewFile(bytes.NewReader(built))
	if err != nil {
		t.Fatal(err)
	}
	if program.Machine != elf.EM_AARCH64 || program.Section(".symtab") != nil {
		t.Errorf("the program is for %v; symbol table %v; want one for arm64 without", program.Machine, program.Section(".symtab"))
	}
	info, err := buildinfo.Read(bytes.NewReader(built))
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	for key, want := range map[string]string{"-tags": "lambda.norpc", "-trimpath": "true", "CGO_ENABLED": "0", "vcs.revision": ""} {
		if settings[key] != want {
			t.Errorf("built with %s=%q, want %q", key, settings[key], want)
		}
	}
}

func TestNothingIsBuiltUnderAnInvalidPolicy(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed: nobody looked whether an invalid policy stops a build")
	}
	tree := t.TempDir()
	copyTree(t, ".", tree)
	if err := os.WriteFile(filepath.Join(tree, "policy", "policy.yaml"), []byte("version: 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("make", "-C", tree, "build").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "version 2 is not known") {
		t.Errorf("make build: error %v; want one about the policy in\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(tree, "build")); err == nil {
		t.Error("something was built")
	}
}

// samBuild returns the program that `sam build` would find.
func samBuild(t *testing.T, tree, function string) []byte {
	t.Helper()
	artifacts := t.TempDir()
	command := exec.Command("make", "-C", tree, "build-"+function)
	command.Env = append(os.Environ(), "ARTIFACTS_DIR="+artifacts)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("make build-%s: %v\n%s", function, err, out)
	}
	return read(t, filepath.Join(artifacts, "bootstrap"))
}

// copyTree copies what a build needs.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	for _, folder := range []string{"cmd", "functions", "policy", "shared"} {
		if err := os.CopyFS(filepath.Join(to, folder), os.DirFS(filepath.Join(from, folder))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"Makefile", "go.mod", "go.sum"} {
		if err := os.WriteFile(filepath.Join(to, file), read(t, filepath.Join(from, file)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
