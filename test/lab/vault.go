package lab

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
)

// VaultOptions say how to start Vault.
type VaultOptions struct {
	Dir string // an empty folder for the server's storage
	TLS bool   // it speaks https, with a certificate of an authority of its own
}

// Vault is a real Vault server that a test can stop, start again with all it had, seal and
// unseal. Its methods act with the root token, unless they take another.
type Vault struct {
	URL    string
	CAFile string // the authority of its certificate; "" without TLS

	dir, program string
	client       *http.Client
	service      *service
	key, root    string // to unseal it, and its root token
}

// StartVault starts a server, initializes it and unseals it. It ends with ctx or Close.
func StartVault(ctx context.Context, opts VaultOptions) (*Vault, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	v := &Vault{URL: "http://" + address, dir: opts.Dir, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	if err := find(&v.program, root, "bin/test/vault", "make parts"); err != nil {
		return nil, err
	}
	if opts.TLS {
		if err := v.certify(address); err != nil {
			return nil, err
		}
	}
	return v, v.begin(ctx, v.initialize, v.Unseal)
}

// certify makes an authority and a certificate for the server.
func (v *Vault) certify(address string) error {
	pool, err := certify(v.dir)
	if err != nil {
		return err
	}
	v.URL, v.CAFile = "https://"+address, filepath.Join(v.dir, caFile)
	v.client.Transport = &http.Transport{DisableKeepAlives: true, TLSClientConfig: pool}
	return nil
}

// begin starts the process and takes the next steps. If one fails it ends the process, and
// the error has the end of its log.
func (v *Vault) begin(ctx context.Context, steps ...func(context.Context) error) error {
	if err := v.start(ctx); err != nil {
		return err
	}
	for _, step := range append([]func(context.Context) error{v.answer}, steps...) {
		if err := step(ctx); err != nil {
			v.Stop()
			return v.service.fail(err)
		}
	}
	return nil
}

// start starts the process.
func (v *Vault) start(ctx context.Context) (err error) {
	_, address, _ := strings.Cut(v.URL, "://")
	cmd := exec.Command(v.program, "-listen", address, "-data", filepath.Join(v.dir, "data"))
	if v.CAFile != "" {
		cmd.Args = append(cmd.Args, "-cert", filepath.Join(v.dir, certFile), "-key", filepath.Join(v.dir, keyFile))
	}
	cmd.Dir, cmd.Env = v.dir, environment(v.dir, v.dir, nil)
	v.service, err = startService(ctx, cmd, filepath.Join(v.dir, "vault.log"))
	return err
}

// answer waits until the server answers, if only that it is sealed.
func (v *Vault) answer(ctx context.Context) error {
	return v.service.await(ctx, func(ctx context.Context) error {
		err := v.health(ctx)
		if refusal := new(VaultError); errors.As(err, &refusal) {
			return nil
		}
		return err
	})
}

// health returns an error unless the server serves.
func (v *Vault) health(ctx context.Context) error {
	return v.Ask(ctx, VaultRequest{Method: http.MethodGet, Path: "sys/health"}, nil)
}

// initialize makes the key of the storage, in one part, and the root token.
func (v *Vault) initialize(ctx context.Context) error {
	var made struct {
		Keys []string `json:"keys_base64"`
		Root string   `json:"root_token"`
	}
	parts := map[string]int{"secret_shares": 1, "secret_threshold": 1}
	if err := v.Ask(ctx, VaultRequest{Path: "sys/init", Body: parts}, &made); err != nil {
		return err
	}
	v.key, v.root = made.Keys[0], made.Root
	return nil
}

// Unseal unseals the server, and waits until it serves.
func (v *Vault) Unseal(ctx context.Context) error {
	if err := v.Ask(ctx, VaultRequest{Path: "sys/unseal", Body: map[string]string{"key": v.key}}, nil); err != nil {
		return err
	}
	return v.service.await(ctx, v.health)
}

// Seal seals the server: it then answers every request with 503, "Vault is sealed".
func (v *Vault) Seal(ctx context.Context) error {
	return v.Write(ctx, "sys/seal", nil)
}

// Stop kills the server. What it stores stays.
func (v *Vault) Stop() { v.service.kill() }

// Start starts a server that was stopped at the address it had, and unseals it.
func (v *Vault) Start(ctx context.Context) error {
	return v.begin(ctx, v.Unseal)
}

// Root returns the root token.
func (v *Vault) Root() string { return v.root }

// Log returns the output of the server since its last start.
func (v *Vault) Log() string { return v.service.log() }

// Close ends the server.
func (v *Vault) Close() { v.Stop() }
