// Command planner is the Lambda function that has every account swept by every
// control, and tells which of them were not. Everything it does is in package
// round.
//
// Permissions: see PlannerRole in template.yaml.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"portcullis/shared/report"
	"portcullis/shared/round"
)

func main() {
	handler, err := round.New(os.Getenv, os.Stdout)
	if err != nil {
		report.NewLogger(os.Stdout, "").Error("not started", slog.String("error", err.Error()))
		os.Exit(1)
	}
	lambda.Start(handler)
}
