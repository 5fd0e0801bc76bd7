package lab

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"rolecall/internal/account"
)

// PostgresPackage is the package of Debian that StartPostgres needs.
const PostgresPackage = "postgresql"

// postgresUser is the user that the server runs as if the test is root: it refuses to be root.
const postgresUser = "postgres"

// PostgresOptions say how to start PostgreSQL.
type PostgresOptions struct {
	Dir string // an empty folder for the server's files
}

// Postgres is a PostgreSQL server that a test can stop, and start again with all it had. It has
// one database, postgres.
type Postgres struct {
	Address string // host and port

	dir, programs   string
	admin, password string
	service         *service
}

// FindPostgres returns the folder of PostgreSQL's programs. Debian puts only some of them on
// the PATH.
func FindPostgres() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", errors.Join(err, fmt.Errorf("no server in /usr/lib/postgresql: install the package %s", PostgresPackage))
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })), nil
}

// StartPostgres makes a database and starts a server. It ends with ctx or Close.
func StartPostgres(ctx context.Context, opts PostgresOptions) (*Postgres, error) {
	programs, err := FindPostgres()
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &Postgres{Address: address, dir: opts.Dir, programs: programs, admin: "admin", password: rand.Text()}
	if err := p.create(ctx); err != nil {
		return nil, err
	}
	return p, p.Start(ctx)
}

// create makes the database. Its folder belongs to the server's user.
func (p *Postgres) create(ctx context.Context) error {
	data, secret := filepath.Join(p.dir, "data"), filepath.Join(p.dir, "password")
	if err := errors.Join(os.Mkdir(data, 0o700), os.WriteFile(secret, []byte(p.password), 0o600), p.handOver(data, secret)); err != nil {
		return err
	}
	init := exec.CommandContext(ctx, filepath.Join(p.programs, "initdb"), "--pgdata", data, "--username", p.admin, "--pwfile", secret,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync")
	if err := p.own(init); err != nil {
		return err
	}
	if out, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// handOver gives files to the server's user, and lets it pass the folders above them.
func (p *Postgres) handOver(paths ...string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	user, err := account.Lookup(postgresUser)
	if err != nil {
		return err
	}
	for _, path := range paths {
		err = errors.Join(err, os.Chown(path, int(user.UID), int(user.GID)))
	}
	return errors.Join(err, openPath(p.dir))
}

// own makes a command run as the server's user.
func (p *Postgres) own(cmd *exec.Cmd) error {
	cmd.Dir, cmd.Env = "/", environment(p.programs, p.dir, nil)
	if os.Geteuid() != 0 {
		return nil
	}
	user, err := account.Lookup(postgresUser)
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user.UID, Gid: user.GID}}
	return nil
}

// Start starts a server that is stopped, at the address it had, and waits until it answers.
func (p *Postgres) Start(ctx context.Context) error {
	host, port, err := net.SplitHostPort(p.Address)
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(p.programs, "postgres"), "-D", filepath.Join(p.dir, "data"), "-h", host, "-p", port, "-k", "", "-F")
	if err := p.own(cmd); err != nil {
		return err
	}
	// A server that is killed leaves processes that write on for a moment.
	p.service, err = startService(context.WithoutCancel(ctx), cmd, filepath.Join(p.dir, "postgres.log"))
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, p.Stop)
	if err := p.service.await(ctx, p.answer); err != nil {
		p.Stop()
		return p.service.fail(err)
	}
	return nil
}

// answer returns an error unless the admin can log in.
func (p *Postgres) answer(ctx context.Context) error {
	_, err := p.Query(ctx, "select 1")
	return err
}

// Query runs a command of SQL as the admin. It returns the rows, a line each.
func (p *Postgres) Query(ctx context.Context, sql string) (string, error) {
	return p.QueryAs(ctx, p.admin, p.password, sql)
}

// QueryAs is Query as another user.
func (p *Postgres) QueryAs(ctx context.Context, user, password, sql string) (string, error) {
	host, port, err := net.SplitHostPort(p.Address)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(p.programs, "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port, "-U", user, "-d", "postgres", "-c", sql)
	cmd.Dir, cmd.Env = "/", environment(p.programs, p.dir, []string{"PGPASSWORD=" + password})
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, text)
	}
	return text, nil
}

// CanLogin reports whether a user can log in with a password. A server that does not answer
// is an error.
func (p *Postgres) CanLogin(ctx context.Context, user, password string) (bool, error) {
	_, err := p.QueryAs(ctx, user, password, "select 1")
	if err != nil && strings.Contains(err.Error(), "password authentication failed") {
		return false, nil
	}
	return err == nil, err
}

// Users returns the users whose names are like a pattern, such as v-% for those that Vault
// makes.
func (p *Postgres) Users(ctx context.Context, like string) ([]string, error) {
	names, err := p.Query(ctx, "select rolname from pg_roles where rolname like '"+like+"' order by 1")
	return strings.Fields(names), err
}

// Log returns the output of the server since its last start.
func (p *Postgres) Log() string { return p.service.log() }

// Stop ends the server and its processes. What it stores stays.
func (p *Postgres) Stop() {
	_ = p.service.cmd.Process.Signal(syscall.SIGINT) // it closes the connections and writes what it has
	select {
	case <-p.service.exited:
	case <-time.After(20 * time.Second):
		p.service.kill()
	}
}

// Close ends the server.
func (p *Postgres) Close() { p.Stop() }
