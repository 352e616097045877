package round

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/report"
)

// past is what the log tells of rounds and sweeps.
type past struct {
	planned []Planned
	told    []Summary
	runs    []control.Summary
}

// Told is what the log of a deployment's events tells of its rounds.
type Told struct {
	Planned *Planned // the last one that was asked for; nil if there was none
	Summary *Summary // the last one that is over; nil if none is
}

// Tell reads from the log of a deployment's events what became of its last rounds
// since some time, for whoever wants to know how it does.
func Tell(ctx context.Context, api Log, group, account string, since time.Time) (Told, error) {
	p, err := read(ctx, api, group, account, since, PlannedEvent, SummaryEvent)
	if err != nil {
		return Told{}, err
	}
	var t Told
	for _, r := range p.planned {
		if r.At != nil && (t.Planned == nil || r.At.After(*t.Planned.At)) {
			t.Planned = &r
		}
	}
	for _, s := range p.told {
		if s.At != nil && (t.Summary == nil || !s.At.Before(*t.Summary.At)) { // of one run, the last is of the latest round
			t.Summary = &s
		}
	}
	return t, nil
}

// overdue are the rounds that are over by now and whose summary was not told yet,
// the oldest first.
func (p past) overdue(now time.Time) []Planned {
	var list []Planned
	seen := map[string]bool{}
	for _, s := range p.told {
		seen[s.Round] = true
	}
	for _, r := range p.planned {
		if !seen[r.Round] && r.over(now) {
			seen[r.Round] = true
			list = append(list, r)
		}
	}
	slices.SortFunc(list, byTime)
	return list
}

// since counts the rounds that were planned from a time on.
func (p past) since(t time.Time) int {
	n := 0
	for _, r := range p.planned {
		if r.At != nil && !r.At.Before(t) {
			n++
		}
	}
	return n
}

// pattern finds events of these detail-types among everything that is reported, and
// lets some others through.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
func pattern(detailTypes []string) string {
	var terms []string
	for _, t := range detailTypes {
		terms = append(terms, `?"`+t+`"`)
	}
	return strings.Join(terms, " ")
}

// read reads events of these detail-types from the log of the stack's events, from a
// time on. What in it is not ours
// is passed over; what is ours and cannot be read is an error.
func read(ctx context.Context, api Log, group, account string, from time.Time, detailTypes ...string) (past, error) {
	var p past
	err := awsio.Each(ctx, "reading the events of earlier rounds", func(ctx context.Context, token *string) ([]types.FilteredLogEvent, *string, error) {
		out, err := api.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: &group, FilterPattern: aws.String(pattern(detailTypes)), StartTime: aws.Int64(from.UnixMilli()), NextToken: token,
		})
		if err != nil {
			return nil, nil, err
		}
		return out.Events, out.NextToken, nil
	}, func(page []types.FilteredLogEvent) error {
		for _, line := range page {
			if err := p.take(aws.ToString(line.Message), account); err != nil {
				return awsio.ErrMalformed(fmt.Sprintf("reading event %q of the log: %v", aws.ToString(line.EventId), err))
			}
		}
		return nil
	})
	if err != nil {
		return past{}, err // what was read until then is a part
	}
	return p, nil
}

// take reads one event, if it is one of the stack's own account.
func (p *past) take(message, account string) error {
	var e struct {
		Source     string          `json:"source"`
		DetailType string          `json:"detail-type"`
		Account    string          `json:"account"`
		Replay     string          `json:"replay-name"` // of an archive: it tells again what it told long ago
		Detail     json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal([]byte(message), &e); err != nil {
		return err
	}
	if e.Source != report.Source || e.Account != account || e.Replay != "" {
		return nil
	}
	switch e.DetailType {
	case PlannedEvent:
		var r Planned
		if err := json.Unmarshal(e.Detail, &r); err != nil {
			return err
		}
		if r.Version == Version {
			p.planned = append(p.planned, r)
		}
	case SummaryEvent:
		var s Summary
		if err := json.Unmarshal(e.Detail, &s); err != nil {
			return err
		}
		p.told = append(p.told, s)
	case report.SummaryEvent:
		var s control.Summary
		if err := json.Unmarshal(e.Detail, &s); err != nil {
			return err
		}
		if s.Round != "" {
			p.runs = append(p.runs, s)
		}
	}
	return nil
}

// clockOf asks the log for anything at all, for the date of the answer: how far
// back to look is told by AWS's clock, as all ages are.
func clockOf(ctx context.Context, api Log, group string, clock *awsio.Clock) (time.Time, error) {
	_, err := api.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group, Limit: aws.Int32(1)})
	if err != nil {
		return time.Time{}, fmt.Errorf("asking the log of events for the time: %w", err)
	}
	if clock.Now().IsZero() {
		return time.Time{}, awsio.ErrMalformed("no answer said what time it is")
	}
	return clock.Now(), nil
}
