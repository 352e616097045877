// Command package-groups is the Lambda function that prunes dead CodeArtifact
// package groups. Everything it does is in package packagegroup.
//
// Permissions: see PackageGroupsRole in template.yaml.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"portcullis/shared/packagegroup"
	"portcullis/shared/report"
)

func main() {
	handler, err := packagegroup.New(os.Getenv, os.Stdout)
	if err != nil {
		report.NewLogger(os.Stdout, "").Error("not started", slog.String("error", err.Error()))
		os.Exit(1)
	}
	lambda.Start(handler)
}
