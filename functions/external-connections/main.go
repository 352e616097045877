// Command external-connections is the Lambda function that keeps CodeArtifact
// repositories disconnected from public registries, except where the policy
// allows the connection. Everything it does is in package externalconn.
//
// Permissions: see ExternalConnectionsRole in template.yaml.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"portcullis/shared/externalconn"
	"portcullis/shared/report"
)

func main() {
	handler, err := externalconn.New(os.Getenv, os.Stdout)
	if err != nil {
		report.NewLogger(os.Stdout, "").Error("not started", slog.String("error", err.Error()))
		os.Exit(1)
	}
	lambda.Start(handler)
}
