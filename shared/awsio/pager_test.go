package awsio

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
)

// A list is a service's pages by the token that asks for them; the first has the
// token "first".
type list map[string]listPage

type listPage struct {
	entries []string
	next    *string
	err     error
}

func (l list) read(t *testing.T) (Complete[string], []string, error) {
	t.Helper()
	var asked []string
	got, err := ReadAll(t.Context(), "listing domains", func(_ context.Context, token *string) ([]string, *string, error) {
		key := "first"
		if token != nil {
			key = *token
		}
		asked = append(asked, key)
		if len(asked) > 2*maxPages {
			t.Fatal("it reads for ever")
		}
		p := l[key]
		return p.entries, p.next, p.err
	})
	return got, asked, err
}

func TestReadAll(t *testing.T) {
	next := aws.String
	denied := errors.New("denied")
	for _, test := range []struct {
		name  string
		list  list
		want  []string // entries; nil where there is an error
		asked []string
		class Class
		says  string
	}{
		{"reads one page", list{"first": {entries: []string{"a", "b"}}},
			[]string{"a", "b"}, []string{"first"}, "", ""},
		{"joins the pages in order", list{"first": {[]string{"b"}, next("2"), nil}, "2": {[]string{"a"}, next("3"), nil}, "3": {[]string{"c"}, nil, nil}},
			[]string{"b", "a", "c"}, []string{"first", "2", "3"}, "", ""},
		{"takes an empty list for an empty list", list{"first": {entries: []string{}}},
			[]string{}, []string{"first"}, "", ""},
		{"goes on after an empty page", list{"first": {[]string{}, next("2"), nil}, "2": {entries: []string{"a"}}},
			[]string{"a"}, []string{"first", "2"}, "", ""},
		{"ends at an empty token", list{"first": {[]string{"a"}, next(""), nil}},
			[]string{"a"}, []string{"first"}, "", ""},

		{"does not take no list for an empty list", list{"first": {}},
			nil, []string{"first"}, Malformed, "listing domains, page 1: the answer has no list in it"},
		{"does not take no list for an empty page", list{"first": {[]string{"a"}, next("2"), nil}, "2": {}},
			nil, []string{"first", "2"}, Malformed, "listing domains, page 2: the answer has no list in it"},
		{"leaves nothing after an error on the first page", list{"first": {err: denied}},
			nil, []string{"first"}, Other, "listing domains, page 1: denied"},
		{"leaves nothing after an error on the second page", list{"first": {[]string{"a"}, next("2"), nil}, "2": {err: denied}},
			nil, []string{"first", "2"}, Other, "listing domains, page 2: denied"},
		{"leaves nothing of a page that came with an error", list{"first": {[]string{"a"}, nil, denied}},
			nil, []string{"first"}, Other, "listing domains, page 1: denied"},
		{"does not follow a token to itself", list{"first": {[]string{"a"}, next("A"), nil}, "A": {[]string{"a"}, next("A"), nil}},
			nil, []string{"first", "A"}, Malformed, "points back"},
		{"does not follow tokens in a circle", list{"first": {[]string{"a"}, next("A"), nil}, "A": {[]string{"a"}, next("B"), nil}, "B": {[]string{"a"}, next("A"), nil}},
			nil, []string{"first", "A", "B"}, Malformed, "points back"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, asked, err := test.list.read(t)
			if diff := cmp.Diff(test.want, got.Items()); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.asked, asked); diff != "" {
				t.Errorf("pages asked for (-want +got):\n%s", diff)
			}
			if (err != nil) != (test.want == nil) {
				t.Fatalf("error %v", err)
			}
			if err != nil && (Classify(err) != test.class || !mentions(err, test.says)) {
				t.Errorf("class %s, error %v; want %s, %q", Classify(err), err, test.class, test.says)
			}
			if errors.Is(err, denied) != (test.class == Other) {
				t.Errorf("error %v does not wrap what happened", err)
			}
		})
	}
}

func TestReadAllEndsWhereTheListDoesNot(t *testing.T) {
	for pages, whole := range map[int]bool{maxPages: true, maxPages + 1: false} {
		pagesOf := list{}
		for i := 1; i <= pages; i++ {
			key, next := strconv.Itoa(i), aws.String(strconv.Itoa(i+1))
			if i == 1 {
				key = "first"
			}
			if i == pages {
				next = nil
			}
			pagesOf[key] = listPage{[]string{"x"}, next, nil}
		}
		got, asked, err := pagesOf.read(t)
		if len(asked) != maxPages {
			t.Errorf("%d pages: asked for %d, want %d", pages, len(asked), maxPages)
		}
		if whole && (err != nil || len(got.Items()) != pages) {
			t.Errorf("%d pages: %d entries, error %v", pages, len(got.Items()), err)
		}
		if !whole && (Classify(err) != Malformed || !mentions(err, "has not ended after 1000 pages") || got.Items() != nil) {
			t.Errorf("%d pages: %d entries, error %v", pages, len(got.Items()), err)
		}
	}
}

func TestReadAllHandsItsContextOn(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "value")
	_, err := ReadAll(ctx, "listing domains", func(ctx context.Context, _ *string) ([]string, *string, error) {
		if ctx.Value(key{}) != "value" {
			t.Error("the page is read in another context")
		}
		return []string{}, nil, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAListThatWasNotReadHoldsNothing(t *testing.T) {
	var unread Complete[string]
	if got := unread.Items(); got != nil {
		t.Errorf("it holds %v", got)
	}
}

func TestEachHandsOverEveryPageAndKeepsNone(t *testing.T) {
	pages := map[string]listPage{"": {[]string{"a"}, aws.String("2"), nil}, "2": {[]string{}, aws.String("3"), nil}, "3": {[]string{"b", "c"}, nil, nil}}
	next := func(_ context.Context, token *string) ([]string, *string, error) {
		p := pages[aws.ToString(token)]
		return p.entries, p.next, p.err
	}
	var got [][]string
	take := func(page []string) error {
		got = append(got, page)
		return nil
	}
	if err := Each(t.Context(), "listing domains", next, take); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([][]string{{"a"}, {}, {"b", "c"}}, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}

	got, pages["3"] = nil, listPage{err: errors.New("denied")}
	if err := Each(t.Context(), "listing domains", next, take); !mentions(err, "listing domains, page 3: denied") || len(got) != 2 {
		t.Errorf("error %v after %d pages: what came before the end is handed over, and said not to be all", err, len(got))
	}

	enough, calls := errors.New("enough"), 0
	err := Each(t.Context(), "listing domains", next, func([]string) error {
		calls++
		return enough
	})
	if err != enough || calls != 1 { //nolint:errorlint // as it is, not wrapped
		t.Errorf("error %v after %d pages, want the one of take after the first", err, calls)
	}
}

// A list that goes round in a circle of any length ends when it comes back to where
// it was, and leaves nothing.
func TestReadAllEndsInACircleOfAnyLength(t *testing.T) {
	circles := 0
	for length := 1; length <= 50; length++ {
		for before := range 3 { // pages before the circle begins
			circle := list{"first": {[]string{"x"}, aws.String("0"), nil}}
			for i := range before + length {
				next := i + 1
				if next == before+length {
					next = before
				}
				circle[strconv.Itoa(i)] = listPage{[]string{}, aws.String(strconv.Itoa(next)), nil}
			}
			got, asked, err := circle.read(t)
			if len(asked) != 1+before+length || Classify(err) != Malformed || got.Items() != nil {
				t.Errorf("circle of %d after %d: %d pages asked for, %d entries, error %v", length, before, len(asked), len(got.Items()), err)
			}
			circles++
		}
	}
	t.Logf("figure of fault 25: %d circles", circles)
}
