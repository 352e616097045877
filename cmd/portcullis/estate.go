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
	return reading(c, func() (estate.Estate, error) {
		f, err := os.Open(file) //nolint:gosec // the one who runs the command chooses the file
		if err != nil {
			return estate.Estate{}, fmt.Errorf("reading the estate: %w; `portcullis plan --save` writes one", err)
		}
		defer func() { _ = f.Close() }()
		data, err := io.ReadAll(io.LimitReader(f, largest+1))
		if err != nil {
			return estate.Estate{}, fmt.Errorf("reading the estate: %w; `portcullis plan --save` writes one", err)
		}
		if len(data) > largest {
			return estate.Estate{}, fmt.Errorf("reading the estate: %s is larger than %d MiB, which no saved estate is; `portcullis plan --save` writes one", file, largest>>20)
		}
		e, err := estate.Read(data)
		if err != nil {
			return estate.Estate{}, fmt.Errorf("reading the estate %s: %w", file, err)
		}
		return e, nil
	})
}
