package serve_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"rolecall/internal/endpoint"
	"rolecall/internal/endpoint/serve"
	"rolecall/internal/version"
	"rolecall/test/kit"
)

// TestVersion: the program tells its version, and serves nothing.
func TestVersion(t *testing.T) {
	t.Parallel()
	var out, problems strings.Builder
	code := serve.Program{}.Serve([]string{"--version"}, nil, strings.NewReader(""), &out, &problems)
	if code != 0 || out.String() != "rolecall endpoint "+version.Version+"\n" || problems.Len() > 0 {
		t.Errorf("exit code %d, %q, %q", code, &out, &problems)
	}
}

// TestNothingToServe: without an order, a listener or the socket that knows whose clients are,
// the program ends with an error, and serves nobody.
func TestNothingToServe(t *testing.T) {
	t.Parallel()
	whole, err := json.Marshal(endpoint.Order{Token: token, IDToken: idToken})
	kit.Must(t, err)
	one := issued("", 0, time.Hour, 0)
	noToken, err := json.Marshal(endpoint.Order{Token: token, IDToken: "none", Sources: []endpoint.Source{one}})
	kit.Must(t, err)
	one.IDToken = "none"
	noOwn, err := json.Marshal(endpoint.Order{Token: token, IDToken: idToken, Sources: []endpoint.Source{one}})
	kit.Must(t, err)
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	kit.Must(t, err)
	defer func() { _ = listener.Close() }()
	s, err := endpoint.Listen()
	kit.Must(t, err)
	defer func() { kit.Must(t, s.Close()) }()
	null, err := os.Open(os.DevNull)
	kit.Must(t, err)
	defer func() { _ = null.Close() }()
	for name, test := range map[string]struct {
		order string
		files []*os.File
		want  string
	}{
		"no order":     {"", []*os.File{s.Listener, s.Sockets}, "endpoint: EOF\n"},
		"broken order": {"{", []*os.File{s.Listener, s.Sockets}, "endpoint: unexpected EOF\n"},
		"no listener":  {string(whole), []*os.File{null, s.Sockets}, "endpoint: listen for the job: "},
		"no users":     {string(whole), []*os.File{s.Listener, null}, "endpoint: find the users of connections: socket operation on non-socket\n"},
		"no own token": {string(noOwn), []*os.File{s.Listener, s.Sockets}, "endpoint: the ID token of the job cannot be read\n"},
		"no ID token":  {string(noToken), []*os.File{s.Listener, s.Sockets}, "endpoint: the ID token of the job cannot be read\n"},
	} {
		child := kit.Child(t, nil, "PROGRAM=endpoint")
		child.Args = []string{child.Args[0]}
		child.Stdin, child.ExtraFiles = strings.NewReader(test.order), test.files
		var problems bytes.Buffer
		child.Stderr = &problems
		if err := child.Run(); err == nil || !strings.HasPrefix(problems.String(), test.want) {
			t.Errorf("%s: %v, %q, want %q", name, err, &problems, test.want)
		}
	}
}

// TestMain makes this test binary the program where a test asks for it.
func TestMain(m *testing.M) {
	if os.Getenv("PROGRAM") == "endpoint" {
		serve.Main()
	}
	os.Exit(m.Run())
}

// TestUnknownProvider: a credential whose provider the program does not know is served, and
// the log says that it is not renewed.
func TestUnknownProvider(t *testing.T) {
	t.Parallel()
	one := issued("", 50*time.Minute, 10*time.Minute, 0)
	one.Order.Provider = "other"
	w := newWorld(t, nil, one)
	if m := w.next(); m.Renewed != nil || !strings.HasSuffix(m.Warning, "this program does not know the servers of provider other") {
		t.Errorf("%+v", m)
	}
	if status, body := w.get("/cloud/default"); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

// TestUnserved: what a provider issues and no endpoint can serve is not kept.
func TestUnserved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *endpoint.Order) { o.Sources[0].Order.Name = "unserved" }, issued("", 50*time.Minute, 10*time.Minute, 0))
	if m := w.next(); m.Renewed != nil || !strings.HasSuffix(m.Warning, "the provider has issued what no endpoint can serve") {
		t.Errorf("%+v", m)
	}
}

// TestUnasked: an answer to no question keeps no credential, and stops nothing.
func TestUnasked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, issued("", 50*time.Minute, 8*time.Second, 6*time.Second)) // due in 2 s
	for range 3 {
		w.tell(endpoint.Answer{Kept: true})
	}
	if m := w.next(); m.Renewed == nil {
		t.Fatalf("%+v, want a new credential", m)
	}
	w.tell(endpoint.Answer{Why: "no"})
	if m := w.next(); !strings.HasSuffix(m.Warning, "the new ones cannot be kept: no") {
		t.Errorf("%+v", m)
	}
	if _, body := w.get("/cloud/default"); body != `{"word":"secret-word-0000-"}` {
		t.Errorf("a client got %s", body)
	}
}

// TestNobodyListens: a credential that cannot be shown to the run stage is not given to a
// client.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	kit.Must(t, err)
	in, answers := io.Pipe()
	out, to := io.Pipe()
	kit.Must(t, out.Close())
	c := &cloud{life: time.Hour}
	order := endpoint.Order{Token: token, IDToken: idToken, Key: make([]byte, 32), Sources: []endpoint.Source{issued("", 50*time.Minute, 10*time.Minute, 0)}}
	ended := make(chan error, 1)
	go func() { ended <- serve.Run(order, in, to, listener, c) }()
	kit.Await(t, "another try", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.issued > 1
	})
	kit.Must(t, answers.Close())
	kit.Must(t, <-ended)
}
