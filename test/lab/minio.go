package lab

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// MinIOOptions say how to start MinIO.
type MinIOOptions struct {
	Dir     string // an empty folder for the server's files
	Issuer  string // whose ID tokens it takes; must be up
	Tenants map[string]Tenant
}

// Tenant is a role that tokens of one audience may assume. Each tenant has a bucket
// with its name.
type Tenant struct {
	Audience string
	// Policy is the role's policy as JSON. By default it lets the role do everything with
	// the tenant's bucket, and nothing else.
	Policy string
}

// MinIO is a running server that serves STS and S3 at one address.
type MinIO struct {
	URL string

	service *service
	root    aws.Credentials
	tenants map[string]Tenant
}

// region is the region of the server's own client; MinIO accepts any.
const region = "us-east-1"

// StartMinIO starts a server, and waits until it is ready and has its buckets and
// policies. The server ends with ctx or Close.
func StartMinIO(ctx context.Context, opts MinIOOptions) (*MinIO, error) {
	programs, err := Find("minio")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	home := filepath.Join(opts.Dir, "home")
	data := filepath.Join(opts.Dir, "data")
	if err := errors.Join(os.MkdirAll(home, 0o700), os.MkdirAll(data, 0o700)); err != nil {
		return nil, err
	}
	m := &MinIO{
		URL:     "http://" + address,
		root:    aws.Credentials{AccessKeyID: "root", SecretAccessKey: rand.Text()},
		tenants: opts.Tenants,
	}
	cmd := exec.Command(programs.MinIO, "server", "--address", address,
		"--certs-dir", filepath.Join(opts.Dir, "certs"), data)
	cmd.Dir = opts.Dir
	cmd.Env = environment(filepath.Dir(programs.MinIO), home, m.settings(opts.Issuer))
	m.service, err = startService(ctx, cmd, filepath.Join(opts.Dir, "minio.log"))
	if err != nil {
		return nil, err
	}
	if err := m.setUp(ctx); err != nil {
		m.Close()
		return nil, m.service.fail(err)
	}
	return m, nil
}

// freeAddress returns a loopback address that was free a moment ago. MinIO cannot
// choose a port and report it.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// settings returns MinIO's configuration, as environment variables.
func (m *MinIO) settings(issuer string) []string {
	env := []string{
		"MINIO_ROOT_USER=" + m.root.AccessKeyID,
		"MINIO_ROOT_PASSWORD=" + m.root.SecretAccessKey,
		"MINIO_BROWSER=off", // also turns the console's own port off
		"MINIO_UPDATE=off",
	}
	for name, tenant := range m.tenants {
		id := "_" + strings.ToUpper(name)
		env = append(env,
			"MINIO_IDENTITY_OPENID_CONFIG_URL"+id+"="+issuer+"/.well-known/openid-configuration",
			"MINIO_IDENTITY_OPENID_CLIENT_ID"+id+"="+tenant.Audience,
			"MINIO_IDENTITY_OPENID_ROLE_POLICY"+id+"="+policyName(name),
		)
	}
	return env
}

// setUp waits until the server is ready, and creates each tenant's bucket and policy.
func (m *MinIO) setUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := m.waitReady(ctx); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(m.tenants)) {
		policy := m.tenants[name].Policy
		if policy == "" {
			policy = bucketPolicy(name)
		}
		if err := m.addPolicy(ctx, policyName(name), policy); err != nil {
			return err
		}
		_, err := m.Root().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
		if err != nil {
			return err
		}
	}
	return nil
}

// waitReady waits until the server has printed each tenant's role, which it does when its
// identity system is up, and until it takes connections, which can be later.
func (m *MinIO) waitReady(ctx context.Context) error {
	for {
		if log := m.service.log(); m.printedRoles(log) && strings.Contains(log, "API: ") && m.listens() {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-m.service.exited:
			return fmt.Errorf("it ended while starting: %w", m.service.err)
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", ctx.Err())
		}
	}
}

// listens reports whether the server takes connections.
func (m *MinIO) listens() bool {
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(m.URL, "http://"), time.Second)
	return err == nil && conn.Close() == nil
}

// printedRoles reports whether the log has each tenant's role.
func (m *MinIO) printedRoles(log string) bool {
	for name := range m.tenants {
		if !strings.Contains(log, m.RoleARN(name)) {
			return false
		}
	}
	return true
}

// RoleARN returns the ARN of a tenant's role. MinIO derives it from the audience.
func (m *MinIO) RoleARN(tenant string) string {
	sum := sha1.Sum([]byte(m.tenants[tenant].Audience))
	return "arn:minio:iam:::role/" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// Root returns an S3 client with all rights.
func (m *MinIO) Root() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &m.URL,
		Region:       region,
		UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return m.root, nil
		}),
	})
}

// Log returns the output of the server.
func (m *MinIO) Log() string { return m.service.log() }

// Close ends the server.
func (m *MinIO) Close() { m.service.kill() }
