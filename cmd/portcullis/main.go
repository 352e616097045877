// Command portcullis does by hand what Portcullis does on its own: it looks at an
// account, judges what is there by the policy, and says what enforcement would
// change; and it checks and tests a policy before anything depends on it.
//
// Data goes to standard output, everything else to standard error. The exit
// status is 0 where everything is compliant, 2 where there are violations, 3
// where there is nothing worse than what could not be determined, and 1 where the
// command could not do its work.
//
// There is one file for each command. What they have in common is in this one and
// in aws.go; what they say about AWS comes from the controls themselves, so
// that what a person reads here is what a function would do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"portcullis/internal/present"
	"portcullis/shared/policy"
)

// The exit statuses.
const (
	exitCompliant    = 0
	exitError        = 1
	exitViolations   = 2
	exitUndetermined = 3
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the whole program, with its arguments and streams given to it.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	helpError := keepHelpError(root)
	err := root.ExecuteContext(ctx)
	if failed := helpError(); err == nil && failed != nil {
		err = fmt.Errorf("printing the help: %w", failed)
	}
	var status exit
	var problems policy.Problems
	switch {
	case err == nil:
		return exitCompliant
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &problems):
		fmt.Fprintln(errs, err) // each line begins with the file, so that editors find the place
		return exitError
	default:
		fmt.Fprintln(errs, "portcullis:", present.Plain(err.Error()))
		return exitError
	}
}

// endings are the signals that end a command in order. A hang-up is none of them where
// it is ignored already, as nohup has it.
func endings() []os.Signal {
	list := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		list = append(list, syscall.SIGHUP)
	}
	return list
}

// An exit is how a command ends that did its work and found something. There is
// nothing to add to what it has printed.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "portcullis",
		Short: "Keep the doors of an AWS software supply as the policy says",
		Long: `Portcullis keeps the doors of an AWS organization's software supply as your
policy says. This command does by hand what its functions do on events and on a
schedule.

Exit status: 0 all is well, 1 the command could not do its work. What 2 and 3 are, the
help of each command says.`,
		Example: `  portcullis plan
  portcullis doctor
  portcullis policy check`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("portcullis {{.Version}}\n")
	root.AddCommand(newPlan(), newApply(), newUndo(), newExplain(), newDoctor(), newPolicy(), newCompletion())
	root.SetHelpCommand(newHelp())
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return refuseEmpty(c) }
	for _, c := range everyCommand(root) {
		c.SetFlagErrorFunc(misused)
		c.Flags().VisitAll(forbidEmpty)
		if check := c.Args; check != nil {
			c.Args = func(c *cobra.Command, args []string) error { return misused(c, check(c, args)) }
		}
		if c.HasSubCommands() {
			group(c)
		}
	}
	return root
}

func everyCommand(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, child := range c.Commands() {
		all = append(all, everyCommand(child)...)
	}
	return all
}

// takes holds a command to a number of arguments, of which most < 0 is no end. It says
// what they are, and what to do instead.
func takes(least, most int, what, instead string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		given := fmt.Sprintf("%d were given", len(args))
		switch len(args) {
		case 0:
			given = "none was given"
		case 1:
			given = fmt.Sprintf("%.40q was given", args[0])
		}
		if len(args) < least || most >= 0 && len(args) > most {
			name := strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ")
			return fmt.Errorf("%s takes %s, and %s; %s", name, what, given, instead)
		}
		return nil
	}
}

// misused is the error of a command line that was not understood.
func misused(c *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; `%s --help` shows how it is used", err, c.CommandPath())
}

// nonEmpty is the value of an option that may not be empty, nor hold an empty one. A
// shell makes an empty one of a variable that is not set, and it would mean that the
// option is not given: other credentials and Regions than were meant. It is kept and
// refused later, so that a shell still completes the line.
type nonEmpty struct {
	pflag.Value
	wrong string // what is empty; "" where nothing is
}

func (v *nonEmpty) Set(s string) error {
	err := v.Value.Set(s)
	list, isList := v.Value.(pflag.SliceValue)
	switch {
	case s == "":
		v.wrong = "is empty"
	case isList && slices.Contains(list.GetSlice(), "") && v.wrong == "":
		v.wrong = fmt.Sprintf("%.40q holds an empty value", s)
	}
	return err
}

// forbidEmpty holds an option to a value that is not empty.
func forbidEmpty(f *pflag.Flag) {
	if f.Value.Type() == "bool" {
		return
	}
	if f.DefValue == "[]" {
		f.DefValue = "" // the help would show what no person wrote
	}
	f.Value = &nonEmpty{Value: f.Value}
}

// refuseEmpty is the error of options that have an empty value.
func refuseEmpty(c *cobra.Command) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		if v, is := f.Value.(*nonEmpty); is && v.wrong != "" && err == nil {
			err = fmt.Errorf("--%s %s; give it a value, or leave it out", f.Name, v.wrong)
		}
	})
	return misused(c, err)
}

// group has a command that only holds others show its help, which is an error
// where a command was asked for that is not there.
func group(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs
	c.SuggestionsMinimumDistance = 2
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			c.SetOut(c.ErrOrStderr())
			_ = c.Help()
			return exit(exitError)
		}
		err := fmt.Errorf("there is no command %q", c.CommandPath()+" "+args[0])
		if like := c.SuggestionsFor(args[0]); len(like) > 0 {
			return fmt.Errorf("%w; did you mean %q?", err, c.CommandPath()+" "+strings.Join(like, "\" or \""+c.CommandPath()+" "))
		}
		return misused(c, err)
	}
}
