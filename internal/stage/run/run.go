// Package run is the stage that runs a script of the job.
package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/program"
	"rolecall/internal/script"
	"rolecall/internal/state"
)

// grace is how long a script may take to end after SIGTERM. With what follows,
// run is gone within 10 s, before a runner that shuts down gives up on it.
const grace = 8 * time.Second

// Run runs the script that the runner names, with the job's credentials where
// the script is the user's own. Where the runner dies meanwhile it removes them,
// since nobody comes after it.
func Run(c *program.Call) error {
	if err := clearExitCode(c.Env.ExitCodeFile); err != nil {
		return err
	}
	if len(c.Args) != 2 {
		return fault.New(fault.Admin, fmt.Errorf("run has %d arguments, want the script and the stage that the runner appends", len(c.Args)),
			"leave only flags in run_args of the runner's config.toml")
	}
	if err := c.CheckTold(); err != nil {
		return err
	}
	watching := c.Watch()
	key, err := job.ReadKey(c.Env.ResponseFile)
	if err != nil {
		return err
	}
	folder, err := state.Find(c.Env.Store, key)
	if err != nil {
		return fmt.Errorf("state of job %s: %w", key.ID, err)
	}
	defer folder.Close()
	result, err := run(c, folder, key, watching)
	// A runner that has asked to stop may have died since: it waits for no longer than its shutdown_timeout.
	if cause := context.Cause(watching()); errors.Is(cause, program.ErrOrphaned) || cause != nil && !folder.Record().Lease.Alive() {
		return errors.Join(cause, err, state.Remove(folder.Root(), key))
	}
	if err != nil {
		return err
	}
	if err := startupFile(result, folder.Record(), c.Env.Service); err != nil && context.Cause(watching()) == nil {
		return err
	}
	if len(result.Left) > 0 {
		c.Log.Warnf("processes of the script that could not be killed: %v", result.Left)
	}
	if result.Code != 0 {
		return program.ScriptError(result.Code)
	}
	return nil
}

// startupFile reports that not the script but a startup file of the shell has ended
// it. Whatever code that has, the script did not run to its end.
func startupFile(result script.Result, record state.Record, service []string) error {
	user := "of the service's user"
	home := cmp.Or(job.Get(service, "HOME"), "/")
	if record.User != nil {
		user, home = "of user "+strconv.Quote(record.User.Name), record.User.Home
	}
	switch {
	case result.Read == script.Unread:
		return fault.New(fault.Admin, fmt.Errorf("the login shell %s ended with %d before it read the script: one of its profiles did that", user, result.Code),
			fmt.Sprintf("correct /etc/profile, a file in /etc/profile.d, or the first that is there of %[1]s/.bash_profile, %[1]s/.bash_login and %[1]s/.profile", home))
	case result.Read == script.AllRead && result.Code != 0:
		return fault.New(fault.Admin, fmt.Errorf("the script has succeeded, and the login shell %s then ended with %d: its logout file did that", user, result.Code),
			fmt.Sprintf("remove %s/.bash_logout", home))
	}
	return nil
}

// clearExitCode removes what an earlier stage left in the file at path: the
// runner has one for the whole job and never clears it.
func clearExitCode(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// run runs the script as the job's user and in its cgroup.
func run(c *program.Call, folder *state.Folder, key job.Key, watching func() context.Context) (script.Result, error) {
	record := folder.Record()
	if record.User == nil && !record.AsRoot && os.Geteuid() == 0 {
		return script.Result{}, fault.New(fault.Admin, errors.New("the record of the job names no unix user, and its scripts would be root's"),
			"let the runner start the job anew: another version of rolecall has prepared it")
	}
	grouped := makeGroup(record.Cgroup, key)
	env, err := environment(c, folder, job.StageName(c.Args[1]), watching)
	group, groupErr := grouped()
	if group != nil {
		defer group.remove(c, key)
	}
	if err := errors.Join(err, groupErr); err != nil {
		return script.Result{}, err
	}
	s := script.Script{
		Path:   c.Args[0],
		Env:    env,
		Dir:    home(c.Env.Service),
		Stdout: c.Stdout,
		Stderr: c.Stderr,
		Grace:  grace,
		Limits: script.Limits{OpenFiles: record.Limits.OpenFiles, Processes: record.Limits.Processes, AddressSpace: record.Limits.Memory >> 10},
	}
	if user := record.User; user != nil {
		s.User, s.Dir = &script.User{UID: user.UID, GID: user.GID, Groups: user.Groups}, cmp.Or(user.Home, "/")
	}
	if group != nil {
		s.Group = group.Group
	}
	return s.Run(watching())
}

// environment returns the environment of the script of a stage, and masks what
// was issued to the job in all that the stage prints, whosever script it is. For a
// stage that uploads something it is an error that this holds a secret.
func environment(c *program.Call, folder *state.Folder, stage job.StageName, watching func() context.Context) ([]string, error) {
	clean := script.Clean(c.Env.Service, func(name string) bool { return aws.IsVariable(name) || name == "SHLVL" })
	if user := folder.Record().User; user != nil {
		clean = script.ForUser(clean, user.Name, user.Home, user.Shell)
	}
	if temp := folder.Record().Temp; temp != "" {
		clean = append(clean, "TMPDIR="+temp)
	}
	clean = append(clean, script.ShellLevel)
	if folder.Tenant() == "" {
		return clean, nil
	}
	issued, known, err := folder.ReadAll()
	if err != nil && folder.Record().User == nil { // another user's job cannot have done it
		return nil, fault.New(fault.Author, fmt.Errorf("the credentials of tenant %q cannot be read: %w", folder.Tenant(), err),
			"do not remove or change their file in a script")
	}
	if err != nil {
		return nil, fmt.Errorf("the credentials of tenant %q: %w", folder.Tenant(), err)
	}
	secrets := issuedSecrets(known, c.Env.Request[folder.IDToken()])
	if err := c.Mask(secrets...); err != nil {
		return nil, err
	}
	if stage.MayUpload() {
		return clean, look(watching(), c, folder.Record(), clean, secrets)
	}
	if !stage.IsUserScript() {
		return clean, nil
	}
	clean = append(clean, issued.Environ()...)
	return append(clean, aws.MetadataOff, job.EnvFileVariable+"="+folder.Path()), nil
}

// issuedSecrets returns what was issued and the ID token that it came from. It is
// the one that prepare has found to be of this job: the runner passes the same
// variables to each stage.
func issuedSecrets(issued []mask.Named, token string) []mask.Named {
	return append(slices.Clone(issued), mask.Named{Kind: "ID token", Value: mask.NewSecret(strings.TrimSuffix(token, "\n"))})
}

// home returns the folder that a script starts in: the home of the service's
// user. The runner starts the driver in a folder that holds the job response.
func home(environ []string) string {
	dir := job.Get(environ, "HOME")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "/"
	}
	return dir
}
