// Command sbom prints what is in Go programs, as a CycloneDX bill of materials in
// JSON: the Go release and every module that the linker used, as the programs
// themselves tell it (debug/buildinfo).
//
// It reads the given files and nothing else. Equal programs give an equal bill,
// so it has no time and no serial number; both may be left out:
// https://cyclonedx.org/docs/1.6/json/
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
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
	if err := write(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// write describes the programs at the given paths. A program is known by the
// folder that it is in, because all of them are called bootstrap.
func write(w io.Writer, paths []string) error {
	if len(paths) == 0 {
		return fmt.Errorf("name the programs to describe")
	}
	var programs []cyclonedx.Component
	var uses []cyclonedx.Dependency
	libraries := map[string]cyclonedx.Component{} // by reference
	for _, path := range slices.Sorted(slices.Values(paths)) {
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading what is in %s: %w", path, err)
		}
		program, err := describe(path)
		if err != nil {
			return err
		}
		var refs []string
		for _, library := range contents(info) {
			libraries[library.BOMRef] = library
			refs = append(refs, library.BOMRef)
		}
		programs = append(programs, program)
		uses = append(uses, cyclonedx.Dependency{Ref: program.BOMRef, Dependencies: &refs})
	}

	components := programs
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

func describe(path string) (cyclonedx.Component, error) {
	program, err := os.ReadFile(path) //nolint:gosec // whoever runs this names the files
	if err != nil {
		return cyclonedx.Component{}, err
	}
	sum := sha256.Sum256(program)
	name := filepath.Base(filepath.Dir(path))
	return cyclonedx.Component{
		BOMRef: "function/" + name,
		Type:   cyclonedx.ComponentTypeApplication,
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
