package externalconn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// reload keeps an observation and reads it back. What is read back must be kept in
// the same bytes.
func reload(t rapid.TB, o Observation) Observation {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var loaded Observation
	if err := json.Unmarshal(data, &loaded); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	again, err := json.Marshal(loaded)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, again) {
		t.Fatalf("kept as\n%s\nand then as\n%s", data, again)
	}
	return loaded
}

func TestWhatIsKeptIsJudgedTheSame(t *testing.T) {
	p := rules(t)
	rapid.Check(t, func(t *rapid.T) {
		o := estate(t)
		for i := range o.Connected {
			r := &o.Connected[i]
			r.Description = rapid.SampledFrom([]string{"", "made by <hand> & \"so on\"\u2028"}).Draw(t, "description")
			if rapid.Bool().Draw(t, "dated") {
				at := noon.Add(time.Duration(rapid.IntRange(0, 1e9).Draw(t, "created")) * time.Millisecond)
				r.Created = &at
			}
		}
		if rapid.Bool().Draw(t, "all") {
			o.Downstream = newDownstream()
			names := []string{"npm-store", "legacy", "late", "app", "web", "x", "y", "z"}
			var drawn edges
			for i, upstream := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 8).Draw(t, "upstreams") {
				drawn.add(fmt.Sprintf("r%d", i%4), []string{upstream, rapid.SampledFrom([]string{"r0", "r1"}).Draw(t, "other")})
			}
			var roots []string
			for _, r := range o.Connected {
				roots = append(roots, r.Name.Repo)
			}
			if roots != nil {
				o.Downstream.of[name("").domain()] = drawn.graph(roots)
			}
			if rapid.Bool().Draw(t, "partial") {
				o.Downstream.incomplete(owner, "corp")
			}
			if rapid.Bool().Draw(t, "another partial") {
				o.Downstream.incomplete("444455556666", "theirs")
			}
		}
		loaded := reload(t, o)
		for _, now := range []time.Time{noon, {}} {
			if diff := cmp.Diff(Decide(o, p, now), Decide(loaded, p, now)); diff != "" {
				t.Fatalf("plan (-seen +kept):\n%s", diff)
			}
		}
		if loaded.Complete() != o.Complete() || (loaded.Downstream == nil) != (o.Downstream == nil) {
			t.Fatalf("complete %v, want %v", loaded.Complete(), o.Complete())
		}
	})
}

func TestWhatWasNotKeptByUsIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"an ARN of another repository": `{"connected":[{"owner":"111122223333","domain":"corp","name":"a","arn":"arn:aws:codeartifact:eu-west-1:111122223333:repository/corp/b","externalConnections":["public:npmjs"],"upstreams":[]}]}`,
		"no connection":                `{"connected":[{"owner":"111122223333","domain":"corp","name":"a","arn":"arn:aws:codeartifact:eu-west-1:111122223333:repository/corp/a","upstreams":[]}]}`,
		"nothing of who draws from it": `{"connected":[{"owner":"111122223333","domain":"corp","name":"a","arn":"arn:aws:codeartifact:eu-west-1:111122223333:repository/corp/a","externalConnections":["public:npmjs"],"upstreams":[]}],"downstream":[]}`,
		"something else":               `{"connected":"corp/a"}`,
	} {
		if err := json.Unmarshal([]byte(text), new(Observation)); err == nil {
			t.Errorf("%s: is accepted", name)
		}
	}
}
