package check_test

import (
	"os"
	"strings"
	"testing"

	"rolecall/internal/admin/check"
	"rolecall/test/kit"
)

// onMount puts a mount in the place of the folder of the images.
func onMount(line string) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		h.mkdir(t, "images", 0o711)
		h.mounts += h.expand("9 1 0:9 / DIR/images " + line + "\n")
	}
}

// withLayer makes a store that has a layer of 1 MiB, and more that is no layer.
func withLayer(t *testing.T, h *host) {
	t.Helper()
	h.write(t, "images/alpha/protected.lock", "", 0o600)
	h.write(t, "images/alpha/protected/overlay/"+strings.Repeat("a", 64)+"/diff/file", strings.Repeat("x", 1<<20), 0o600)
	h.write(t, "images/alpha/protected/overlay/l/X", strings.Repeat("x", 4<<20), 0o600)
	kit.Must(t, os.Chmod(h.path("images"), 0o711))
}

// TestNoOverlayKinds: podman keeps no images on file systems that overlay refuses, or that hosts share.
func TestNoOverlayKinds(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"overlay", "nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "afs", "ceph", "glusterfs", "gfs2", "ocfs2", "vfat", "exfat", "ntfs3", "ramfs", "fuse.x"} {
		if !check.NoOverlay(kind) {
			t.Errorf("images can be on %s", kind)
		}
	}
	for _, kind := range []string{"ext4", "xfs", "btrfs", "tmpfs", "zfs", "f2fs", "fuse"} {
		if check.NoOverlay(kind) {
			t.Errorf("images cannot be on %s", kind)
		}
	}
}

// imageFaults are about the folder of the images, and ids.
func imageFaults() []fault {
	const area, images = "containers", "images_dir"
	return []fault{
		{"not made yet", func(*testing.T, *host) {}, want{check.OK, images, "images does not exist yet: the first job makes it"}},
		{"disk", func(*testing.T, *host) {}, want{check.OK, images, "images is on ext4"}},
		{"loose images", func(t *testing.T, h *host) { h.mkdir(t, "images", 0o777) }, want{check.Fix, images, "others may write to "}},
		{"images of a user", func(t *testing.T, h *host) {
			h.mkdir(t, "images", 0o711)
			kit.Must(t, os.Chown(h.path("images"), 4711, 0))
		}, want{check.Fix, images, "images belongs to user 4711: jobs with unix users fail"}},
		{"closed images", func(t *testing.T, h *host) { h.mkdir(t, "images", 0o700) }, want{check.Fix, images, "images (mode 0700)"}},
		{"network disk", onMount("rw - nfs4 server:/x rw"), want{check.Fix, images, "is on nfs4"}},
		{"disk of a user", onMount("rw - fuse.sshfs x rw"), want{check.Fix, images, "is on fuse.sshfs"}},
		{"noexec", onMount("rw,noexec - ext4 /dev/sdc rw"), want{check.Fix, images, "mounted noexec"}},
		{"memory", onMount("rw - tmpfs tmpfs rw"), want{check.Look, images, "images take memory"}},
		{"stores", withLayer, want{check.OK, images, "images has 1 stores with 1 MiB of images; each may have any size: images_max_bytes is not set"}},
		{"bounded stores", func(t *testing.T, h *host) {
			inPolicy(`engine = "podman"`, "engine = \"podman\"\nimages_max_bytes = 2097152")(t, h)
			withLayer(t, h)
		}, want{check.OK, images, "with 1 MiB of images; images_max_bytes lets each have 2 MiB"}},
		{"a store that is too big", func(t *testing.T, h *host) {
			inPolicy(`engine = "podman"`, "engine = \"podman\"\nimages_max_bytes = 1048576")(t, h)
			withLayer(t, h)
			h.write(t, "images/alpha/protected/overlay/"+strings.Repeat("b", 64)+"/diff/file", strings.Repeat("x", 1<<20), 0o600)
		}, want{check.Look, images, "alpha/protected has 2 MiB, and images_max_bytes lets it have 1 MiB"}},
		{"a store that is a file", func(t *testing.T, h *host) {
			withLayer(t, h)
			h.write(t, "images/beta/protected.lock", "", 0o600)
			h.write(t, "images/beta/protected", "", 0o600)
		}, want{check.Look, images, "the images cannot be measured: "}},
		{"links of others", func(t *testing.T, h *host) {
			h.mkdir(t, "root/run/rolecall-podman", 0o711)
			kit.Must(t, os.Chown(h.path("root/run/rolecall-podman"), 4711, 0))
		}, want{check.Fix, area, "/run/rolecall-podman is no folder of root's"}},
		{"a file for the links", writing("root/run/rolecall-podman", "", 0o711), want{check.Fix, area, "/run/rolecall-podman is no folder of root's"}},
		{"links", func(t *testing.T, h *host) { h.mkdir(t, "root/run/rolecall-podman", 0o711) }, want{check.OK, area, "nobody else has the ids"}},
		{"links that all can write", func(t *testing.T, h *host) { h.mkdir(t, "root/run/rolecall-podman", 0o777) }, want{check.Fix, area, "/run/rolecall-podman has mode 0777"}},
		{"range that is no number", func(t *testing.T, h *host) {
			h.mkdir(t, "images/.ids", 0o711)
			h.mkdir(t, "images", 0o711)
			kit.Must(t, os.Symlink("x", h.path("images/.ids/33"))) // of uid 33
		}, want{check.Fix, images, `user "www-data" gets no ids for containers`}},
		{"range of the user that is tried", func(t *testing.T, h *host) {
			h.mkdir(t, "images/.ids", 0o711)
			h.mkdir(t, "images", 0o711)
			kit.Must(t, os.Symlink("x", h.path("images/.ids/34")))
		}, want{check.Fix, area, `34 is a link to "x", which is no uid`}},
		{"subuid", writing("root/etc/subuid", "ci:100000:65536\nbig:2000000000:65536\n", 0o644), want{check.Fix, area, `/etc/subuid gives "big" ids of containers`}},
		{"subuid that ends there", writing("root/etc/subuid", "big:1879048191:2\n", 0o644), want{check.Fix, area, `/etc/subuid gives "big"`}},
		{"subuid beside", writing("root/etc/subuid", "a:1879048191:1\nb:2147483648:65536\n", 0o644), want{check.OK, area, "nobody else has the ids"}},
		{"subuid of no numbers", writing("root/etc/subuid", "x:y:2147483647\nz:1879048193:many\n", 0o644), want{check.OK, area, "nobody else has the ids"}},
		{"subuid of all ids", writing("root/etc/subuid", "big:1:4294967296\n", 0o644), want{check.Fix, area, `/etc/subuid gives "big"`}},
		{"subgid", writing("root/etc/subgid", "big:2000000000:65536\n", 0o644), want{check.Fix, area, `/etc/subgid gives "big"`}},
		{"group of these ids", writing("root/etc/group", "x:x:1879048200:\n", 0o644), want{check.Fix, area, `/etc/group gives "x"`}},
		{"user of these ids", writing("root/etc/passwd", "x:x:1879048200:1:::\n", 0o644), want{check.Fix, area, `/etc/passwd gives "x"`}},
	}
}
