package estate

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/control"
)

// FuzzRead: a file is refused and leaves nothing, or is an estate that is kept and
// read again as the same, that can be judged, and of which nothing that was not read
// is called compliant, or acted on.
func FuzzRead(f *testing.F) {
	p := parse(f, everything)
	whole, _ := look(f, p, nil)
	partly, _ := look(f, p, sick)
	for _, e := range []Estate{whole, partly, {}} {
		f.Add(kept(f, e))
	}
	for _, part := range whole.Parts {
		f.Add(kept(f, Estate{Parts: []Part{part}}))
	}
	for _, text := range []string{"", "{}", `{"format":"portcullis-estate","version":1,"parts":[{"control":"package-groups","complete":true,"seen":null}]}`,
		`{"format":"portcullis-estate","version":1,"parts":[{"control":"external-connections","complete":true,"seen":{}}]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Read(data)
		if err != nil {
			if !cmp.Equal(e, Estate{}) {
				t.Errorf("%+v beside error %v", e, err)
			}
			return
		}
		var first, second bytes.Buffer
		if err := e.Write(&first); err != nil {
			t.Fatal(err)
		}
		again, err := Read(first.Bytes())
		if err != nil {
			t.Fatalf("what was read and kept is refused: %v\n%s", err, first.Bytes())
		}
		if err := again.Write(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("it is kept as another one (%v):\n%s", err, cmp.Diff(first.String(), second.String()))
		}
		for i, part := range e.Parts {
			// A command asks for a part by its control and Region, and takes the first.
			for _, before := range e.Parts[:i] {
				if before.Scope.Account != part.Scope.Account || before.Control == part.Control && before.Scope.Region == part.Scope.Region {
					t.Errorf("beside %+v of %s there is %+v of %s", before.Scope, before.Control, part.Scope, part.Control)
				}
			}
			plan := part.Judge(p)
			if diff := cmp.Diff(plan, again.Parts[i].Judge(p)); diff != "" {
				t.Errorf("part %d is judged otherwise when it is read again:\n%s", i, diff)
			}
			verdicts := map[string]control.Verdict{}
			for _, found := range plan.Findings {
				verdicts[found.ID] = found.Verdict
			}
			for _, a := range plan.Actions {
				if v := verdicts[a.ID]; v != control.Violation && a.Call.Operation != "UntagResource" {
					t.Errorf("%s of %s, which is %q", a.Call.Operation, a.Resource, v)
				}
			}
		}
	})
}
