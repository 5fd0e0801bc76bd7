package serve_test

import (
	"strings"
	"testing"
	"time"

	"rolecall/internal/endpoint"
	"rolecall/test/kit"
)

// why is why nothing is given.
const why = "tenant \"alpha\" is suspended:\n a leak"

// refuses reports whether the endpoint gives nothing, since the tenant is suspended.
func (w *world) refuses() bool {
	w.t.Helper()
	status, body := w.get("/cloud/default")
	return status == 403 && strings.Contains(body, `"code":"Suspended"`) && strings.Contains(body, `rolecall: tenant \"alpha\" is suspended: a leak"`) && !strings.Contains(body, "secret-word")
}

// suspend tells the endpoint why nothing is given; empty: it is.
func (w *world) suspend(why string) { w.tell(endpoint.Answer{Suspended: &why}) }

// TestSuspended: while the tenant is suspended, nothing is given and nothing is renewed, and the job
// log says nothing that the run stage has said. Later all is as before.
func TestSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *endpoint.Order) { o.Suspended = why }, issued("", 50*time.Minute, 10*time.Minute, 0)) // a renewal is due
	for range 50 {                                                                                                 // the renewal that is due would have been tried meanwhile
		if !w.refuses() {
			t.Fatal("it gives something at once")
		}
	}
	if n := w.cloud.count(); n != 0 {
		t.Errorf("the cloud was asked %d times", n)
	}
	w.suspend("")
	m := w.next()
	if m.Renewed == nil || m.Warning != "" {
		t.Fatalf("%+v, want a new credential", m)
	}
	if n := w.cloud.count(); n != 1 {
		t.Errorf("the cloud was asked %d times", n)
	}
	if status, _ := w.get("/cloud/default"); status != 200 {
		t.Errorf("later it answers %d", status)
	}
	w.suspend(why)
	kit.Await(t, "a refusal", w.refuses)
	w.tell(endpoint.Answer{Why: why}) // the run stage keeps nothing
}

// TestSuspendedThenAway: that it could not be renewed is told, also if it was suspended before.
func TestSuspendedThenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *endpoint.Order) { o.Suspended = why }, issued("", 50*time.Minute, 10*time.Minute, 0))
	w.cloud.fail(errAway)
	for range 50 { // as above
		w.refuses()
	}
	w.suspend("")
	if m := w.next(); !strings.Contains(m.Warning, "the CLOUD credentials could not be renewed; they are used until ") || !strings.Contains(m.Warning, errAway.Error()) {
		t.Errorf("%+v", m)
	}
}
