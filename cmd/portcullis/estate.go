package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"portcullis/internal/estate"
)

// loadEstate reads what `plan --save` kept.
func loadEstate(c *cobra.Command, file string) (estate.Estate, error) {
	return load(c, file, "estate", "`portcullis plan --save` writes one", estate.Read)
}

// load reads a file of this program, of which it is said what it is and where one comes
// from.
func load[T any](c *cobra.Command, file, what, from string, read func([]byte) (T, error)) (T, error) {
	return reading(c, func() (none T, err error) {
		f, err := os.Open(file) //nolint:gosec // the one who runs the command chooses the file
		if err != nil {
			return none, fmt.Errorf("reading the %s: %w; %s", what, err, from)
		}
		defer func() { _ = f.Close() }()
		data, err := io.ReadAll(io.LimitReader(f, largest+1))
		if err != nil {
			return none, fmt.Errorf("reading the %s: %w; %s", what, err, from)
		}
		if len(data) > largest {
			return none, fmt.Errorf("reading the %s: %s is larger than %d MiB, which no %s is; %s", what, file, largest>>20, what, from)
		}
		it, err := read(data)
		if err != nil {
			return none, fmt.Errorf("reading the %s %s: %w", what, file, err)
		}
		return it, nil
	})
}
