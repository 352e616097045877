// Package control holds the words that every control shares, and the steps that
// no control may do in its own way: the gate that a plan passes before anything
// is written, and the protocol of a single write.
//
// It knows no AWS service, reads no policy file and has no clock of its own. It
// never decides whether something is a violation; that is what the Decide
// function of each control does. Gate is pure. Apply drives the writes, but every
// call to AWS in it is made by the control that supplied the [Actor].
//
// Read words.go for the nouns, gate.go for what keeps a plan from being carried
// out, and apply.go for the order of events around one write.
package control
