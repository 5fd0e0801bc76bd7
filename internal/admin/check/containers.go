package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rolecall/internal/adminfile"
	"rolecall/internal/backend/podman"
	"rolecall/internal/fault"
	"rolecall/internal/image"
)

// containersArea is the area of findings about what containers need.
const containersArea = "containers"

// boxed reports whether jobs can have containers.
func (h *host) boxed() bool { return h.settings.Containers.Engine.Name != "" }

// checkContainers checks what jobs with an image need of this host. It asks no registry.
func (h *host) checkContainers(ctx context.Context) []Finding {
	if !h.boxed() {
		return nil
	}
	checks := []func(context.Context) []Finding{
		h.checkOwners, h.checkEngine, h.checkCgroups, h.checkTun, h.checkNamespaces, h.checkSecurity, h.checkImages, h.checkIDs,
	}
	return gather(len(checks), func(i int) []Finding { return checks[i](ctx) })
}

// checkOwners reports what keeps jobs from having containers at all: a driver that is not
// root, jobs without a unix user, and rules that allow no image.
func (h *host) checkOwners(context.Context) []Finding {
	var findings []Finding
	if uid := os.Geteuid(); uid != 0 {
		findings = append(findings, fix(idNotRoot, containersArea, fmt.Sprintf("you are user %d, and only root can run containers", uid), "let root run GitLab Runner, and rolecall check too"))
	}
	allowed, without := h.whoHasImages()
	if len(without) > 0 {
		findings = append(findings, fix(idNoUser, "run_as", "jobs with an image need a unix user, and have none: "+strings.Join(without, ", "),
			h.setUser()))
	}
	if !allowed && h.settings.Containers.DefaultImage == "" {
		findings = append(findings, look(idNoImage, containersArea, "the policy file allows no image: jobs with image: are refused", `set images for a tenant or in [defaults], such as images = ["docker.io/library/alpine:*"]`))
	}
	return findings
}

// whoHasImages reports whether any jobs may name an image, and which jobs can have one, but
// no unix user.
func (h *host) whoHasImages() (allowed bool, without []string) {
	c := h.settings.Containers
	add := func(who, user string, rules image.Rules) {
		allowed = allowed || len(rules.Images) > 0
		if user == "" && (len(rules.Images) > 0 || c.DefaultImage != "" || c.RequireImage) {
			without = append(without, who)
		}
	}
	for _, t := range h.policy.Tenants() {
		add(string(t.Name), t.RunAs, t.Images)
	}
	add("the jobs without a tenant", h.settings.RunAs, h.settings.Images)
	return allowed, without
}

// served reports whether jobs may have services.
func (h *host) served() bool {
	served := len(h.settings.Images.Services) > 0
	for _, t := range h.policy.Tenants() {
		served = served || len(t.Images.Services) > 0
	}
	return served
}

// find returns the path of a program that containers need, or an empty text.
func (h *host) find(name string) string {
	dirs := filepath.SplitList(h.Path)
	for _, dir := range podman.HelperDirs() {
		dirs = append(dirs, filepath.Join(h.Root, dir))
	}
	i := slices.IndexFunc(dirs, func(dir string) bool { return startable(filepath.Join(dir, name)) })
	if i < 0 {
		return ""
	}
	return filepath.Join(dirs[i], name)
}

// checkEngine checks that the programs of containers exist, and their versions.
func (h *host) checkEngine(ctx context.Context) []Finding {
	missing := slices.DeleteFunc(podman.Programs(h.served(), h.settings.Containers.Engine.Network), func(name string) bool { return h.find(name) != "" })
	var findings []Finding
	if len(missing) > 0 {
		findings = append(findings, fix(idNoEngine, containersArea, strings.Join(missing, ", ")+": in no folder of "+h.Path, "install them\n"+podman.Install(missing)))
	}
	for _, name := range []string{"podman", "crun"} {
		if path := h.find(name); path != "" {
			findings = append(findings, checkVersion(ctx, path))
		}
	}
	return findings
}

// The oldest podman that containers were run with.
const (
	leastMajor = 4
	leastMinor = 3
)

// checkVersion checks the version of podman or crun. It starts the program only if nobody
// else can have changed it.
func checkVersion(ctx context.Context, path string) Finding {
	if err := adminfile.Check(path); err != nil {
		return unsafe(idEngineProgram, containersArea, err, "let the program and the folders above it belong to root, and nobody else write there")
	}
	said, _, _ := strings.Cut(versionOf(ctx, path), "\n")
	name := filepath.Base(path)
	var major, minor int
	if _, err := fmt.Sscanf(said, name+" version %d.%d", &major, &minor); err != nil {
		return fix(idEngineVersion, containersArea, fmt.Sprintf("%s --version says %.*q", path, maxShown, said), "install "+name+" anew")
	}
	if name == "podman" && cmp.Or(cmp.Compare(major, leastMajor), cmp.Compare(minor, leastMinor)) < 0 {
		return fix(idEngineVersion, containersArea, fmt.Sprintf("%s is older than %d.%d", said, leastMajor, leastMinor), "install a newer podman, such as that of Debian 12, Ubuntu 24.04 or RHEL 9")
	}
	return ok(containersArea, said)
}

// checkCgroups reports cgroups with which crun starts no container, as the backend does.
func (h *host) checkCgroups(context.Context) []Finding {
	err := podman.CheckCgroup(filepath.Join(h.Root, podman.CgroupDir))
	if broken, isFault := errors.AsType[*fault.Error](err); isFault {
		return []Finding{fix(idCgroups, containersArea, broken.What.Error(), broken.Next)}
	}
	return []Finding{ok(containersArea, "this host has cgroups of version 2 alone")}
}

// checkTun checks the device with which services reach the network. slirp4netns opens it as
// the root of the job's user namespace, so for this host as the job's user.
//
// https://docs.kernel.org/networking/tuntap.html
func (h *host) checkTun(context.Context) []Finding {
	const all = 0o666
	if !h.served() || h.settings.Containers.Engine.Network == "none" {
		return nil
	}
	info, err := os.Stat(filepath.Join(h.Root, "dev/net/tun"))
	if err != nil {
		return []Finding{fix(idTun, containersArea, "jobs with services have no network: /dev/net/tun is not there", "load the module, now and at each boot\nmodprobe tun\necho tun > /etc/modules-load.d/tun.conf")}
	}
	if mode := info.Mode().Perm(); mode&all != all {
		return []Finding{fix(idTun, containersArea, fmt.Sprintf("jobs with services have no network: /dev/net/tun has mode %04o", mode),
			"open it to all users, now and at each boot\nchmod 0666 /dev/net/tun\n"+`echo 'KERNEL=="tun", MODE="0666"' > /etc/udev/rules.d/90-tun.rules`)}
	}
	return []Finding{ok(containersArea, "/dev/net/tun is open to all users")}
}
