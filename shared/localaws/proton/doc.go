// Package proton is the AWS Proton of a [localaws.World], as far as environment account connections go: an environment
// account asks for one, the management account that it names accepts or rejects it, and environments use it. There are no
// templates, services or deployments, and an environment is made in Go only.
//
// It speaks AWS JSON 1.0 as the API reference prints it (https://docs.aws.amazon.com/proton/latest/APIReference/). It is
// stricter than AWS in one point: a member that an operation does not have is refused, because in a test that is always
// a mistake. The filter environmentTemplates of ListEnvironments is among those.
//
// AWS ended Proton on 2026-10-07, so nothing here can be held against the service itself any more. Where its documentation
// is silent, unknowns.go has a switch, or the comment at that place says [assumed]. retired.go plays what may be left of
// the service; the World's faults play the rest.
//
// Setup through [Service], [Connection] and [Environment] goes past quotas, access and validation, and tells nobody, so
// that a test can build any state. The table in route.go is the list of operations; connections.go is what they do.
package proton
