package sts_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/sts"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
	"rolecall/test/fakests"
	"rolecall/test/kit"
)

// childMode names the variable that makes the test binary a client in another process:
// net/http reads the variables of a proxy only once in a process.
const childMode = "STS_TEST_CHILD"

// child sends one request to STS and prints the result.
func child() int {
	r, err := aws.ParseRole(role)
	if err == nil {
		_, err = sts.NewClient().Assume(neverDone{}, sts.Request{Role: r, Session: "child", Token: idtoken.Token{Raw: mask.NewSecret(rawToken)}})
	}
	fmt.Println(fault.SideOf(err), err)
	return 0
}

// neverDone is a context for the child, which has no test.
type neverDone struct{}

func (neverDone) Deadline() (time.Time, bool) { return time.Time{}, false }
func (neverDone) Done() <-chan struct{}       { return nil }
func (neverDone) Err() error                  { return nil }
func (neverDone) Value(any) any               { return nil }

// askAsChild runs child in a process with this environment, and returns its output.
func askAsChild(t *testing.T, environ ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(environ, childMode+"=1", "AWS_REGION=eu-central-1", "GORACE=atexit_sleep_ms=0")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
	clean(t, fmt.Errorf("%s", out))
	return string(out)
}

// listener counts the connections to an address on this host.
func listener(t *testing.T, answer string) (port int, connections *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	connections = new(atomic.Int32)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte(answer))
			_ = conn.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, connections
}

// TestPlainHTTP: a token is sent to another host only encrypted. A connection to
// 0.0.0.0 would reach the listener.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	port, connections := listener(t, "HTTP/1.1 500 x\r\n\r\n")
	for _, host := range []string{"0.0.0.0", "sts.example.com", "192.0.2.1", "127.0.0.1.example.com", "localhost.example.com", "[2001:db8::1]", "[::]"} {
		endpoint := fmt.Sprintf("http://%s:%d", host, port)
		for name, proxy := range map[string]string{"no proxy": "NO_PROXY=*", "a proxy": fmt.Sprintf("HTTP_PROXY=http://127.0.0.1:%d", port)} {
			t.Run(host+" "+name, func(t *testing.T) {
				t.Parallel()
				got := askAsChild(t, "AWS_ENDPOINT_URL_STS="+endpoint, proxy)
				want := fmt.Sprintf("runner-admin the endpoint of STS, %s:%d, is not https; http is for loopback only; set it to an https URL", host, port)
				if !strings.HasPrefix(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
			})
		}
	}
	t.Cleanup(func() {
		if n := connections.Load(); n > 0 {
			t.Errorf("%d connections were made", n)
		}
	})
}

// TestProxyPassword: the error about a broken proxy does not show its password.
func TestProxyPassword(t *testing.T) {
	t.Parallel()
	port, connections := listener(t, "HTTP/1.1 407 hunter2\r\nProxy-Authenticate: Basic realm=hunter2\r\nContent-Length: 7\r\n\r\nhunter2")
	for name, proxy := range map[string]string{
		"refuses":    fmt.Sprintf("http://user:hunter2@127.0.0.1:%d", port),
		"not there":  "http://user:hunter2@127.0.0.1:1",
		"no port":    "http://user:hunter2@127.0.0.1:hunter2",
		"no URL":     "http://user:hunter2@[::1",
		"no scheme":  "://user:hunter2@127.0.0.1",
		"odd scheme": "gopher://user:hunter2@127.0.0.1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := askAsChild(t, "HTTPS_PROXY="+proxy, "AWS_ENDPOINT_URL_STS=https://sts.example.com")
			if strings.Contains(got, "hunter2") || !strings.HasPrefix(got, "infrastructure no credentials: STS at sts.example.com, ") {
				t.Errorf("%q, want a failure of the infrastructure without the password", got)
			}
		})
	}
	t.Cleanup(func() {
		if connections.Load() == 0 {
			t.Error("the proxy was never asked")
		}
	})
}

// TestSDKIsSilent: the SDK prints nothing to the job log.
func TestSDKIsSilent(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]fakests.Answer{
		"HTML": fakests.HTML(http.StatusOK), "half an XML": fakests.TruncatedXML(), "refusal": fakests.Error(http.StatusForbidden, "AccessDenied", leak),
		"cut off": func(x *fakests.Exchange) {
			x.Header().Set("Content-Length", "1000")
			_, _ = x.Write([]byte("<AssumeRoleWithWebIdentityResponse>"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := fakests.Start(answer)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			got := askAsChild(t, "AWS_ENDPOINT_URL_STS="+server.URL())
			if strings.Contains(got, "SDK") || strings.Contains(got, "WARN") {
				t.Errorf("the SDK writes too: %s", got)
			}
		})
	}
}

// TestCertificate: STS's certificate must be trusted by the system or by the CA bundle
// in the service's environment.
func TestCertificate(t *testing.T) {
	c := newCall(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(c.server.ServeHTTP))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of clients that do not trust it
	server.StartTLS()
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	c.refused(t, fault.Infrastructure, 0, "its certificate is not trusted: ", " 1 tries: ")
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(bundle, content, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	if _, err := c.assume(t); err != nil {
		t.Errorf("with its CA: %v", err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle+".none")
	c.refused(t, fault.Admin, 1, "settings of AWS in the runner's environment", bundle+".none", "correct the AWS_ variables")
}

// TestLocalEndpoints: plain HTTP is allowed to this host.
func TestLocalEndpoints(t *testing.T) {
	c := newCall(t)
	for _, host := range []string{"127.0.0.1", "localhost", "127.1.2.3"} {
		_, port, _ := strings.Cut(strings.TrimPrefix(c.server.URL(), "http://"), ":")
		if host == "127.1.2.3" {
			t.Setenv("AWS_ENDPOINT_URL_STS", "http://127.1.2.3:1")
			c.refused(t, fault.Infrastructure, -1, "STS at 127.1.2.3:1, 3 tries: connection refused")
			continue
		}
		t.Setenv("AWS_ENDPOINT_URL_STS", "http://"+host+":"+port)
		if _, err := c.assume(t); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// TestIPv6: STS may be at an address of IPv6, without TLS on this host only.
func TestIPv6(t *testing.T) {
	t.Parallel()
	c := newCall(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(c.server.ServeHTTP))
	kit.ListenIPv6(t, server)
	server.Start()
	t.Cleanup(server.Close)
	c.client.Endpoint = server.URL
	if _, err := c.assume(t); err != nil || !strings.HasPrefix(server.URL, "http://[::1]:") {
		t.Errorf("%s: %v", server.URL, err)
	}
	c.client.Endpoint = "http://[::1]:1"
	c.refused(t, fault.Infrastructure, -1, "STS at [::1]:1, 3 tries: connection refused")
}

// TestSharedConfigIsOff: AWS config files of the service's user have no effect.
func TestSharedConfigIsOff(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	content := "[default]\nregion = ap-south-1\nendpoint_url = http://192.0.2.1\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", file)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	c := newCall(t, fakests.OK(fakests.Credentials{}))
	result, err := c.assume(t)
	if err != nil || result.Facts.Get(aws.RegionFact) != "us-east-1" {
		t.Errorf("region %s, error %v", result.Facts.Get(aws.RegionFact), err)
	}
	if request := c.server.Requests()[0]; request.Header.Get("Authorization") != "" {
		t.Error("the request is signed with credentials of the service")
	}
}
