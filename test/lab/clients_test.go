package lab_test

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// exchange answers as a server of the container-credentials protocol does: it lets STS judge
// the ID token that is the client's authorization. It answers only to addresses that begin so.
func exchange(w http.ResponseWriter, r *http.Request, minio *lab.MinIO, from string) {
	if !strings.HasPrefix(r.RemoteAddr, from) {
		http.Error(w, "asked from "+r.RemoteAddr, http.StatusForbidden)
		return
	}
	client := sts.New(sts.Options{BaseEndpoint: &minio.URL, Region: "eu-central-1"})
	out, err := client.AssumeRoleWithWebIdentity(r.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn:          aws.String(minio.RoleARN("alpha")),
		RoleSessionName:  aws.String("job"),
		WebIdentityToken: aws.String(r.Header.Get("Authorization")),
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"AccessKeyId": out.Credentials.AccessKeyId, "SecretAccessKey": out.Credentials.SecretAccessKey,
		"Token": out.Credentials.SessionToken, "Expiration": out.Credentials.Expiration,
	})
}

// startExchange serves exchange at link-local addresses.
func startExchange(t *testing.T, minio *lab.MinIO, from string, addresses ...string) {
	t.Helper()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { exchange(w, r, minio, from) })}
	t.Cleanup(func() { _ = server.Close() })
	for _, address := range addresses {
		listener, err := net.Listen("tcp", address+":80")
		kit.Must(t, err)
		go func() { _ = server.Serve(listener) }()
	}
}

// startAlpha starts MinIO with an object in the bucket alpha.
func startAlpha(t *testing.T, server *coordinator.Server) *lab.MinIO {
	t.Helper()
	minio, err := lab.StartMinIO(t.Context(), lab.MinIOOptions{
		Dir: t.TempDir(), Issuer: server.Issuer(), Tenants: map[string]lab.Tenant{"alpha": {Audience: "https://alpha.example"}},
	})
	kit.Must(t, err)
	t.Cleanup(minio.Close)
	_, err = minio.Root().PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("alpha"), Key: aws.String("object"), Body: strings.NewReader("text")})
	kit.Must(t, err)
	return minio
}

// useAlpha returns a job that says who it is, and lists the bucket with a client. All that it
// gets for that are an ID token and variables.
func useAlpha(client, address, minio string) coordinator.Job {
	return coordinator.Job{
		Script:   []string{"id -un", client + " alpha"},
		IDTokens: map[string]string{"AWS_CONTAINER_AUTHORIZATION_TOKEN": "https://alpha.example"},
		Variables: []coordinator.Variable{
			{Key: "AWS_CONTAINER_CREDENTIALS_FULL_URI", Value: "http://" + address + "/v1/aws/alpha"},
			{Key: "AWS_REGION", Value: "eu-central-1"},
			{Key: "AWS_DEFAULT_REGION", Value: "eu-central-1"},
			{Key: "AWS_ENDPOINT_URL_S3", Value: minio},
		},
	}
}

// checkUse fails the test unless a job of useAlpha ran as a user and listed the bucket.
func checkUse(t *testing.T, run *coordinator.Run, user string) {
	t.Helper()
	result, text := wait(t, run), run.Text()
	if result.State != "success" || !strings.Contains(text, "\n"+user) || !strings.Contains(text, "\nkey ") || !strings.Contains(text, "\nobject") {
		t.Errorf("got %+v; log:\n%s", result, text)
	}
}

// TestClients: jobs of the shell executor, in a network of their own and as a user without
// rights, give each client credentials by an ID token and two variables alone.
func TestClients(t *testing.T) {
	t.Parallel()
	if !kit.InNetwork(t, "clients of AWS in a network of their own", kit.AddressECS, kit.AddressEKS) {
		return
	}
	dir := kit.OpenDir(t)
	clients, err := lab.Clients(dir)
	if err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	server := startCoordinator(t)
	minio := startAlpha(t, server)
	startExchange(t, minio, "10.23.", kit.AddressECS, kit.AddressEKS)
	network := kit.NewNetwork(t)
	network.Forward(t, server.URL())
	network.Forward(t, minio.URL)
	runner, err := lab.StartRunner(t.Context(), lab.RunnerOptions{
		Dir: t.TempDir(), Coordinator: server.URL(), User: "www-data", Under: network.Under(),
		Runners: []lab.Runner{{Name: "shell", Token: shellToken, Executor: "shell"}},
	})
	kit.Must(t, err)
	t.Cleanup(func() { kit.Must(t, runner.Close()) })
	runs := map[string]*coordinator.Run{} // they run at the same time
	for _, c := range clients {
		runs[c.Name] = server.Enqueue(shellToken, useAlpha(c.Command, c.Address, minio.URL))
	}
	for name, run := range runs {
		t.Log(name)
		checkUse(t, run, "www-data")
	}
}
