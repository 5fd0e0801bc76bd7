package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rolecall/internal/account"
	"rolecall/internal/tenant"
	"rolecall/internal/workdir"
)

// maxNames bounds how many files of a home are named.
const maxNames = 12

// home is a HOME with which a login shell starts.
type home struct {
	path   string
	source string // whose startup files it has: path, or the skeleton it is a copy of; empty: none
}

// ownHomes reports whether the driver gives each tenant and trust class a HOME of its
// own; without a policy file there is no BuildsDir. It takes the runner's service for root if
// this process is root.
func (h *host) ownHomes() bool {
	return os.Geteuid() == 0 && !h.settings.PasswdHome && h.settings.BuildsDir != ""
}

// folders returns the folders, below builds_dir, of the jobs that the policy file runs as
// a user.
func (h *host) folders(user string) []string {
	var folders []string
	add := func(name tenant.Name, runAs string) {
		if runAs == user {
			folders = append(folders, tenant.Grant{Tenant: name, Protected: true}.Folder(), tenant.Grant{Tenant: name}.Folder())
		}
	}
	add(tenant.None, h.settings.RunAs)
	for _, t := range h.policy.Tenants() {
		add(t.Name, t.RunAs)
	}
	return folders
}

// homes returns the paths of the HOMEs that jobs of a user get. They need not exist.
func (h *host) homes(a account.Account) []string {
	if !h.ownHomes() {
		return []string{a.Home}
	}
	var homes []string
	for _, folder := range h.folders(a.Name) {
		homes = append(homes, filepath.Join(h.settings.BuildsDir, workdir.HomeOf(folder)))
	}
	if slices.Contains(h.flagUsers(), a.Name) {
		homes = append(homes, a.Home)
	}
	return homes
}

// shellHomes returns the HOMEs that login shells of a user are tried with: those that
// exist or are the user's own, and for the others a temporary one. The caller must call
// remove.
func (h *host) shellHomes(a account.Account) (homes []home, remove func()) {
	remove = func() {}
	missing := false
	for _, path := range h.homes(a) {
		if path != a.Home && !exists(path) {
			missing = true
			continue
		}
		homes = append(homes, home{path, path})
	}
	if missing {
		if path, removeNew, err := newHome(h.settings.HomeSkeleton, workdir.Owner{UID: a.UID, GID: a.GID}); err == nil { // checkHomes reports the error
			homes, remove = append(homes, home{path, h.settings.HomeSkeleton}), removeNew
		}
	}
	return homes, remove
}

// newHome makes a HOME as the first job of a tenant and trust class finds it, but below
// the folder of temporary files. The caller must call remove, unless there is an error.
func newHome(skeleton string, owner workdir.Owner) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "rolecall-check-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	err = os.Chmod(dir, 0o711) //nolint:gosec // the user must pass through it
	names := workdir.HomeOf("try/job")
	if err == nil {
		err = workdir.MakeHome(filepath.Join(dir, "builds"), names, skeleton, owner)
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return filepath.Join(dir, "builds", names), remove, nil
}

// checkHomes checks where jobs have their HOME, and what it is first a copy of.
func (h *host) checkHomes(context.Context) []Finding {
	switch {
	case os.Geteuid() == 0 && h.settings.PasswdHome:
		return []Finding{h.passwdHome()}
	case h.ownHomes():
		return checkSkeleton(h.settings.HomeSkeleton)
	}
	return nil
}

// passwdHome warns about home = "passwd". It names what jobs do not find any more in their
// HOME after that setting is removed.
func (h *host) passwdHome() Finding {
	what := `home = "passwd": jobs of unprotected refs can leave startup files for jobs of protected refs`
	for _, user := range h.users() {
		a, err := account.Lookup(user)
		if err != nil || h.folders(user) == nil {
			continue
		}
		if names := namesIn(a.Home); names != "" {
			what += fmt.Sprintf("; without it jobs do not see what is in %s: %s", a.Home, names)
		}
	}
	return look(idPasswdHome, "home", what, `copy what jobs need of their homes to a folder of root's, set home_skeleton to it, and remove home = "passwd"`)
}

// namesIn returns the names of the first files of a folder, sorted; it is empty if there
// are none or if the folder cannot be read. Jobs can choose the names.
func namesIn(path string) string {
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return ""
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(10 * maxNames)
	slices.Sort(names)
	for i, name := range names {
		names[i] = fmt.Sprintf("%.*q", maxShown, name)
	}
	if len(names) > maxNames {
		names = append(names[:maxNames], "...")
	}
	return strings.Join(names, ", ")
}

// checkSkeleton tries to make a HOME from the skeleton, and warns about secrets in it that
// every user of the host can read. An empty skeleton is none.
func checkSkeleton(skeleton string) []Finding {
	const area = "home_skeleton"
	_, remove, err := newHome(skeleton, workdir.Owner{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}) //nolint:gosec // ids
	if err != nil {
		return []Finding{fix(idSkeleton, area, strings.ReplaceAll(err.Error(), "\n", "; "), "correct it: until then the first job of a tenant fails; only root may be able to change the folder and what is in it")}
	}
	remove()
	if skeleton == "" {
		return nil
	}
	findings := []Finding{ok(area, skeleton+" can be copied, and nobody else can change it or what is in it")}
	for _, name := range []string{".netrc", ".git-credentials", ".npmrc", ".pypirc", ".m2/settings.xml", ".aws/credentials", ".docker/config.json", ".kube/config"} {
		if file := filepath.Join(skeleton, name); openToAll(file) {
			findings = append(findings, look(idOpenSkeleton, area, "every user of this host can read "+file, "close it to others: the copies belong to the users of jobs"+run("chmod", "0600", file)))
		}
	}
	return findings
}

// openToAll reports whether path is a regular file that all users can read.
func openToAll(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o004 == 0 {
		return false
	}
	closed, _ := closedAbove(filepath.Dir(path))
	return closed == ""
}
