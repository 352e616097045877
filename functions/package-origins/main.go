// Command package-origins is the Lambda function that checks how CodeArtifact's
// package groups guard the packages named in the policy. Everything it does is in
// package packageorigin.
//
// Permissions: see PackageOriginsRole in template.yaml.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"portcullis/shared/packageorigin"
	"portcullis/shared/report"
)

func main() {
	handler, err := packageorigin.New(os.Getenv, os.Stdout)
	if err != nil {
		report.NewLogger(os.Stdout, "").Error("not started", slog.String("error", err.Error()))
		os.Exit(1)
	}
	lambda.Start(handler)
}
