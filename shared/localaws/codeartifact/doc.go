// Package codeartifact is the CodeArtifact of a [localaws.World]: domains, repositories with their external connections
// and upstreams, packages, package groups with their origin controls, and tags. Of a package there are its name, its
// own origin controls and the names of its versions; nothing is stored, and nothing comes from upstream.
//
// It speaks REST-JSON as the API reference prints it (https://docs.aws.amazon.com/codeartifact/latest/APIReference/).
// It is stricter than AWS in one point: a member that an operation does not have is refused, because in a test that is
// always a mistake. Where AWS documents nothing, the comment at that place says so.
//
// Setup through [Service], [Domain], [Repository] and [PackageGroup] goes past quotas, access and validation, so that a
// test can build any state. The table in route.go is the list of operations; state.go is what they work on, and tree.go
// how a package finds its group.
package codeartifact
