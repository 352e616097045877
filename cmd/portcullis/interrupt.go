package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"portcullis/shared/policy"
)

// interrupted is the error of a run that a person has stopped, or else err.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted; nothing was changed")
	}
	return err
}

// reading returns what read reads, or that the command was interrupted before. A file
// may be a pipe into which nobody ever writes, and neither opening it nor reading it
// heeds a signal; what is left waiting there ends with the program.
func reading[T any](c *cobra.Command, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-c.Context().Done():
		var none T
		return none, interrupted(c.Context(), nil)
	}
}

// readPolicy reads a policy for a command.
func readPolicy(c *cobra.Command, file string) (*policy.Policy, error) {
	return reading(c, func() (*policy.Policy, error) { return policy.Load(file) })
}
