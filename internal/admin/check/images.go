package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rolecall/internal/account"
	"rolecall/internal/backend/podman"
)

// imagesArea is the area of findings about the folder of the images.
const imagesArea = "images_dir"

// checkImages checks the folder of the images, its disk, and the folder of links to what is
// in it.
func (h *host) checkImages(ctx context.Context) []Finding {
	dir := h.settings.Containers.Engine.ImagesDir
	return slices.Concat(h.checkWorkDir(imagesArea, dir), h.checkImagesMount(dir), h.checkPodmanLinks(), h.checkStores(ctx, dir),
		withAdvice(checkSpace(imagesArea, nearest(dir), 64*mebibyte, 5<<10*mebibyte), pruneAdvice))
}

// noOverlay are file systems that cannot be the upper layer of overlay, or that are shared
// with other hosts. Those of FUSE are such too.
//
// https://docs.kernel.org/filesystems/overlayfs.html
func noOverlay(kind string) bool {
	return strings.HasPrefix(kind, "fuse.") || slices.Contains([]string{
		"overlay", "nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "afs", "ceph", "glusterfs", "gfs2", "ocfs2", "vfat", "exfat", "ntfs3", "ramfs",
	}, kind)
}

// checkImagesMount checks the file system of the images.
func (h *host) checkImagesMount(dir string) []Finding {
	m := h.mountOf(dir)
	switch {
	case noOverlay(m.kind):
		return []Finding{fix(idImagesDisk, imagesArea, fmt.Sprintf("%s is on %s, where podman cannot keep images", dir, m.kind), "name a folder on a disk of this host with ext4, xfs or btrfs")}
	case m.has("noexec"):
		return []Finding{fix(idImagesDisk, imagesArea, dir+" is mounted noexec: no program of an image can start", "let programs start there, now and by its line in /etc/fstab"+run("mount", "-o", "remount,exec", m.point))}
	case isTmpfs(m):
		return []Finding{look(idImagesDisk, imagesArea, fmt.Sprintf("%s is on %s: images take memory, and are gone after a reboot", dir, m.kind), "name a folder on a disk")}
	}
	return []Finding{ok(imagesArea, fmt.Sprintf("%s is on %s", dir, orSome(m.kind)))}
}

// checkPodmanLinks checks the folder of short paths for podman, which the first job makes.
func (h *host) checkPodmanLinks() []Finding {
	info, err := os.Lstat(filepath.Join(h.Root, podman.LinksDir))
	switch {
	case err != nil:
		return nil
	case !info.IsDir() || !trusted(info):
		return []Finding{fix(idPodmanLinks, containersArea, podman.LinksDir+" is no folder of root's", "find out who made it, then remove it"+run("rm", "-r", podman.LinksDir))}
	case info.Mode().Perm() != 0o711:
		return []Finding{fix(idPodmanLinks, containersArea, fmt.Sprintf("%s has mode %04o", podman.LinksDir, info.Mode().Perm()), run("chmod", "0711", podman.LinksDir))}
	}
	return nil
}

// checkIDs checks that each user of jobs can have ids for containers, and that nobody else
// has these ids.
func (h *host) checkIDs(context.Context) []Finding {
	var findings []Finding
	for _, name := range h.users() {
		if a, err := account.Lookup(name); err == nil {
			if _, err := podman.RangeOf(h.settings.Containers.Engine.ImagesDir, a.UID); err != nil {
				findings = append(findings, fix(idContainerIDs, imagesArea, fmt.Sprintf("user %q gets no ids for containers: %v", name, err), "correct the links in "+h.settings.Containers.Engine.ImagesDir+"/.ids"))
			}
		}
	}
	for _, file := range []string{"etc/subuid", "etc/subgid", "etc/passwd", "etc/group"} {
		findings = append(findings, h.checkOthersIDs(file)...)
	}
	if findings == nil {
		ids := podman.Ranges()
		return []Finding{ok(containersArea, fmt.Sprintf("nobody else has the ids of containers, %d to %d", ids.First, ids.First+ids.Count-1))}
	}
	return findings
}

// checkOthersIDs reports lines of a file that give ids of containers to somebody else. They
// are NAME:FIRST:COUNT, or NAME:PASSWORD:ID and more.
//
// https://man7.org/linux/man-pages/man5/subuid.5.html
func (h *host) checkOthersIDs(file string) []Finding {
	content, err := os.ReadFile(filepath.Join(h.Root, file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []Finding{fix(idContainerIDs, containersArea, fmt.Sprintf("/%s may give ids of containers to somebody: %v", file, err), "let root run rolecall, and let root read the file")}
	}
	ids := podman.Ranges()
	var findings []Finding
	for line := range strings.Lines(string(content)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(fields) < 3 {
			continue
		}
		first, count := fields[1], fields[2]
		if len(fields) > 3 {
			first, count = fields[2], "1"
		}
		from, err := strconv.ParseUint(first, 10, 63) // their sum has 64 bits
		n, errCount := strconv.ParseUint(count, 10, 63)
		if err == nil && errCount == nil && from+n > uint64(ids.First) && from < uint64(ids.First)+uint64(ids.Count) {
			findings = append(findings, fix(idContainerIDs, containersArea, fmt.Sprintf("/%s gives %q ids of containers: %d to %d are for these alone", file, fields[0], ids.First, ids.First+ids.Count-1),
				"give "+fields[0]+" other ids"))
		}
	}
	return findings
}
