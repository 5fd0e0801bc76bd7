package adminfile_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/adminfile"
	"rolecall/test/kit"
)

// TestSize: a file that is too large is refused, also if its size is reported as 0.
func TestSize(t *testing.T) {
	t.Parallel()
	p := newTree(t)
	for _, size := range []int64{5, 50 << 20, 50 << 30} {
		kit.Must(t, os.Truncate(p.file, size))
		content, err := adminfile.Read(p.file, 4)
		if content != nil || err == nil || !strings.Contains(err.Error(), "is larger than 4 bytes: probably the wrong file") {
			t.Errorf("%d bytes: %d bytes, %v", size, len(content), err)
		}
	}
	if content, err := adminfile.Read("/proc/self/status", 4); content != nil || err == nil || !strings.Contains(err.Error(), "is larger than 4 bytes: probably the wrong file") {
		t.Errorf("a file without a size: %q, %v", content, err)
	}
}

func TestCheckFile(t *testing.T) {
	t.Parallel()
	p := newTree(t)
	f, err := os.Open(p.file)
	kit.Must(t, err)
	defer f.Close()
	kit.Must(t, adminfile.CheckFile(f))
	kit.Must(t, f.Chmod(0o620))
	if err := adminfile.CheckFile(f); err == nil || !strings.Contains(err.Error(), "has mode 0620") {
		t.Error(err)
	}
	if os.Geteuid() == 0 {
		kit.Must(t, f.Chown(stranger, 0))
		if err := adminfile.CheckFile(f); err == nil || !strings.Contains(err.Error(), "belongs to user 4711") {
			t.Error(err)
		}
	}
	folder, err := os.Open(p.dir)
	kit.Must(t, err)
	defer folder.Close()
	if err := adminfile.CheckFile(folder); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
	kit.Must(t, folder.Close())
	if err := adminfile.CheckFile(folder); !errors.Is(err, unix.EBADF) || !strings.HasPrefix(err.Error(), p.dir+": ") {
		t.Errorf("a closed file: %v", err)
	}
}

// TestSwap: even if the file is swapped while it is read, no content of a stranger is
// returned.
func TestSwap(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "files of other users")
	p := newTree(t)
	kit.Must(t, os.WriteFile(p.dir+"/good", []byte(good), 0o600))
	kit.Must(t, os.WriteFile(p.dir+"/bad", []byte("what a user wrote"), 0o600))
	kit.Must(t, os.Chown(p.dir+"/bad", stranger, 0))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Link(p.dir+"/"+[]string{"good", "bad"}[i%2], p.dir+"/next")
			if i%3 == 0 {
				_ = os.Remove(p.dir + "/next")
				_ = os.Symlink("../"+[]string{"good", "bad"}[i%2], p.dir+"/next")
			}
			_ = os.Rename(p.dir+"/next", p.file)
			_ = os.Remove(p.dir + "/next") // a rename onto another name of the same file does nothing
		}
	}()
	counts := map[bool]int{}
	for begin := time.Now(); time.Since(begin) < time.Second; {
		content, err := adminfile.Read(p.file, 1<<10)
		counts[err == nil]++
		if err == nil && string(content) != good {
			t.Fatalf("read %q", content)
		}
	}
	close(stop)
	<-stopped
	if counts[true] == 0 || counts[false] == 0 {
		t.Errorf("the file was never swapped: %v", counts)
	}
}
