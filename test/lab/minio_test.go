package lab_test

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

const alphaAudience = "https://alpha.example"

func startMinIO(t *testing.T, server *coordinator.Server) *lab.MinIO {
	t.Helper()
	minio, err := lab.StartMinIO(t.Context(), lab.MinIOOptions{
		Dir:    t.TempDir(),
		Issuer: server.Issuer(),
		Tenants: map[string]lab.Tenant{
			"alpha": {Audience: alphaAudience},
			"beta":  {Audience: "https://beta.example"},
		},
	})
	kit.Must(t, err)
	t.Cleanup(minio.Close)
	return minio
}

// assume gets credentials of a tenant's role for a token of a job.
func assume(t *testing.T, minio *lab.MinIO, tenant, token string) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	t.Helper()
	client := sts.New(sts.Options{BaseEndpoint: &minio.URL, Region: "us-east-1", RetryMaxAttempts: 1})
	return client.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn:          aws.String(minio.RoleARN(tenant)),
		RoleSessionName:  aws.String("test"),
		WebIdentityToken: &token,
	})
}

func TestMinIO(t *testing.T) {
	server := startCoordinator(t)
	minio := startMinIO(t, server)
	run := server.Enqueue("nobody", coordinator.Job{})
	token := server.SignToken(run.Claims(alphaAudience))
	if _, err := assume(t, minio, "beta", token); err == nil {
		t.Error("a token for alpha got the role of beta")
	}
	out, err := assume(t, minio, "alpha", token)
	kit.Must(t, err)
	s3job := func(args ...string) string { return runS3Job(t, minio, out, args...) }
	if got := s3job("put", "alpha", "key", "text"); got != "" {
		t.Fatalf("writing to the own bucket: %s", got)
	}
	if got := s3job("get", "alpha", "key"); got != "text" {
		t.Errorf("read %q from the own bucket", got)
	}
	if got := s3job("ls", "alpha"); got != "key\n" {
		t.Errorf("listed %q in the own bucket", got)
	}
	for _, args := range [][]string{{"put", "beta", "key", "text"}, {"ls", "beta"}, {"mkbucket", "gamma"}} {
		if got := s3job(args...); !strings.Contains(got, "AccessDenied") {
			t.Errorf("s3job %v printed %q, want AccessDenied", args, got)
		}
	}
	checkRootReads(t, minio)
}

func runS3Job(t *testing.T, minio *lab.MinIO, role *sts.AssumeRoleWithWebIdentityOutput, args ...string) string {
	t.Helper()
	programs, err := lab.Parts()
	kit.Must(t, err)
	cmd := exec.CommandContext(t.Context(), programs.S3Job, append([]string{"-endpoint", minio.URL}, args...)...)
	cmd.Env = []string{
		"HOME=" + os.DevNull,
		"AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=" + *role.Credentials.AccessKeyId,
		"AWS_SECRET_ACCESS_KEY=" + *role.Credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + *role.Credentials.SessionToken,
	}
	out, _ := cmd.CombinedOutput() // A failure shows in what it printed.
	return string(out)
}

func checkRootReads(t *testing.T, minio *lab.MinIO) {
	t.Helper()
	object, err := minio.Root().GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("alpha"),
		Key:    aws.String("key"),
	})
	kit.Must(t, err)
	defer object.Body.Close()
	if text, err := io.ReadAll(object.Body); err != nil || string(text) != "text" {
		t.Errorf("root reads %q, %v", text, err)
	}
}
