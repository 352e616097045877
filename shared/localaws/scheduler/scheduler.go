// Package scheduler is the EventBridge Scheduler of a [localaws.World]: schedules with a rate, which follow the World's
// clock. Schedules are set up in Go. schedules.go is what one reads of them by requests.
package scheduler

import (
	"sync"
	"time"

	"portcullis/shared/localaws"
)

// shortest is the least that a rate can say.
const shortest = time.Minute

// Every hands input to target at once, as AWS does with a rate that has no start date, and then whenever the World's clock
// has been advanced to the end of another interval or past it: once for each that is over. Advance waits for target, which
// must not itself advance the clock. An interval of less than a minute is a minute.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based
func Every(w *localaws.World, interval time.Duration, input []byte, target func(input []byte)) {
	interval = max(interval, shortest)
	var mu sync.Mutex // a schedule fires one by one
	due := w.Now()
	fire := func(now time.Time) {
		mu.Lock()
		defer mu.Unlock()
		for ; !due.After(now); due = due.Add(interval) {
			target(input)
		}
	}
	w.OnAdvance(fire)
	fire(due)
}
