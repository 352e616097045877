package main

import (
	"fmt"
	"os"

	"portcullis/internal/estate"
)

// loadEstate reads what `plan --save` kept.
func loadEstate(file string) (estate.Estate, error) {
	data, err := os.ReadFile(file) //nolint:gosec // the one who runs the command chooses the file
	if err != nil {
		return estate.Estate{}, fmt.Errorf("reading the estate: %w; `portcullis plan --save` writes one", err)
	}
	e, err := estate.Read(data)
	if err != nil {
		return estate.Estate{}, fmt.Errorf("reading the estate %s: %w", file, err)
	}
	return e, nil
}
