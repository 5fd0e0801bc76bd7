package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"rolecall/test/cloud"
	"rolecall/test/cloud/account"
	"rolecall/test/cloud/trust"
	"rolecall/test/lab"
)

// The servers that the demo can have as STS and S3, by the values of -sts.
const (
	own   = "own"
	minio = "minio"
)

// servers are the STS and S3 of the demo.
type servers interface {
	RoleARN(tenant string) string
	Close()
}

// checkSTS refuses a name of servers that the demo does not have.
func checkSTS(name string) error {
	if name != own && name != minio {
		return fmt.Errorf("STS=%s is not known: STS is %s, the project's own stand-ins, or %s", name, own, minio)
	}
	return nil
}

// describeSTS says what the servers are.
func describeSTS(name string) string {
	if name == minio {
		return "MinIO, the STS and S3"
	}
	return "the project's own stand-ins for STS and S3, which judge tokens, trust policies and signatures as AWS does\n" +
		"           (with MinIO in their place: make demo STS=minio)"
}

// startSTS starts the servers, and before them the proxy that remembers what they issue.
func (w *world) startSTS(ctx context.Context, name string, p pipeline) (err error) {
	start := w.startOwn
	if name == minio {
		start = w.startMinIO
	}
	url, err := start(ctx, p.tenants())
	if err != nil {
		return err
	}
	w.recorder, err = lab.Record(url)
	return err
}

// startMinIO starts MinIO, and returns its URL.
func (w *world) startMinIO(ctx context.Context, audiences map[string]string) (string, error) {
	dir := w.path("minio")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	tenants := make(map[string]lab.Tenant)
	for tenant, audience := range audiences {
		tenants[tenant] = lab.Tenant{Audience: audience}
	}
	server, err := lab.StartMinIO(ctx, lab.MinIOOptions{Dir: dir, Issuer: w.gitlab.Issuer(), Tenants: tenants})
	if err != nil {
		return "", err
	}
	w.sts = server
	return server.URL, nil
}

// standIns are the project's own servers, with the account that they know.
type standIns struct {
	*cloud.Server
	*account.Account
}

// RoleARN returns the ARN of a tenant's role.
func (s standIns) RoleARN(tenant string) string { return s.ARN("deploy-" + tenant) }

// trustPolicy is the trust policy of a role, as an admin of AWS writes it: the provider, then what
// keys of conditions begin with, the audience and the project.
const trustPolicy = `{
  "Version": "2012-10-17",
  "Statement": [{
    "Effect": "Allow",
    "Principal": {"Federated": %q},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {
      "StringEquals": {"%[2]s:aud": %[3]q},
      "StringLike": {"%[2]s:sub": "project_path:%[4]s:ref_type:branch:ref:*"}
    }
  }]
}`

// startOwn starts the project's own servers, and returns their URL. Each tenant has a role, which
// its jobs alone may have, and a bucket.
func (w *world) startOwn(_ context.Context, audiences map[string]string) (string, error) {
	a := account.New("111122223333", w.gitlab.Issuer(), slices.Sorted(maps.Values(audiences))...)
	s := standIns{Account: a}
	for tenant, audience := range audiences {
		policy, err := trust.Parse(fmt.Sprintf(trustPolicy, a.Provider(), a.Host(), audience, projectPath))
		if err != nil {
			return "", err
		}
		a.Add(account.Role{ARN: s.RoleARN(tenant), Trust: policy, Bucket: tenant, Most: time.Hour})
	}
	var err error
	if s.Server, err = cloud.Start(a); err != nil {
		return "", err
	}
	w.sts = s
	return s.URL, nil
}
