package broker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rolecall/test/fakests"
	"rolecall/test/kit"
)

// later fails unless an answer came in time and says that the next one may be better.
func (r reply) later(t *testing.T, code string, began time.Time) {
	t.Helper()
	if r.status != 503 || !strings.Contains(r.body, `"code":"`+code+`"`) || r.header.Get("Retry-After") != "1" {
		t.Errorf("%d %s, Retry-After %q, want 503 %s", r.status, r.body, r.header.Get("Retry-After"), code)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestSlowSTS: the first answer comes in time, and the next try finds what has come meanwhile, by
// one call.
func TestSlowSTS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakests.Slow(2*time.Second, fakests.OK(fakests.Credentials{}))).start(tenants)
	token := w.token(7, nil)
	began := time.Now()
	w.ask("/v1/aws/alpha", token).later(t, "Later", began)
	w.settled("/v1/aws/alpha", token).keyOf(t)
	if n := len(w.sts.Requests()); n != 1 {
		t.Errorf("STS was asked %d times", n)
	}
}

// TestSilentSTS: if STS says nothing for ever, clients get an answer each time, and the broker can
// end.
func TestSilentSTS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakests.Hang()).start(tenants)
	for range 3 {
		w.ask("/v1/aws/alpha", w.token(7, nil)).later(t, "Later", time.Now())
	}
	began := time.Now()
	kit.Must(t, w.End())
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("the end took %v", took)
	}
}

// TestFailingSTS: an error of STS is the answer until STS gives a session.
func TestFailingSTS(t *testing.T) {
	t.Parallel()
	down := fakests.Error(http.StatusInternalServerError, "InternalFailure", "down")
	w := newWorld(t, down, down, down, fakests.OK(fakests.Credentials{})).start(tenants)
	token := w.token(7, nil)
	w.settled("/v1/aws/alpha", token).later(t, "RC502", time.Now())
	kit.Await(t, "a credential", func() bool { return w.ask("/v1/aws/alpha", token).status == 200 })
	refusing := newWorld(t, fakests.Error(http.StatusForbidden, "AccessDenied", "Not authorized")).start(tenants)
	token = refusing.token(7, nil)
	for range 3 {
		refusing.settled("/v1/aws/alpha", token).refused(t, "AWS refuses", 403, "RC203", `tenant "alpha": AWS refuses the role to this job`)
	}
	if n := len(refusing.sts.Requests()); n != 1 {
		t.Errorf("STS was asked %d times", n)
	}
}

// TestKeysAway: without keys of the issuer there is no answer, and with known ones all goes on.
func TestKeysAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gitlab.FailKeys(http.StatusBadGateway)
	w.start(tenants)
	token := w.token(7, nil)
	w.settled("/v1/aws/alpha", token).later(t, "RC503", time.Now())
	w.gitlab.FailKeys(0)
	kit.Await(t, "a credential", func() bool { return w.ask("/v1/aws/alpha", token).status == 200 })
	w.gitlab.FailKeys(http.StatusBadGateway)
	w.settled("/v1/aws/alpha", w.token(8, nil)).keyOf(t)
}

// TestMaxTokenAge: a tenant bounds how long a token serves, whatever the token says.
func TestMaxTokenAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(strings.Replace(tenants, `name = "alpha"`, "name = \"alpha\"\nmax_token_age = \"30m\"", 1))
	ago := func(d time.Duration) map[string]any { return map[string]any{"iat": time.Now().Add(-d).Unix()} }
	const rule = `tenant "alpha" refuses this job: rule max_token_age: the ID token `
	w.settled("/v1/aws/alpha", w.token(7, ago(30*time.Minute))).refused(t, "too old", 403, "RC103", rule+"was issued at")
	w.settled("/v1/aws/alpha", w.token(8, map[string]any{"iat": nil})).refused(t, "no iat", 403, "RC103", rule+"has no claim iat, and is good for 30m0s; run the job again")
	token := w.token(9, ago(30*time.Minute-8*time.Second))
	w.settled("/v1/aws/alpha", token).keyOf(t)
	kit.Await(t, "the end of the token", func() bool { return w.ask("/v1/aws/alpha", token).status != 200 })
	last := w.ask("/v1/aws/alpha", token)
	if last.status != 401 && last.status != 403 {
		t.Errorf("%d %s", last.status, last.body)
	}
	if n := len(w.sts.Requests()); n != 1 {
		t.Errorf("STS was asked %d times", n)
	}
}

// TestMaxTokenAgeLater: a reload can shorten how long a token serves that has a session.
func TestMaxTokenAgeLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	token := w.token(7, map[string]any{"iat": time.Now().Add(-30*time.Minute + 10*time.Second).Unix()})
	w.settled("/v1/aws/alpha", token).keyOf(t)
	w.write(strings.Replace(tenants, `name = "alpha"`, "name = \"alpha\"\nmax_token_age = \"30m\"", 1))
	w.Reload()
	kit.Await(t, "the end of the token", func() bool { return w.ask("/v1/aws/alpha", token).status != 200 })
	if n := len(w.sts.Requests()); n != 1 {
		t.Errorf("STS was asked %d times", n)
	}
}

// TestExpiredWithinSkew: a token is verified for a minute more than it lasts, and gets nothing then.
func TestExpiredWithinSkew(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	w.settled("/v1/aws/alpha", w.token(7, map[string]any{"exp": time.Now().Unix() - 1})).refused(t, "expired", 401, "RC102", "the ID token expired at")
	if n := len(w.sts.Requests()); n != 0 {
		t.Errorf("STS was asked %d times", n)
	}
}

// TestMaxRequests: a tenant bounds the sessions of a project in a minute; renewals count, and are
// not refused.
func TestMaxRequests(t *testing.T) {
	t.Parallel()
	bounded := strings.Replace(tenants, `name = "alpha"`, "name = \"alpha\"\nmax_requests_per_minute = 2", 1)
	w := newWorld(t).start(bounded)
	one, two := w.token(1, nil), w.token(2, nil)
	first := w.settled("/v1/aws/alpha", one).keyOf(t)
	w.settled("/v1/aws/alpha", two).keyOf(t)
	third := w.settled("/v1/aws/alpha", w.token(3, nil))
	third.refused(t, "one too many", 429, "RC508", "too many credentials were asked for in a minute")
	if third.header.Get("Retry-After") == "" {
		t.Error("it does not say when to try again")
	}
	w.settled("/v1/aws/beta", w.token(9, map[string]any{"project_path": "acme/other", "job_project_path": "acme/other"})).keyOf(t)
	w.write(strings.ReplaceAll(bounded, "deploy-alpha", "deploy-other"))
	w.Reload()
	if w.settled("/v1/aws/alpha", one).keyOf(t) == first {
		t.Error("the session of another role is kept")
	}
	w.settled("/v1/aws/alpha", two).keyOf(t)
}
