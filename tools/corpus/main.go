// Command corpus takes over what fuzzing has found: of the inputs that go keeps in its
// cache for a target it copies those into testdata/fuzz that execute a statement which
// neither the seeds nor what was taken over before executes, the smallest first.
//
//	go -C tools run ./corpus ./shared/trigger FuzzParse
//
// Statements of all of Portcullis count, and of the packages that take formats apart
// for it.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	largest = 2 << 10 // bytes of an input; a larger one is nothing to look at
	most    = 24      // inputs of one target

	counted = "portcullis/...,encoding/json,encoding/xml,go.yaml.in/yaml/v3,github.com/aws/smithy-go/...,github.com/package-url/packageurl-go"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "corpus: name a package, such as ./shared/trigger, and a target in it, such as FuzzParse")
		os.Exit(1)
	}
	if err := take("..", os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		os.Exit(1)
	}
}

// take works in the folder of the module.
func take(root, folder, target string) error {
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		return fmt.Errorf("asking go for its cache: %w", err)
	}
	scratch, err := os.MkdirTemp("", "corpus")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	program := filepath.Join(scratch, "test")
	build := exec.Command("go", "test", "-c", "-o", program, "-covermode=set", "-coverpkg="+counted, folder) //nolint:gosec // G204: the package is named by whoever runs this
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the tests of %s: %w\n%s", folder, err, out)
	}
	here := filepath.Join(root, folder)
	run := func(name string) (map[string]bool, error) {
		profile := filepath.Join(scratch, "profile")
		c := exec.Command(program, "-test.run", "^"+target+"$/"+name, "-test.coverprofile", profile) //nolint:gosec // G204: as above
		c.Dir = here
		if out, err := c.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s fails:\n%s", name, out)
		}
		return executed(profile)
	}

	known, err := run("") // the seeds, and what was taken over before
	if err != nil {
		return err
	}
	found, err := inputs(filepath.Join(strings.TrimSpace(string(cache)), "fuzz", "portcullis", folder, target))
	if err != nil {
		return fmt.Errorf("%w; run make fuzz first", err)
	}
	corpus := filepath.Join(here, "testdata", "fuzz", target)
	if err := os.MkdirAll(corpus, 0o755); err != nil { //nolint:gosec // G301: as readable as the rest of the tree
		return err
	}
	taken := 0
	for _, path := range found {
		name := filepath.Base(path)
		place := filepath.Join(corpus, name)
		if _, err := os.Stat(place); err == nil {
			continue
		}
		data, err := os.ReadFile(path) //nolint:gosec // G304: from go's own cache
		if err != nil {
			return err
		}
		if err := os.WriteFile(place, data, 0o644); err != nil { //nolint:gosec // G306: as readable as the rest of the tree
			return err
		}
		now, err := run("^" + name + "$")
		if err != nil {
			return fmt.Errorf("%s is kept in %s: %w", name, place, err)
		}
		more := 0
		for block := range now {
			if !known[block] {
				known[block] = true
				more++
			}
		}
		if more == 0 {
			if err := os.Remove(place); err != nil {
				return err
			}
			continue
		}
		if taken++; taken == most {
			break
		}
	}
	_ = os.Remove(corpus) // where nothing is in it
	fmt.Printf("%s %s: %d of %d inputs\n", folder, target, taken, len(found))
	return nil
}

// inputs lists what was found, the smallest first.
func inputs(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var paths []string
	sizes := map[string]int64{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		path := filepath.Join(folder, e.Name())
		if sizes[path] = info.Size(); info.Size() <= largest {
			paths = append(paths, path)
		}
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Or(cmp.Compare(sizes[a], sizes[b]), strings.Compare(a, b)) })
	return paths, nil
}

// executed are the blocks of a profile that ran: all of a line but its count.
func executed(profile string) (map[string]bool, error) {
	data, err := os.ReadFile(profile) //nolint:gosec // G304: written by ourselves
	if err != nil {
		return nil, err
	}
	blocks := map[string]bool{}
	_, lines, _ := strings.Cut(string(data), "\n") // after the mode
	for line := range strings.Lines(lines) {
		if block, ran := strings.CutSuffix(line, " 1\n"); ran {
			blocks[block] = true
		}
	}
	if len(blocks) == 0 {
		return nil, errors.New("nothing was executed")
	}
	return blocks, nil
}
