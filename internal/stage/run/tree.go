package run

import (
	"os"
	"path/filepath"
	"strings"

	"rolecall/internal/gate"
	"rolecall/internal/job"
)

// openTree opens the folders of the work tree that an earlier job has closed to its own
// user, before the runner's script clones into it: its git could not remove them. The
// gate does it, with the rights of a script. Root needs no rights, and must not follow
// the job's paths. If it fails, the script runs all the same.
func (r running) openTree() {
	record := r.folder.Record()
	if !job.StageName(r.Args[1]).GetsSources() || record.Owner == nil && os.Geteuid() == 0 {
		return
	}
	tree, err := r.place.Tree(record.Data, strings.TrimSuffix(r.Env.Request.TempProjectDir(), ".tmp"))
	if err != nil || !filepath.IsAbs(tree) {
		return // this host does not see the work tree
	}
	cmd, err := r.gateCommand(gate.OpenTree, tree)
	if err == nil {
		cmd.Env, cmd.Stdout, cmd.Stderr = []string{}, r.Stderr, r.Stderr
		err = r.place.Start(record.Data, cmd)
	}
	if err != nil {
		r.Log.Warnf("the folders of the work tree are as an earlier job has left them: %v", err)
		return
	}
	_ = cmd.Wait() // the gate has said what is wrong
}
