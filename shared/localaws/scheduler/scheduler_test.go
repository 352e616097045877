package scheduler_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/scheduler"
	"portcullis/shared/localaws/witness"
)

func TestASchedule(t *testing.T) {
	for _, test := range []struct {
		name     string
		interval time.Duration
		advance  []time.Duration
		fired    []int // so far: at first, and after each advance
	}{
		{"fires at once, and then when an interval is over", time.Hour, []time.Duration{59 * time.Minute, time.Minute, time.Hour}, []int{1, 1, 2, 3}},
		{"fires once for each interval that was missed", time.Hour, []time.Duration{3*time.Hour + 30*time.Minute, 30 * time.Minute}, []int{1, 4, 5}},
		{"keeps to its rate when it is late", time.Hour, []time.Duration{90 * time.Minute, 30 * time.Minute}, []int{1, 2, 3}},
		{"does not fire again for a time that comes twice", time.Hour, []time.Duration{time.Hour, -time.Hour, time.Hour, time.Hour}, []int{1, 2, 2, 2, 3}},
		{"has no rate of less than a minute", 0, []time.Duration{59 * time.Second, time.Second}, []int{1, 1, 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, err := localaws.New(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			witness.Watch(t, w)
			var inputs []string
			scheduler.Every(w, test.interval, []byte(`{"by":"schedule"}`), func(input []byte) {
				inputs = append(inputs, string(input))
				w.Now() // the World may be used
			})
			fired := []int{len(inputs)}
			for _, d := range test.advance {
				w.Advance(d)
				fired = append(fired, len(inputs))
			}
			if diff := cmp.Diff(test.fired, fired); diff != "" {
				t.Errorf("fired (-want +got):\n%s", diff)
			}
			for _, input := range inputs {
				if input != `{"by":"schedule"}` {
					t.Errorf("got input %q", input)
				}
			}
		})
	}
}
