package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// Whoever interrupts while being asked has changed nothing, and need not answer.
func TestAnInterruptIsAnAnswer(t *testing.T) {
	silent, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there is no terminal that nobody types on: %v", err)
	}
	defer func() { _ = silent.Close() }()
	var said strings.Builder
	c := &cobra.Command{}
	c.SetIn(silent)
	c.SetErr(&said)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = ask(ctx, c, "Make 2 writes?")
	if err == nil || err.Error() != "interrupted; nothing was changed" {
		t.Errorf("got error %v, want that nothing was changed", err)
	}
	if said.String() != "Make 2 writes? Only 'yes' is taken: \n" {
		t.Errorf("it asked %q", said.String())
	}
}
