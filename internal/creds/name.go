package creds

import (
	"errors"
	"fmt"
	"strings"
)

// CheckFree refuses the names of variables that belong to GitLab or to the driver: no credential
// may bring one.
func CheckFree(name string) error {
	for _, prefix := range []string{"ROLECALL_", "CI_", "GITLAB_"} {
		if strings.HasPrefix(name, prefix) {
			return fmt.Errorf("the names of variables that begin with %s are taken", prefix)
		}
	}
	return nil
}

// checkName fails unless scripts can have a variable with that name. It must have the
// form of a shell's variable, and have no meaning to shells or the dynamic loader.
//
// https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html
func checkName(name string) error {
	if len(name) < 1 || len(name) > maxName || strings.Trim(name, upper+lower+digits+"_") != "" || strings.Trim(name[:1], digits) == "" {
		return errors.New("the name of a variable is not made of letters A-Z, digits and _")
	}
	if isReserved(name) {
		return fmt.Errorf("variable %s has a meaning to shells or the loader", name)
	}
	return nil
}

// isReserved reports whether a variable has a meaning to a shell or to the dynamic
// loader: to set it would have no effect, fail, or change which code runs.
//
// https://www.gnu.org/software/bash/manual/html_node/Bash-Variables.html
func isReserved(name string) bool {
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
