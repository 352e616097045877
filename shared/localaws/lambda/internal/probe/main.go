// Command probe is a function for the tests of package lambda. It does what the event asks for.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do   string // echo, fail, panic, exit, hang, chat, grow
	Text string
}

type answer struct {
	Text, RequestID, ARN string
	Deadline             time.Time
	Env                  []string // of the process at its start
	PID                  int
}

func main() {
	if text := os.Getenv("FAIL_INIT"); text != "" {
		fmt.Fprintln(os.Stderr, text)
		os.Exit(1)
	}
	env := os.Environ()
	lambda.Start(func(ctx context.Context, e event) (answer, error) {
		fmt.Println("out: " + e.Text)
		fmt.Fprintln(os.Stderr, "err: "+e.Text)
		switch e.Do {
		case "fail":
			return answer{}, errors.New(e.Text)
		case "panic":
			panic(e.Text)
		case "exit":
			os.Exit(3)
		case "hang":
			select {} // deaf to its deadline
		case "chat":
			for range 1000 {
				fmt.Println(e.Text)
			}
		case "grow":
			ballast := make([]byte, 64<<20)
			for i := 0; i < len(ballast); i += 4096 {
				ballast[i] = 1
			}
			runtime.KeepAlive(ballast)
		}
		a := answer{Text: e.Text, Env: env, PID: os.Getpid()}
		if lc, ok := lambdacontext.FromContext(ctx); ok {
			a.RequestID, a.ARN = lc.AwsRequestID, lc.InvokedFunctionArn
		}
		a.Deadline, _ = ctx.Deadline()
		return a, nil
	})
}
