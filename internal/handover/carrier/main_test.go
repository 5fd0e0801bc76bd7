package carrier_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/handover"
	"rolecall/internal/handover/carrier"
	"rolecall/internal/handover/errand"
	"rolecall/internal/handover/shelf"
	"rolecall/internal/mask"
	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// secret is a value that is a secret.
const secret = "postgres://u:hunter2hunter2@h/d"

// world is a real MinIO, and what jobs of the tenant alpha have for its bucket.
type world struct {
	gitlab   *coordinator.Server
	minio    *lab.MinIO
	recorder *lab.Recorder
	store    handover.Settings
	session  *creds.Credential
	dir      string // of keys
}

// newWorld starts MinIO, with a recorder before it that counts requests.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	var err error
	w.gitlab, err = coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(w.gitlab.Close)
	w.minio, err = lab.StartMinIO(t.Context(), lab.MinIOOptions{
		Dir: t.TempDir(), Issuer: w.gitlab.Issuer(), Tenants: map[string]lab.Tenant{"alpha": {Audience: "https://alpha.example"}, "beta": {Audience: "https://beta.example"}},
	})
	kit.Must(t, err)
	t.Cleanup(w.minio.Close)
	w.recorder, err = lab.Record(w.minio.URL)
	kit.Must(t, err)
	t.Cleanup(w.recorder.Close)
	w.store = handover.Settings{Store: handover.S3, MaxAge: time.Hour, Bucket: "alpha", Prefix: "rolecall", Endpoint: w.recorder.URL(), SealKeyFiles: []string{w.key(t, "one")}}
	w.session = w.assume(t, "alpha", aws.Session{Region: "us-east-1"})
	return w
}

// key returns the path of a file with the key of that name, which is made if there is none.
func (w *world) key(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(w.dir, name)
	if _, err := os.Stat(path); err != nil {
		raw := []byte(fmt.Sprintf("%-32s", name+"abcdefghijklmnopqrstuvwxyz0123"))[:32]
		kit.Must(t, os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(raw)+"\n"), 0o600))
	}
	return path
}

// assume returns a session of a tenant's role.
func (w *world) assume(t *testing.T, tenant string, s aws.Session) *creds.Credential {
	t.Helper()
	run := w.gitlab.Enqueue("nobody", coordinator.Job{})
	client := sts.New(sts.Options{BaseEndpoint: &w.minio.URL, Region: "us-east-1"})
	out, err := client.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: sdk.String(w.minio.RoleARN(tenant)), RoleSessionName: sdk.String("test"), WebIdentityToken: sdk.String(w.gitlab.SignToken(run.Claims("https://" + tenant + ".example"))),
	})
	kit.Must(t, err)
	c, err := aws.NewCredential(aws.Keys{
		AccessKeyID: mask.NewSecret(*out.Credentials.AccessKeyId), SecretAccessKey: mask.NewSecret(*out.Credentials.SecretAccessKey),
		SessionToken: mask.NewSecret(*out.Credentials.SessionToken), Expires: *out.Credentials.Expiration,
	}, s)
	kit.Must(t, err)
	return &c
}

// scope returns the scope of the jobs of these tests.
func scope() handover.Scope {
	return handover.Scope{Issuer: "https://gitlab.example.com", Tenant: "alpha", Project: "7", Pipeline: "70", Class: "protected"}
}

// parcel returns what the job with that name and id has handed over.
func parcel(job string, id int64, values ...string) handover.Parcel {
	at := time.Now().Round(0)
	p := handover.Parcel{Scope: scope(), Job: job, JobID: id, At: at, Until: at.Add(time.Hour)}
	for _, v := range values {
		name, value, _ := strings.Cut(v, "=")
		p.Values = append(p.Values, handover.Value{Name: name, Value: mask.NewSecret(value), Secret: value == secret})
	}
	return p
}

// order returns the order of a job.
func (w *world) order() errand.Order {
	return errand.Order{Settings: w.store, Scope: scope(), Session: w.session, Within: 20 * time.Second}
}

// serve lets the program answer an order. The answer goes through the form that pipes have.
func serve(t *testing.T, o errand.Order) errand.Answer {
	t.Helper()
	content, err := json.Marshal(o)
	kit.Must(t, err)
	var out, stderr bytes.Buffer
	if code := (carrier.Program{}).Serve(nil, nil, bytes.NewReader(content), &out, &stderr); code != 0 || stderr.Len() > 0 {
		t.Fatalf("exit code %d, %s", code, &stderr)
	}
	var a errand.Answer
	kit.Must(t, json.Unmarshal(out.Bytes(), &a))
	if a.Fault != nil && strings.Contains(out.String(), "hunter2") {
		t.Errorf("the error has a value: %s", &out)
	}
	return a
}

// give hands over a parcel.
func (w *world) give(t *testing.T, p handover.Parcel) {
	t.Helper()
	if err := w.tryGive(t, p); err != nil {
		t.Fatal(err)
	}
}

// tryGive hands over a parcel, and returns the error.
func (w *world) tryGive(t *testing.T, p handover.Parcel) error {
	t.Helper()
	o := w.order()
	o.Scope, o.Parcel = p.Scope, &p
	return serve(t, o).Fault.Err()
}

// take takes what jobs have handed over, as the texts of parcels and of what is refused.
func (w *world) take(t *testing.T) (parcels, refused []string) {
	t.Helper()
	taken, err := serve(t, w.order()).Result(scope())
	kit.Must(t, err)
	return texts(taken), refusals(taken)
}

// texts returns parcels as texts.
func texts(taken errand.Taken) []string {
	var all []string
	for _, p := range taken.Parcels {
		text := fmt.Sprintf("%s %d", p.Job, p.JobID)
		for _, v := range p.Values {
			text += " " + v.Name + "=" + v.Value.Reveal()
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

// refusals returns why objects were refused, sorted.
func refusals(taken errand.Taken) []string {
	var all []string
	for _, r := range taken.Refused {
		all = append(all, r.Why)
	}
	slices.Sort(all)
	return all
}

// object returns the key of the object of a parcel in the bucket.
func object(p handover.Parcel) string {
	s := p.Scope
	return "rolecall/" + s.Tenant + "/" + s.Project + "/" + s.Pipeline + "/" + s.Class + "/" + shelf.NameOf(p).String()
}

// read returns an object of the bucket, and write writes one, both as nobody can but an attacker.
func (w *world) read(t *testing.T, key string) []byte {
	t.Helper()
	out, err := w.minio.Root().GetObject(t.Context(), &s3.GetObjectInput{Bucket: sdk.String("alpha"), Key: &key})
	kit.Must(t, err)
	defer out.Body.Close()
	var content bytes.Buffer
	_, err = content.ReadFrom(out.Body)
	kit.Must(t, err)
	return content.Bytes()
}

func (w *world) write(t *testing.T, key string, content []byte) {
	t.Helper()
	_, err := w.minio.Root().PutObject(t.Context(), &s3.PutObjectInput{Bucket: sdk.String("alpha"), Key: &key, Body: bytes.NewReader(content)})
	kit.Must(t, err)
}

func (w *world) remove(t *testing.T, keys ...string) {
	t.Helper()
	for _, key := range keys {
		_, err := w.minio.Root().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: sdk.String("alpha"), Key: &key})
		kit.Must(t, err)
	}
}

// empty removes all objects.
func (w *world) empty(t *testing.T) {
	t.Helper()
	out, err := w.minio.Root().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: sdk.String("alpha")})
	kit.Must(t, err)
	for _, o := range out.Contents {
		w.remove(t, *o.Key)
	}
}

// counted returns the requests of S3 since the count before.
type counter struct {
	recorder *lab.Recorder
	before   atomic.Int64
}

func (c *counter) methods() string {
	calls := c.recorder.Calls()
	var all []string
	for _, call := range calls[c.before.Load():] {
		what := call.Method
		if call.Method == "GET" && strings.HasSuffix(call.Path, "/alpha") {
			what = "LIST"
		}
		all = append(all, what)
	}
	c.before.Store(int64(len(calls)))
	slices.Sort(all)
	return strings.Join(all, " ")
}
