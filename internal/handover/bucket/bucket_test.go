package bucket_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/internal/handover"
	"rolecall/internal/handover/bucket"
	"rolecall/internal/handover/errand"
	"rolecall/internal/handover/shelf"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

const sessionToken = "SESSIONTOKENSESSIONTOKENSESSIONTOKEN"

// open returns a folder of a hand-made store, with a session that lasts so long.
func open(t *testing.T, lasts time.Duration, handler http.HandlerFunc) (*bucket.Folder, *atomic.Int32) {
	t.Helper()
	var asked atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	o := errand.Order{Settings: handover.Settings{Store: handover.S3, Bucket: "values", Prefix: "rolecall", Endpoint: server.URL}, Session: session(t, lasts)}
	f, err := bucket.Open(o, "alpha/7/70/protected", ca)
	kit.Must(t, err)
	t.Cleanup(func() { kit.Must(t, f.Close(t.Context())) })
	return f, &asked
}

// session returns a session that lasts so long.
func session(t *testing.T, lasts time.Duration) *creds.Credential {
	t.Helper()
	c, err := aws.NewCredential(aws.Keys{
		AccessKeyID: mask.NewSecret("ASIAIOSFODNN7EXAMPLE"), SecretAccessKey: mask.NewSecret("wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"),
		SessionToken: mask.NewSecret(sessionToken), Expires: time.Now().Add(lasts),
	}, aws.Session{Region: "eu-central-1"})
	kit.Must(t, err)
	return &c
}

// refuses answers as S3 does when it refuses.
func refuses(status int, code string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("X-Amz-Request-Id", "REQUEST7")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, sessionToken)
	}
}

// TestExplain: each answer says whose it is, and which are asked again.
func TestExplain(t *testing.T) {
	t.Parallel()
	const hour, over = time.Hour, -time.Minute
	for name, test := range map[string]struct {
		lasts   time.Duration
		handler http.HandlerFunc
		code    fault.Code
		want    string
		asked   int32
	}{
		"denied":          {hour, refuses(403, "AccessDenied"), fault.StoreDenied, "arn:aws:s3:::values/rolecall/alpha/7/70/protected/*", 1},
		"no key of KMS":   {hour, refuses(400, "KMS.DisabledException"), fault.StoreDenied, "may not use the bucket", 1},
		"over":            {hour, refuses(400, "ExpiredToken"), fault.NoStore, "session is over", 1},
		"over, by MinIO":  {over, refuses(403, "InvalidTokenId"), fault.NoStore, "session is over", 1},
		"over, denied":    {over, refuses(403, "AccessDenied"), fault.NoStore, "session is over", 1},
		"not its session": {hour, refuses(403, "InvalidAccessKeyId"), fault.BadStore, "correct endpoint", 1},
		"signature":       {hour, refuses(403, "SignatureDoesNotMatch"), fault.BadStore, "correct endpoint", 1},
		"no bucket":       {hour, refuses(404, "NoSuchBucket"), fault.BadStore, "create the bucket", 1},
		"another region":  {hour, refuses(301, "PermanentRedirect", "Location", "https://values.s3.eu-west-1.amazonaws.com/"), fault.BadStore, "correct region", 1},
		"a page":          {hour, refuses(302, "", "Location", "https://example.com/login"), fault.BadStore, "correct bucket, region and endpoint", 1},
		"clock":           {hour, refuses(403, "RequestTimeTooSkewed"), fault.Clock, "NTP", 0},
		"busy":            {hour, refuses(503, "SlowDown"), fault.NoStore, "cannot serve now", 3},
		"another writer":  {hour, refuses(409, "ConditionalRequestConflict"), fault.NoStore, "cannot serve now", 3},
		"broken":          {hour, refuses(500, "InternalError"), fault.NoStore, "cannot serve now", 3},
		"odd code":        {hour, refuses(400, sessionToken+"/+"), fault.BadStore, "(not printable)", 1},
		"cut":             {hour, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.NoStore, "does not answer", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, asked := open(t, test.lasts, test.handler)
			err := f.Put(t.Context(), "name", []byte("x"))
			if fault.CodeOf(err) != test.code || !strings.Contains(rows(err), test.want) || test.asked > 0 && asked.Load() != test.asked {
				t.Errorf("%s %s after %d requests, want %s %q after %d", fault.CodeOf(err), rows(err), asked.Load(), test.code, test.want, test.asked)
			}
			if strings.Contains(rows(err), sessionToken) {
				t.Errorf("the error has what the server says: %s", rows(err))
			}
			if _, err := f.List(t.Context()); fault.CodeOf(err) != test.code {
				t.Errorf("of a list: %v", err)
			}
			if _, err := f.Get(t.Context(), "name"); fault.CodeOf(err) != test.code {
				t.Errorf("of an object: %v", err)
			}
		})
	}
}

// rows returns an error with all that is known of it.
func rows(err error) string {
	text := fmt.Sprint(err)
	for _, row := range fault.Rows(err) {
		text += "\n" + row.Label + " " + row.Text
	}
	return text
}

// TestBounds: neither a long list nor a large object is read whole.
func TestBounds(t *testing.T) {
	t.Parallel()
	page := 0
	f, asked := open(t, time.Hour, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("list-type") == "" {
			_, _ = w.Write(make([]byte, 3<<20))
			return
		}
		page++
		_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>%d</NextContinuationToken>`, page)
		for i := range 1000 {
			_, _ = fmt.Fprintf(w, "<Contents><Key>rolecall%%2Falpha%%2F7%%2F70%%2Fprotected%%2F%d-%d+%%1B</Key><Size>7</Size></Contents>", page, i)
		}
		_, _ = fmt.Fprint(w, "</ListBucketResult>")
	})
	all, err := f.List(t.Context())
	kit.Must(t, err)
	if len(all) <= shelf.MaxListed || asked.Load() != 6 || all[0] != (shelf.Entry{Name: "1-0 \x1b", Size: 7}) {
		t.Errorf("%d entries after %d requests, the first is %+v", len(all), asked.Load(), all[0])
	}
	content, err := f.Get(t.Context(), "name")
	if err != nil || len(content) != shelf.MaxObject+1 {
		t.Errorf("%d bytes, %v", len(content), err)
	}
}

// TestOpen: what is no session, or no bundle, is the admin's.
func TestOpen(t *testing.T) {
	t.Parallel()
	for _, c := range []*creds.Credential{nil, {}, {Provider: "vault"}} {
		if _, err := bucket.Open(errand.Order{Session: c}, "x", nil); fault.CodeOf(err) != fault.BadStore {
			t.Errorf("%v: %v", c, err)
		}
	}
	if _, err := bucket.Open(errand.Order{Session: session(t, time.Hour)}, "x", []byte("x")); fault.CodeOf(err) != fault.BadStore {
		t.Errorf("a bundle without a certificate: %v", err)
	}
}
