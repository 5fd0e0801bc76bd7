package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"rolecall/internal/adminfile"
	"rolecall/internal/state"
)

const mebibyte = 1 << 20

// checkCredentialsDir checks the folder of the jobs' credentials.
func (h *host) checkCredentialsDir(context.Context) []Finding {
	const area = "credentials_dir"
	dir, named := h.credentialsDir()
	var findings []Finding
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && exists(filepath.Dir(dir)):
		findings = append(findings, ok(area, dir+" does not exist yet: the first job makes it"))
	case err != nil:
		return []Finding{fix(idNoCredentialsDir, area, err.Error(), "make the folder with mode 0700, for the user that runs GitLab Runner")}
	default:
		findings = append(findings, checkPrivate(area, dir, info)...)
	}
	if m := h.mountOf(dir); !isTmpfs(m) {
		do := "mount a tmpfs there"
		if !named {
			do = "name a folder on a tmpfs as credentials_dir in the policy file"
		}
		findings = append(findings, fix(idCredentialsOnDisk, area, fmt.Sprintf("%s is on %s, a disk that keeps what was written", dir, orSome(m.kind)), do))
	} else {
		findings = append(findings, h.checkSwap(area, dir, m)...)
		findings = append(findings, checkOwnMount(area, dir, m)...)
	}
	return append(findings, checkSpace(area, nearest(dir), mebibyte, 8*mebibyte)...)
}

// checkOwnMount warns if others can fill the tmpfs of the credentials.
func checkOwnMount(area, dir string, m mount) []Finding {
	if filepath.Clean(m.point) == filepath.Clean(resolved(dir)) {
		return []Finding{ok(area, dir+" is a tmpfs of its own")}
	}
	do := fmt.Sprintf("give it a tmpfs of its own, by a line in /etc/fstab\ntmpfs %s tmpfs size=64m,mode=0711,nodev,nosuid,noexec 0 0", dir)
	if dir == "/run/rolecall" {
		do = "give it a tmpfs of its own\nsystemctl enable --now run-rolecall.mount"
	}
	return []Finding{look(idSharedTmpfs, area, fmt.Sprintf("%s shares the tmpfs at %s with others: who fills it stops all jobs that need credentials", dir, m.point), do)}
}

// credentialsDir returns the folder of the jobs' credentials, and whether the policy
// file names it.
func (h *host) credentialsDir() (dir string, named bool) {
	if h.settings.CredentialsDir != "" {
		return h.settings.CredentialsDir, true
	}
	roots := state.Roots()
	if i := slices.IndexFunc(roots, func(root string) bool { return isTmpfs(h.mountOf(root)) }); i >= 0 {
		return roots[i], false
	}
	return roots[0], false
}

// checkPrivate checks that a folder is closed to all but its owner. Others may pass
// through it: the driver allows that if jobs have unix users.
func checkPrivate(area, dir string, info fs.FileInfo) []Finding {
	switch {
	case !info.IsDir():
		return []Finding{fix(idNoCredentialsDir, area, dir+" is a link or a file", "make it a folder of mode 0700")}
	case info.Mode().Perm() != 0o700 && info.Mode().Perm() != 0o711:
		return []Finding{fix(idCredentialsMode, area, fmt.Sprintf("%s has mode %04o", dir, info.Mode().Perm()), run("chmod", "0700", dir))}
	case !trusted(info):
		return []Finding{look(idForeign, area, fmt.Sprintf("%s belongs to user %d, neither root nor you", dir, owner(info)), "run rolecall check as the user that runs GitLab Runner; if you do, give the folder to that user")}
	}
	return []Finding{ok(area, dir+" is closed to all but its owner")}
}

// checkSwap warns if the files of a tmpfs may be written to a disk.
//
// https://docs.kernel.org/filesystems/tmpfs.html
func (h *host) checkSwap(area, dir string, m mount) []Finding {
	swaps, _ := os.ReadFile(filepath.Join(h.Proc, "swaps"))
	var disks []string
	for i, line := range strings.Split(string(swaps), "\n") {
		if fields := strings.Fields(line); i > 0 && len(fields) > 0 && !strings.HasPrefix(fields[0], "/dev/zram") {
			disks = append(disks, fields[0])
		}
	}
	if len(disks) == 0 || m.kind == "ramfs" || m.has("noswap") {
		return []Finding{ok(area, dir+" is never written to a disk")}
	}
	return []Finding{look(idSwap, area, fmt.Sprintf("%s may be swapped out to %s", dir, strings.Join(disks, ", ")),
		"mount it with noswap (Linux 6.4), encrypt the swap, or turn it off")}
}

// checkSpace checks how many bytes are free on the file system of path.
func checkSpace(area, path string, least, enough uint64) []Finding {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return []Finding{fix(idSpace, area, fmt.Sprintf("%s: %v", path, err), "find out why its file system does not answer")}
	}
	free := stat.Bavail * uint64(stat.Bsize) //nolint:gosec // a block has a positive size
	what := fmt.Sprintf("%s has %d MiB free", path, free/mebibyte)
	switch {
	case free < least:
		return []Finding{fix(idSpace, area, what, "make room")}
	case free < enough:
		return []Finding{look(idSpace, area, what, "make room")}
	}
	return []Finding{ok(area, what)}
}

// checkAuditLog checks the audit log and its folder. If a line cannot be written, no
// credentials are issued.
func (h *host) checkAuditLog(context.Context) []Finding {
	const area = "audit_log"
	file := h.settings.AuditLog
	if file == "" {
		return nil
	}
	dir := filepath.Dir(file)
	do := "make its folder writable only for the user that runs GitLab Runner, or run rolecall check as that user"
	if err := adminfile.Check(dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			do = "make the folders that the policy file names, writable only for root" + h.provision()
		}
		return []Finding{unsafe(idAuditLog, area, err, do)}
	}
	findings := []Finding{ok(area, dir+" can be changed by nobody else")}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		findings = append(findings, fix(idAuditLog, area, fmt.Sprintf("%s: %v", dir, err), do))
	}
	info, err := os.Lstat(file)
	if err == nil && !info.Mode().IsRegular() {
		findings = append(findings, fix(idAuditLog, area, file+" is not a regular file", "replace it by a regular file"))
	} else if err == nil && adminfile.Check(file) != nil {
		findings = append(findings, unsafe(idAuditLog, area, adminfile.Check(file), do))
	}
	return append(findings, checkSpace(area, dir, mebibyte, 64*mebibyte)...)
}

// checkWorkDirs checks the folders that jobs work in.
func (h *host) checkWorkDirs(context.Context) []Finding {
	var findings []Finding
	for _, f := range []struct{ key, dir string }{{"builds_dir", h.settings.BuildsDir}, {"cache_dir", h.settings.CacheDir}} {
		if f.dir != "" {
			findings = append(findings, h.checkWorkDir(f.key, f.dir)...)
		}
	}
	if strings.ContainsAny(h.settings.BuildsDir, " \t") {
		findings = append(findings, look(idBlank, "builds_dir", h.settings.BuildsDir+" has a blank: jobs with a cache fail, since the runner does not quote the path", "choose a folder without a blank in its path"))
	}
	return findings
}

// checkWorkDir checks a folder that the policy file names. Where jobs have unix users,
// the driver makes it for the first job, but not the folder above it, and uses none that
// belongs to another user.
func (h *host) checkWorkDir(key, dir string) []Finding {
	if info, err := os.Stat(dir); err == nil && len(h.users()) > 0 && !trusted(info) {
		return []Finding{fix(idWorkDir, key, fmt.Sprintf("%s belongs to user %d: jobs with unix users fail", dir, owner(info)), run("chown", "root", dir))}
	}
	if exists(dir) || len(h.users()) == 0 {
		return checkOwned(key, dir)
	}
	if err := adminfile.Check(filepath.Dir(dir)); err != nil {
		return []Finding{unsafe(idWorkDir, key, err, "make the folders that the policy file names, writable only for root"+h.provision())}
	}
	return []Finding{ok(key, dir+" does not exist yet: the first job makes it")}
}

// checkOwned checks that a folder exists, that it belongs to root or to this user, and
// that nobody else may write to it.
func checkOwned(area, dir string) []Finding {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return []Finding{look(idWorkDir, area, err.Error(), "make the folder, writable only for the user that runs GitLab Runner")}
	case !info.IsDir():
		return []Finding{fix(idWorkDir, area, dir+" is not a folder", "replace it by a folder, writable only for the user that runs GitLab Runner")}
	case info.Mode().Perm()&0o022 != 0:
		return []Finding{fix(idOpenDir, area, fmt.Sprintf("others may write to %s (mode %04o)", dir, info.Mode().Perm()), run("chmod", "go-w", dir))}
	case !trusted(info):
		return []Finding{look(idForeign, area, fmt.Sprintf("%s belongs to user %d, neither root nor you", dir, owner(info)), "run rolecall check as the user that runs GitLab Runner; if you do, give the folder to that user")}
	}
	return []Finding{ok(area, dir+" belongs to root or to you, and nobody else may write to it")}
}

// owner returns the id of the user that a file belongs to, or -1.
func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// trusted reports whether a file belongs to root or to this user.
func trusted(info fs.FileInfo) bool { return owner(info) == 0 || owner(info) == os.Geteuid() }

// exists reports whether a file or folder exists at path.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// nearest returns path if it exists, else the first folder above it that does.
func nearest(path string) string {
	for !exists(path) && path != filepath.Dir(path) {
		path = filepath.Dir(path)
	}
	return path
}

// orSome names the kind of a file system.
func orSome(kind string) string {
	if kind == "" {
		return "an unknown file system"
	}
	return kind
}
