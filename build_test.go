package portcullis_test

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The same commit is built twice: by `make build` in a clone, and as `make deploy` has `sam build` do, in a folder without
// .git, where it is told the commit. The two are at different places, so a path or anything else of them that gets into a
// program shows.
func TestTwoBuildsAreEqual(t *testing.T) {
	need(t, "make", "git")
	clone := filepath.Join(t.TempDir(), "a")
	copyTree(t, ".", clone)
	folder := filepath.Join(t.TempDir(), "at", "another", "place")
	copyTree(t, clone, folder)
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "--all"}, {"commit", "--quiet", "--message", "all of it"}} {
		do(t, clone, nil, "git", append([]string{"-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgSign=false"}, args...)...)
	}

	// What the environment says must not count either. Without this, go itself decides whether to ask git.
	do(t, clone, []string{"GOFLAGS=-buildvcs=true", "PORTCULLIS_COMMIT="}, "make", "build")
	artifacts := t.TempDir()
	commit := strings.TrimSpace(do(t, clone, nil, "git", "rev-parse", "HEAD"))
	do(t, folder, []string{"ARTIFACTS_DIR=" + artifacts, "PORTCULLIS_COMMIT=" + commit}, "make", "build-ExternalConnectionsSweep")
	built := read(t, filepath.Join(clone, "build", "external-connections", "bootstrap"))
	if !bytes.Contains(built, []byte(commit)) {
		t.Errorf("the program does not know that it was built from %s", commit)
	}
	if !bytes.Equal(built, read(t, filepath.Join(artifacts, "bootstrap"))) {
		t.Error("the program differs from build to build")
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

	t.Run("and the bill of materials names all that was built", func(t *testing.T) {
		want := map[string]string{"policy.yaml": sum(read(t, filepath.Join(clone, "policy", "policy.yaml")))}
		for _, function := range folders(t) {
			want[function] = sum(read(t, filepath.Join(clone, "build", function, "bootstrap")))
		}
		var bill struct {
			Components []struct {
				Name   string
				Hashes []struct{ Alg, Content string }
			}
		}
		if err := json.Unmarshal(read(t, filepath.Join(clone, "build", "sbom.cdx.json")), &bill); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, component := range bill.Components {
			for _, hash := range component.Hashes {
				if hash.Alg == "SHA-256" {
					got[component.Name] = hash.Content
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("SHA-256 of what was built (-files +bill):\n%s", diff)
		}
	})
}

func TestNothingIsBuiltOf(t *testing.T) {
	need(t, "make")
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		policy string
		goStub string // stands before go, which it calls as $GO
		want   string // in what make says
	}{
		{"an invalid policy", "version: 2\n", "", "version 2 is not known"},
		{"modules that are not what go.sum says", "",
			"case \"$*\" in 'mod verify') echo a module was changed >&2; exit 1 ;; esac\n", "a module was changed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tree, bin := t.TempDir(), t.TempDir()
			copyTree(t, ".", tree)
			if test.policy != "" {
				if err := os.WriteFile(filepath.Join(tree, "policy", "policy.yaml"), []byte(test.policy), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\n"+test.goStub+"exec \"$GO\" \"$@\"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			command := exec.Command("make", "-C", tree, "build")
			command.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GO="+goCommand)
			out, err := command.CombinedOutput()
			if err == nil || !strings.Contains(string(out), test.want) {
				t.Errorf("make build: error %v; want one with %q in\n%s", err, test.want, out)
			}
			if _, err := os.Stat(filepath.Join(tree, "build")); err == nil {
				t.Error("something was built")
			}
		})
	}
}

// need skips a test that nobody can make without the programs, and says so.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: nobody looked what a build comes to", program)
		}
	}
}

// do runs a command in a folder, and returns what it says. What a hook of git sets is about another tree, and what its user
// has configured, such as hooks and what is ignored, is not asked.
func do(t *testing.T, folder string, env []string, name string, args ...string) string {
	t.Helper()
	command := exec.Command(name, args...)
	command.Dir = folder
	command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") })
	command.Env = append(append(command.Env, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1"), env...)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// copyTree copies what a build needs.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	for _, folder := range []string{"cmd", "functions", "internal", "policy", "shared", "tools"} {
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

func sum(data []byte) string {
	hash := sha256.Sum256(data)
	return hex.EncodeToString(hash[:])
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
