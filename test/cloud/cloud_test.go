package cloud_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"rolecall/test/cloud"
	"rolecall/test/cloud/account"
	"rolecall/test/cloud/trust"
	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// side is a server of STS and S3: the stand-ins, or MinIO, which they are held against. Each has
// the tenants alpha and beta, whose tokens have audiences and whose roles have buckets.
type side struct {
	url     string
	role    func(tenant string) string
	account *account.Account // nil: MinIO
}

// audience returns the audience of a tenant's tokens.
func audience(tenant string) string { return "https://" + tenant + ".example" }

// newAccount returns an account with both tenants.
func newAccount(t *testing.T, issuer string) *account.Account {
	t.Helper()
	a := account.New("111122223333", issuer, audience("alpha"), audience("beta"))
	for _, tenant := range []string{"alpha", "beta"} {
		policy, err := trust.Parse(fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{
			"Effect": "Allow", "Principal": {"Federated": %q}, "Action": "sts:AssumeRoleWithWebIdentity",
			"Condition": {"StringEquals": {"%[2]s:aud": %[3]q}, "StringLike": {"%[2]s:sub": "project_path:acme/shop:*"}}
		}]}`, a.Provider(), a.Host(), audience(tenant)))
		kit.Must(t, err)
		a.Add(account.Role{ARN: a.ARN("deploy-" + tenant), Trust: policy, Bucket: tenant, Most: time.Hour})
	}
	return a
}

// own starts the stand-ins.
func own(t *testing.T, gitlab *coordinator.Server) side {
	t.Helper()
	a := newAccount(t, gitlab.Issuer())
	server, err := cloud.Start(a)
	kit.Must(t, err)
	t.Cleanup(server.Close)
	return side{server.URL, func(tenant string) string { return a.ARN("deploy-" + tenant) }, a}
}

// minio starts MinIO.
func minio(t *testing.T, gitlab *coordinator.Server) side {
	t.Helper()
	server, err := lab.StartMinIO(t.Context(), lab.MinIOOptions{
		Dir: t.TempDir(), Issuer: gitlab.Issuer(),
		Tenants: map[string]lab.Tenant{"alpha": {Audience: audience("alpha")}, "beta": {Audience: audience("beta")}},
	})
	kit.Must(t, err)
	t.Cleanup(server.Close)
	return side{server.URL, server.RoleARN, nil}
}

// sides starts both.
func sides(t *testing.T, gitlab *coordinator.Server) map[string]side {
	t.Helper()
	return map[string]side{"own": own(t, gitlab), "MinIO": minio(t, gitlab)}
}

func startGitLab(t *testing.T) *coordinator.Server {
	t.Helper()
	server, err := coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(server.Close)
	return server
}

// verdict is a server's answer: its status, and its code if it is an error.
type verdict struct {
	status int
	code   string
}

// judge sends a request.
func judge(t *testing.T, request *http.Request) (verdict, string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	kit.Must(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	kit.Must(t, err)
	var failure struct {
		Code  string
		Error struct{ Code string }
	}
	_ = xml.Unmarshal(text, &failure) // An object is no XML.
	return verdict{response.StatusCode, failure.Code + failure.Error.Code}, string(text)
}
