package setup_test

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admin/setup"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/kit"
)

const alpha = "name=alpha,role=arn:aws:iam::111122223333:role/deploy-alpha,project=acme/shop,project=acme/infra/*,ref=main,protected"

// answers returns whole answers.
func answers(t *testing.T) setup.Answers {
	t.Helper()
	one, err := setup.ParseTenant(alpha)
	kit.Must(t, err)
	two, err := setup.ParseTenant("name=beta,role=arn:aws:iam::444455556666:role/b,project=acme/shop,user=deployers,environment=prod/*")
	kit.Must(t, err)
	return setup.Answers{Issuer: "https://gitlab.example.com", Tenants: []setup.Tenant{one, two}, Runner: "deploy", Token: "glrt-1"}
}

// place returns the place of a host in a folder, whose drop-in is installed.
func place(t *testing.T) setup.Place {
	t.Helper()
	dir := t.TempDir()
	kit.Must(t, os.Chmod(dir, 0o755))
	kit.Must(t, os.WriteFile(dir+"/shipped.conf", []byte("[Service]\n"), 0o600))
	return setup.Place{Policy: dir + "/etc/rolecall.toml", RunnerConfig: dir + "/config.toml", DropIn: dir + "/unit.d/rolecall.conf", Shipped: dir + "/shipped.conf", State: "/var/lib/rolecall"}
}

// files returns the paths of all files below a place's folder.
func files(t *testing.T, p setup.Place) []string {
	t.Helper()
	var all []string
	dir := filepath.Dir(p.RunnerConfig)
	kit.Must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			all = append(all, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}))
	return all
}

// TestWrite: the files are those that the driver, the runner and systemd read.
func TestWrite(t *testing.T) {
	t.Parallel()
	p, a := place(t), answers(t)
	plan, err := p.Plan(a)
	kit.Must(t, err)
	kit.Must(t, plan.Write())
	if got, want := files(t, p), []string{"config.toml", "etc/rolecall.toml", "shipped.conf", "unit.d/rolecall.conf"}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	policy, err := policyfile.Load(p.Policy, grant.AWS{})
	kit.Must(t, err)
	tenants := policy.Tenants()
	if len(tenants) != 2 || tenants[0].RunAs != "ci-alpha" || !tenants[0].Protected || tenants[1].RunAs != "deployers" || tenants[1].Protected || policy.Settings().RunAs != "ci-none" {
		t.Errorf("%+v", tenants)
	}
	if info, err := os.Stat(p.RunnerConfig); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("config.toml, which has a token: %v, %v", info, err)
	}
	again, err := p.Plan(setup.Answers{Issuer: a.Issuer, Tenants: a.Tenants, Runner: "deploy"})
	kit.Must(t, err)
	if len(again.Files) != 1 || again.Files[0].Path != p.Template() {
		t.Errorf("what is there as it would be written is written again: %+v", again.Files)
	}
}

// TestAppend: a config.toml keeps all that it has, its owner and its mode.
func TestAppend(t *testing.T) {
	t.Parallel()
	p, a := place(t), answers(t)
	const old = "# mine\nconcurrent = 9\n[[runners]]\n  name = \"shell\"\n  token = \"glrt-0\"\n  executor = \"shell\""
	kit.Must(t, os.WriteFile(p.RunnerConfig, []byte(old), 0o640))
	plan, err := p.Plan(a)
	kit.Must(t, err)
	kit.Must(t, plan.Write())
	content, err := os.ReadFile(p.RunnerConfig)
	kit.Must(t, err)
	if !bytes.HasPrefix(content, []byte(old+"\n[[runners]]\nname = 'deploy'\n")) || len(plan.Advice) != 1 || !strings.Contains(plan.Advice[0], "shutdown_timeout = 60") {
		t.Errorf("%q\n%s", plan.Advice, content)
	}
	if info, err := os.Stat(p.RunnerConfig); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestRefuse: what cannot be written whole is not begun, and nothing is changed.
func TestRefuse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(*testing.T, *setup.Place, *setup.Answers)
		says   string
	}{
		"policy file": {func(t *testing.T, p *setup.Place, _ *setup.Answers) {
			kit.Must(t, errors.Join(os.Mkdir(filepath.Dir(p.Policy), 0o755), os.WriteFile(p.Policy, []byte("mine"), 0o600)))
		}, "is there already, and is never overwritten"},
		"drop-in": {func(t *testing.T, p *setup.Place, _ *setup.Answers) {
			kit.Must(t, errors.Join(os.Mkdir(filepath.Dir(p.DropIn), 0o755), os.WriteFile(p.DropIn, []byte("mine"), 0o600)))
		}, "is there already, and is never overwritten"},
		"same token": {func(t *testing.T, p *setup.Place, _ *setup.Answers) {
			kit.Must(t, os.WriteFile(p.RunnerConfig, []byte("[[runners]]\nname = \"x\"\ntoken = \"glrt-1\"\n"), 0o600))
		}, "with this name or this token"},
		"broken config.toml": {func(t *testing.T, p *setup.Place, _ *setup.Answers) {
			kit.Must(t, os.WriteFile(p.RunnerConfig, []byte("[[runners\n"), 0o600))
		}, "no TOML that can be read"},
		"open config.toml": {func(t *testing.T, p *setup.Place, _ *setup.Answers) {
			kit.Must(t, errors.Join(os.WriteFile(p.RunnerConfig, nil, 0o600), os.Chmod(p.RunnerConfig, 0o666)))
		}, "so others may write to it"},
		"not installed": {func(_ *testing.T, p *setup.Place, _ *setup.Answers) { p.Shipped += ".gone" }, "install rolecall by its package"},
		"no URL":        {func(_ *testing.T, _ *setup.Place, a *setup.Answers) { a.Issuer = "gitlab.example.com" }, "want one such as https://"},
		"no tenant":     {func(_ *testing.T, _ *setup.Place, a *setup.Answers) { a.Tenants = nil }, "there is no tenant"},
		"twice":         {func(_ *testing.T, _ *setup.Place, a *setup.Answers) { a.Tenants = append(a.Tenants, a.Tenants[0]) }, `tenant "alpha" is there twice`},
		"two tokens":    {func(_ *testing.T, _ *setup.Place, a *setup.Answers) { a.Token = "glrt-1\nglrt-2" }, "more than one line"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, a := place(t), answers(t)
			c.before(t, &p, &a)
			before := files(t, p)
			if _, err := p.Plan(a); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q", err, c.says)
			}
			if now := files(t, p); !slices.Equal(now, before) {
				t.Errorf("files %q, before %q", now, before)
			}
		})
	}
}

// TestNoHalf: if the last file cannot be written, the others are as before.
func TestNoHalf(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*setup.Place) error{
		"made meanwhile":    func(p *setup.Place) error { return os.WriteFile(p.DropIn, []byte("other"), 0o600) },
		"changed meanwhile": func(p *setup.Place) error { return os.WriteFile(p.RunnerConfig, []byte("concurrent = 2\n"), 0o600) },
		"no folder":         func(p *setup.Place) error { return os.WriteFile(filepath.Dir(p.Policy), nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := place(t)
			kit.Must(t, os.Mkdir(filepath.Dir(p.DropIn), 0o755))
			kit.Must(t, os.WriteFile(p.RunnerConfig, []byte("concurrent = 1\n"), 0o600))
			plan, err := p.Plan(answers(t))
			kit.Must(t, err)
			kit.Must(t, spoil(&p))
			before := files(t, p)
			config, err := os.ReadFile(p.RunnerConfig)
			kit.Must(t, err)
			if err := plan.Write(); err == nil || !strings.Contains(err.Error(), "nothing was written") {
				t.Errorf("error %v", err)
			}
			now, err := os.ReadFile(p.RunnerConfig)
			if err != nil || !bytes.Equal(now, config) || !slices.Equal(files(t, p), before) {
				t.Errorf("%v: %q, files %q, before %q", err, now, files(t, p), before)
			}
		})
	}
}

// TestParseTenant: mistakes of a command line are named.
func TestParseTenant(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"":                            `unknown key ""`,
		"name=a":                      `tenant "a" has no role`,
		"name=a,role=r":               `tenant "a" has no project`,
		"role=r,project=p":            "the tenant has no name",
		"name=a,name=b":               "name is there twice",
		"name=":                       "name has no value",
		"name=a,role=r,projects=p":    `unknown key "projects"`,
		"name=a,protected=yes":        `unknown key "protected"`,
		"name=A b,role=r,project=p":   "tenant name",
		"name=a,role=r,project=p,ref": "ref has no value",
		"role=r,project=p,name=" + strings.Repeat("a", 30): "choose a shorter name, or name a user by user=NAME",
	} {
		if got, err := setup.ParseTenant(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %+v, error %v, want %q", text, got, err, says)
		}
	}
}

// TestDialogue: what the flags do not say is asked, until the answers can be read.
func TestDialogue(t *testing.T) {
	t.Parallel()
	input := strings.Join([]string{
		"", "https://gitlab.example.com/", "", "alpha", "", "", "", "", "alpha", "arn:aws:iam::111122223333:role/deploy-alpha",
		"acme/shop acme/infra/*", "main", "perhaps", "y", "n",
	}, "\n") + "\n"
	var out strings.Builder
	d := setup.Dialogue{In: bufio.NewReader(strings.NewReader(input)), Out: &out, Secret: func() (string, error) { return "glrt-2\n", nil }}
	got, err := d.Complete(setup.Answers{Runner: "r"})
	kit.Must(t, err)
	one, err := setup.ParseTenant(alpha)
	kit.Must(t, err)
	if diff := cmp.Diff(setup.Answers{Issuer: "https://gitlab.example.com", Audience: "https://gitlab.example.com", Tenants: []setup.Tenant{one}, Runner: "r", Token: "glrt-2"}, got); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{`tenant "alpha" has no role`, "answer y or n", "glrt-..."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	short := setup.Dialogue{In: bufio.NewReader(strings.NewReader("https://x\n")), Out: &out}
	if _, err := short.Complete(setup.Answers{}); err == nil || !strings.Contains(err.Error(), "nothing was written") {
		t.Errorf("answers that end: %v", err)
	}
}

// TestFullDisk: where there is no room for all files, none is written.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if !kit.InMounts(t, "a full disk") {
		return
	}
	p, dir := place(t), t.TempDir()
	kit.Mount(t, dir, "size=8k,mode=755", 0) // two pages: the third file has no room
	p.Policy, p.RunnerConfig, p.DropIn = dir+"/rolecall.toml", dir+"/config.toml", dir+"/rolecall.conf"
	plan, err := p.Plan(answers(t))
	kit.Must(t, err)
	if err := plan.Write(); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "nothing was written") {
		t.Errorf("error %v", err)
	}
	if left := files(t, p); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
