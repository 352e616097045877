package lambda

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PeakMemory is the most memory, in bytes, that any process of the function has had resident so far, as Linux counts it.
// It is read after each invocation, so what a process took that did not survive its last one is not in it. It is 0 where
// there is no /proc. Lambda counts a little more: what its own part of the environment takes.
func (r *Running) PeakMemory() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peak
}

// Init returns how long each process took from its start until it asked for its first event, in that order.
func (r *Running) Init() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.inits)
}

func (r *Running) ready(after time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inits = append(r.inits, after)
}

// peakMemory is 0 for a process that is gone.
func (p *process) peakMemory() int64 {
	if p.ended() {
		return 0
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	return highWater(status)
}

// highWater finds the peak of the resident memory in a status of Linux: "VmHWM:      8052 kB".
// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func highWater(status []byte) int64 {
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		value, found := strings.CutPrefix(lines.Text(), "VmHWM:")
		if !found {
			continue
		}
		kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
		if err != nil {
			return 0
		}
		return kilobytes << 10
	}
	return 0
}
