package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"portcullis/internal/present"
)

var errNobodyToAsk = errors.New("nothing was changed, as there is no terminal to ask on; give --yes where it is to be done without being asked")

// mayAsk says why a command that asks before it writes could not ask.
func mayAsk(c *cobra.Command, yes bool) error {
	if !yes && !present.IsTerminal(c.InOrStdin()) {
		return errNobodyToAsk
	}
	return nil
}

// ask asks a question, and takes nothing but "yes" for a yes. The error is what ends
// the command otherwise.
func ask(ctx context.Context, c *cobra.Command, question string) error {
	if err := mayAsk(c, false); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s Only 'yes' is taken: ", question)
	answer := make(chan error, 1)
	go func() { // goes on waiting where the person interrupts, and ends with the program
		answer <- agreed(c.InOrStdin())
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		fmt.Fprintln(c.ErrOrStderr())
		return interrupted(ctx, ctx.Err())
	}
}

// agreed reads the answer. Whoever ends the input before the line has not given one.
func agreed(in io.Reader) error {
	line, err := bufio.NewReader(in).ReadString('\n')
	switch {
	case errors.Is(err, io.EOF) && line == "":
		return errors.New("nobody answered, and nothing was changed; give --yes where it is to be done without being asked")
	case errors.Is(err, io.EOF):
		return errors.New("the answer was not ended with Enter, so it may not be whole; nothing was changed")
	case err != nil:
		return fmt.Errorf("reading the answer: %w; nothing was changed", err)
	case line != "yes\n" && line != "yes\r\n":
		return errors.New("the answer was not 'yes'; nothing was changed")
	}
	return nil
}

// writes counts writes in words.
func writes(n int) string {
	if n == 1 {
		return "1 write"
	}
	return fmt.Sprintf("%d writes", n)
}
