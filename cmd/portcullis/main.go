// Command portcullis does by hand what Portcullis does on its own. So far it can
// say whether a policy file is valid, and has a section for every control.
//
// It reads files, and neither reads nor changes anything in AWS. What is wrong
// goes to standard error. The exit status is 0 where all is well, 1 where
// something was found, 2 where the command line was not understood.
//
// Package policy says what a policy means.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// The exit statuses.
const (
	ok    = 0
	found = 1
	usage = 2
)

// A command is what the words of its name start.
type command struct {
	name      string // such as "policy check"
	arguments string
	summary   string
	run       func(args []string, out, errs io.Writer) int
}

func commands() []command {
	return []command{
		{"policy check", "[FILE]", "say whether a policy is valid and whole (" + defaultPolicy + ")", checkPolicy},
	}
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int {
	if slices.ContainsFunc(args, func(arg string) bool { return arg == "-h" || arg == "--help" }) {
		help(out)
		return ok
	}
	for _, c := range commands() {
		name := strings.Fields(c.name)
		if len(args) >= len(name) && slices.Equal(args[:len(name)], name) {
			return c.run(args[len(name):], out, errs)
		}
	}
	if len(args) > 0 {
		fmt.Fprintf(errs, "portcullis: there is no command %q\n", strings.Join(args, " "))
	}
	help(errs)
	return usage
}

func help(w io.Writer) {
	fmt.Fprintln(w, "usage:")
	for _, c := range commands() {
		fmt.Fprintf(w, "  portcullis %-24s %s\n", c.name+" "+c.arguments, c.summary)
	}
}
