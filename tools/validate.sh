#!/bin/sh
# Checks a SAM template with AWS's own linters: cfn-lint on the template as it is written, then on what AWS's translator
# makes of it, which is the only pass that sees a misspelt IAM action. Says so where one of them is not installed.
set -eu
template=$1
tools=$(dirname "$0")

# Both look at these, and what somebody's shell is set up for says nothing about a template.
unset AWS_PROFILE AWS_CONFIG_FILE AWS_ENDPOINT_URL AWS_CA_BUNDLE
export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1

if ! command -v cfn-lint >/dev/null; then
	echo "SKIPPED: $template was not checked with AWS's linters. To have them: pip install cfn-lint boto3" >&2
	exit 0
fi
cfn-lint --template "$template"
echo "$template has no findings by cfn-lint, as it is written"

if ! missing=$(python3 -c 'import boto3, samtranslator' 2>&1); then
	echo "SKIPPED: $template was not checked as SAM translates it. To have that: pip install cfn-lint boto3" >&2
	echo "$missing" | tail -n 1 >&2
	exit 0
fi
translated=$(mktemp -d)
trap 'rm -rf "$translated"' EXIT
python3 "$tools/translate.py" "$template" >"$translated/template.json"
cfn-lint --ignore-checks W2001 --template "$translated/template.json" # W2001: the translator leaves parameters unused
echo "$template has no findings by cfn-lint, as SAM translates it"
