// Package api has the type signatures that GitLab Runner needs of a package that is not public.
package api

import (
	"context"
	"errors"

	"github.com/sirupsen/logrus"
)

type Status int

const (
	StatusUnknown Status = iota
	StatusRunning
	StatusInShutdown
	StatusStopped
)

func (s Status) String() string {
	return [...]string{"unknown", "running", "in_shutdown", "stopped"}[s]
}

var ErrProcessNotInitialized = errors.New("process not initialized")

type (
	ShutdownCallbackDef interface {
		URL() string
		Method() string
		Headers() map[string]string
	}
	InitGracefulShutdownRequest interface{ ShutdownCallbackDef() ShutdownCallbackDef }
	ShutdownCallback            interface{ Run(context.Context) }
)

func NewShutdownCallback(logrus.FieldLogger, ShutdownCallbackDef) ShutdownCallback { return nil }
