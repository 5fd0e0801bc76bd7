package run

import (
	"os"
	"path/filepath"
	"strings"

	"rolecall/internal/gate"
	"rolecall/internal/job"
	"rolecall/internal/state"
)

// readyTree makes the folders of the work tree ready for a script of the runner, whatever an
// earlier job has left there: before the first script it makes way for them, and before the
// clone it opens those that are closed to the job's own user, and removes FIFOs. It does the
// latter in the folder of local caches before they are used. The gate does it, with the
// rights of a script. Root needs no rights, and must not follow the job's paths. If it
// fails, the script runs all the same, after the words of the gate.
func (r running) readyTree() {
	record, order := r.folder.Record(), orderOf(job.StageName(r.Args[1]))
	if order == "" || record.Owner == nil && os.Geteuid() == 0 {
		return
	}
	folder, err := r.readied(record, order)
	if err != nil || !filepath.IsAbs(folder) {
		return // this host does not see the folder
	}
	cmd, err := r.gateCommand(order, folder)
	if err == nil {
		cmd.Env, cmd.Stdout, cmd.Stderr = []string{}, r.Stderr, r.Stderr
		err = r.place.Start(record.Data, cmd)
	}
	if err != nil {
		r.Log.Warnf("the folders of work tree and caches are as an earlier job has left them: %v", err)
		return
	}
	_ = cmd.Wait() // the gate has said what is wrong
}

// readied returns the folder in which the gate follows an order.
func (r running) readied(record state.Record, order string) (string, error) {
	if order == gate.OpenCaches {
		return record.Caches, nil
	}
	return r.place.Tree(record.Data, strings.TrimSuffix(r.Env.Request.TempProjectDir(), ".tmp"))
}

// orderOf returns what the gate does before the script of a stage, empty for nothing.
func orderOf(stage job.StageName) string {
	switch {
	case stage.IsFirst():
		return gate.ClearWay
	case stage.GetsSources():
		return gate.OpenTree
	case stage.UsesCaches():
		return gate.OpenCaches
	}
	return ""
}
