# A job in the tests that asks boto3 for credentials once a second in one process, and prints a
# hash of each access key id. Its arguments are a bucket and how many seconds it runs.
import hashlib
import os
import sys
import time

import boto3

session = boto3.Session()
s3 = session.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
for _ in range(int(sys.argv[2])):
    s3.list_objects_v2(Bucket=sys.argv[1])
    key = session.get_credentials().get_frozen_credentials().access_key
    print("key", hashlib.sha256(key.encode()).hexdigest(), flush=True)
    time.sleep(1)
