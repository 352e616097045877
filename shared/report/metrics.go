package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"portcullis/shared/control"
)

// Namespace is the CloudWatch namespace of all metrics.
const Namespace = "Portcullis"

type metric struct {
	Name string
	Unit string
}

// writeMetrics writes the metrics of one run in the embedded metric format, from
// which CloudWatch makes metrics when it reads the log:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
//
// What was found is said of sweeps only. A run that looked at what an event named
// knows nothing of the rest, and its zero would read as an estate without
// violations. Violations that it did find are said, so that an alarm need not wait
// for the sweep.
//
// Applied is more than the outcomes of that status: the alarm on changes in an hour
// counts by it, so what may have been done is in it too.
func writeMetrics(w io.Writer, s control.Summary, sweep bool, at time.Time) error {
	values := map[string]int{
		"Applied":       s.Changes,
		"AlreadyDone":   s.Outcomes[control.AlreadyDone],
		"Withheld":      s.Outcomes[control.Withheld],
		"Failed":        s.Outcomes[control.Failed],
		"RestoreNeeded": s.Outcomes[control.RestoreNeeded],
		"LimitExceeded": count(s.LimitExceeded),
		"Undelivered":   s.Undelivered,
		"Ignored":       count(s.Ignored != ""),
	}
	if sweep {
		values["Looked"] = s.Looked
		values["Waived"] = s.Verdicts[control.Waived]
		if s.Gone { // neither complete nor in need of a person: what there is to know is said once
			values["Gone"] = 1
		} else {
			values["Undetermined"] = s.Verdicts[control.Undetermined]
			values["Complete"] = count(s.Complete)
		}
	}
	if n := s.Verdicts[control.Violation]; sweep || n > 0 {
		values["Violations"] = n
	}
	var list []Value
	for _, name := range []string{
		"Looked", "Violations", "Waived", "Undetermined", "Complete", "Gone",
		"Applied", "AlreadyDone", "Withheld", "Failed", "RestoreNeeded", "LimitExceeded", "Undelivered", "Ignored",
	} {
		if v, ok := values[name]; ok {
			list = append(list, Value{name, v})
		}
	}
	return writeValues(w, s.Control, list, at)
}

// Value is one metric of a control, which counts something.
type Value struct {
	Name  string
	Count int
}

// Metrics writes metrics of a control at once, beside those that Finish writes.
func (r *Run) Metrics(name string, values []Value) error {
	return writeValues(r.reporter.Out, name, values, time.Now())
}

func writeValues(w io.Writer, name string, values []Value, at time.Time) error {
	names := make([]metric, 0, len(values))
	record := map[string]any{"Control": name}
	for _, v := range values {
		names = append(names, metric{v.Name, "Count"})
		record[v.Name] = v.Count
	}
	record["_aws"] = map[string]any{
		"Timestamp": at.UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace":  Namespace,
			"Dimensions": [][]string{{"Control"}},
			"Metrics":    names,
		}},
	}
	line, err := json.Marshal(record)
	if err != nil {
		return err
	}
	if _, err = w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing metrics: %w", err)
	}
	return nil
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
