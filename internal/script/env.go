package script

import (
	"path/filepath"
	"slices"
	"strings"
)

// Clean returns an environment without the variables that keep reports for
// dropping, by name.
func Clean(environ []string, drop func(name string) bool) []string {
	var kept []string
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); !drop(name) {
			kept = append(kept, entry)
		}
	}
	return kept
}

// ShellLevel is the variable that a login shell of a script starts with. bash counts
// it up: at level 1 the ~/.bash_logout that Debian puts into each home clears the
// screen, which fails where there is none, and with it the script.
const ShellLevel = "SHLVL=1"

// ForUser returns the environment in which a script of another user starts: as
// su(1) makes it for a login, with the way to programs, the language, the time
// zone and the way to the network taken from environ, the service's own. All
// else there is the service's: sockets, caches, and maybe secrets.
func ForUser(environ []string, name, home, shell string) []string {
	kept := Clean(environ, func(name string) bool { return !isShared(name) })
	// Programs that start $SHELL need one, though the user may not log in.
	if base := filepath.Base(shell); !filepath.IsAbs(shell) || base == "nologin" || base == "false" {
		shell = "/bin/sh"
	}
	return append(kept, "HOME="+home, "USER="+name, "LOGNAME="+name, "SHELL="+shell)
}

// isShared reports whether the variable of that name is for every user.
func isShared(name string) bool {
	shared := []string{
		"PATH", "LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy",
		"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY",
	}
	return slices.Contains(shared, name) || strings.HasPrefix(name, "LC_")
}
