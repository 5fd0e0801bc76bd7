package host_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

// TestFurnish: files of tools come from the home of the user; but where the job has the
// HOME of its tenant, which earlier jobs could write to, from the skeleton or from nowhere.
func TestFurnish(t *testing.T) {
	kit.NeedRoot(t, "folders of other users")
	t.Parallel()
	dir := t.TempDir()
	for _, folder := range []string{"home", "tenant", "skeleton"} {
		kit.Must(t, os.MkdirAll(filepath.Join(dir, folder, ".aws"), 0o755))
		kit.Must(t, os.WriteFile(filepath.Join(dir, folder, ".aws/config"), []byte(folder), 0o644))
	}
	user := fmt.Sprintf(`"user":{"name":"ada","uid":61001,"gid":61002,"home":"%s/home"}`, dir)
	for data, want := range map[string]string{
		`{"as_root":true}`: "service",
		`{` + user + `}`:   "home",
		fmt.Sprintf(`{"as_root":true,"home":"%[1]s/tenant"}`, dir):                           "",
		fmt.Sprintf(`{%[2]s,"home":"%[1]s/tenant"}`, dir, user):                              "",
		fmt.Sprintf(`{%[2]s,"home":"%[1]s/tenant","source":"%[1]s/skeleton"}`, dir, user):    "skeleton",
		fmt.Sprintf(`{"as_root":true,"home":"%[1]s/tenant","source":"%[1]s/skeleton"}`, dir): "skeleton",
	} {
		own, service := t.TempDir(), filepath.Join(dir, "service")
		kit.Must(t, os.MkdirAll(filepath.Join(service, ".aws"), 0o755))
		kit.Must(t, os.WriteFile(filepath.Join(service, ".aws/config"), []byte("service"), 0o644))
		kit.Must(t, host.New().Furnish(json.RawMessage(data), own, []backend.ToolFile{{Path: ".aws/config"}}, []string{"HOME=" + service}))
		content, _ := os.ReadFile(filepath.Join(own, ".aws/config"))
		info, err := os.Stat(own)
		kit.Must(t, err)
		if uid := info.Sys().(*syscall.Stat_t).Uid; string(content) != want || (uid == 61001) != strings.Contains(data, "ada") {
			t.Errorf("%s: from %q, want %q; it belongs to %d", data, content, want, uid)
		}
	}
	if err := host.New().Furnish(json.RawMessage(`{"as_root":true}`), filepath.Join(dir, "none"), nil, nil); fault.CodeOf(err) != fault.BadHome {
		t.Errorf("without an own folder: %v", err)
	}
	if err := host.New().Furnish(nil, dir, nil, nil); err == nil || !strings.Contains(err.Error(), "cannot be read from its record") {
		t.Errorf("without data: %v", err)
	}
}

// TestEnvironWithoutHome: systemd gives a service of root no HOME, and scripts need one.
func TestEnvironWithoutHome(t *testing.T) {
	t.Parallel()
	b := host.New()
	state, _, err := b.Place(t.Context(), backend.Spec{AsRoot: true})
	kit.Must(t, err)
	got, err := b.Environ(state.Data, []string{"PATH=/bin"})
	known, userErr := user.Current()
	kit.Must(t, errors.Join(err, userErr))
	if job.Get(got, "HOME") != known.HomeDir || job.Get(got, "USER") != known.Username || job.Get(got, "LOGNAME") != known.Username || job.Get(got, "SHELL") == "" {
		t.Errorf("%q, want those of %+v", got, known)
	}
}
