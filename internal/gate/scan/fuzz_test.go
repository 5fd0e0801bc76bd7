package scan_test

import (
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
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte, at int) {
		planted := at > 0 && at <= len(content)
		if planted {
			content = append(append(append([]byte{}, content[:at]...), secret(1)...), content[at:]...)
		}
		write(t, dir, "file", content)
		const most = 64 << 20
		start := time.Now()
		result := scanned(t, scan.Options{Dir: dir, Temp: dir, MaxBytes: most, MaxDuration: 10 * time.Second, Workers: 1}, "file")
		if planted && len(result.Findings) == 0 {
			t.Errorf("found nothing: %+v", result)
		}
		if took := time.Since(start); took > 12*time.Second || result.Bytes > most+1<<20 {
			t.Errorf("took %v for %d bytes", took, result.Bytes)
		}
	})
}
