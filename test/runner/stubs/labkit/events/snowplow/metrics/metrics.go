// Package metrics has the type signatures that GitLab Runner needs of a package that is not public.
package metrics

type CollectorOption func()

func WithCollectorNamespace(string) CollectorOption                       { return func() {} }
func WithCollectorBatchDeliveryDurationBuckets([]float64) CollectorOption { return func() {} }
