package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/gate"
	"rolecall/internal/job"
	"rolecall/internal/program"
)

// maxPlaces bounds how many places the job log lists.
const maxPlaces = 20

// stopTime is how long the gate may take to end once the stage must stop.
const stopTime = time.Second

// checkUpload searches the files that the runner would upload in this stage for the
// secrets of the job. An error means that nothing must be uploaded. It is the author's
// if a secret was found or if a file cannot be searched; otherwise the search itself
// failed.
func (r running) checkUpload(env []string, g given) error {
	stage := job.StageName(r.Args[1])
	if !stage.MayUpload() {
		return nil
	}
	order, err := r.sought(g)
	if err != nil || !needed(order) {
		return err
	}
	if err := r.complete(&order, stage, env); err != nil {
		return err
	}
	report, err := r.runGate(order)
	if err != nil {
		return fmt.Errorf("look for secrets before the upload: %w", err)
	}
	err = r.judge(report, mayWarn(order, r.folder.Record().Gate.Warn))
	r.tellRefused(report, err)
	return err
}

// complete puts into an order where the gate must look, and how long.
func (r running) complete(order *gate.Order, stage job.StageName, env []string) (err error) {
	if order.Uploads, err = job.ReadUploads(r.Env.ResponseFile); err != nil {
		return err
	}
	record := r.folder.Record()
	order.Project, err = r.place.Tree(record.Data, strings.TrimSuffix(r.Env.Request.TempProjectDir(), ".tmp"))
	order.Stage, order.Request, order.Service = stage, r.Env.Request, env
	if err != nil {
		return err
	}
	order.MaxFiles, order.MaxBytes, order.MaxDuration = record.Gate.MaxFiles, record.Gate.MaxBytes, record.Gate.MaxDuration
	order.Limits, err = r.place.Limits(record.Data)
	return err
}

// judge turns the report of the gate into an error, or into warnings if the upload may
// go on. With warn, files that could not be searched are uploaded.
func (r running) judge(report gate.Report, warn bool) error {
	if len(report.Noted) > 0 {
		r.Log.Warnf("files that could not be unpacked; no secret is in their bytes as they are:%s", listPlaces(report.Noted))
	}
	if len(report.Found) > 0 {
		return fault.New(fault.SecretInUpload, errors.New("secrets are in what would be uploaded, and nothing is"),
			"remove them from the files, or leave the files out by artifacts:exclude or, of a cache, by its paths:"+listPlaces(report.Found)+r.advice(report.Found))
	}
	if len(report.Foreign) > 0 {
		r.Log.Warnf("AWS keys that rolecall has not issued are in what is uploaded; whoever can read the upload can use them:%s", listPlaces(report.Foreign, report.More))
	}
	if len(report.Refused) > 0 && warn {
		r.Log.Warnf("not all that is uploaded could be searched for secrets:%s", listPlaces(report.Refused))
		return nil
	}
	if len(report.Refused) > 0 {
		return fault.New(fault.UploadUnsearched, errors.New("not all that would be uploaded can be searched for secrets, and nothing is uploaded"),
			"leave these files out or repair them, or ask the runner's admin about [gate] of the policy file:"+listPlaces(report.Refused))
	}
	return nil
}

// runGate runs the program gate, which lies beside this one, and returns its report. It
// has the rights of a script, since it opens files that the job has made.
func (r running) runGate(order gate.Order) (gate.Report, error) {
	var report gate.Report
	question, err := json.Marshal(order)
	if err != nil {
		return report, err
	}
	cmd, err := r.gateCommand()
	if err != nil {
		return report, err
	}
	var answer bytes.Buffer
	cmd.Env = order.Service
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(question), &answer, r.Stderr
	if err := r.place.Start(r.folder.Record().Data, cmd); err != nil {
		return report, program.CannotStart(cmd, err)
	}
	if err := cmd.Wait(); err != nil {
		return report, err
	}
	err = json.Unmarshal(answer.Bytes(), &report)
	return report, err
}

// gateCommand returns the command of the gate.
func (r running) gateCommand(args ...string) (*exec.Cmd, error) {
	cmd, err := program.Beside(r.watching(), gate.Program, args...)
	if err != nil {
		return nil, err
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	return cmd, nil
}

// listPlaces returns places, one a line, and says how many more there are.
func listPlaces(places []gate.Place, more ...int) string {
	var text strings.Builder
	shown := min(len(places), maxPlaces)
	for _, p := range places[:shown] {
		text.WriteString("\n  " + describe(p))
	}
	rest := len(places) - shown
	for _, n := range more {
		rest += n
	}
	if rest > 0 {
		fmt.Fprintf(&text, "\n  and %d more", rest)
	}
	return text.String()
}

// describe returns a place and what is wrong there, on one line.
func describe(p gate.Place) string {
	text := fmt.Sprintf("%q", p.Name)
	if p.Upload != "" {
		text = p.Upload + ": " + text
	}
	if p.Inside != "" {
		text += fmt.Sprintf(" > %q", p.Inside)
	}
	text += ": " + p.Says
	if p.Removed {
		text += " (removed from the work tree)"
	}
	if p.Stays != "" {
		text += " (it stays in the work tree: " + p.Stays + ")"
	}
	return text
}
