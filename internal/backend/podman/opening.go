package podman

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rolecall/internal/backend"
	"rolecall/internal/script"
)

// opening returns what the shell of a container reads before the script. It is for any
// POSIX shell. It unsets what the image must not set, sets what the script must have, and
// writes the files of the job's credentials into the memory of the container. The sign is the
// path of a file that it writes to.
func opening(sign string, s backend.Script, limits backend.Limits) (string, error) {
	var text strings.Builder
	text.WriteString("{ set +xv; } 2>/dev/null\n")
	fmt.Fprintf(&text, "echo >|%s || exit 1\n", script.Quote(sign))
	text.WriteString(unset(s.Unset))
	for _, path := range s.Files {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "(umask 077; [ -d %[1]s ] || mkdir %[1]s; printf %%s %[2]s >|%[3]s) || exit 1\n", script.Quote(filepath.Dir(path)), script.Quote(string(content)), script.Quote(path))
	}
	if len(s.Set) > 0 {
		text.WriteString("export")
		for _, entry := range s.Set {
			name, value, _ := strings.Cut(entry, "=")
			text.WriteString(" " + name + "=" + script.Quote(value))
		}
		text.WriteString("\n")
	}
	if limits.Memory > 0 {
		fmt.Fprintf(&text, "ulimit -v %d 2>/dev/null\n", limits.Memory>>10)
	}
	return text.String(), nil
}

// unset returns the commands that unset variables. A name that ends with * is all that begin
// so: the loop reads the names that the shell has. A value with line breaks can only make it
// unset one more name of that kind. A shell that cannot read its own names goes no further:
// bash keeps a long here-document in a file, for which an image may have no place.
func unset(names []string) string {
	if len(names) == 0 {
		return ""
	}
	const none = "rolecall: the shell of the image has no folder for temporary files; give the image a /tmp that its user can write to"
	return "unset -v rolecall_seen\nwhile IFS== read -r rolecall_name rolecall_rest; do rolecall_seen=1; case $rolecall_name in *[!A-Za-z0-9_]*) ;; " +
		strings.Join(names, "|") + `) unset -v "$rolecall_name";; esac; done <<rolecall_end` + "\n$(set)\nrolecall_end\n" +
		"[ \"${rolecall_seen-}\" ] || { echo " + script.Quote(none) + " >&2; exit 1; }\n" +
		"unset -v rolecall_name rolecall_rest rolecall_seen\n"
}
