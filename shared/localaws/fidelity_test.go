package localaws_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

// Whatever a comment here marks as assumed is listed, under the name of its file, in docs/fidelity.md.
func TestWhatIsAssumedIsListed(t *testing.T) {
	document, err := os.ReadFile("../../docs/fidelity.md")
	if err != nil {
		t.Fatal(err)
	}
	marked := 0
	err = fs.WalkDir(os.DirFS("."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "assumed]") || path == "proton/doc.go" { // which says what the mark is
			return err
		}
		marked++
		if !strings.Contains(string(document), "`"+path+"`") {
			t.Errorf("%s assumes something that docs/fidelity.md does not list", path)
		}
		return nil
	})
	if err != nil || marked < 10 {
		t.Errorf("%d files say that they assume something: %v", marked, err)
	}
}
