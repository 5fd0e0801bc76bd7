package broker_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/broker"
	"rolecall/internal/creds/aws/sts"
	"rolecall/test/fakests"
	"rolecall/test/kit"
)

// TestEnd: who waits when the broker ends gets its answer, and then nobody is answered.
func TestEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakests.Slow(400*time.Millisecond, fakests.OK(fakests.Credentials{}))).start(tenants)
	token := w.token(7, nil)
	got := make(chan reply)
	go func() {
		defer close(got) // also if there is no answer
		got <- w.ask("/v1/aws/alpha", token)
	}()
	kit.Await(t, "a call of STS", func() bool { return len(w.sts.Requests()) == 1 })
	w.Signal(syscall.SIGTERM)
	if r := <-got; r.status != 200 && !strings.Contains(r.body, "Later") {
		t.Errorf("%d %s", r.status, r.body)
	}
	address := strings.TrimPrefix(w.URL, "http://")
	kit.Must(t, w.Ended())
	if connection, err := net.Dial("tcp", address); err == nil {
		_ = connection.Close()
		t.Error("a connection is taken after the end")
	}
}

// serve runs the program, and returns its exit code and what it has printed.
func serve(environ []string, args ...string) (code int, out, problems string) {
	var o, p kit.Buffer
	code = broker.Program{sts.NewProvider().Lasting()}.Serve(args, environ, nil, &o, &p)
	return code, o.String(), p.String()
}

// TestFlags: a wrong command line is refused, and says why.
func TestFlags(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"an unknown flag":       {[]string{"--nonsense"}, "flag provided but not defined: -nonsense"},
		"an argument":           {[]string{"start"}, `unknown argument "start"`},
		"no URL":                {[]string{"--listen", "127.0.0.1:80"}, `is not a URL such as http://169.254.170.23`},
		"http for all":          {[]string{"--listen", "http://0.0.0.0"}, "http is for loopback"},
		"https, no certificate": {[]string{"--listen", "https://0.0.0.0"}, "https needs --certificate and --key"},
		"https, no key":         {[]string{"--listen", "https://0.0.0.0", "--certificate", "/c"}, "https needs --certificate and --key"},
		"http, a certificate":   {[]string{"--listen", "http://127.0.0.1", "--certificate", "/c"}, "--certificate and --key are for --listen with https"},
		"too often":             {[]string{"--reload-every", "10ms"}, "--reload-every: want 1s or more"},
		"backwards":             {[]string{"--reload-every", "-1m"}, "--reload-every: want 1s or more"},
		"no time":               {[]string{"--reload-every", "often"}, "invalid value"},
		"a relative path":       {[]string{"--config", "rolecall.toml"}, "--config: want an absolute path"},
		"a relative log":        {[]string{"--audit-log", "audit"}, "--audit-log: want an absolute path"},
	} {
		code, out, problems := serve(nil, test.args...)
		if code != 2 || out != "" || !strings.Contains(problems, test.want) || !strings.HasPrefix(problems, "rolecall-broker: ") || !strings.HasSuffix(problems, "; rolecall-broker --help lists the flags\n") {
			t.Errorf("%s: exit code %d, %q, %q", name, code, out, problems)
		}
	}
	if code, out, problems := serve(nil, "--help"); code != 0 || !strings.HasPrefix(out, "Usage: rolecall-broker") || problems != "" {
		t.Errorf("--help: %d, %q, %q", code, out, problems)
	}
	if code, out, problems := serve(nil, "--version"); code != 0 || !strings.HasPrefix(out, "rolecall-broker ") || problems != "" {
		t.Errorf("--version: %d, %q, %q", code, out, problems)
	}
}

// TestNoStart: what cannot work does not start, and says why.
func TestNoStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(tenants)
	good, err := os.ReadFile(w.policy())
	kit.Must(t, err)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	kit.Must(t, err)
	defer func() { _ = taken.Close() }()
	open := filepath.Join(w.dir, "open")
	kit.Must(t, os.Mkdir(open, 0o755))
	kit.Must(t, os.WriteFile(w.file("text"), []byte("text"), 0o600))
	theirs := open // another user's folder, if there can be one
	if os.Geteuid() == 0 {
		theirs = w.file("theirs")
		kit.Must(t, os.Mkdir(theirs, 0o700))
		kit.Must(t, os.Chown(theirs, 65534, 65534))
	}
	for name, test := range map[string]struct {
		policy string
		flags  []string
		want   string
	}{
		"a broken policy file":  {string(good) + "[nonsense]\n", nil, "policy file: "},
		"no audit log":          {strings.Replace(string(good), "audit_log", "# audit_log", 1), nil, "there is no audit log: set audit_log in the policy file, or --audit-log"},
		"no keys":               {strings.Replace(string(good), "[gitlab]\n", "[gitlab]\njwks_file = \"/none\"\n", 1), nil, "gitlab.jwks_file: /none"},
		"no CA bundle":          {strings.Replace(string(good), "[gitlab]\n", "[gitlab]\nca_bundle = \"/none\"\n", 1), nil, "gitlab.ca_bundle: /none"},
		"no certificate":        {string(good), []string{"--listen", "https://127.0.0.1:0", "--certificate", "/none", "--key", "/none"}, "--certificate: /none"},
		"no pair":               {string(good), []string{"--listen", "https://127.0.0.1:0", "--certificate", w.file("text"), "--key", w.file("text")}, "are not a pair"},
		"an open folder":        {string(good), []string{"--state", open, "--status", "nowhere"}, "--state: " + open + " must be a folder with mode 0700"},
		"another user's":        {string(good), []string{"--state", theirs, "--status", "nowhere"}, "--state: " + theirs + " must be a folder with mode 0700 that belongs to user"},
		"a file":                {string(good), []string{"--state", w.file("text"), "--status", "nowhere"}, "must be a folder with mode 0700"},
		"no folder above":       {string(good), []string{"--state", w.file("none/state")}, "--state: mkdir"},
		"an address in use":     {string(good), []string{"--listen", "http://" + taken.Addr().String()}, "another program, such as an agent of AWS, has the address"},
		"nobody's address":      {string(good), []string{"--listen", "http://169.254.170.2:1", "--status", "nowhere"}, "give this machine the address: ip address add 169.254.170.2/32 dev lo"},
		"a status that is none": {string(good), []string{"--status", "nowhere"}, "--status nowhere: "},
	} {
		kit.Must(t, os.WriteFile(w.policy(), []byte(test.policy), 0o600))
		args := append([]string{"--config", w.policy(), "--listen", "http://127.0.0.1:0", "--status", "127.0.0.1:0", "--state", w.file("state")}, test.flags...)
		code, _, problems := serve(nil, args...)
		if code != 1 || !strings.Contains(problems, test.want) || !strings.Contains(problems, "level=error") {
			t.Errorf("%s: exit code %d:\n%s", name, code, problems)
		}
		if root := strings.Contains(problems, "the broker runs as root"); root != (os.Geteuid() == 0) {
			t.Errorf("a warning about root: %v", root)
		}
	}
}

// TestEnvironment: what the service's environment says of AWS does not reach the SDK.
func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_PROFILE", "x")
	t.Setenv("AWS_REGION", "eu-west-1")
	_, _, _ = serve([]string{"AWS_PROFILE=x", "AWS_REGION=eu-west-1"}, "--config", "/none", "--state", t.TempDir())
	if _, set := os.LookupEnv("AWS_PROFILE"); set || os.Getenv("AWS_REGION") == "" {
		t.Errorf("AWS_PROFILE is set: %v, AWS_REGION is %q", set, os.Getenv("AWS_REGION"))
	}
}

// TestNoAuditFolder: the broker starts, says that it can give nothing, and is not ready.
func TestNoAuditFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(tenants, "--audit-log", w.file("none/audit.jsonl"))
	if !strings.Contains(w.log.String(), "nothing is given until the audit log can be written: audit log "+w.file("none/audit.jsonl")) {
		t.Errorf("the log:\n%s", w.log.String())
	}
	if r := w.status("/readyz"); r.status != 503 || !strings.Contains(r.body, "create its folder") {
		t.Errorf("/readyz: %d %s", r.status, r.body)
	}
	kit.Must(t, os.Mkdir(w.file("none"), 0o700))
	if r := w.status("/readyz"); r.status != 200 {
		t.Errorf("/readyz: %d %s", r.status, r.body)
	}
	w.settled("/v1/aws/alpha", w.token(7, nil)).keyOf(t)
}
