#!/bin/sh
# Checks a SAM template with AWS's own linters: cfn-lint on the template as it is written, then on what AWS's translator
# makes of it, which is the only pass that sees a misspelt IAM action. Says so where they are not installed.
set -eu
template=$1
tools=$(dirname "$0")

if ! command -v cfn-lint >/dev/null || ! python3 -c 'import samtranslator' 2>/dev/null; then
	echo "SKIPPED: $template was not checked with AWS's linters. To have them: pip install cfn-lint" >&2
	exit 0
fi
translated=$(mktemp -d)
trap 'rm -rf "$translated"' EXIT

cfn-lint --template "$template"
python3 "$tools/translate.py" "$template" >"$translated/template.json"
cfn-lint --ignore-checks W2001 --template "$translated/template.json" # W2001: the translator leaves parameters unused
echo "$template has no findings by cfn-lint, as it is written and as SAM translates it"
