// Package k8s has the type of the provider for Kubernetes.
package k8s

import "log"

// Provider finds no members.
type Provider struct{}

// Addrs finds no addresses.
func (*Provider) Addrs(map[string]string, *log.Logger) ([]string, error) { return nil, nil }

// Help returns no help.
func (*Provider) Help() string { return "" }
