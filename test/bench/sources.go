package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rolecall/test/lab"
)

const (
	vaultRounds  = 100
	filesRounds  = 150
	manyRounds   = 150
	vaultLimit   = 0.75
	filesLimit   = 1.02
	manyLimit    = 1 / 0.9
	manyRunLimit = 1.1
)

// sources compares what sources of other providers cost with what a job's author would write in
// their place, and with jobs that have none or one.
func (b bencher) sources(ctx context.Context) ([]result, error) {
	i, err := b.newIssuer()
	if err != nil {
		return nil, err
	}
	defer i.close()
	var all []result
	for n, part := range []func(context.Context, *issuer) (result, error){b.vault, b.files, b.manyMasks, b.manyStarts} {
		one, err := part(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", n+1, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// vault compares prepare, which logs in to Vault and gets a user of a database, with the same two
// requests of curl.
func (b bencher) vault(ctx context.Context, i *issuer) (result, error) {
	r := result{what: "prepare with a user of a database, by Vault", against: "curl, the same two requests", limit: vaultLimit}
	if _, err := lab.FindPostgres(); err != nil {
		r.note = err.Error()
		return r, nil
	}
	dir := filepath.Join(b.dir, "postgres")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(b.dir, 0o711)); err != nil { // PostgreSQL has a user of its own
		return r, err
	}
	users, err := lab.StartPostgres(ctx, lab.PostgresOptions{Dir: dir})
	if err != nil {
		return r, err
	}
	defer users.Close()
	v, err := b.startVault(ctx, i, users)
	if err != nil {
		return r, err
	}
	defer v.Close()
	i.asks = 0
	defer func() { i.asks = 1 }()
	prepare, err := i.byPolicy(ctx, "vault", fmt.Sprintf(
		"[[tenant.source]]\nname = \"db\"\nprovider = \"vault\"\naddress = %q\nrole = \"bench\"\n[[tenant.source.read]]\npath = \"database/creds/app\"\nenv = { PGPASSWORD = \"{password}\" }\n", v.URL))
	if err != nil {
		return r, err
	}
	samples, err := compare(ctx, vaultRounds, prepare, func(ctx context.Context) (time.Duration, error) { return i.curlVault(ctx, v) })
	if err == nil {
		r.times, r.base = samples[0], samples[1]
	}
	return r, err
}

// startVault starts Vault, which gives jobs of the issuer users of a database.
func (b bencher) startVault(ctx context.Context, i *issuer, users *lab.Postgres) (*lab.Vault, error) {
	dir := filepath.Join(b.dir, "vault")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	v, err := lab.StartVault(ctx, lab.VaultOptions{Dir: dir})
	if err != nil {
		return nil, err
	}
	err = errors.Join(v.TrustIssuer(ctx, i.gitlab.Issuer()), v.AddDatabase(ctx, users), v.AddDatabaseRole(ctx, "app", time.Hour), v.AddRole(ctx, "bench", lab.VaultRole{
		Audience: audience, Claims: map[string]string{"project_path": "acme/*"}, Policy: lab.AllowRead("database/creds/app"),
	}))
	if err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// curlVault measures curl that logs in and reads. What it was given is revoked.
func (i *issuer) curlVault(ctx context.Context, v *lab.Vault) (time.Duration, error) {
	i.job++
	login, err := json.Marshal(map[string]string{"role": "bench", "jwt": i.gitlab.SignToken(i.claims())})
	if err != nil {
		return 0, err
	}
	var answer strings.Builder
	curl := func(args ...string) (time.Duration, error) {
		cmd := command(ctx, []string{"HOME=" + i.home}, "curl", append([]string{"--silent", "--show-error", "--fail"}, args...)...)
		cmd.Stdout = &answer
		return timed(cmd)
	}
	first, err := curl("--data", string(login), v.URL+"/v1/auth/jwt/login")
	if err != nil {
		return 0, err
	}
	var secret lab.VaultSecret
	if err := json.Unmarshal([]byte(answer.String()), &secret); err != nil {
		return 0, err
	}
	token := "X-Vault-Token: " + secret.Auth.Token
	second, err := curl("--header", token, v.URL+"/v1/database/creds/app")
	_, revoked := curl("--header", token, "--request", "POST", v.URL+"/v1/auth/token/revoke-self")
	return first + second, errors.Join(err, revoked)
}

// files compares prepare with sources of two more clouds, which only write files, with prepare
// without them.
func (b bencher) files(ctx context.Context, i *issuer) (result, error) {
	const clouds = `[[tenant.source]]
name = "gcp"
provider = "gcp"
workload_identity_provider = "projects/1/locations/global/workloadIdentityPools/pool/providers/gitlab"
service_account = "deploy@p.iam.gserviceaccount.com"
project = "p"
probe = false
[[tenant.source]]
name = "azure"
provider = "azure"
tenant_id = "11111111-1111-1111-1111-111111111111"
client_id = "22222222-2222-2222-2222-222222222222"
probe = false
`
	aws := fmt.Sprintf("role_arn = %q\n", role)
	with, err := i.byPolicy(ctx, "clouds", aws+clouds)
	if err != nil {
		return result{}, err
	}
	without, err := i.byPolicy(ctx, "alone", aws)
	if err != nil {
		return result{}, err
	}
	samples, err := compare(ctx, filesRounds, with, without)
	if err != nil {
		return result{}, err
	}
	return result{what: "prepare with files for GCP and Azure", times: samples[0], against: "prepare without", base: samples[1], limit: filesLimit}, nil
}

// manyMasks compares a copier that masks what six sources give with one that masks what one gives.
func (b bencher) manyMasks(ctx context.Context, _ *issuer) (result, error) {
	path := filepath.Join(b.dir, "log")
	if err := os.WriteFile(path, ciLog(logSize, true), 0o600); err != nil {
		return result{}, err
	}
	in := func(mode string) contender {
		return func(ctx context.Context) (time.Duration, error) { return carried(ctx, path, mode) }
	}
	samples, err := compare(ctx, maskRounds, in(manyMode), in(maskMode))
	if err != nil {
		return result{}, err
	}
	return result{what: "mask 200 MB, secrets of six sources", times: samples[0], against: "of one", base: samples[1], limit: manyLimit}, nil
}

// manyStarts compares a run of an empty script of a job with six sources with that of a job with
// one.
func (b bencher) manyStarts(ctx context.Context, i *issuer) (result, error) {
	script := filepath.Join(b.dir, "empty")
	if err := os.WriteFile(script, []byte(":\n"), 0o600); err != nil {
		return result{}, err
	}
	i.asks = 0
	defer func() { i.asks, i.then = 1, nil }()
	starts := func(n int) (contender, error) {
		prepare, err := i.byPolicy(ctx, fmt.Sprintf("sources%d", n), b.values(n))
		config := filepath.Join(b.dir, fmt.Sprintf("sources%d.toml", n))
		return func(ctx context.Context) (took time.Duration, err error) {
			i.then = func(ctx context.Context, env []string) error {
				took, err = timed(command(ctx, env, i.programs.Run, "--config", config, script, "build_script"))
				return err
			}
			_, err = prepare(ctx)
			return took, err
		}, err
	}
	six, err := starts(6)
	if err != nil {
		return result{}, err
	}
	one, err := starts(1)
	if err != nil {
		return result{}, err
	}
	samples, err := compare(ctx, manyRounds, six, one)
	if err != nil {
		return result{}, err
	}
	return result{what: "run of an empty script, six sources", times: samples[0], against: "one source", base: samples[1], limit: manyRunLimit}, nil
}

// values returns n sources with four secrets each.
func (b bencher) values(n int) string {
	given := secrets(manyMode)
	var text strings.Builder
	for s := range n {
		fmt.Fprintf(&text, "[[tenant.source]]\nname = \"s%d\"\nprovider = \"static\"\nsecret_files = {", s)
		for k := range 4 {
			file := filepath.Join(b.dir, fmt.Sprintf("secret%d.%d", s, k))
			_ = os.WriteFile(file, []byte(given[4*s+k].Reveal()), 0o600) // a policy file that names no file is refused
			fmt.Fprintf(&text, "%s SECRET_%d_%d = %q", strings.Repeat(",", min(k, 1)), s, k, file)
		}
		text.WriteString(" }\n")
	}
	return text.String()
}
