"""Prints the plain CloudFormation that AWS's translator makes of a SAM template. Needs no account and no network.

usage: python3 translate.py template.yaml
"""
import json
import os
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")  # the translator asks for one, and makes no call

import boto3
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

# The translator takes code from S3 only, where `sam package` would have put these folders.
CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}

with open(sys.argv[1], encoding="utf-8") as file:
    template = yaml_parse(file)
template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
for resource in template["Resources"].values():
    if resource["Type"] in CODE:
        resource["Properties"][CODE[resource["Type"]]] = "s3://bucket/key"

try:
    translator = Translator(managed_policy_map={}, sam_parser=Parser(), boto_session=boto3.session.Session())
    json.dump(translator.translate(template, parameter_values={}), sys.stdout)
except InvalidDocumentException as invalid:
    sys.exit("\n".join(cause.message for cause in invalid.causes))
