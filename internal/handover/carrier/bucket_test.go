package carrier_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/internal/handover"
	"rolecall/test/kit"
)

// TestBucket leads through what happens with a bucket of a real MinIO.
func TestBucket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"costs", w.testCosts},
		{"retried", w.testRetried},
		{"forged", w.testForged},
		{"rotated", w.testRotated},
		{"twice", w.testTwice},
		{"eight", w.testEight},
		{"served", w.testServed},
		{"errors", w.testErrors},
		{"gone", w.testGone},
	} {
		if !t.Run(part.name, part.test) {
			return
		}
		w.empty(t)
	}
}

// testCosts: a writer makes one request, and a reader one and one for each writer. The values in the
// bucket are sealed.
func (w *world) testCosts(t *testing.T) {
	count := &counter{recorder: w.recorder}
	_ = count.methods()
	for i := range int64(3) {
		p := parcel(fmt.Sprintf("make %d", i), 100+i, fmt.Sprintf("A%d=%s", i, secret), "VERSION=1")
		w.give(t, p)
		if got := count.methods(); got != "PUT" {
			t.Errorf("a writer makes the requests %s", got)
		}
		if content := w.read(t, object(p)); bytes.Contains(content, []byte("hunter2")) || bytes.Contains(content, []byte("VERSION")) {
			t.Errorf("the object is not sealed: %s", content)
		}
	}
	parcels, refused := w.take(t)
	want := []string{"make 0 100 A0=" + secret + " VERSION=1", "make 1 101 A1=" + secret + " VERSION=1", "make 2 102 A2=" + secret + " VERSION=1"}
	if !slices.Equal(parcels, want) || refused != nil {
		t.Errorf("taken are %q, refused %q", parcels, refused)
	}
	if got := count.methods(); got != "GET GET GET LIST" {
		t.Errorf("a reader makes the requests %s", got)
	}
}

// testRetried: a job that is retried replaces its earlier self, whatever the order of the names is.
func (w *world) testRetried(t *testing.T) {
	for _, id := range []int64{99, 100, 1000} {
		w.give(t, parcel("make", id, fmt.Sprintf("A=%d", id)))
	}
	if parcels, _ := w.take(t); !slices.Equal(parcels, []string{"make 1000 A=1000"}) {
		t.Errorf("taken are %q", parcels)
	}
	w.give(t, parcel("make", 1001))
	if parcels, _ := w.take(t); !slices.Equal(parcels, []string{"make 1001"}) {
		t.Errorf("taken are %q", parcels)
	}
}

// testRotated: a new key seals, and what the older one has sealed opens until its file goes.
func (w *world) testRotated(t *testing.T) {
	before, after := w.key(t, "one"), w.key(t, "two")
	w.give(t, parcel("before", 1, "A=1"))
	w.store.SealKeyFiles = []string{after, before}
	w.give(t, parcel("after", 2, "B=2"))
	both := []string{"after 2 B=2", "before 1 A=1"}
	if parcels, refused := w.take(t); !slices.Equal(parcels, both) || refused != nil {
		t.Errorf("with both keys: %q, %q", parcels, refused)
	}
	w.store.SealKeyFiles = []string{before, after} // a host that does not have the new order yet
	if parcels, _ := w.take(t); !slices.Equal(parcels, both) {
		t.Errorf("in the other order: %q", parcels)
	}
	w.store.SealKeyFiles = []string{after}
	parcels, refused := w.take(t)
	if !slices.Equal(parcels, both[:1]) || len(refused) != 1 {
		t.Errorf("with the new key: %q, %q", parcels, refused)
	}
	w.store.SealKeyFiles = []string{before}
	if parcels, _ := w.take(t); !slices.Equal(parcels, both[1:]) {
		t.Errorf("with the old key: %q", parcels)
	}
}

// testTwice: a request that was made twice is one, and an object of somebody else is not replaced.
func (w *world) testTwice(t *testing.T) {
	p := parcel("make", 100, "A=1")
	w.give(t, p)
	w.give(t, p)
	other := parcel("make", 100, "A=2")
	if err := w.tryGive(t, other); fault.CodeOf(err) != fault.StoreDenied || !strings.Contains(err.Error(), "the store has an object with the name of this job's values") {
		t.Errorf("another parcel of the name: %v", err)
	}
	w.write(t, object(parcel("make", 101)), []byte("x"))
	if err := w.tryGive(t, parcel("make", 101, "A=1")); fault.CodeOf(err) != fault.StoreDenied {
		t.Errorf("an object of somebody else: %v", err)
	}
	if parcels, _ := w.take(t); parcels != nil {
		t.Errorf("taken are %q", parcels)
	}
}

// testEight: eight jobs that write at once lose nothing.
func (w *world) testEight(t *testing.T) {
	var group sync.WaitGroup
	for i := range int64(8) {
		group.Go(func() {
			if err := w.tryGive(t, parcel(fmt.Sprint("make ", i), 100+i, "A=1")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if parcels, refused := w.take(t); len(parcels) != 8 || refused != nil {
		t.Errorf("taken are %q, refused %q", parcels, refused)
	}
}

// testServed: a session that an endpoint gives to scripts is one.
func (w *world) testServed(t *testing.T) {
	own := w.session
	defer func() { w.session = own }()
	w.session = w.assume(t, "alpha", aws.Session{Region: "us-east-1", Endpoint: true})
	w.give(t, parcel("make", 100, "A=1"))
	if parcels, _ := w.take(t); len(parcels) != 1 {
		t.Errorf("taken are %q", parcels)
	}
}

// testGone: what the store loses between the list and the answer is counted.
func (w *world) testGone(t *testing.T) {
	w.give(t, parcel("make", 100, "A=1"))
	w.remove(t, object(parcel("make", 100)))
	if parcels, refused := w.take(t); parcels != nil || refused != nil {
		t.Errorf("taken are %q, refused %q", parcels, refused)
	}
}

// testErrors: each error says whose it is.
func (w *world) testErrors(t *testing.T) {
	own, store := w.session, w.store
	bad := w.key(t, "bad")
	kit.Must(t, os.WriteFile(bad, []byte("hunter2hunter2\n"), 0o600))
	open := w.key(t, "open")
	kit.Must(t, os.Chmod(open, 0o666))
	for name, test := range map[string]struct {
		change func(*errandParts)
		code   fault.Code
		want   string
	}{
		"another tenant":      {func(p *errandParts) { p.session = w.assume(t, "beta", aws.Session{Region: "us-east-1"}) }, fault.StoreDenied, "s3:ListBucket  arn:aws:s3:::alpha"},
		"no session":          {func(p *errandParts) { p.session = nil }, fault.BadStore, "the job has no session of AWS"},
		"no bucket":           {func(p *errandParts) { p.store.Bucket = "none-such" }, fault.StoreDenied, "the job's role may not use the bucket"},
		"plain http":          {func(p *errandParts) { p.store.Endpoint = "http://192.0.2.1:9000" }, fault.BadStore, "endpoint of the store is not https"},
		"nobody listens":      {func(p *errandParts) { p.store.Endpoint = "http://127.0.0.1:1" }, fault.NoStore, "connection refused"},
		"no CA":               {func(p *errandParts) { p.store.CABundle = open }, fault.BadPolicy, "handover.ca_bundle"},
		"no certificate":      {func(p *errandParts) { p.store.CABundle = bad }, fault.BadStore, "no certificate in PEM"},
		"no key":              {func(p *errandParts) { p.store.SealKeyFiles = nil }, fault.BadStore, "set seal_key_files"},
		"bad key":             {func(p *errandParts) { p.store.SealKeyFiles = append(p.store.SealKeyFiles, bad) }, fault.BadPolicy, "openssl rand -base64 32"},
		"a key that is gone":  {func(p *errandParts) { p.store.SealKeyFiles = append(p.store.SealKeyFiles, bad+"x") }, fault.BadPolicy, "no such file"},
		"a key of all":        {func(p *errandParts) { p.store.SealKeyFiles = []string{open} }, fault.BadPolicy, "mode 0666"},
		"no store":            {func(p *errandParts) { p.store.Store = "x" }, fault.Programs, "does not know the store"},
		"a store that is cut": {func(*errandParts) { w.recorder.Cut(true) }, fault.NoStore, "the store of handed-over values does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			parts := errandParts{store.Clone(), own}
			test.change(&parts)
			defer w.recorder.Cut(false)
			for _, writes := range []bool{true, false} {
				o := w.order()
				o.Settings, o.Session = parts.store, parts.session
				if p := parcel("make", 100, "A="+secret); writes {
					o.Parcel = &p
				}
				err := serve(t, o).Fault.Err()
				if fault.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v: %s %v, want %s %q", writes, fault.CodeOf(err), err, test.code, test.want)
				}
			}
		})
	}
	if parcels, refused := w.take(t); parcels != nil || refused != nil {
		t.Errorf("something is in the store: %q, %q", parcels, refused)
	}
}

// errandParts is what an order has of the policy file and of the job.
type errandParts struct {
	store   handover.Settings
	session *creds.Credential
}
