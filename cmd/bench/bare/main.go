// Command bare is a Lambda function that does nothing: what is left of a function
// without all that is ours. The time that it takes to start is the floor of the
// others'.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

type handler struct{}

func (handler) Invoke(_ context.Context, payload []byte) ([]byte, error) { return payload, nil }

func main() { lambda.Start(handler{}) }
