package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/handover"
	"rolecall/internal/handover/seal"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

// key returns a key. The same number gives the same key.
func key(t testing.TB, number byte) seal.Key {
	t.Helper()
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = number + byte(i)
	}
	k, err := seal.ParseKey([]byte(base64.StdEncoding.EncodeToString(raw) + "\n"))
	kit.Must(t, err)
	return k
}

const secret = "postgres://u:hunter2hunter2@h/d"

// scope returns the scope of the jobs of these tests.
func scope() handover.Scope {
	return handover.Scope{Issuer: "https://gitlab.example.com", Tenant: "alpha", Project: "7", Pipeline: "70", Class: "protected"}
}

// parcel returns what a job has handed over.
func parcel() handover.Parcel {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	return handover.Parcel{Scope: scope(), Job: "make: [alpha]", JobID: 700, At: at, Until: at.Add(time.Hour), Values: []handover.Value{
		{Name: "DB_URL", Value: mask.NewSecret(secret), Secret: true}, {Name: "VERSION", Value: mask.NewSecret("1.2")},
	}}
}

// sealed returns the parcel, sealed with keys.
func sealed(t testing.TB, keys ...seal.Key) []byte {
	t.Helper()
	content, err := seal.Keys(keys).Seal(parcel())
	kit.Must(t, err)
	return content
}

// opens reports whether content opens for the jobs of a scope, and fails if an error has the secret.
func opens(t testing.TB, keys seal.Keys, content []byte, of handover.Scope) bool {
	t.Helper()
	p, err := keys.Open(content, of)
	if err != nil && (strings.Contains(err.Error(), "hunter2") || p.Values != nil) {
		t.Errorf("it gives %v with the error %v", p.Names(), err)
	}
	return err == nil
}

// TestKeys: the newest key seals, each opens, and a key that is gone opens nothing.
func TestKeys(t *testing.T) {
	t.Parallel()
	before, after := key(t, 1), key(t, 2)
	content := sealed(t, before)
	if !opens(t, seal.Keys{before}, content, scope()) || !opens(t, seal.Keys{after, before}, content, scope()) {
		t.Error("what the older key has sealed does not open")
	}
	if opens(t, seal.Keys{after}, content, scope()) || opens(t, nil, content, scope()) {
		t.Error("it opens without its key")
	}
	if content := sealed(t, after, before); !opens(t, seal.Keys{after}, content, scope()) || opens(t, seal.Keys{before}, content, scope()) {
		t.Error("it is not the first key that seals")
	}
	_, err := seal.Keys{after}.Open(content, scope())
	if err == nil || !strings.Contains(err.Error(), before.ID()) {
		t.Errorf("the error does not name the key: %v", err)
	}
	if _, err := (seal.Keys{}).Seal(parcel()); err == nil {
		t.Error("it is sealed without a key")
	}
}

// TestOpen: what comes back is what was sealed, and the form shows neither values nor their names.
func TestOpen(t *testing.T) {
	t.Parallel()
	content := sealed(t, key(t, 1))
	p, err := seal.Keys{key(t, 1)}.Open(content, scope())
	kit.Must(t, err)
	if got, want := handover.Encode(p), handover.Encode(parcel()); !bytes.Equal(got, want) {
		t.Errorf("%s became %s", want, got)
	}
	for _, word := range []string{"hunter2", "DB_URL", "VERSION", "alpha.example"} {
		if bytes.Contains(content, []byte(word)) {
			t.Errorf("it shows %s: %s", word, content)
		}
	}
	if bytes.Equal(content, sealed(t, key(t, 1))) {
		t.Error("two seals of one parcel are the same")
	}
}

// notSealed is the error of the cipher, before anything is read of what it would give.
const notSealed = "it was changed, or was not sealed for these jobs"

// TestLabel: the label is authenticated with the scope.
func TestLabel(t *testing.T) {
	t.Parallel()
	for field, value := range map[string]any{"job": "make: [beta]", "job_id": 701} {
		if _, err := (seal.Keys{key(t, 1)}).Open(edit(t, sealed(t, key(t, 1)), field, value), scope()); err == nil || err.Error() != notSealed {
			t.Errorf("another %s: %v", field, err)
		}
	}
}

// TestScope: nothing opens for jobs of another scope.
func TestScope(t *testing.T) {
	t.Parallel()
	content := sealed(t, key(t, 1))
	for name, change := range map[string]func(*handover.Scope){
		"issuer":   func(s *handover.Scope) { s.Issuer = "https://gitlab.example.org" },
		"tenant":   func(s *handover.Scope) { s.Tenant = "beta" },
		"project":  func(s *handover.Scope) { s.Project = "8" },
		"pipeline": func(s *handover.Scope) { s.Pipeline = "71" },
		"class":    func(s *handover.Scope) { s.Class = "unprotected" },
		"shifted":  func(s *handover.Scope) { s.Project, s.Pipeline = "77", "0" },
		"empty":    func(s *handover.Scope) { *s = handover.Scope{} },
	} {
		of := scope()
		change(&of)
		if _, err := (seal.Keys{key(t, 1)}).Open(content, of); err == nil || err.Error() != notSealed {
			t.Errorf("%s: opened for another scope: %v", name, err)
		}
	}
}

// TestForged: what was changed, cut or put together does not open.
func TestForged(t *testing.T) {
	t.Parallel()
	first, second := key(t, 1), key(t, 2)
	content := sealed(t, first)
	other := parcel()
	other.Values = nil
	emptied, err := seal.Keys{first}.Seal(other)
	kit.Must(t, err)
	for name, forged := range map[string][]byte{
		"nothing":         nil,
		"null":            []byte("null"),
		"binary":          {0, 1, 2, 255},
		"in the clear":    handover.Encode(parcel()),
		"another job":     edit(t, content, "job", "make: [beta]"),
		"another job id":  edit(t, content, "job_id", 701),
		"another key":     edit(t, content, "key", second.ID()),
		"another format":  edit(t, content, "format", 2),
		"no seal":         edit(t, content, "sealed", ""),
		"a short seal":    edit(t, content, "sealed", "AAAA"),
		"a field more":    edit(t, content, "scope", "x"),
		"more after it":   slices.Concat(content, emptied),
		"its last byte":   append(slices.Clone(content[:len(content)-1]), 'x'),
		"unknown key":     sealed(t, second),
		"a very long key": edit(t, content, "key", strings.Repeat("x", 1<<16)),
	} {
		if opens(t, seal.Keys{first}, forged, scope()) {
			t.Errorf("%s: it opens", name)
		}
	}
	for n := range content {
		if opens(t, seal.Keys{first}, content[:n], scope()) {
			t.Errorf("cut to %d bytes it opens", n)
		}
	}
}

// edit returns sealed content with another value of a field.
func edit(t testing.TB, content []byte, field string, value any) []byte {
	t.Helper()
	var all map[string]any
	kit.Must(t, json.Unmarshal(content, &all))
	all[field] = value
	edited, err := json.Marshal(all)
	kit.Must(t, err)
	return edited
}

// TestEachBit: no bit of what is sealed can be changed.
func TestEachBit(t *testing.T) {
	t.Parallel()
	content := sealed(t, key(t, 1))
	var form struct{ Sealed []byte }
	kit.Must(t, json.Unmarshal(content, &form))
	for i := range len(form.Sealed) * 8 {
		changed := slices.Clone(form.Sealed)
		changed[i/8] ^= 1 << (i % 8)
		if opens(t, seal.Keys{key(t, 1)}, edit(t, content, "sealed", changed), scope()) {
			t.Fatalf("it opens without its bit %d", i)
		}
	}
}

// TestParseKey: a key is 32 random bytes in base64, and is never printed.
func TestParseKey(t *testing.T) {
	t.Parallel()
	good := strings.TrimSpace(base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv")))
	for text, ok := range map[string]bool{
		good: true, good + "\n": true, " " + good + "\r\n": true,
		"": false, good[:40]: false, good + good: false, good + "\n" + good: false, "0123456789abcdefghijklmnopqrstuv": false,
		base64.StdEncoding.EncodeToString(make([]byte, 32)):                               false,
		base64.StdEncoding.EncodeToString([]byte(strings.Repeat("password", 4))):          false,
		base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqr")):         false,
		base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuvwxyz")): false,
	} {
		k, err := seal.ParseKey([]byte(text))
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error has the key: %v", err)
		}
		if shown := fmt.Sprintf("%v %+v %#v %s %d %x", k, k, k, k, k, k); ok && strings.Contains(shown, "49") || strings.Contains(shown, "012345") {
			t.Errorf("the key is shown: %s", shown)
		}
	}
}

// FuzzOpen: nothing opens but what was sealed.
func FuzzOpen(f *testing.F) {
	content := sealed(f, key(f, 1))
	f.Add(content)
	f.Add(content[:len(content)/2])
	f.Add([]byte(`{"format":1,"key":"","job":"","job_id":0,"sealed":""}`))
	f.Fuzz(func(t *testing.T, forged []byte) {
		p, err := seal.Keys{key(t, 1)}.Open(forged, scope())
		if err == nil && !bytes.Equal(handover.Encode(p), handover.Encode(parcel())) {
			t.Errorf("it opens as %s", handover.Encode(p))
		}
	})
}
