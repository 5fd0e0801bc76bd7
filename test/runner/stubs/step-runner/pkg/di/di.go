// Package di has the type signatures that GitLab Runner needs of a package that is not public.
package di

import (
	"errors"
	"log/slog"

	"gitlab.com/gitlab-org/step-runner/pkg/runner"
)

type Container struct{}

func NewContainer(...func(*Container)) *Container                     { return &Container{} }
func WithBuiltinFunc(string, runner.BuiltinFunction) func(*Container) { return func(*Container) {} }
func WithOperatorLogger(*slog.Logger) func(*Container)                { return func(*Container) {} }
func (*Container) StepRunnerService() (any, error) {
	return nil, errors.New("native steps are not supported by this build of the runner")
}
