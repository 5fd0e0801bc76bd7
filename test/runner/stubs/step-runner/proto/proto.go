// Package proto has the type signatures that GitLab Runner needs of a package that is not public.
package proto

import (
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"
)

type ValueType int

const (
	ValueType_string ValueType = iota
	ValueType_boolean
	ValueType_array
)

type (
	Spec         struct{ Spec *Spec_Content }
	Spec_Content struct {
		Inputs map[string]*Spec_Content_Input
	}
	Spec_Content_Input struct {
		Type      ValueType
		Default   *structpb.Value
		Sensitive bool
	}
)

func (s *Spec) GetSpec() *Spec_Content                            { return s.Spec }
func (c *Spec_Content) GetInputs() map[string]*Spec_Content_Input { return c.Inputs }
func RegisterStepRunnerServer(grpc.ServiceRegistrar, any)         {}
