package podman

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
)

// verify says whether the certificate of a registry is checked: on this host itself there
// is none.
func verify(name string) string {
	host, _, _ := strings.Cut(name, "/")
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		host = host[:colon]
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strconv.FormatBool(host != "localhost" && (err != nil || !ip.IsLoopback()))
}

// newLogins returns a file in memory that has the logins in the form of podman.
//
// https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
func newLogins(logins []backend.Login) (*os.File, error) {
	type auth struct {
		Auth string `json:"auth"`
	}
	auths := map[string]auth{}
	for _, l := range logins {
		auths[l.Host] = auth{base64.StdEncoding.EncodeToString([]byte(l.Username + ":" + l.Password.Reveal()))}
	}
	content, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		return nil, err
	}
	return newMemory("logins", content)
}

// newMemory returns a file in memory. Programs can open it by its descriptor.
func newMemory(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(content); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
