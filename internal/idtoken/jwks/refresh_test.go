package jwks_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
	"rolecall/internal/idtoken/jwks"
	"rolecall/test/kit"
)

// TestRotation: a new key is requested once, for the first token that it has signed.
func TestRotation(t *testing.T) {
	t.Parallel()
	server := start(t)
	first, _ := later(source(t, server.Issuer()), 0)
	s := first
	old := server.SignToken(claims(s.Issuer, nil))
	verified(t, s, old)
	server.RotateKey()
	s, _ = later(first, 11*time.Second)
	verified(t, s, old) // within the hour, without a request
	verified(t, s, server.SignToken(claims(s.Issuer, nil)))
	verified(t, s, server.SignToken(claims(s.Issuer, nil)))
	if server.KeyRequests() != 2 {
		t.Errorf("%d requests for the keys", server.KeyRequests())
	}
	s, _ = later(first, 22*time.Second)
	refused(t, s, old, fault.Author, "no key of "+s.Issuer+" has signed this token")
}

// TestAnswerOfAnotherProcess: keys that another process has requested after this one
// began are as good as its own.
func TestAnswerOfAnotherProcess(t *testing.T) {
	t.Parallel()
	server := start(t)
	s := source(t, server.Issuer())
	began := make(chan struct{})
	once := sync.OnceFunc(func() { close(began) })
	s.Now = func() time.Time {
		now := time.Now()
		once()
		return now
	}
	dir, err := os.Open(s.Dir)
	kit.Must(t, err)
	defer dir.Close()
	kit.Must(t, unix.Flock(int(dir.Fd()), unix.LOCK_EX))
	var other sync.WaitGroup
	other.Go(func() {
		<-began
		now := time.Now()
		_ = os.WriteFile(cachePath(s), poison(t, s.Issuer, now, now), 0o600)
		_ = unix.Flock(int(dir.Fd()), unix.LOCK_UN)
	})
	refused(t, s, server.SignToken(claims(s.Issuer, nil)), fault.Author, "no key of "+s.Issuer+" has signed this token")
	other.Wait()
	if server.KeyRequests() != 0 {
		t.Errorf("%d requests for the keys", server.KeyRequests())
	}
}

// TestAnswerJustBefore: a process may find no keys, and then those that another process has
// requested before this one began.
func TestAnswerJustBefore(t *testing.T) {
	t.Parallel()
	server := start(t)
	s := source(t, server.Issuer())
	raw := server.SignToken(claims(s.Issuer, nil))
	verified(t, s, raw)
	kept := cachePath(s)
	kit.Must(t, os.Rename(kept, kept+".later"))
	asked := 0
	s.Now = func() time.Time {
		if asked++; asked == 2 { // the first is the time of the begin; here the cache has just been read
			kit.Must(t, os.Rename(kept+".later", kept))
		}
		return time.Now()
	}
	s.Wait = func(context.Context, time.Duration) error { return errors.New("another request") }
	verified(t, s, raw)
	if server.KeyRequests() != 1 || asked < 3 {
		t.Errorf("%d requests for the keys, %d looks at the clock", server.KeyRequests(), asked)
	}
}

// TestOldKeys: if the issuer does not answer, kept keys are used for a day.
func TestOldKeys(t *testing.T) {
	t.Parallel()
	server := start(t)
	first, _ := later(source(t, server.Issuer()), 0)
	raw := server.SignToken(claims(first.Issuer, nil))
	verified(t, first, raw)
	server.FailKeys(http.StatusServiceUnavailable)
	host := strings.TrimPrefix(server.URL(), "http://")
	for _, age := range []time.Duration{time.Hour, 23*time.Hour + 59*time.Minute} {
		s, warnings := later(first, age)
		verified(t, s, raw)
		want := fmt.Sprintf("the keys of %s are %v old: %s: HTTP status 503", s.Issuer, age, host)
		if len(*warnings) != 1 || (*warnings)[0] != want {
			t.Errorf("warnings %q, want %q", *warnings, want)
		}
	}
	silent, _ := later(first, 24*time.Hour-3*time.Second)
	silent.Warn = nil
	verified(t, silent, raw)
	s, _ := later(first, 24*time.Hour) // the next request may follow after 2 s, and no more after 5 s
	refused(t, s, raw, fault.Infrastructure, "no keys of "+s.Issuer+": "+host+": HTTP status 503", "jwks_file")
	if server.KeyRequests() != 1+2+2+2+2 {
		t.Errorf("%d requests for the keys", server.KeyRequests())
	}
	server.FailKeys(0)
	s, _ = later(first, 24*time.Hour+3*time.Second) // GitLab Runner's next try
	verified(t, s, raw)
	if server.KeyRequests() != 1+2+2+2+2+1 {
		t.Errorf("%d requests for the keys", server.KeyRequests())
	}
}

// TestFreshForAnHour: keys are requested again after an hour, and not before.
func TestFreshForAnHour(t *testing.T) {
	t.Parallel()
	server := start(t)
	first, _ := later(source(t, server.Issuer()), 0)
	raw := server.SignToken(claims(first.Issuer, nil))
	for _, test := range []struct {
		age      time.Duration
		requests int
	}{{0, 1}, {59 * time.Minute, 1}, {61 * time.Minute, 2}, {119 * time.Minute, 2}} {
		s, warnings := later(first, test.age)
		verified(t, s, raw)
		if server.KeyRequests() != test.requests || len(*warnings) != 0 {
			t.Errorf("after %v: %d requests, want %d; warnings %q", test.age, server.KeyRequests(), test.requests, *warnings)
		}
	}
}

// atOnce verifies a token in fifty concurrent jobs, each with its own Source as in its
// own process, and returns their errors.
func atOnce(t *testing.T, s jwks.Source, raw func() string) []error {
	t.Helper()
	errs := make([]error, 50)
	raws := make([]string, len(errs))
	for n := range raws {
		raws[n] = raw()
	}
	var jobs sync.WaitGroup
	for n := range errs {
		jobs.Go(func() { _, errs[n] = s.Verify(t.Context(), raws[n]) })
	}
	jobs.Wait()
	return errs
}

// TestManyAtOnce: many concurrent jobs make one request, whether it succeeds or not.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	server := start(t)
	first, _ := later(source(t, server.Issuer()), 0)
	s := first
	requests := func(step string, want int) {
		t.Helper()
		if server.KeyRequests() != want {
			t.Errorf("%s: %d requests for the keys so far, want %d", step, server.KeyRequests(), want)
		}
	}
	server.FailKeys(http.StatusBadGateway)
	good := func() string { return server.SignToken(claims(s.Issuer, nil)) }
	for _, err := range atOnce(t, s, good) {
		if fault.SideOf(err) != fault.Infrastructure || err == nil || !strings.Contains(err.Error(), "HTTP status 502") {
			t.Errorf("a dead server: error %v", err)
		}
	}
	requests("a dead server", 2)
	server.FailKeys(0)
	s, _ = later(first, 3*time.Second)
	for _, err := range atOnce(t, s, good) {
		if err != nil {
			t.Errorf("no keys: %v", err)
		}
	}
	requests("no keys", 3)
	s, _ = later(first, 15*time.Second)
	server.RotateKey()
	for _, err := range atOnce(t, s, good) {
		if err != nil {
			t.Errorf("a new key: %v", err)
		}
	}
	requests("a new key", 4)
	s, _ = later(first, 40*time.Second)
	var n atomic.Int32
	forged := func() string {
		key := jose.SigningKey{Algorithm: jose.RS256, Key: attacker()}
		return forge(t, key, withKid(fmt.Sprint("evil ", n.Add(1))), claims(s.Issuer, nil))
	}
	for _, err := range atOnce(t, s, forged) {
		if err == nil || !strings.Contains(err.Error(), "signed this token") {
			t.Errorf("an unknown key: error %v", err)
		}
	}
	requests("an unknown key", 5)
	if left, err := os.ReadDir(s.Dir); err != nil || len(left) != 1 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

// BenchmarkVerify measures a job whose keys are kept.
func BenchmarkVerify(b *testing.B) {
	server := start(b)
	s := source(b, server.Issuer())
	for _, name := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256} {
		if name == jose.ES256 {
			server.RotateToECKey()
			s.Dir = source(b, s.Issuer).Dir
		}
		raw := server.SignToken(claims(s.Issuer, nil))
		verified(b, s, raw)
		b.Run(string(name), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
