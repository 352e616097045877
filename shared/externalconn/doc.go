// Package externalconn keeps CodeArtifact repositories disconnected from public
// registries, except where the policy allows the connection.
//
// It answers, for every repository of an account and Region: which external
// connections does it have, does the policy allow each of them, and which other
// repositories get public packages through it? Its one write takes one named
// connection off one repository. It never deletes a repository or a package, so
// versions that came in through the connection stay where they are.
//
// Decide is pure; only act.go writes. docs/controls.md tells the operator's side.
package externalconn
