// Package runner has the type signatures that GitLab Runner needs of a package that is not public.
package runner

import (
	"context"
	"io"
	"time"

	"gitlab.com/gitlab-org/step-runner/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

type Kind int

const (
	KindString Kind = iota
	KindBool
	KindList
)

type (
	BuiltinResult  struct{}
	BuiltinContext interface {
		GetInput(string, Kind) (*structpb.Value, error)
		GetInputWithDefault(string, Kind, map[string]*proto.Spec_Content_Input) (*structpb.Value, error)
		GetJobVars() map[string]*structpb.Value
		GetEnvs() map[string]string
		GetEnvList() []string
		Pipe() (io.Writer, io.Writer)
		WorkDir() string
		GracefulExitDelay() time.Duration
		ListenCancel(context.Context) (context.Context, context.CancelFunc)
	}
	BuiltinFunction interface {
		Spec() *proto.Spec
		Run(context.Context, BuiltinContext) (BuiltinResult, error)
	}
)
