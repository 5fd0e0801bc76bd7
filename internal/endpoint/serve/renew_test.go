package serve_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"rolecall/internal/endpoint"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// TestRenewal: a client gets a new credential only when the run stage has kept it.
func TestRenewal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, issued("", 50*time.Minute, 10*time.Minute, 0))
	m := w.next()
	if m.Renewed == nil || m.Renewed.Credential.Hide().Served.Answer.Reveal() != `{"word":"secret-word-0001-"}` {
		t.Fatalf("%+v, want a new credential", m)
	}
	if e := m.Renewed.Entries; len(e) != 1 || e[0].Job != 7 || e[0].Kind != "word" {
		t.Errorf("entries of the ledger %+v", e)
	}
	if status, body := w.get("/cloud/default"); status != 200 || body != `{"word":"secret-word-0000-"}` {
		t.Errorf("before it is kept: %d %s", status, body)
	}
	w.tell(endpoint.Answer{Kept: true})
	kit.Await(t, "the new credential", func() bool {
		_, body := w.get("/cloud/default")
		return body == `{"word":"secret-word-0001-"}`
	})
}

// TestNotKept: a credential that cannot be kept is not given, and the log says why. It is
// tried again.
func TestNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, issued("", 50*time.Minute, 10*time.Minute, 0))
	w.next()
	w.tell(endpoint.Answer{Why: "the audit log is full"})
	if m := w.next(); !strings.Contains(m.Warning, "CLOUD credentials could not be renewed; they are used until ") || !strings.HasSuffix(m.Warning, "the new ones cannot be kept: the audit log is full") {
		t.Errorf("%+v", m)
	}
	if _, body := w.get("/cloud/default"); body != `{"word":"secret-word-0000-"}` {
		t.Errorf("a client got %s", body)
	}
	if m := w.next(); m.Renewed == nil || m.Renewed.Credential.Hide().Served.Answer.Reveal() != `{"word":"secret-word-0002-"}` {
		t.Errorf("%+v, want another try", m)
	}
}

// TestServerAway: while the servers do not answer, the old credential is served; the log says
// it once. When it has expired, clients get an error of the server's kind.
func TestServerAway(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		broken error
		status int
	}{
		"away":    {errors.New("STS does not answer"), 503},
		"refuses": {fault.New(fault.BadServer, errors.New("the role is gone"), ""), 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The first try is in 2 s, when the cloud is broken.
			w := newWorld(t, nil, issued("", 50*time.Minute, 8*time.Second, 6*time.Second))
			w.cloud.fail(test.broken)
			if m := w.next(); !strings.Contains(m.Warning, "the CLOUD credentials could not be renewed; they are used until ") {
				t.Errorf("%+v", m)
			}
			if status, body := w.get("/cloud/default"); status != 200 {
				t.Errorf("the old one: %d %s", status, body)
			}
			if m := w.next(); !strings.HasPrefix(m.Warning, "the CLOUD credentials expired at ") || !strings.Contains(m.Warning, test.broken.Error()) {
				t.Errorf("%+v", m)
			}
			status, body := w.get("/cloud/default")
			if status != test.status || !strings.Contains(body, `"code":"ExpiredToken"`) || !strings.Contains(body, test.broken.Error()) || strings.Contains(body, "secret-word") {
				t.Errorf("%d %s", status, body)
			}
			w.cloud.fail(nil)
			m := w.next()
			w.tell(endpoint.Answer{Kept: true})
			kit.Await(t, "the new credential", func() bool {
				status, _ := w.get("/cloud/default")
				return status == 200 && m.Renewed != nil
			})
		})
	}
}

// TestTokenEnded: nothing is renewed with an ID token that has expired. A client that finds
// the credential expired is told so, and so is the log, once.
func TestTokenEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *endpoint.Order) { o.Ends = time.Now().Add(-time.Minute) }, issued("", 50*time.Minute, -time.Second, 0))
	for range 2 {
		if status, body := w.get("/cloud/default"); status != 400 || !strings.Contains(body, "the job's ID token had expired") {
			t.Errorf("%d %s", status, body)
		}
	}
	if m := w.next(); !strings.Contains(m.Warning, "raise timeout: of the job") {
		t.Errorf("%+v", m)
	}
	_ = w.answers.Close()
	for m := range w.messages {
		t.Errorf("%+v beside it", m)
	}
	if w.cloud.issued > 0 {
		t.Error("it was renewed")
	}
}

// TestEnd: the endpoint ends with the run stage, also while a client is connected.
func TestEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, issued("", 0, time.Hour, 0))
	conn, err := net.Dial("tcp4", strings.TrimPrefix(w.url, "http://"))
	kit.Must(t, err)
	defer func() { _ = conn.Close() }()
	_ = w.answers.Close()
	select {
	case err := <-w.ended:
		kit.Must(t, err)
		w.ended <- nil
	case <-time.After(5 * time.Second):
		t.Fatal("it has not ended")
	}
	if c, err := net.Dial("tcp4", strings.TrimPrefix(w.url, "http://")); err == nil {
		_ = c.Close()
		t.Error("something listens")
	}
}
