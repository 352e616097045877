// Command corpus takes over what fuzzing has found: of the inputs that go keeps in its
// cache for a target it copies those into testdata/fuzz that execute statements as often
// as no seed and nothing that was taken over before does, those with the most of them
// first. How often is told by powers of two, as go's own fuzzing does.
//
//	go -C tools run ./corpus ./shared/trigger FuzzParse
//
// Statements of Portcullis count, and of the packages that take YAML, package URLs and,
// where that is quick to build, JSON apart for it.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	largest = 4 << 10 // bytes of an input; a larger one is nothing to look at
	most    = 24      // inputs of one target
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

// passed finds the seeds, and what was taken over before, in what a test tells.
var passed = regexp.MustCompile(`(?m)^ +--- PASS: \w+/(\S+) `)

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
	counted, err := counts(root, folder)
	if err != nil {
		return err
	}
	program := filepath.Join(scratch, "test")
	build := exec.Command("go", "test", "-c", "-o", program, "-covermode=count", "-coverpkg="+strings.Join(counted, ","), folder) //nolint:gosec // G204: the package is named by whoever runs this
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

	list := exec.Command(program, "-test.v", "-test.run", "^"+target+"$") //nolint:gosec // G204: as above
	list.Dir = here
	out, err := list.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the seeds fail:\n%s", out)
	}
	known := map[string]bool{}
	for _, seed := range passed.FindAllStringSubmatch(string(out), -1) {
		now, err := run("^" + seed[1] + "$")
		if err != nil {
			return err
		}
		maps.Copy(known, now)
	}
	found, err := inputs(filepath.Join(strings.TrimSpace(string(cache)), "fuzz", "portcullis", folder, target))
	if err != nil {
		return fmt.Errorf("%w; run make fuzz first", err)
	}
	corpus := filepath.Join(here, "testdata", "fuzz", target)
	if err := os.MkdirAll(corpus, 0o755); err != nil { //nolint:gosec // G301: as readable as the rest of the tree
		return err
	}
	ran := map[string]map[string]bool{} // by the path of the input
	for _, path := range found {
		place := filepath.Join(corpus, filepath.Base(path))
		if _, err := os.Stat(place); err == nil {
			continue
		}
		if err := copied(path, place); err != nil {
			return err
		}
		if ran[path], err = run("^" + filepath.Base(path) + "$"); err != nil {
			return fmt.Errorf("%s is kept: %w", place, err)
		}
		if err := os.Remove(place); err != nil {
			return err
		}
	}
	taken := 0
	for ; taken < most; taken++ {
		path := best(found, ran, known)
		if path == "" {
			break
		}
		maps.Copy(known, ran[path])
		if err := copied(path, filepath.Join(corpus, filepath.Base(path))); err != nil {
			return err
		}
	}
	_ = os.Remove(corpus) // where nothing is in it
	fmt.Printf("%s %s: %d of %d inputs\n", folder, target, taken, len(found))
	return nil
}

// best is the input that has most of what is not known; of equals the smallest, which
// comes first. It is empty where none has anything.
func best(found []string, ran map[string]map[string]bool, known map[string]bool) string {
	choice, most := "", 0
	for _, path := range found {
		more := 0
		for block := range ran[path] {
			if !known[block] {
				more++
			}
		}
		if more > most {
			choice, most = path, more
		}
	}
	return choice
}

func copied(from, to string) error {
	data, err := os.ReadFile(from) //nolint:gosec // G304: from go's own cache
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644) //nolint:gosec // G306: as readable as the rest of the tree
}

// counts lists the packages whose statements count, of those that a package is made of.
func counts(root, folder string) ([]string, error) {
	list := exec.Command("go", "list", "-buildvcs=false", "-deps", folder) //nolint:gosec // G204: the package is named by whoever runs this
	list.Dir = root
	deps, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("listing what %s is made of: %w", folder, err)
	}
	// To count in encoding/json, all that is built on it is compiled anew: of the SDK, that takes too long.
	parsers := []string{"go.yaml.in/yaml/v3", "github.com/package-url/packageurl-go"}
	if !bytes.Contains(deps, []byte("/aws-sdk-go-v2/service/")) {
		parsers = append(parsers, "encoding/json")
	}
	return slices.DeleteFunc(strings.Fields(string(deps)), func(dep string) bool {
		return !strings.HasPrefix(dep, "portcullis/") && !slices.Contains(parsers, dep)
	}), nil
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

// executed are the blocks of a profile that ran, each with how often, in powers of two.
func executed(profile string) (map[string]bool, error) {
	data, err := os.ReadFile(profile) //nolint:gosec // G304: written by ourselves
	if err != nil {
		return nil, err
	}
	blocks := map[string]bool{}
	for _, line := range ran.FindAllStringSubmatch(string(data), -1) {
		count, err := strconv.ParseUint(line[2], 10, 64)
		if err != nil {
			return nil, err
		}
		blocks[line[1]+" "+strconv.Itoa(bits.Len64(count))] = true
	}
	if len(blocks) == 0 {
		return nil, errors.New("nothing was executed")
	}
	return blocks, nil
}

// ran finds the blocks of a profile that ran, and how often.
var ran = regexp.MustCompile(`(?m)^(\S+:\S+) \d+ ([1-9]\d*)$`)
