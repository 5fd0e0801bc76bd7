// Package api has the type signatures that GitLab Runner needs of a package that is not public.
package api

import "net"

func SocketAddr(path string) *net.UnixAddr { return &net.UnixAddr{Name: path, Net: "unix"} }
func DefaultSocketPath() string            { return "" }
