package main

import (
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// It is not looked at whether the targets are reached: that takes time, and a
// machine that does nothing else.
func TestEveryMeasureWorks(t *testing.T) {
	watch(t)
	var out, progress strings.Builder
	_, err := run(t.Context(), &out, &progress, measures(), true, nil)
	t.Log("\n" + out.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	var names []string
	for text := range strings.Lines(out.String()) {
		fields := strings.Split(strings.TrimSuffix(text, "\n"), "\t")
		if len(fields) != 4 || slices.Contains(fields, "") || fields[3] != "ok" && fields[3] != "short" {
			t.Errorf("the line %q is not a name, a value, a target, and ok or short", text)
			continue
		}
		if fields[2] == "-" && fields[3] != "ok" {
			t.Errorf("%s has no target, and is short of it", fields[0])
		}
		// What does not depend on time must be as it should be here, too.
		counts := strings.HasPrefix(fields[2], "= ")
		if (counts || strings.HasPrefix(fields[0], "size ")) && fields[3] != "ok" {
			t.Errorf("%q is short", text)
		}
		names = append(names, fields[0])
	}
	if sorted := slices.Compact(slices.Sorted(slices.Values(names))); len(sorted) != len(names) {
		t.Errorf("two lines have the same name: %q", names)
	}
	for _, m := range measures() {
		if !strings.Contains(progress.String(), m.name+" took ") {
			t.Errorf("%s was not measured", m.name)
		}
	}
}

func TestMeasuresAreChosenByName(t *testing.T) {
	all, err := choose("")
	if err != nil || len(all) != len(measures()) {
		t.Errorf("without names: %d measures, error %v", len(all), err)
	}
	some, err := choose("size,init")
	if err != nil || len(some) != 2 || some[0].name != "init" || some[1].name != "size" {
		t.Errorf("size,init: %v, error %v", some, err)
	}
	for _, names := range []string{"speed", "init,speed", "init,init"} {
		if _, err := choose(names); err == nil {
			t.Errorf("%s: no error", names)
		}
	}
}

func TestALineThatIsShortSaysSo(t *testing.T) {
	for want, l := range map[string]line{
		"a\t1.50 x\t<= 1.5 x\tok":             atMost("a", 1.5, 1.5, " x", ""),
		"a\t1.51 x (3 of 2)\t<= 1.5 x\tshort": atMost("a", 1.51, 1.5, " x", "3 of 2"),
		"a\t0.94 x\t>= 0.95 x\tshort":         atLeast("a", 0.94, 0.95, " x", ""),
		"a\tNaN x\t>= 0.95 x\tshort":          atLeast("a", nan(), 0.95, " x", ""),
		"a\tNaN x\t<= 0.95 x\tshort":          atMost("a", nan(), 0.95, " x", ""),
		"a\t2\t= 3\tshort":                    exactly("a", 2, 3, ""),
		"a\t3 of 9\t-\tok":                    remark("a", "%d of %d", 3, 9),
	} {
		if l.String() != want {
			t.Errorf("%q, want %q", l, want)
		}
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

func TestTheRuntimeGetsWhatTheTemplateSays(t *testing.T) {
	got, err := runtimeIn([]byte(`
Globals:
  Function:
    Environment:
      Variables:
        GOGC: "400"
        ACCOUNT_ID: !Ref AWS::AccountId
        GOMEMLIMIT: !Ref Limit
Resources: {A: {Properties: {Environment: {Variables: {GOGC: "1"}}}}}
`))
	if want := map[string]string{"GOGC": "400"}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, error %v; want %v", got, err, want)
	}
}

// watch looks at every source that the functions may be built from. The build is
// made by another process, so without this go test would not know that the result
// depends on them, and would answer from its cache after they have changed.
func watch(t *testing.T) {
	t.Helper()
	for _, folder := range []string{"../../functions", "../../shared", "bare", "peer"} {
		err := fs.WalkDir(os.DirFS(folder), ".", func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
	}
}
