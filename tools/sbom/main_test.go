package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// The program that is described is this one: it has a module that can be named.
func TestBill(t *testing.T) {
	program := filepath.Join(t.TempDir(), "sample", "bootstrap")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const rules = "version: 1\n"
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, w := range []*bytes.Buffer{&first, &second} {
		if err := write(w, policy, []string{program}); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != second.String() {
		t.Error("two bills of one program differ")
	}

	var bill struct {
		BOMFormat    string
		SerialNumber string
		Metadata     struct{ Timestamp string }
		Components   []struct {
			Name, Version, PURL string
			Hashes              []struct{ Alg, Content string }
			Properties          []struct{ Name, Value string }
		}
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(first.Bytes(), &bill); err != nil {
		t.Fatal(err)
	}
	if bill.BOMFormat != "CycloneDX" || bill.SerialNumber != "" || bill.Metadata.Timestamp != "" {
		t.Errorf("format %q, serial number %q, time %q; want CycloneDX without the others", bill.BOMFormat, bill.SerialNumber, bill.Metadata.Timestamp)
	}

	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	hashed := func(hashes []struct{ Alg, Content string }, data []byte) bool {
		sum := sha256.Sum256(data)
		return len(hashes) == 1 && hashes[0].Alg == "SHA-256" && hashes[0].Content == hex.EncodeToString(sum[:])
	}
	found := map[string]bool{}
	for _, c := range bill.Components {
		switch c.Name {
		case "policy.yaml":
			found["policy"] = hashed(c.Hashes, []byte(rules))
		case "sample":
			found["program"] = hashed(c.Hashes, data)
		case "std":
			found["release"] = c.PURL == "pkg:golang/std@"+runtime.Version()[len("go"):]
		case "github.com/CycloneDX/cyclonedx-go":
			found["module"] = c.PURL == "pkg:golang/github.com/CycloneDX/cyclonedx-go@"+c.Version && c.Properties[0].Value[:3] == "h1:"
		}
	}
	for _, what := range []string{"policy", "program", "release", "module"} {
		if !found[what] {
			t.Errorf("the bill does not describe the %s as it should:\n%s", what, first.String())
		}
	}
	if len(bill.Dependencies) != 1 || bill.Dependencies[0].Ref != "function/sample" || len(bill.Dependencies[0].DependsOn) != len(bill.Components)-2 {
		t.Errorf("dependencies %v; want all libraries under function/sample", bill.Dependencies)
	}
}

func TestBillOfSomethingElseIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, policy string
		programs     []string
	}{
		{"a file that is no program", "main.go", []string{"main.go"}},
		{"no program", "main.go", nil},
		{"no policy", "", []string{os.Args[0]}},
		{"a policy that does not exist", "policy.yaml", []string{os.Args[0]}},
	} {
		if err := write(&bytes.Buffer{}, test.policy, test.programs); err == nil {
			t.Errorf("%s was described", test.name)
		}
	}
}
