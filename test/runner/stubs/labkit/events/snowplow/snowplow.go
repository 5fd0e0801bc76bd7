// Package snowplow has the type signatures that GitLab Runner needs of a package that is not public.
package snowplow

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"gitlab.com/gitlab-org/labkit/v2/events/snowplow/metrics"
	"gitlab.com/gitlab-org/labkit/v2/events/snowplow/oidc"
)

type (
	SendResult struct {
		EventCount, StatusCode int
		Err                    error
	}
	SendCallback              func(successes, failures []SendResult)
	EmitterOption             func()
	Emitter                   struct{}
	Tracker                   struct{}
	BillingEventRequiredInput struct {
		Category, EventType, Realm, UnitOfMeasure string
		Quantity                                  float64
	}
	BillingEventOptionalInput struct {
		Subject, DeploymentType, InstanceID, UniqueInstanceID   string
		Metadata                                                map[string]any
		ProjectID, NamespaceID, RootNamespaceID, OrganizationID int64
	}
)

var errUnsupported = errors.New("billing events are not supported by this build of the runner")

func WithCallback(SendCallback) EmitterOption                              { return func() {} }
func WithTokenSource(*oidc.Source) EmitterOption                           { return func() {} }
func WithMetricsCollectorOptions(...metrics.CollectorOption) EmitterOption { return func() {} }
func NewEmitter(string, ...EmitterOption) (*Emitter, error)                { return nil, errUnsupported }
func (*Emitter) Collector() prometheus.Collector                           { return nil }
func NewTracker(string, *Emitter) (*Tracker, error)                        { return nil, errUnsupported }
func (*Tracker) Stop()                                                     {}
func (*Tracker) TrackBillingEventWithOptionalInput(BillingEventRequiredInput, BillingEventOptionalInput) error {
	return errUnsupported
}
