// Package protonconn keeps AWS Proton's environment account connections as the
// policy says: in the management account it rejects requests that nobody approved,
// in the environment account it deletes what is dead or goes to an account that
// the policy does not name.
//
// It answers, for every connection of an account and Region, on either side of it:
// did anybody approve this, and may it be ended? It never accepts or changes one,
// and never ends one that is connected unless the policy says so.
//
// AWS ended Proton on 2026-10-07. The control says so when it meets the end of the
// service ("service-retired", or "unreachable"), quickly and without an alarm, and
// never counts what it could not read as compliant. See retired.go.
//
// proton.go is the only file that knows the SDK's client, all of which is marked
// deprecated. Decide is pure; only act.go writes.
package protonconn
