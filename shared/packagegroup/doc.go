// Package packagegroup prunes CodeArtifact package groups that are dead, and
// keeps every one that may protect something.
//
// It answers, for every package group of an account's domains: would anything
// loosen if it went? A group with nothing in it is often the one that protects:
// it holds the controls of names that nobody has published yet, and while it
// exists, look-alikes of its names are blocked. So a group may go only if seven
// conditions hold, in two readings that lie apart; each kept group says which
// condition keeps it. See docs/controls.md.
//
// It never sets a mode, never creates a group and never deletes a package. Its
// three writes are a mark (a tag on the group), the taking off of that mark, and
// the deletion of one named group. Decide is pure; only act.go writes.
package packagegroup
