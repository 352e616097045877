package awsio

import (
	"context"
	"fmt"
)

// maxPages bounds a list: at 1,000 entries a page it is far beyond every quota.
const maxPages = 1000

// Complete is a list that was read to its end. Only [ReadAll] makes one that
// holds anything, so a function that takes a Complete cannot be handed the part
// of a list that came before an error.
type Complete[T any] struct{ items []T }

// Items returns the entries in the order AWS gave them.
func (c Complete[T]) Items() []T { return c.items }

// ReadAll reads every page of a list into memory. See [Each]: an error on any page
// leaves nothing of the list.
func ReadAll[T any](ctx context.Context, what string, next func(ctx context.Context, token *string) ([]T, *string, error)) (Complete[T], error) {
	items := []T{}
	err := Each(ctx, what, next, func(page []T) error {
		items = append(items, page...)
		return nil
	})
	if err != nil {
		return Complete[T]{}, err
	}
	return Complete[T]{items}, nil
}

// Each hands over a list page by page, and keeps none of it. The function next
// makes one call, with the token of the page or nil for the first one, and returns
// the entries, which AWS always sends even if there are none, and the token of the
// page after it. What names the list in errors, such as "listing domains".
//
// The list was read to its end only where Each returns no error; until then, what
// take was given is a part of a list. An error of take ends the reading and is
// returned as it is.
//
// The SDK's own paginators follow a repeated token for ever, and take an answer
// without a list for an empty one. Here both are errors.
func Each[T any](ctx context.Context, what string, next func(ctx context.Context, token *string) ([]T, *string, error), take func(page []T) error) error {
	seen := map[string]bool{}
	var token *string
	for page := 1; page <= maxPages; page++ {
		entries, following, err := next(ctx, token)
		if err != nil {
			return fmt.Errorf("%s, page %d: %w", what, page, err)
		}
		if entries == nil {
			return fmt.Errorf("%s, page %d: %w", what, page, ErrMalformed("the answer has no list in it"))
		}
		if err := take(entries); err != nil {
			return err
		}
		if following == nil || *following == "" {
			return nil
		}
		if seen[*following] {
			return fmt.Errorf("%s, page %d: %w", what, page, ErrMalformed("the answer points back to a page that was already read"))
		}
		seen[*following] = true
		token = following
	}
	return fmt.Errorf("%s: %w", what, ErrMalformed(fmt.Sprintf("the list has not ended after %d pages", maxPages)))
}
