package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// policyName returns the name of the policy of a tenant's role. The policy need not
// exist yet: MinIO looks it up for each request.
func policyName(tenant string) string { return "tenant-" + tenant }

// bucketPolicy returns a policy that allows everything with a bucket.
func bucketPolicy(bucket string) string {
	return fmt.Sprintf(`{
		"Version": "2012-10-17",
		"Statement": [{
			"Effect": "Allow",
			"Action": ["s3:*"],
			"Resource": ["arn:aws:s3:::%[1]s", "arn:aws:s3:::%[1]s/*"]
		}]
	}`, bucket)
}

// addPolicy calls MinIO's administration API, whose requests are signed as those of S3.
func (m *MinIO) addPolicy(ctx context.Context, name, policy string) error {
	address := m.URL + "/minio/admin/v3/add-canned-policy?name=" + url.QueryEscape(name)
	body := []byte(policy)
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	request.Header.Set("X-Amz-Content-Sha256", hash)
	err = v4.NewSigner().SignHTTP(ctx, m.root, request, hash, "s3", region, time.Now())
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(response.Body)
		return fmt.Errorf("adding the policy %s: %s: %s", name, response.Status, answer)
	}
	return nil
}
