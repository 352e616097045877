// Command sbom prints what is deployed, as a CycloneDX bill of materials in JSON:
// the policy, the Go programs, and what is in these, which is the Go release and
// every module that the linker used, as the programs themselves tell it
// (debug/buildinfo).
//
// It reads the given files and nothing else. Equal files give an equal bill, so it
// has no time and no serial number; both may be left out:
// https://cyclonedx.org/docs/1.6/json/
//
// Nor has it a version or commit of Portcullis. The programs know none, because a
// build from a clone and one from an archive of the same commit are to be equal;
// and what git says of a folder is not what was built, if a file in it was changed.
// The hashes tell which commit it is: build that commit again and compare.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
)

func main() {
	policy := flag.String("policy", "", "the `file` that is deployed as the policy")
	flag.Parse()
	if err := write(os.Stdout, *policy, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// write describes the policy and the programs at the given paths. A program is
// known by the folder that it is in, because all of them are called bootstrap.
func write(w io.Writer, policy string, paths []string) error {
	if policy == "" || len(paths) == 0 {
		return errors.New("name the policy, with -policy, and the programs to describe")
	}
	rules, err := describe(policy, "policy", cyclonedx.ComponentTypeFile, filepath.Base(policy))
	if err != nil {
		return err
	}
	components := []cyclonedx.Component{rules}
	var uses []cyclonedx.Dependency
	libraries := map[string]cyclonedx.Component{} // by reference
	for _, path := range slices.Sorted(slices.Values(paths)) {
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading what is in %s: %w", path, err)
		}
		name := filepath.Base(filepath.Dir(path))
		program, err := describe(path, "function/"+name, cyclonedx.ComponentTypeApplication, name)
		if err != nil {
			return err
		}
		var refs []string
		for _, library := range contents(info) {
			libraries[library.BOMRef] = library
			refs = append(refs, library.BOMRef)
		}
		components = append(components, program)
		uses = append(uses, cyclonedx.Dependency{Ref: program.BOMRef, Dependencies: &refs})
	}

	for _, ref := range slices.Sorted(maps.Keys(libraries)) {
		components = append(components, libraries[ref])
	}
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: &cyclonedx.Component{
		BOMRef: "portcullis", Type: cyclonedx.ComponentTypeApplication, Name: "portcullis",
	}}
	bom.Components = &components
	bom.Dependencies = &uses
	// Version 1.6 is understood by more readers than the newest.
	return cyclonedx.NewBOMEncoder(w, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cyclonedx.SpecVersion1_6)
}

// describe returns a file as a component, which is known by its hash.
func describe(path, ref string, kind cyclonedx.ComponentType, name string) (cyclonedx.Component, error) {
	data, err := os.ReadFile(path) //nolint:gosec // whoever runs this names the files
	if err != nil {
		return cyclonedx.Component{}, err
	}
	sum := sha256.Sum256(data)
	return cyclonedx.Component{
		BOMRef: ref,
		Type:   kind,
		Name:   name,
		Hashes: &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
	}, nil
}

// contents are the modules of a program and, as a module called std like that of
// its vulnerability reports, the Go release.
func contents(info *debug.BuildInfo) []cyclonedx.Component {
	list := []cyclonedx.Component{library("std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		l := library(module.Path, module.Version)
		// Go's own checksum of the module. It is none of its files, so it is not among the hashes.
		l.Properties = &[]cyclonedx.Property{{Name: "go:sum", Value: module.Sum}}
		list = append(list, l)
	}
	return list
}

func library(name, version string) cyclonedx.Component {
	url := "pkg:golang/" + name + "@" + version
	return cyclonedx.Component{
		BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: name, Version: version, PackageURL: url,
		Scope: cyclonedx.ScopeRequired,
	}
}
