package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"portcullis/shared/policy"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"portcullis": main})
}

// The scripts run this program as a person does, and compare all that it prints.
func TestScripts(t *testing.T) {
	heedHangUps(t)
	schemas := outputSchemas(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireUniqueNames: true, RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Values[outputs{}] = schemas
			e.Values[whole{}] = t
			return emptyHome(e)
		},
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"world": world, "exits": exits, "met": met, "unwritten": unwritten, "shaped": shaped, "scrubbed": scrubbed, "also": also, "wrote": wrote, "release": release, "told": told, "wrapped": wrapped, "called": called, "troubles": troubles, "recipe": recipe},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "", // writes what is printed into the scripts; read the difference
	})
}

// heedHangUps has the programs that this one starts heed a hang-up also where it is ignored, as under nohup: what a program
// catches, those that it starts do not ignore.
func heedHangUps(t *testing.T) {
	if !signal.Ignored(syscall.SIGHUP) {
		return
	}
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
}

// A control whose section nobody asks for would miss it only once it is deployed.
func TestTheSectionOfEveryControlIsAskedFor(t *testing.T) {
	mains, err := filepath.Glob("../../functions/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("there is no functions/*/main.go (%v)", err)
	}
	mains = slices.DeleteFunc(mains, func(main string) bool { return strings.Contains(main, "planner") }) // it is no control
	missing := missingSections(&policy.Policy{})
	if len(missing) != len(mains) {
		t.Errorf("there are %d controls, and an empty policy lacks %d sections", len(mains), len(missing))
	}
	for i, main := range mains {
		section := strings.ReplaceAll(filepath.Base(filepath.Dir(main)), "-", "_")
		if i < len(missing) && !strings.Contains(missing[i], section) {
			t.Errorf("%s is not asked for here: %s", section, missing[i])
		}
	}
}

// An option has a word for its value, and the same word in every command.
func TestEveryOptionNamesItsValue(t *testing.T) {
	option := regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+)(?: (\w+))?  `)
	words := map[string]string{}
	for _, c := range everyCommand(newRoot()) {
		for _, found := range option.FindAllStringSubmatch(c.Flags().FlagUsages(), -1) {
			name, word := found[1], found[2]
			if other, known := words[name]; word != strings.ToUpper(word) || known && other != word {
				t.Errorf("%s: the value of --%s is %q, and elsewhere %q", c.CommandPath(), name, word, other)
			}
			words[name] = word
		}
	}
	if words["policy"] != "FILE" {
		t.Errorf("the options are not found: %v", words)
	}
}

// Whoever asks for help is to see how a command is used, and not only what it may
// be given.
func TestEveryCommandExplainsItself(t *testing.T) {
	for _, c := range everyCommand(newRoot()) {
		if c.Short == "" || c.Long == "" || c.Example == "" {
			t.Errorf("%s lacks one of Short, Long and Example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			if command, is := strings.CutPrefix(strings.TrimSpace(line), "portcullis "); is {
				understood(t, c.CommandPath(), command)
			}
		}
	}
}

// understood checks that a command line names a command and options that there are.
func understood(t *testing.T, where, line string) {
	t.Helper()
	words := strings.Fields(line)
	if i := slices.Index(words, ">"); i > 0 {
		words = words[:i]
	}
	got, rest, err := newRoot().Find(words)
	if err == nil {
		err = got.ParseFlags(unquoted(rest))
	}
	if err != nil {
		t.Errorf("%q of %s: %v", line, where, err)
	}
}

func unquoted(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.Trim(w, "'\"")
	}
	return out
}
