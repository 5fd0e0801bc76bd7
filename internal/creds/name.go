package creds

import (
	"errors"
	"fmt"
	"strings"
)

// checkName reports an error unless scripts can have a variable of that name: shells
// take it, and it is none of their own or of the loader's.
//
// https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html
func checkName(name string) error {
	if len(name) < 1 || len(name) > maxName || strings.Trim(name, upper+lower+digits+"_") != "" || strings.Trim(name[:1], digits) == "" {
		return errors.New("a variable has a name that is not made of letters, digits and _")
	}
	if isShells(name) {
		return fmt.Errorf("variable %s is the shell's own", name)
	}
	return nil
}

// isShells reports whether a variable of that name belongs to a shell or to the
// loader of programs: setting it does nothing, fails, or changes what runs.
//
// https://www.gnu.org/software/bash/manual/html_node/Bash-Variables.html
func isShells(name string) bool {
	switch name {
	case "_", "PATH", "IFS", "ENV", "HOME", "PWD", "OLDPWD", "SHELL", "SHELLOPTS", "SHLVL", "CDPATH", "TMPDIR",
		"UID", "EUID", "PPID", "GROUPS", "LINENO", "RANDOM", "SRANDOM", "SECONDS", "EPOCHSECONDS", "EPOCHREALTIME",
		"DIRSTACK", "FUNCNAME", "PIPESTATUS", "HOSTNAME", "HOSTTYPE", "MACHTYPE", "OSTYPE", "MAPFILE", "COPROC",
		"OPTARG", "OPTIND", "OPTERR", "REPLY", "GLOBIGNORE", "EXECIGNORE", "FIGNORE", "TIMEFORMAT", "TMOUT", "IGNOREEOF",
		"POSIXLY_CORRECT", "PROMPT_COMMAND", "CHILD_MAX", "LANG", "LINES", "COLUMNS", "INPUTRC", "FCEDIT", "TERM",
		"PS0", "PS1", "PS2", "PS3", "PS4", "COMPREPLY", "MAIL", "MAILCHECK", "MAILPATH":
		return true
	}
	for _, prefix := range []string{"BASH", "LD_", "LC_", "COMP_", "READLINE_", "HIST", "GLIBC_", "GCONV_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
