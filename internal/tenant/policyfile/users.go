package policyfile

import (
	"errors"
	"fmt"

	"rolecall/internal/tenant"
)

// checkUsers reports tenants that share a unix user with another tenant or with the
// jobs without a tenant: such jobs can read each other's credentials. It also reports a
// user who would have no folder to work in.
func (c *compiler) checkUsers(settings tenant.Settings, tenants []tenant.Tenant) {
	const unsafe = `; or set shared_user = "unsafe" at the top of the file, for tenants that may read each other's credentials`
	users := map[string]string{settings.RunAs: "the jobs without a tenant"}
	homeless := func(user string) bool { return user != "" && (settings.BuildsDir == "" || settings.CacheDir == "") }
	if homeless(settings.RunAs) {
		Table{compiler: c}.Fail("run_as", errFolders())
	}
	for i, t := range tenants {
		at := Table{compiler: c, at: place{table: "tenant", index: i}, label: "tenant " + tenant.Quote(string(t.Name)) + ": "}
		switch other, taken := users[t.RunAs]; {
		case homeless(t.RunAs):
			at.Fail("run_as", errFolders())
		case settings.SharedUser:
		case t.RunAs == "" && len(tenants) > 1:
			at.Fail("run_as", errors.New("it is missing, and there are other tenants; name a unix user for this tenant alone"+unsafe))
		case t.RunAs != "" && taken:
			at.Fail("run_as", fmt.Errorf("it is also the user of %s; name a unix user for this tenant alone%s", other, unsafe))
		}
		users[t.RunAs] = "tenant " + tenant.Quote(string(t.Name))
	}
}

// errFolders says what a unix user lacks.
func errFolders() error {
	return errors.New("this user needs folders to work in; set builds_dir and cache_dir at the top of the file")
}
