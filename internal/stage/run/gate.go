package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"rolecall/internal/fault"
	"rolecall/internal/gate"
	"rolecall/internal/job"
)

// maxPlaces bounds how many places the job log lists.
const maxPlaces = 20

// stopTime is how long the gate may take to end when the stage is told to.
const stopTime = time.Second

// checkUpload looks for what was given to a job in what the runner would upload, in a
// stage that uploads something. An error means that nothing must be uploaded: secrets are in it, which is the
// author's to change, as is what the job made so that nobody can look at it; or it
// could not be looked for.
func (r running) checkUpload(env []string, g given) error {
	stage := job.StageName(r.Args[1])
	if g.envFile == "" || !stage.MayUpload() {
		return nil
	}
	uploads, err := job.ReadUploads(r.Env.ResponseFile)
	if err != nil {
		return err
	}
	record := r.folder.Record()
	tree, err := r.place.Tree(record.Data, strings.TrimSuffix(r.Env.Request.TempProjectDir(), ".tmp"))
	if err != nil {
		return err
	}
	report, err := r.ask(gate.Order{
		Stage:       stage,
		Project:     tree,
		Uploads:     uploads,
		Request:     r.Env.Request,
		Service:     env,
		Secrets:     g.secrets,
		MaxBytes:    record.Gate.MaxBytes,
		MaxDuration: record.Gate.MaxDuration,
	})
	if err != nil {
		return fmt.Errorf("look for secrets before the upload: %w", err)
	}
	return judge(report, record.Gate.Warn, r.Log)
}

// judge turns what the gate has found into an error, or into warnings where nothing
// keeps the upload. Warn is for what could not be searched.
func judge(report gate.Report, warn bool, log *logrus.Logger) error {
	if len(report.Noted) > 0 {
		log.Warnf("files that could not be unpacked; no secret is in their bytes as they are:%s", list(report.Noted))
	}
	if len(report.Found) > 0 {
		return fault.New(fault.Author, errors.New("secrets of the job are in what would be uploaded, and nothing is"),
			"remove them from the files, or leave the files out by artifacts:exclude or, of a cache, by its paths:"+list(report.Found))
	}
	if len(report.Refused) > 0 && warn {
		log.Warnf("not all that is uploaded could be searched for secrets:%s", list(report.Refused))
		return nil
	}
	if len(report.Refused) > 0 {
		return fault.New(fault.Author, errors.New("not all that would be uploaded can be searched for secrets, and nothing is uploaded"),
			"leave out or repair, or ask the runner's admin about [gate] of the policy file:"+list(report.Refused))
	}
	return nil
}

// ask starts the program that looks, which lies beside this one, as the job's user:
// what it opens the job has made.
func (r running) ask(order gate.Order) (gate.Report, error) {
	var report gate.Report
	self, err := os.Executable()
	if err != nil {
		return report, err
	}
	question, err := json.Marshal(order)
	if err != nil {
		return report, err
	}
	var answer bytes.Buffer
	cmd := exec.CommandContext(r.watching(), filepath.Join(filepath.Dir(self), gate.Program))
	cmd.Dir = "/"
	cmd.Env = order.Service
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(question), &answer, r.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	if err := r.place.Command(r.folder.Record().Data, cmd); err != nil {
		return report, err
	}
	if err := cmd.Run(); err != nil {
		return report, err
	}
	err = json.Unmarshal(answer.Bytes(), &report)
	return report, err
}

// list returns places as lines.
func list(places []gate.Place) string {
	var text strings.Builder
	for i, p := range places {
		if i == maxPlaces {
			fmt.Fprintf(&text, "\n  and %d more", len(places)-i)
			break
		}
		text.WriteString("\n  ")
		if p.Upload != "" {
			text.WriteString(p.Upload + ": ")
		}
		fmt.Fprintf(&text, "%q", p.Name)
		if p.Inside != "" {
			fmt.Fprintf(&text, " > %q", p.Inside)
		}
		text.WriteString(": " + p.Says)
	}
	return text.String()
}
