// Package awsio is how this program talks to AWS: which credentials and
// endpoints, how long a call may take, what is tried again, when a list counts
// as read, and what kind of failure an error is.
//
// It makes no call of its own and knows no service: the control packages build
// their clients from the configurations of a [Session]. It never turns a failure
// into an empty answer. A list that was not seen to its end has no value of type
// [Complete], so nothing can be concluded from it by mistake.
//
// Start with session.go. The measurements behind the numbers here are in
// docs/decisions/0004-own-retries.md.
package awsio
