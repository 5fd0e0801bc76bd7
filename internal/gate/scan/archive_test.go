package scan_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/gate/scan"
)

// TestNesting puts a secret into each sequence of nested archives, and into one more
// level.
func TestNesting(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("some text ", 100) + secret(1) + strings.Repeat("\nmore text", 100))
	dir := t.TempDir()
	var nest func(t *testing.T, name, inside string, content []byte, depth int)
	nest = func(t *testing.T, name, inside string, content []byte, depth int) {
		for _, p := range packers() {
			member := "in." + name
			packed, way := p.pack(member, content), inside
			if p.names {
				way = strings.TrimSuffix(member+" > "+inside, " > ")
			}
			outer := p.name
			if !p.names {
				outer = name + "." + p.name
			}
			if name == "tar" && !p.names {
				continue // that is tar.gz
			}
			if name == "exe" {
				continue // what is at its end is not looked for inside of something compressed
			}
			if depth == 2 {
				write(t, dir, "file", packed)
				result := scanned(t, scan.Options{Dir: dir}, "file")
				if len(result.Findings) != 1 || result.Findings[0].Inside != way || len(result.Problems) > 0 {
					t.Errorf("%s, want inside %q: %+v", outer, way, result)
				}
				continue
			}
			nest(t, outer, way, packed, depth+1)
		}
	}
	nest(t, "text", "", text, 0)
}

func TestTooDeep(t *testing.T) {
	t.Parallel()
	deep := "deep: %s: " + scan.ErrDepth.Error()
	for _, test := range []struct {
		name    string
		content []byte
		inside  string
		found   bool
	}{
		{"zip in zip in zip in zip", zipOf("a", zipOf("b", zipOf("c", zipOf("d", []byte(secret(1)))))), "a > b > c", false},
		{"gzip in tar in gzip in zip", zipOf("a", gzipOf("", tarOf("b", gzipOf("", gzipOf("", []byte(secret(1))))))), "a > b", true},
		{"tar in zip in tar in tar", tarOf("a", tarOf("b", zipOf("c", tarOf("d", []byte(secret(1)))))), "a > b > c", true},
		{"tar in zip by zstd", rawZip("a", 93, 0, zstdOf("", tarOf("b", tarOf("c", tarOf("d", []byte(secret(1))))))), "a > b > c", true},
		{"stored in stored", storedOf("a", storedOf("b", storedOf("c", storedOf("d", []byte(secret(1)))))), "a > b > c", true},
		{"zstd", zstdOf("", zstdOf("", zstdOf("", zstdOf("", []byte(secret(1)))))), "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "deep", test.content)
			var found []string
			if test.found { // in the bytes as they are
				found = []string{"deep: " + test.inside + ": secret access key"}
			}
			want(t, scanned(t, scan.Options{Dir: dir}, "deep"), found, []string{fmt.Sprintf(deep, test.inside)})
		})
	}
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	text := append([]byte(secret(1)), largeText(1<<20)...)
	incompressible := append([]byte(secret(1)), noise(300000)...)
	encrypted := rawZip("locked", 8, 1, noise(100))
	foreign := rawZip("squeezed", 12, 0, noise(100))
	lying := storedOf("a", text)
	binary.LittleEndian.PutUint32(lying[bytes.LastIndex(lying, []byte("PK\x01\x02"))+42:], 1<<31)
	for _, test := range []struct {
		name    string
		content []byte
		found   bool
		inside  string
		reason  error
	}{
		{"gzip cut short", gzipOf("", incompressible)[:200000], true, "", scan.ErrDamaged},
		{"gzip without a header", []byte("\x1f\x8b\x08\x00\x00"), false, "", scan.ErrDamaged},
		{"gzip of garbage", append([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00"), noise(1000)...), false, "", scan.ErrDamaged},
		{"zstd cut short", zstdOf("", incompressible)[:280000], true, "", scan.ErrDamaged},
		{"zstd of garbage", append([]byte("\x28\xb5\x2f\xfd"), noise(1000)...), false, "", scan.ErrDamaged},
		{"tar cut short", tarOf("a", text)[:10000], true, "", scan.ErrDamaged},
		{"tar.gz cut short", gzipOf("", tarOf("a", incompressible))[:200000], true, "", scan.ErrDamaged},
		{"zip cut short", storedOf("a", text)[:10000], true, "", scan.ErrDamaged},
		{"zip without its beginning", zipOf("a", incompressible)[1000:], false, "", scan.ErrDamaged},
		{"zip that lies of offsets", lying, true, "a", scan.ErrDamaged},
		{"an encrypted entry", encrypted, false, "locked", scan.ErrEncrypted},
		{"an unknown method", foreign, false, "squeezed", scan.ErrMethod},
		{"a window of 16 MiB", windowed(16<<20, text), true, "", scan.ErrMemory},
		{"a window of 8 MiB in another", windowed(8<<20, windowed(8<<20, text)), true, "", scan.ErrMemory},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "x", test.content)
			result := scanned(t, scan.Options{Dir: dir}, "x")
			if len(result.Problems) != 1 || !errors.Is(result.Problems[0].Reason, test.reason) || result.Problems[0].Inside != test.inside {
				t.Errorf("problems %+v, want %v at %q", result.Problems, test.reason, test.inside)
			}
			if len(result.Findings) > 0 != test.found {
				t.Errorf("findings %+v", result.Findings)
			}
		})
	}
}

// TestOnlyLikeArchives scans files that begin or end nearly as an archive.
func TestOnlyLikeArchives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	names := []string{}
	for i, content := range []string{
		"", "P", "PK", "PK\x03", "\x1f\x8b", "\x28\xb5\x2f", "PK is a name", strings.Repeat("0", 600), strings.Repeat(" ", 600),
		string(make([]byte, 1024)), "text about PK\x05\x06", "#!/bin/sh\necho PK\x05\x06 is the end\n", "MZ" + strings.Repeat("x", 70000),
	} {
		names = append(names, fmt.Sprint(i))
		write(t, dir, names[i], []byte(content))
	}
	want(t, scanned(t, scan.Options{Dir: dir}, names...), nil, nil)
}

// TestPlaces: each place in an archive with a secret is reported once.
func TestPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var many bytes.Buffer
	w := tar.NewWriter(&many)
	for i := range 14 {
		content := secret(0)
		must(0, w.WriteHeader(&tar.Header{Name: fmt.Sprintf("m%02d", i), Mode: 0o600, Size: int64(len(content))}))
		must(io.WriteString(w, content))
	}
	must(0, w.Close())
	write(t, dir, "many.tar", many.Bytes())
	write(t, dir, "many.tar.zst", zstdOf("", many.Bytes()))
	result := scanned(t, scan.Options{Dir: dir}, "many.tar", "many.tar.zst")
	for i, f := range result.Findings {
		if f.Name == "many.tar.zst" && f.Inside != fmt.Sprintf("m%02d", i-9) {
			t.Errorf("finding %d is %+v", i, f)
		}
	}
	if n := len(result.Findings); n < 18 || n > 20 {
		t.Errorf("%d places: %+v", n, result.Findings)
	}
}

// TestManyArchives scans archives side by side, which have the same depth.
func TestManyArchives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inner := zipOf("c", gzipOf("", []byte(strings.Repeat(secret(2), 3))))
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	var places []string
	for i := range 6 {
		name := fmt.Sprint("b", i)
		must(must(w.Create(name)).Write(inner))
		places = append(places, "a.zip: "+name+" > c: session token")
	}
	must(0, w.Close())
	write(t, dir, "a.zip", out.Bytes())
	want(t, scanned(t, scan.Options{Dir: dir}, "a.zip"), places, nil)
}

// TestSkippedFrame: only the second frame of the file says how large its window is.
func TestSkippedFrame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := []byte(strings.Repeat(" text", 1<<19) + secret(1))
	write(t, dir, "a.zst", append([]byte("\x5f\x2a\x4d\x18\x00\x00\x00\x00"), windowed(2<<20, text)...))
	want(t, scanned(t, scan.Options{Dir: dir}, "a.zst"), []string{"a.zst: : secret access key"}, nil)
}

// TestTools scans archives that other programs have made.
func TestTools(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "in/file", []byte(secret(1)+strings.Repeat(" text", 1000)))
	long := strings.Repeat("long/", 30)
	write(t, dir, "in/"+long+"file", []byte("no secret"))
	for _, test := range []struct{ out, command string }{
		{"t.tar", "tar cf t.tar in"},
		{"v7.tar", "tar --format=v7 --exclude=long -cf v7.tar in"},
		{"pax.tgz", "tar --format=pax -czf pax.tgz in"},
		{"u.tar.zst", "tar --zstd -cf u.tar.zst in"},
		{"file.gz", "gzip -c in/file > file.gz"},
		{"file.zst", "zstd -q -19 -c in/file > file.zst"},
		{"file.long.zst", "zstd -q --ultra -22 --long=27 -c in/file > file.long.zst"},
		{"t.zip", "zip -qr t.zip in"},
		{"pipe.zip", "cat in/file | zip -q pipe.zip -"},
		{"nested.zip", "zip -qr inner.zip in && tar czf inner.tgz inner.zip && zip -q nested.zip inner.tgz"},
	} {
		program, _, _ := strings.Cut(test.command, " ")
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("no %s: %s is not tested", program, test.out)
			continue
		}
		command := exec.Command("sh", "-ec", test.command)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", test.command, err, out)
		}
		if r := scanned(t, scan.Options{Dir: dir}, test.out); len(r.Findings) != 1 || len(r.Problems) > 0 {
			t.Errorf("%s: %+v", test.out, r)
		}
	}
	command := exec.Command("sh", "-ec", "zip -qr -P password e.zip in/file")
	command.Dir = dir
	if command.Run() == nil {
		want(t, scanned(t, scan.Options{Dir: filepath.Clean(dir)}, "e.zip"), nil, []string{"e.zip: in/file: " + scan.ErrEncrypted.Error()})
	}
}
