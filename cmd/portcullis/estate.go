package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"portcullis/internal/estate"
)

// loadEstate reads what `plan --save` kept.
func loadEstate(c *cobra.Command, file string) (estate.Estate, error) {
	return reading(c, func() (estate.Estate, error) {
		data, err := os.ReadFile(file) //nolint:gosec // the one who runs the command chooses the file
		if err != nil {
			return estate.Estate{}, fmt.Errorf("reading the estate: %w; `portcullis plan --save` writes one", err)
		}
		e, err := estate.Read(data)
		if err != nil {
			return estate.Estate{}, fmt.Errorf("reading the estate %s: %w", file, err)
		}
		return e, nil
	})
}
