package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheSmallestInputsComeFirst(t *testing.T) {
	folder := t.TempDir()
	for name, size := range map[string]int{"b": 3, "a": 3, "c": 1, "large": largest + 1, "whole": largest} {
		write(t, filepath.Join(folder, name), strings.Repeat("x", size))
	}
	paths, err := inputs(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	if diff := cmp.Diff([]string{"c", "a", "b", "whole"}, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := inputs(filepath.Join(folder, "none")); err == nil {
		t.Error("a target that was never run has inputs")
	}
}

func TestWhatRanIsReadFromTheProfile(t *testing.T) {
	got, err := executed(write(t, filepath.Join(t.TempDir(), "profile"), "mode: count\nx/a.go:1.2,3.4 2 1\nx/a.go:5.6,7.8 1 0\nx/b.go:1.2,3.4 0 7\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"x/a.go:1.2,3.4 1": true, "x/b.go:1.2,3.4 3": true}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := executed(write(t, filepath.Join(t.TempDir(), "profile"), "mode: count\n")); err == nil {
		t.Error("a profile of nothing is taken for one")
	}
}

func TestTheInputThatAddsMostIsBest(t *testing.T) {
	found := []string{"one", "two", "also two", "nothing"}
	ran := map[string]map[string]bool{"one": {"a": true, "known": true}, "two": {"b": true, "c": true}, "also two": {"a": true, "d": true}, "nothing": {"known": true}}
	known := map[string]bool{"known": true}
	var order []string
	for path := best(found, ran, known); path != ""; path = best(found, ran, known) {
		order = append(order, path)
		for block := range ran[path] {
			known[block] = true
		}
	}
	if diff := cmp.Diff([]string{"two", "also two"}, order); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
