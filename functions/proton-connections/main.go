// Command proton-connections is the Lambda function that rejects and deletes AWS
// Proton's environment account connections that nobody approved. Everything it
// does is in package protonconn.
//
// Permissions: see ProtonConnectionsRole in template.yaml.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"portcullis/shared/protonconn"
	"portcullis/shared/report"
)

func main() {
	handler, err := protonconn.New(os.Getenv, os.Stdout)
	if err != nil {
		report.NewLogger(os.Stdout, "").Error("not started", slog.String("error", err.Error()))
		os.Exit(1)
	}
	lambda.Start(handler)
}
