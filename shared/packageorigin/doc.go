// Package packageorigin checks that the packages named in the policy are guarded
// by CodeArtifact's package groups as strictly as the policy asks, whether or not
// those packages exist yet.
//
// It answers, for every such package and every domain it is named for: which
// group does CodeArtifact associate it with, and what do that group's origin
// restrictions come to? It never writes, so there is nothing to enforce and
// nothing to undo. It sees the level of groups only: restrictions that are set on
// a package itself may be stricter, and are not looked at.
//
// Decide is pure; only observe.go calls AWS. docs/controls.md tells the
// operator's side.
package packageorigin
