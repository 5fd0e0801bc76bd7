#!/bin/bash
# The S3 client of a job in the tests, with the AWS CLI. It takes credentials and region from
# its environment, prints a hash of the access key id, and then the keys of the bucket that its
# argument names. Debian 12's CLI does not know AWS_ENDPOINT_URL_S3.
set -euo pipefail
id=$(/usr/bin/aws configure export-credentials --format env-no-export | sed -n 's/^AWS_ACCESS_KEY_ID=//p')
echo "key $(printf %s "$id" | sha256sum | cut -d ' ' -f 1)"
/usr/bin/aws --endpoint-url "$AWS_ENDPOINT_URL_S3" s3api list-objects-v2 --bucket "$1" --query 'Contents[].[Key]' --output text
