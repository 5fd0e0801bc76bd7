package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"rolecall/internal/cgroup"
)

// Debian is a fresh Debian 12 that has been started with systemd. It has its own files,
// processes, host name and cgroups. It shares the kernel and the network, so that
// servers on loopback are the same.
type Debian struct {
	// Root is the folder of its files on this host.
	Root string

	init   *exec.Cmd
	cgroup string // path of its cgroup
	admin  *os.File
}

// boot makes the folder $1 the root of all files, and starts systemd in the cgroup $2.
// The settings of the kernel, which it shares with this host, are read-only. A file /etc/boot_id
// is the id of its boot.
//
// https://systemd.io/CONTAINER_INTERFACE/
const boot = `
echo 0 > "$2/cgroup.procs"
exec unshare --cgroup sh -ec '
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
if [ -e etc/boot_id ]; then mount --bind etc/boot_id proc/sys/kernel/random/boot_id; fi
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
  touch dev/$device
  mount --bind /dev/$device dev/$device
done
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mkdir dev/shm dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mkdir host
pivot_root . host
umount -l /host
rmdir /host
exec env -i container=rolecall PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=null --show-status=0
' sh "$1"`

// UnpackDebian unpacks a Debian into the empty folder dir. Start starts it. Only root can
// do either. The error is fs.ErrNotExist if "make parts" has not made it.
func UnpackDebian(ctx context.Context, dir string) (*Debian, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	archive := filepath.Join(root, "bin/test/debian.tar")
	if _, err := os.Stat(archive); err != nil {
		return nil, fmt.Errorf("run \"make parts\" as root, with debootstrap installed: %w", err)
	}
	if out, err := exec.CommandContext(ctx, "tar", "-C", dir, "-xpf", archive).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", archive, err, out)
	}
	const name = "debian"
	return &Debian{Root: dir}, errors.Join(os.Chmod(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "etc/hostname"), []byte(name+"\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "etc/hosts"), []byte("127.0.0.1 localhost\n127.0.1.1 "+name+"\n"), 0o644))
}

// Start starts systemd, and waits until all services have started. The error is
// errors.ErrUnsupported where this host has no cgroups that systemd can use.
func (d *Debian) Start(ctx context.Context) error {
	if err := d.makeGroup(); err != nil {
		return err
	}
	d.init = exec.Command("sh", "-ec", boot, "sh", d.Root, d.cgroup)
	d.init.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true, Pdeathsig: syscall.SIGKILL,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
	}
	var said bytes.Buffer
	d.init.Stderr = &said
	if err := d.init.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		state, err := d.Run(ctx, "systemctl is-system-running")
		if strings.TrimSpace(state) == "running" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it has not started: %s, %w: %s", state, err, &said)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// makeGroup makes the cgroup of the Debian, below that of this process.
func (d *Debian) makeGroup() error {
	parent, err := cgroup.Own()
	if err != nil {
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	defer parent.Close()
	if parent.Kind() != cgroup.V2 {
		return fmt.Errorf("%w: systemd needs %s, and this process is in a %s", errors.ErrUnsupported, cgroup.V2, parent.Kind())
	}
	d.cgroup, err = os.MkdirTemp(parent.Path(), "debian-")
	if err != nil {
		return err
	}
	admin := filepath.Join(d.cgroup, "admin.scope")
	if err := os.Mkdir(admin, 0o755); err != nil {
		return err
	}
	d.admin, err = os.Open(admin)
	return err
}

// Run runs a script of sh as root of the Debian, with the variables that a login of root
// has. It returns what the script prints, and an error if the script fails.
func (d *Debian) Run(ctx context.Context, script string) (string, error) {
	command := exec.CommandContext(ctx, "nsenter", "--target", fmt.Sprint(d.init.Process.Pid), "--mount", "--uts", "--pid", "--cgroup", "--root", "--wd",
		"env", "-i", "HOME=/root", "USER=root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-ec", script)
	command.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(d.admin.Fd())}
	out, err := command.CombinedOutput()
	return string(out), err
}

// Close kills all processes of the Debian and removes its cgroups. Its files stay.
func (d *Debian) Close() error {
	if d.init != nil && d.init.Process != nil {
		_ = d.init.Process.Kill() // and with it all others
		_ = d.init.Wait()
	}
	if d.admin != nil {
		_ = d.admin.Close()
	}
	return removeGroups(d.cgroup)
}

// removeGroups removes a cgroup and those below it. Processes that have been killed take
// a moment to leave.
func removeGroups(path string) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := removeOnce(path)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// removeOnce is removeGroups without patience.
func removeOnce(path string) error {
	var groups []string
	err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	if path == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, group := range slices.Backward(groups) { // those below come first
		err = errors.Join(err, os.Remove(group))
	}
	return err
}
