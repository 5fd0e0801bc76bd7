// Package client has the type signatures that GitLab Runner needs of a package that is not public.
package client

import "time"

type (
	State     int
	ErrorKind int
	Variable  struct {
		Key, Value   string
		File, Masked bool
	}
	RunRequest struct {
		Id, WorkDir, BuildDir, Steps string
		Env                          map[string]string
		Variables                    []Variable
		Timeout                      *time.Duration
	}
	Status struct {
		State     State
		Message   string
		ErrorKind ErrorKind
	}
)

const (
	StateUnknown State = iota
	StateSuccess
	StateFailure
	StateCancelled
)

func (State) String() string { return "unknown" }

const (
	ErrorNone ErrorKind = iota
	ErrorInternal
	ErrorStepFailure
	ErrorCancelled
	ErrorTimeout
	ErrorUnknown
)
