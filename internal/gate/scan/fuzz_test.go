package scan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rolecall/internal/gate/scan"
)

// FuzzScan scans a file of random bytes. Whatever they are, the scan ends within its
// limits and finds an unencoded secret.
func FuzzScan(f *testing.F) {
	seeds := 0
	for _, p := range packers() {
		packed := p.pack("name", []byte("content"+secret(0)))
		f.Add(packed, 0)
		f.Add(p.pack("outer", packed), 20)
		f.Add(packed[:len(packed)*2/3], len(packed)/2)
		seeds++
	}
	f.Add(zip64Of(zipOf("a", []byte("a"))), 10)
	if seeds == 0 {
		f.Fatal("there is nothing to start with")
	}
	dir, secrets, text := f.TempDir(), issued(), secret(1)
	f.Fuzz(func(t *testing.T, content []byte, at int) {
		planted := at > 0 && at <= len(content)
		if planted {
			content = append(append(append([]byte{}, content[:at]...), text...), content[at:]...)
		}
		write(t, dir, "file", content)
		const most = 2 << 20
		start := time.Now()
		result, err := scan.Scan(t.Context(), secrets, named("file"), scan.Options{Dir: dir, Temp: dir, MaxBytes: most, MaxDuration: 10 * time.Second, Workers: 1})
		if shown := fmt.Sprintf("%+v", result); err != nil || strings.Contains(shown, text) {
			t.Fatalf("%v, the result shows a secret: %s", err, shown)
		}
		if planted && len(result.Findings) == 0 {
			t.Errorf("found nothing: %+v", result)
		}
		if took := time.Since(start); took > 12*time.Second || result.Bytes > most+1<<20 {
			t.Errorf("took %v for %d bytes", took, result.Bytes)
		}
	})
}
