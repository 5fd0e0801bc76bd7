package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/document"
	"rolecall/test/kit"
)

// packagesOf are the names that docs/install.md has for packages, and those of this test.
func packagesOf(t *testing.T) (files map[string]string, names *strings.Replacer) {
	t.Helper()
	now, next := dist(t, distVariable), dist(t, nextVariable)
	files = map[string]string{
		"rolecall_VERSION_amd64.deb": one(t, now, driverDeb), "rolecall_OLD_amd64.deb": one(t, now, driverDeb), "rolecall_NEW_amd64.deb": one(t, next, driverDeb),
		"rolecall-VERSION-linux-amd64.tar.gz": one(t, now, "rolecall-*-linux-amd64.tar.gz"), "rolecall-broker-VERSION.oci.tar": one(t, now, "rolecall-broker-*.oci.tar"),
	}
	var pairs []string
	for name, path := range files {
		pairs = append(pairs, name, filepath.Base(path))
	}
	return files, strings.NewReplacer(append(pairs, "apt-get ", "DEBIAN_FRONTEND=noninteractive apt-get -y ")...)
}

// TestInstallPage: the commands of docs/install.md install, upgrade, downgrade and remove the package.
func TestInstallPage(t *testing.T) {
	t.Parallel()
	files, names := packagesOf(t)
	h, plain := boot(t), boot(t)
	h.startRunner(t)
	for _, path := range files {
		h.bring(t, path)
	}
	plain.bring(t, files["rolecall-VERSION-linux-amd64.tar.gz"])
	do := func(h host, command string) string {
		return h.sh(t, "cd /root && "+names.Replace(command)+" < /dev/null 2>&1 || [ $? = 3 ]") // 3: there is something to look at
	}
	document.Run(t, "docs/install.md", "Install", func(s document.Step) {
		switch words := strings.Fields(s.Command); {
		case words[0] == "podman":
			loadImage(t, filepath.Dir(files["rolecall-broker-VERSION.oci.tar"]), names.Replace(s.Command))
		case words[1] == "apt-get":
			do(h, s.Command)
		case words[1] != "dnf": // TestRPM installs that package
			do(plain, s.Command)
		}
	})
	h.checkInstalled(t)
	plain.checkUnits(t)
	h.setUp(t)
	document.Run(t, "docs/install.md", "Upgrade", func(s document.Step) { do(h, s.Command) })
	h.checkVersion(t, "99.0.0")
	document.Run(t, "docs/install.md", "Downgrade", func(s document.Step) { do(h, s.Command) })
	h.checkVersion(t, strings.Split(filepath.Base(files["rolecall_OLD_amd64.deb"]), "_")[1])
	document.Run(t, "docs/install.md", "Remove", func(s document.Step) { do(h, s.Command) })
	if out, err := h.Run(t.Context(), "ls /usr/libexec/rolecall /usr/bin/rolecall"); err == nil {
		t.Errorf("the package is not removed:\n%s", out)
	}
}

// checkVersion fails the test unless this version of the package is installed, and the runner runs.
func (h host) checkVersion(t *testing.T, want string) {
	t.Helper()
	if out := h.sh(t, "dpkg-query -W rolecall; systemctl is-active gitlab-runner"); !strings.Contains(out, "\t"+want+"\nactive\n") {
		t.Errorf("the host has\n%s, want the version %s", out, want)
	}
}

// loadImage lets podman load the broker's image, into a store of this test.
func loadImage(t *testing.T, dir, command string) {
	t.Helper()
	kit.NeedProgram(t, "podman", "podman")
	store := t.TempDir()
	c := exec.CommandContext(t.Context(), "bash", "-ec", `podman() { command podman --root "$STORE/root" --runroot "$STORE/run" --storage-driver vfs "$@"; }; `+command+"; podman image ls")
	c.Dir, c.Env = dir, append(os.Environ(), "STORE="+store)
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "rolecall-broker") {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
}

// TestVerifyPage: the commands of SECURITY.md accept the packages, and not when one was changed.
func TestVerifyPage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kit.Must(t, os.CopyFS(dir, os.DirFS(dist(t, distVariable))))
	key, err := os.ReadFile("../../packaging/testdata/test-key.asc")
	kit.Must(t, err)
	kit.Must(t, os.WriteFile(filepath.Join(dir, "release.asc"), key, 0o600))
	home := kit.OpenDir(t)
	kit.Must(t, os.Chmod(home, 0o700))
	verify := func() error {
		var last error
		document.Run(t, "SECURITY.md", "Verify a release", func(s document.Step) {
			if strings.HasPrefix(s.Command, "make ") { // of a folder of sources
				return
			}
			c := exec.CommandContext(t.Context(), "bash", "-ec", s.Command)
			c.Dir, c.Env = dir, append(os.Environ(), "GNUPGHOME="+home)
			out, err := c.CombinedOutput()
			t.Logf("%s:\n%s", s.Command, out)
			last = err
		})
		return last
	}
	kit.NeedProgram(t, "gpg", "gpg")
	if err := verify(); err != nil {
		t.Errorf("what make packages has made: %v", err)
	}
	kit.Must(t, os.WriteFile(one(t, dir, driverDeb), []byte("x"), 0o600))
	if verify() == nil {
		t.Error("a package that was changed is accepted")
	}
}
