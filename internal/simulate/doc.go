// Package simulate plays hostile schedules and judges what came of them. It has
// nothing but tests: nothing can import it.
//
// One seed makes a policy and a schedule: people, pipelines and infrastructure
// code that change things, time that passes, and runs of the controls, which are
// woken by sweeps and by events that come late, twice, out of order or never. In
// the runs calls go wrong, somebody is quicker, and processes are killed. The
// controls are the real ones, from the payload of an invocation to the bytes that
// their HTTP client sends; what is under that client is a transport into a local
// AWS in this process. Time is that of a synctest bubble, so a wait of 45 seconds
// costs nothing, and one call is served at a time, in an order that the seed
// chooses, so a seed gives the same story every time. That is also so where a second
// run begins beside the first: the calls of both stand in one line.
//
// The judge was written from docs/controls.md, apart from the code that decides.
// It knows the state of the local AWS at every moment, and looks at every write.
//
//	line_test.go      the transport, the order of calls and what goes wrong in them
//	process_test.go   one run of a control, and the record of it
//	stage_test.go     the accounts, and the people in them
//	state_test.go     what is there at a moment
//	queue_test.go     the queue of package-origins, and what guards a package
//	rules_test.go     a policy, as the file and as what it means
//	oracle_test.go    what the rules ask for, and what is wrong with a run
//	schedule_test.go  schedules, and how to shorten one
//	play_test.go      a schedule from its beginning to its end
//
// Run make simulate SEEDS=N for more schedules, and make simulate SEED=N for one
// that failed.
package simulate
