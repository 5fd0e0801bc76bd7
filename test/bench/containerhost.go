package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/lab"
)

// start starts the servers, pushes the image and asks the config stage, as the runner does. It
// returns how to stop them.
func (c *containerBench) start(ctx context.Context) (stop func(), err error) {
	c.home, c.job = filepath.Join(c.dir, "home"), time.Now().UnixMicro()
	registryDir := filepath.Join(c.dir, "registry")
	if err := errors.Join(os.Mkdir(c.home, 0o700), os.Mkdir(registryDir, 0o700)); err != nil {
		return nil, err
	}
	if c.gitlab, err = coordinator.Start(); err != nil {
		return nil, err
	}
	c.gitlab.RotateToECKey()
	if c.sts, err = fakests.Start(); err != nil {
		return nil, err
	}
	registry, err := lab.StartRegistry(ctx, lab.RegistryOptions{Dir: registryDir, Open: true})
	if err != nil {
		return nil, err
	}
	stop = func() { registry.Close(); c.sts.Close(); c.gitlab.Close() }
	err = c.push(ctx, registry)
	if err == nil {
		err = c.writePolicy(registry)
	}
	if err == nil {
		c.told, err = c.configured(ctx, c.flags...)
	}
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// writePolicy writes the policy file.
func (c *containerBench) writePolicy(registry *lab.Registry) error {
	text := fmt.Sprintf("run_as = \"list\"\nbuilds_dir = %q\ncache_dir = %q\ncredentials_dir = %q\n[gitlab]\nissuer = %q\n"+
		"[containers]\nengine = \"podman\"\nimages_dir = %q\n[defaults]\nimages = [%q]\npull_policies = [\"if-not-present\"]\n"+
		"[[tenant]]\nname = \"alpha\"\nrun_as = %q\nrole_arn = %q\naudience = %q\nprojects = [\"acme/*\"]\n",
		c.dir+"/builds", c.dir+"/cache", c.dir+"/credentials", c.gitlab.Issuer(), c.dir+"/images", registry.Address+"/ci/**", containerUser, role, audience)
	path := filepath.Join(c.dir, "rolecall.toml")
	c.flags = []string{"--config", path}
	return os.WriteFile(path, []byte(text), 0o600)
}
