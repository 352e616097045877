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

// Whoever ends the input has not agreed, whatever was begun to be typed.
func TestAnAnswerIsEndedWithEnter(t *testing.T) {
	for typed, want := range map[string]string{
		"":             "nobody answered, and nothing was changed",
		"yes":          "the answer was not ended with Enter",
		"no\n":         "the answer was not 'yes'",
		"yes please\n": "the answer was not 'yes'",
		"yes\n":        "",
		"yes\r\n":      "",
	} {
		err := agreed(strings.NewReader(typed))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("after %q: got error %v, want one that says %q", typed, err, want)
		}
	}
}
