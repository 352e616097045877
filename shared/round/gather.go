package round

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
	told    map[string]bool // ids of rounds whose summary was told
	runs    []control.Summary
}

// overdue are the rounds that are over by now and whose summary was not told yet,
// the oldest first.
func (p past) overdue(now time.Time) []Planned {
	var list []Planned
	seen := map[string]bool{}
	for _, r := range p.planned {
		if !seen[r.Round] && !p.told[r.Round] && r.over(now) {
			seen[r.Round] = true
			list = append(list, r)
		}
	}
	slices.SortFunc(list, byTime)
	return list
}

// pattern finds, among everything that is reported, the events that are looked
// for, and lets some others through.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
const pattern = `?"` + PlannedEvent + `" ?"` + SummaryEvent + `" ?"` + report.SummaryEvent + `"`

// read reads the log of the stack's events from a time on. What in it is not ours
// is passed over; what is ours and cannot be read is an error.
func read(ctx context.Context, api Log, group, account string, from time.Time) (past, error) {
	lines, err := awsio.ReadAll(ctx, "reading the events of earlier rounds", func(ctx context.Context, token *string) ([]types.FilteredLogEvent, *string, error) {
		out, err := api.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: &group, FilterPattern: aws.String(pattern), StartTime: aws.Int64(from.UnixMilli()), NextToken: token,
		})
		if err != nil {
			return nil, nil, err
		}
		return out.Events, out.NextToken, nil
	})
	if err != nil {
		return past{}, err
	}
	p := past{told: map[string]bool{}}
	for _, line := range lines.Items() {
		if err := p.take(aws.ToString(line.Message), account); err != nil {
			return past{}, awsio.ErrMalformed(fmt.Sprintf("reading event %q of the log: %v", aws.ToString(line.EventId), err))
		}
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
		p.told[s.Round] = true
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
