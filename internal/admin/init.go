package admin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rolecall/internal/admin/provision"
	"rolecall/internal/admin/setup"
	"rolecall/internal/tenant/policyfile"
)

// first is the command line of init.
type first struct {
	place     setup.Place
	answers   setup.Answers
	tenants   []string
	tokenFile string
	noUsers   bool
	dry       bool
	asJSON    *bool
}

// init writes the first files of a host.
func (d call) init() *cobra.Command {
	f := &first{place: setup.Here()}
	c := newCommand("init", "write the first policy file, a runner and the drop-in of its service, and make users", func() error {
		return d.runInit(f)
	})
	c.Long = `init sets up a host: it writes the policy file, a runner in GitLab Runner's config.toml and the
drop-in of the runner's service, and makes the unix users of the tenants. It asks for what the flags
do not say, if it is started on a terminal. A file that exists is never overwritten: then nothing is
written. Without a token of a runner it writes a template for gitlab-runner register, and, where
there is no config.toml, one without a runner.`
	c.Example = `  rolecall init --gitlab https://gitlab.example.com --runner-token-file token \
    --tenant name=alpha,role=arn:aws:iam::111122223333:role/deploy-alpha,project=acme/shop,ref=main`
	f.asJSON = jsonFlag(c)
	set := c.Flags()
	set.StringVar(&f.answers.Issuer, "gitlab", "", "`URL` of GitLab, such as https://gitlab.example.com")
	set.StringVar(&f.answers.Audience, "audience", "", "the `AUD` of id_tokens: (default: the URL of GitLab)")
	set.StringArrayVar(&f.tenants, "tenant", nil, "`KEYS` of a tenant: name=,role=,project=,ref=,environment=,user=,protected; project, ref and environment can come again. One flag for each tenant")
	set.StringVar(&f.answers.Runner, "runner", "rolecall", "`NAME` of the runner")
	set.StringVar(&f.tokenFile, "runner-token-file", "", "`FILE` with the runner's authentication token, - for standard input")
	set.StringVar(&f.place.Policy, "config", f.place.Policy, "policy `FILE`")
	set.StringVar(&f.place.RunnerConfig, "runner-config", f.place.RunnerConfig, "the runner's `FILE` config.toml")
	set.StringVar(&f.place.DropIn, "drop-in", f.place.DropIn, "`FILE` of the drop-in of the runner's service; empty: none")
	set.StringVar(&f.place.State, "state", f.place.State, "`FOLDER` of builds, caches and the audit log")
	set.BoolVar(&f.noUsers, "no-users", false, "make no unix users and folders: they come from elsewhere")
	set.BoolVar(&f.dry, "dry-run", false, "print what would be written, and write nothing")
	return c
}

// begun is what init has done, or would do.
type begun struct {
	Files  []string         `json:"files"` // written
	Steps  []provision.Step `json:"steps"` // that were run
	Advice []string         `json:"advice"`
	Next   []string         `json:"next"` // what the admin runs now
	DryRun bool             `json:"dry_run"`
	text   string           // of the files, for a dry run
}

// runInit does what the command line says.
func (d call) runInit(f *first) error {
	if err := d.answer(f); err != nil {
		return err
	}
	files, err := f.place.Plan(f.answers)
	if err != nil {
		return err
	}
	users, err := d.planUsers(f)
	if err != nil {
		return err
	}
	done := begun{Files: []string{}, Steps: users.Steps, Advice: append(users.Warnings, files.Advice...), Next: f.next(), DryRun: f.dry}
	for _, file := range files.Files {
		done.Files = append(done.Files, file.Path)
		done.text += "# " + file.Path + "\n" + redact(string(file.Content), f.answers.Token) + "\n"
	}
	if !f.dry {
		if err := files.Write(); err != nil {
			return err
		}
		if err := users.Do(context.Background(), func(provision.Step) {}); err != nil {
			return fmt.Errorf("the files are written, but not all users and folders are made: %w; then run: rolecall provision", err)
		}
	}
	return d.print(done, done.String(), *f.asJSON)
}

// redact returns a text without a token, which may be empty.
func redact(text, token string) string {
	if token == "" {
		return text
	}
	return strings.ReplaceAll(text, token, "glrt-[MASKED]")
}

// planUsers reads the policy file as the stages will, and returns what the host lacks for it.
func (d call) planUsers(f *first) (provision.Plan, error) {
	content, err := f.answers.Policy(f.place.State)
	if err != nil {
		return provision.Plan{}, err
	}
	policy, err := policyfile.Compile(f.place.Policy, content, d.schemas()...)
	if err != nil {
		return provision.Plan{}, fmt.Errorf("the answers make no policy file: %w", err)
	}
	if f.noUsers {
		return provision.Plan{Steps: []provision.Step{}, Warnings: []string{}}, nil
	}
	plan, err := provision.For(policy)
	if err == nil && os.Geteuid() != 0 && !f.dry {
		err = fmt.Errorf("you are user %d, and only root can make users: run rolecall init as root, or with --no-users", os.Geteuid())
	}
	return plan, err
}

// answer completes what the flags say by questions on a terminal.
func (d call) answer(f *first) error {
	for _, text := range f.tenants {
		t, err := setup.ParseTenant(text)
		if err != nil {
			return usageError{fmt.Errorf("--tenant: %w", err)}
		}
		f.answers.Tenants = append(f.answers.Tenants, t)
	}
	f.answers.Config = f.place.Policy
	f.answers.Issuer = setup.Server(f.answers.Issuer)
	if err := f.place.Check(); err != nil {
		return usageError{err}
	}
	if err := d.readRunnerToken(f); err != nil {
		return err
	}
	if f.answers.Issuer != "" && len(f.answers.Tenants) > 0 {
		return nil
	}
	file, isFile := d.stdin.(interface{ Fd() uintptr })
	if !isFile || !term.IsTerminal(int(file.Fd())) {
		return usageError{errors.New("say --gitlab URL and at least one --tenant, or start rolecall init on a terminal, where it asks")}
	}
	return d.ask(f, int(file.Fd()))
}

// readRunnerToken reads the runner's token, if a file is named.
func (d call) readRunnerToken(f *first) error {
	if f.tokenFile == "" {
		return nil
	}
	token, err := readToken(d.stdin, f.tokenFile)
	if err != nil {
		return fmt.Errorf("the runner's token: %w", err)
	}
	if f.answers.Token = strings.TrimSpace(string(token)); f.answers.Token == "" {
		return fmt.Errorf("the runner's token: %.200q is empty: write the token into it, or leave --runner-token-file out", f.tokenFile)
	}
	return nil
}

// next returns the commands that an admin runs now.
func (f *first) next() []string {
	next := []string{"sudo systemctl daemon-reload", "sudo systemctl enable --now run-rolecall.mount rolecall-sweep.timer"}
	if f.answers.Token == "" {
		register := provision.Step{Command: []string{
			"sudo", "gitlab-runner", "register", "--non-interactive", "--url", f.answers.Issuer, "--executor", "custom",
			"--name", f.answers.Runner, "--template-config", f.place.Template(), "--token", "glrt-...",
		}}
		next = append(next, register.String())
	}
	return append(next, "sudo systemctl restart gitlab-runner", "sudo rolecall check")
}

// String returns for people what was done, and what is next.
func (b begun) String() string {
	var text strings.Builder
	if b.DryRun {
		text.WriteString(b.text)
	} else {
		for _, path := range b.Files {
			text.WriteString("wrote " + path + "\n")
		}
	}
	for _, s := range b.Steps {
		text.WriteString(s.String() + "\n")
	}
	for _, advice := range b.Advice {
		text.WriteString("note: " + advice + "\n")
	}
	return text.String() + "next:\n  " + strings.Join(b.Next, "\n  ") + "\n"
}
