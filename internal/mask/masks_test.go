package mask_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/mask"
)

// named returns texts as secrets of kind "key".
func named(texts ...string) []mask.Named {
	var secrets []mask.Named
	for _, text := range texts {
		secrets = append(secrets, mask.Named{Kind: "key", Value: mask.NewSecret(text)})
	}
	return secrets
}

func TestAdd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		known         []string
		first         string
		add           []string
		second, shown string // what is shown after the first and in the end
		want          string
	}{
		"before anything":                  {nil, "", []string{"12345678"}, "-12345678-", "", "-[MASKED]-"},
		"nothing":                          {nil, "-12345", nil, "678-", "-12345", "-12345678-"},
		"what is gone stays":               {nil, "12345678-", []string{"12345678"}, "12345678", "12345678-", "12345678-[MASKED]"},
		"begun when it was none":           {nil, "-12345", []string{"12345678"}, "678-", "-12345", "-12345678-"},
		"what is held":                     {[]string{"12345678abcd"}, "-12345678", []string{"12345678"}, "-", "-", "-[MASKED]-"},
		"inside what is held":              {[]string{"ab12345678cd"}, "-ab12345678c", []string{"12345678"}, "-", "-", "-ab[MASKED]c-"},
		"begins in what is held":           {[]string{"ab12345678cd"}, "-ab1234", []string{"12345678"}, "5678-", "-", "-ab[MASKED]-"},
		"the same again":                   {[]string{"12345678abcd"}, "-12345678", []string{"12345678abcd"}, "abcd-", "-", "-[MASKED]-"},
		"an old one goes on":               {[]string{"12345678", "12345678abcd"}, "-12345678", []string{"another one"}, "abcd-", "-[MASKED]", "-[MASKED]-"},
		"an old one goes on, held in part": {[]string{"12345678", "12345678abcd"}, "-12345678a", []string{"another one"}, "bcd-", "-[MASKED]", "-[MASKED]-"},
		"touches what is masked":           {[]string{"12345678"}, "-12345678", []string{"abcdefgh"}, "abcdefgh-", "-[MASKED]", "-[MASKED]-"},
		"begins in what is masked":         {[]string{"12345678"}, "-12345678", []string{"5678abcd"}, "abcd-", "-[MASKED]", "-[MASKED]-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			masks := mask.NewMasks()
			w := masks.Writer(&out)
			if err := masks.Add(named(test.known...)...); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, test.first); err != nil || out.String() != test.shown {
				t.Errorf("%q came out first, %v, want %q", &out, err, test.shown)
			}
			if err := masks.Add(named(test.add...)...); err != nil {
				t.Fatal(err)
			}
			_, err := io.WriteString(w, test.second)
			if err := errors.Join(err, masks.Close()); err != nil || out.String() != test.want {
				t.Errorf("%q came out, %v, want %q", &out, err, test.want)
			}
		})
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	masks := mask.NewMasks()
	w := masks.Writer(&out)
	const want = "the ID token has 7 bytes, need at least 8 to mask it"
	err := masks.Add(mask.Named{Kind: "key", Value: mask.NewSecret("12345678")}, mask.Named{Kind: "ID token", Value: mask.NewSecret("1234567")})
	if err == nil || err.Error() != want {
		t.Errorf("Add of a short secret: %v, want %s", err, want)
	}
	if _, err := io.WriteString(w, "12345678"); err != nil || out.String() != "12345678" {
		t.Errorf("Add refused one and added another: %q, %v", &out, err)
	}
}

// TestMasksShareSecrets: Writers that were made before and after an Add have all
// secrets.
func TestMasksShareSecrets(t *testing.T) {
	t.Parallel()
	var outs [4]bytes.Buffer
	masks := mask.NewMasks()
	writers := []*mask.Writer{masks.Writer(&outs[0])}
	for i := range 3 {
		if err := masks.Add(named(fmt.Sprint("secret number ", i))...); err != nil {
			t.Fatal(err)
		}
		writers = append(writers, masks.Writer(&outs[i+1]))
	}
	for i, w := range writers {
		if _, err := io.WriteString(w, "secret number 0, secret number 1, secret number 2, secret num"); err != nil {
			t.Fatal(err)
		}
		if got, want := outs[i].String(), "[MASKED], [MASKED], [MASKED], "; got != want {
			t.Errorf("Writer %d wrote %q, want %q", i, got, want)
		}
	}
	if err := masks.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range outs {
		if got, want := outs[i].String(), "[MASKED], [MASKED], [MASKED], secret num"; got != want {
			t.Errorf("Writer %d wrote %q until Close, want %q", i, got, want)
		}
	}
}

func TestMasksClose(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	broken := errors.New("broken pipe")
	masks := mask.NewMasks()
	bad, good := masks.Writer(&counter{err: broken}), masks.Writer(&out)
	if err := masks.Add(named("12345678")...); err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.Writer{bad, good} {
		if _, err := io.WriteString(w, "1234"); err != nil {
			t.Fatal(err)
		}
	}
	if err := masks.Close(); !errors.Is(err, broken) || out.String() != "1234" {
		t.Errorf("Close = %v, want %v; the other Writer wrote %q", err, broken, &out)
	}
}

// TestWithoutSecrets: a Writer without secrets copies its input and holds nothing.
func TestWithoutSecrets(t *testing.T) {
	t.Parallel()
	var got [][]byte
	w := mask.NewMasks().Writer(writerFunc(func(p []byte) (int, error) {
		got = append(got, p)
		return len(p), nil
	}))
	text := bytes.Repeat([]byte("x"), 64<<10)
	for _, p := range [][]byte{text, append(w.AvailableBuffer(), "own"...)} {
		got = nil
		if n, err := w.Write(p); n != len(p) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
		if len(got) != 1 || len(got[0]) != len(p) || &got[0][0] != &p[0] {
			t.Errorf("%d bytes went on as %d writes, want one of the same memory", len(p), len(got))
		}
	}
}

// writerFunc is a function as a Writer.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestAddWhileOthersWrite adds secrets in one goroutine. Another goroutine writes the
// added ones through three Writers, which hold the beginning of a secret between their
// Writes.
func TestAddWhileOthersWrite(t *testing.T) {
	t.Parallel()
	const count = 60
	var outs [3]bytes.Buffer
	masks := mask.NewMasks()
	var writers []*mask.Writer
	for i := range outs {
		writers = append(writers, masks.Writer(&outs[i]))
	}
	secret := func(i int) string { return fmt.Sprintf("a long secret with the number %06d", i) }
	var known atomic.Int64
	var group sync.WaitGroup
	group.Go(func() {
		for i := range count {
			if err := masks.Add(named(secret(i))...); err != nil {
				t.Error(err)
			}
			known.Store(int64(i + 1))
		}
	})
	group.Go(func() {
		for last := int64(0); last < count; {
			last = known.Load()
			line := "x\n"
			if last > 0 {
				line = secret(int(last-1)) + "\n" + secret(0)[:20] + "\n" + secret(0)[:25]
			}
			for i, w := range writers {
				buffer := w.AvailableBuffer()
				if _, err := w.Write(append(buffer, line[:len(line)/(i+1)]...)); err != nil {
					t.Error(err)
				}
				if _, err := io.WriteString(w, line[len(line)/(i+1):]); err != nil {
					t.Error(err)
				}
			}
		}
	})
	group.Wait()
	if err := masks.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range outs {
		if got := outs[i].String(); strings.Contains(got, "number 0") || !strings.Contains(got, mask.Masked) {
			t.Errorf("Writer %d shows a secret or none masked: %.300q", i, got)
		}
	}
}

// TestAddWaits: Add does not return while a Writer passes on bytes of an earlier Write,
// so all later output is masked.
func TestAddWaits(t *testing.T) {
	t.Parallel()
	var added atomic.Bool
	began, done := make(chan struct{}), make(chan struct{})
	masks := mask.NewMasks()
	w := masks.Writer(writerFunc(func(p []byte) (int, error) {
		close(began)
		for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if added.Load() {
				t.Error("Add has returned, and a secret comes out")
				break
			}
		}
		return len(p), nil
	}))
	go func() {
		defer close(done)
		<-began
		if err := masks.Add(named("12345678")...); err != nil {
			t.Error(err)
		}
		added.Store(true)
	}()
	if _, err := io.WriteString(w, "12345678"); err != nil {
		t.Error(err)
	}
	<-done
}
