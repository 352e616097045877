// Package report tells the world what a run found and did: as JSON lines on
// standard output, as CloudWatch metrics in the embedded metric format, and as
// events on the stack's own EventBridge bus.
//
// It decides nothing and reads nothing from AWS. It never drops a record in
// silence: an intent that could not be written down is an error, so that the
// write is not made, and an event that the bus did not take is logged whole and
// makes the run end with an error.
//
// docs/events.md describes every event, with its JSON Schema.
package report
