// Package undo restores what a control changed, by the outcome that the control left
// of it: an event, a line of a function's log, or a line of the file that `portcullis
// apply` writes.
//
// An outcome is foreign input. Only the calls that the controls record as an undo are
// ever made, only on the resource that the outcome is about, and only where the
// present state of that resource is still what the undo is for. Nothing that runs in
// Lambda may import this package: the functions have neither the rights nor the code
// to restore.
//
// Read read.go for what is taken for an outcome, calls.go for what may be called,
// connection.go, group.go and mark.go for what makes an undo wrong, and restore.go for
// how it is carried out.
package undo
