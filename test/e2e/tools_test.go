package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// watchKeys is a program that asks boto3 for credentials once a second in one process, and
// prints a hash of each key.
const watchKeys = `
import boto3, hashlib, sys, time
session = boto3.Session()
s3 = session.client("s3", endpoint_url=sys.argv[1])
for _ in range(int(sys.argv[2])):
    s3.list_objects_v2(Bucket="alpha")
    print("key", hashlib.sha256(session.get_credentials().get_frozen_credentials().access_key.encode()).hexdigest(), flush=True)
    time.sleep(1)
other = boto3.Session(profile_name="audit").client("s3", endpoint_url=sys.argv[1])
print("audit reads", other.get_object(Bucket="alpha", Key="key")["Body"].read().decode())
try:
    other.put_object(Bucket="alpha", Key="key", Body=b"x")
except Exception as e:
    print("audit writes", type(e).__name__, e.response["Error"]["Code"])
`

// TestToolsOfAWS: the AWS CLI and boto3 work with an endpoint, and with profiles whatever the
// delivery. boto3 lives through renewals in one process. Nothing of it stays in the home.
func TestToolsOfAWS(t *testing.T) {
	t.Parallel()
	kit.NeedProgram(t, "/usr/bin/aws", "awscli")
	if _, err := os.Stat("/usr/lib/python3/dist-packages/boto3"); err != nil {
		t.Skipf("NOT TESTED, install the package python3-boto3: %v", err)
	}
	for delivery, settings := range map[string]string{"endpoint": renewing, "env": ""} {
		t.Run(delivery, func(t *testing.T) {
			t.Parallel()
			p := newIsolatedWorld(t)
			policy, program := p.dir+"/read.json", kit.OpenDir(t)+"/watch.py"
			kit.Must(t, os.WriteFile(policy, []byte(readOnly), 0o600))
			kit.Must(t, os.WriteFile(program, []byte(watchKeys), 0o644))
			p.serveAs(t, settings, p.source("audit")+fmt.Sprintf("session_policy_file = %q\n", policy))
			aws := "/usr/bin/aws --endpoint-url " + p.minio.URL + " "
			job := p.alpha(
				"echo text > key; "+aws+"s3 cp key s3://alpha/key",
				aws+"--profile audit s3 cp s3://alpha/key -",
				aws+"--profile audit s3 cp key s3://alpha/key || echo cannot write",
				"/usr/bin/python3 "+program+" "+p.minio.URL+" 25",
			)
			log := p.succeed(t, sharedToken, job)
			contains(t, log, "cannot write", "AccessDenied", "audit reads text", "audit writes ClientError AccessDenied")
			if keys := keysOf(log); delivery == "endpoint" && len(keys) < 3 || delivery == "env" && len(keys) != 1 {
				t.Errorf("%d keys:\n%s", len(keys), log)
			}
			if strings.Contains(log, "Credentials were refreshed") {
				t.Errorf("a tool complains:\n%s", log)
			}
			p.settle(t)
			p.checkNothingLeft(t)
		})
	}
}
