package revocation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/program"
	"rolecall/internal/state"
)

// Program is the name of the program. With the argument OfJob it gets an Order as JSON on its
// standard input, and writes an Answer as JSON to its standard output.
const Program = "revoke"

// OfJob is the argument for the credentials of one job.
const OfJob = "job"

// Order names the job whose credentials are revoked.
type Order struct {
	Root  string `json:"root"` // folder of the state of jobs
	ID    job.ID `json:"id"`
	Proof string `json:"proof"` // of the job.Key
}

// Answer is what the program has to say.
type Answer struct {
	Left    []Left `json:"left,omitempty"`
	Problem string `json:"problem,omitempty"` // what cannot be read or removed; empty: nothing
}

// Left is a credential that could not be revoked.
type Left struct {
	Credential string    `json:"credential"`
	Until      time.Time `json:"until"`
	Why        string    `json:"why"`
}

// askTime bounds how long the program may take: the end of a job does not wait longer for servers.
const askTime = 10 * time.Second

// Ask lets the program revoke what is held of a job, if there is anything. An error is about what
// could not be revoked, and changes nothing about the job: the program tries again later. Service
// is the environment of the runner's service.
func Ask(ctx context.Context, root string, key job.Key, service []string) error {
	if !state.Holds(root, key) {
		return nil
	}
	answer, err := ask(ctx, Order{root, key.ID, key.Proof}, service)
	if err != nil {
		return fault.New(fault.NotRevoked, fmt.Errorf("the credentials of job %s are not revoked: the program %s: %w", key.ID, Program, err), again)
	}
	return answer.err(key.ID)
}

// again is what happens next.
const again = "rolecall-revoke.service tries again until it has expired"

// ask runs the program.
func ask(ctx context.Context, o Order, service []string) (Answer, error) {
	order, err := json.Marshal(o)
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	cmd, err := program.Beside(ctx, Program, OfJob)
	if err != nil {
		return Answer{}, err
	}
	var said, problem bytes.Buffer
	cmd.Env = slices.Concat([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, program.Proxies(service), program.Certificates(service))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(order), &said, &problem
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return Answer{}, fmt.Errorf("%w %s", err, bytes.TrimSpace(problem.Bytes()))
	}
	var answer Answer
	err = json.Unmarshal(said.Bytes(), &answer)
	return answer, err
}

// err returns what an answer says as an error, and nil if all was revoked.
func (a Answer) err(id job.ID) error {
	var all error
	for _, l := range a.Left {
		all = errors.Join(all, fault.New(fault.NotRevoked, fmt.Errorf("the credential %s of job %s is not revoked", l.Credential, id), again).
			Detail("why", l.Why).Detail("expires", l.Until.UTC().Format(time.RFC3339)))
	}
	if a.Problem != "" {
		all = errors.Join(all, fault.New(fault.LeftBehind, errors.New(a.Problem), ""))
	}
	return all
}
