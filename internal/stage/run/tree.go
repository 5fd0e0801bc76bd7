package run

import (
	"os"
	"path/filepath"
	"strings"

	"rolecall/internal/gate"
	"rolecall/internal/job"
)

// readyTree makes the folders of the work tree ready for a script of the runner, whatever an
// earlier job has left there: before the first script it makes way for them, and before the
// clone it opens those that are closed to the job's own user. The gate does it, with the
// rights of a script. Root needs no rights, and must not follow the job's paths. If it
// fails, the script runs all the same, after the words of the gate.
func (r running) readyTree() {
	record, order := r.folder.Record(), orderOf(job.StageName(r.Args[1]))
	if order == "" || record.Owner == nil && os.Geteuid() == 0 {
		return
	}
	tree, err := r.place.Tree(record.Data, strings.TrimSuffix(r.Env.Request.TempProjectDir(), ".tmp"))
	if err != nil || !filepath.IsAbs(tree) {
		return // this host does not see the work tree
	}
	cmd, err := r.gateCommand(order, tree)
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

// orderOf returns what the gate does before the script of a stage, empty for nothing.
func orderOf(stage job.StageName) string {
	switch {
	case stage.IsFirst():
		return gate.ClearWay
	case stage.GetsSources():
		return gate.OpenTree
	}
	return ""
}
