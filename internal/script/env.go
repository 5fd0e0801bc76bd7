package script

import (
	"path/filepath"
	"slices"
	"strings"
)

// Clean returns environ without the variables for whose names drop returns true.
func Clean(environ []string, drop func(name string) bool) []string {
	var kept []string
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); !drop(name) {
			kept = append(kept, entry)
		}
	}
	return kept
}

// ShellLevel is an entry for the environment of a script. bash adds 1 to SHLVL. At level
// 1, the ~/.bash_logout that Debian puts into each home clears the screen; in a job this
// fails, and the script with it. At level 2 it does nothing.
const ShellLevel = "SHLVL=1"

// ForUser returns the environment in which a script of another user starts. It has the
// variables that su(1) sets for a login. From environ, the service's environment, it
// takes only PATH and the variables of language, time zone, proxies and certificates:
// the others are about the service's own sockets and caches, and may hold secrets.
func ForUser(environ []string, name, home, shell string) []string {
	kept := Clean(environ, func(name string) bool { return !isShared(name) })
	return append(kept, login(name, home, shell)...)
}

// ForSelf returns the environment in which a script of the driver's own user starts: all of
// environ, with the variables that su(1) sets for a login. systemd gives a service of root
// none of them, and programs such as git and go need HOME.
func ForSelf(environ []string, name, home, shell string) []string {
	kept := Clean(environ, func(name string) bool { return slices.Contains([]string{"HOME", "USER", "LOGNAME", "SHELL"}, name) })
	return append(kept, login(name, home, shell)...)
}

// login returns the variables that su(1) sets for a login. Programs that start $SHELL need
// a shell, even if the user may not log in.
func login(name, home, shell string) []string {
	if base := filepath.Base(shell); !filepath.IsAbs(shell) || base == "nologin" || base == "false" {
		shell = "/bin/sh"
	}
	return []string{"HOME=" + home, "USER=" + name, "LOGNAME=" + name, "SHELL=" + shell}
}

// isShared reports whether the variable has the same meaning for every user.
func isShared(name string) bool {
	shared := []string{
		"PATH", "LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy",
		"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY",
	}
	return slices.Contains(shared, name) || strings.HasPrefix(name, "LC_")
}
