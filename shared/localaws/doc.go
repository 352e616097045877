// Package localaws is a small AWS on loopback, for the demo, the tests and the benchmarks. It answers the real SDK, the
// AWS CLI and the real function binaries over HTTP:
//
//	w, err := localaws.New(start)                        // a clock, a journal and one listener for every service
//	defer w.Close()
//	packages := codeartifact.New(w)                      // a service joins the World
//	repo := packages.AddDomain("111122223333", "eu-central-1", "corp").AddRepository("npm-store")
//	repo.Connect("public:npmjs")                         // state is set up and looked at in Go …
//	env := w.Environment("111122223333", "eu-central-1") // … and used by any client in this environment
//	w.Advance(24 * time.Hour)                            // time passes only here
//	w.Inject(localaws.Fault{Operation: "DescribeRepository", Skip: 1, Times: 1, Kind: localaws.Reset()})
//	w.Writes()                                           // what was done, in order
//	w.Role("444455556666", "reader").Limit("codeartifact:List*") // an account acts without limit, a role as it may
//
// A request is served in this order: who calls (credentials.go), which operation (the service), throttling, faults, what a
// role may do (roles.go), the operation itself, the journal and its subscribers, latency, the answer. One lock holds the state of all services, so
// the journal is the order of effects.
//
// The semantics are written from AWS's documentation, apart from the code that is tested against them; what AWS leaves
// open is said where it is decided. Signatures are not verified: a known access key is enough to act as its account or
// role. Nothing that runs in Lambda imports this package. The services are subpackages: codeartifact and proton; cloudtrail,
// which tells of what was done; eventbridge and scheduler, which wake others; logs, where events are kept; organizations and
// sts, by which one account finds the others and acts in them; lambda, which runs a function binary under the runtime API;
// and cloudformation, iam and sqs, which only tell of what was set up.
package localaws
