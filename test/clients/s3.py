# The S3 client of a job in the tests, with boto3. It takes credentials and region from its
# environment, prints a hash of the access key id, and then the keys of the bucket that its
# argument names. Debian 12's boto3 does not know AWS_ENDPOINT_URL_S3.
import hashlib
import os
import sys

import boto3

session = boto3.Session()
key = session.get_credentials().get_frozen_credentials().access_key
print("key", hashlib.sha256(key.encode()).hexdigest(), flush=True)
s3 = session.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
for item in s3.list_objects_v2(Bucket=sys.argv[1]).get("Contents", []):
    print(item["Key"])
