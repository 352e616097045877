package logs

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"portcullis/shared/localaws"
)

// What a page holds at most, in events and in bytes, and when the request does not say.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
const (
	maxLimit = 10_000
	maxBytes = 1 << 20
)

// An input has what is taken here of the operation's. The rest, such as the names of streams, is refused, because an
// answer that did not heed it would be wrong.
type input struct {
	LogGroupName, LogGroupIdentifier *string
	StartTime, EndTime               *int64 // milliseconds since 1970, both included
	FilterPattern                    string
	Limit                            *int
	NextToken                        *string
	StartFromHead                    *bool // the oldest first; true if nil
	Interleaved                      *bool // without effect on AWS, too
}

type output struct {
	Events             []found `json:"events"`
	NextToken          *string `json:"nextToken,omitempty"`
	SearchedLogStreams []any   `json:"searchedLogStreams"` // empty on AWS, too
}

type found struct {
	EventID       string `json:"eventId"`
	IngestionTime int64  `json:"ingestionTime"`
	LogStreamName string `json:"logStreamName"`
	Message       string `json:"message"`
	Timestamp     int64  `json:"timestamp"`
}

// stream stands for those that EventBridge makes in a group. Nobody may rely on their names.
const stream = "00000000-0000-4000-8000-000000000000"

func (s *Service) route(r *http.Request, body []byte) (localaws.Operation, error) {
	if target := r.Header.Get("X-Amz-Target"); target != "Logs_20140328.FilterLogEvents" {
		return localaws.Operation{}, failed("UnknownOperationException", "no operation %q", target)
	}
	op := localaws.Operation{Name: "FilterLogEvents"}
	if err := json.Unmarshal(body, &op.Input); err != nil {
		return op, failed("SerializationException", "%v", err)
	}
	op.Run = func(c localaws.Caller) (any, bool, error) {
		var in input
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			return nil, false, invalid("%v", err)
		}
		return s.filter(c, in)
	}
	return op, nil
}

// latestFirst is since when one may ask for the latest events first.
func latestFirst() time.Time { return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) }

// filter searches one group in the order of time. A token names the place in the list of what matches, so it is right as
// long as nothing is written that is older than what was already told.
func (s *Service) filter(c localaws.Caller, in input) (any, bool, error) {
	p, err := in.group(c)
	if err != nil {
		return nil, false, err
	}
	terms, err := parse(in.FilterPattern)
	if err != nil {
		return nil, false, err
	}
	size := s.pageSize
	if in.Limit != nil {
		if *in.Limit < 1 || *in.Limit > maxLimit {
			return nil, false, invalid("limit %d is not from 1 to %d", *in.Limit, maxLimit)
		}
		size = min(size, *in.Limit)
	}
	g := s.groups[p]
	if g == nil {
		return nil, false, failed("ResourceNotFoundException", "The specified log group does not exist.")
	}
	matching := slices.Collect(func(yield func(found) bool) {
		for _, e := range g.events {
			if !e.at.Add(s.delay).After(c.Now) && in.spans(e.Time) && terms.match(e.Message) && !yield(e.found()) {
				return
			}
		}
	})
	if in.StartFromHead != nil && !*in.StartFromHead {
		if in.StartTime == nil || *in.StartTime < latestFirst().UnixMilli() {
			return nil, false, invalid("startFromHead can be false only with a startTime from 2024 on")
		}
		slices.Reverse(matching)
	}
	list := in.list(p)
	start, empty := 0, s.emptyPages
	if in.NextToken != nil {
		var ok bool
		if start, empty, ok = position(*in.NextToken, list); !ok || start > len(matching) {
			return nil, false, invalid("The specified nextToken is invalid.")
		}
	}
	out := output{Events: []found{}, SearchedLogStreams: []any{}}
	if empty > 0 {
		out.NextToken = token(list, start, empty-1)
		return out, false, nil
	}
	end := min(len(matching), start+size)
	bytes := 0
	for i, e := range matching[start:end] {
		if bytes += len(e.Message); bytes > maxBytes && i > 0 {
			end = start + i
			break
		}
	}
	out.Events = append(out.Events, matching[start:end]...)
	if end < len(matching) {
		out.NextToken = token(list, end, s.emptyPages)
	}
	return out, false, nil
}

// group is the log group that is meant: by its name, or by its name or ARN. The group of another account can be read only
// from a monitoring account, which nobody is here: it is not found [assumed].
func (in input) group(c localaws.Caller) (place, error) {
	p := place{account: c.Account, region: c.Region}
	switch {
	case (in.LogGroupName == nil) == (in.LogGroupIdentifier == nil):
		return p, invalid("exactly one of logGroupName and logGroupIdentifier must be given")
	case in.LogGroupName != nil:
		p.name = *in.LogGroupName
	default:
		p.name = strings.TrimPrefix(*in.LogGroupIdentifier, groupARN(p)) // of which the name is the end
	}
	if !groupName.MatchString(p.name) && !strings.HasPrefix(p.name, "arn:") {
		return p, invalid("%q is not the name of a log group", p.name)
	}
	return p, nil
}

var groupName = regexp.MustCompile(`\A[.\-_/#A-Za-z0-9]{1,512}\z`)

func (in input) spans(t time.Time) bool {
	ms := t.UnixMilli()
	return (in.StartTime == nil || ms >= *in.StartTime) && (in.EndTime == nil || ms <= *in.EndTime)
}

// found is an event as the API shows it.
func (e written) found() found {
	return found{
		EventID: fmt.Sprintf("%056d", e.number), IngestionTime: e.at.UnixMilli(), LogStreamName: stream,
		Message: e.Message, Timestamp: e.Time.UnixMilli(),
	}
}

// list tells searches apart, whichever page of them is asked for.
func (in input) list(p place) string {
	in.Limit, in.NextToken = nil, nil
	members, _ := json.Marshal(in) // it came as JSON
	return fmt.Sprintf("%x", sha256.Sum256(append(members, groupARN(p)...)))
}

func token(list string, told, empty int) *string {
	text := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s/%d/%d", list, told, empty))
	return &text
}

func position(token, list string) (told, empty int, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	parts := strings.Split(string(text), "/")
	if err != nil || len(parts) != 3 || parts[0] != list {
		return 0, 0, false
	}
	told, err = strconv.Atoi(parts[1])
	if err == nil {
		empty, err = strconv.Atoi(parts[2])
	}
	return told, empty, err == nil
}

// terms are phrases of which a message must have one. Without any, every message matches.
type terms []string

// optional is a filter pattern for any of some phrases, each in quotes: ?"A B" ?"C". Other patterns, also those with a
// quote inside a phrase, are not played here.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-unstructured-log-events.html
var (
	optional = regexp.MustCompile(`\A(?:\?"[^"\\]+"\s*)+\z`)
	phrase   = regexp.MustCompile(`\?"([^"\\]+)"`)
)

func parse(pattern string) (terms, error) {
	if pattern == "" {
		return nil, nil
	}
	if !optional.MatchString(pattern) {
		return nil, invalid("the filter pattern %s is not one that is played here", pattern)
	}
	var t terms
	for _, match := range phrase.FindAllStringSubmatch(pattern, -1) {
		t = append(t, match[1])
	}
	return t, nil
}

func (t terms) match(message string) bool {
	return len(t) == 0 || slices.ContainsFunc(t, func(term string) bool { return strings.Contains(message, term) })
}

func invalid(format string, args ...any) error {
	return failed("InvalidParameterException", format, args...)
}

// The services that speak JSON 1.1 answer a mistake of the client with 400.
func failed(code, format string, args ...any) error {
	return &localaws.Error{Status: http.StatusBadRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}
