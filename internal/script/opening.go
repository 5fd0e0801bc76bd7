package script

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// opening returns the commands that bash runs after its startup files and before the
// script: they unset the variables of Unset, and set those of Set again. It is empty if
// there are none.
//
// The values come in the text, since an argument list is seen by all users. So the first
// line turns off what would print or keep the second one, xtrace, verbose and the
// history, and the third line turns on what was on. If a startup file has made one of the
// variables read-only, bash names it and the shell ends with 1. The subshell before that
// lets bash set the offset of its input to the end of the line: Read knows the end by it.
func (s Script) opening() string {
	if len(s.Unset)+len(s.Set) == 0 {
		return ""
	}
	var text strings.Builder
	text.Grow(s.openingSize())
	text.WriteString(`{ set -- "${-//[!xv]/}"; set +xv +o history; } 2>/dev/null` + "\nunset -v")
	for _, name := range s.Unset {
		if prefix, all := strings.CutSuffix(name, "*"); all {
			name = `"${!` + prefix + `@}"`
		}
		text.WriteString(" " + name)
	}
	text.WriteString(" && export")
	for _, entry := range s.Set {
		name, value, _ := strings.Cut(entry, "=")
		text.WriteString(" " + name + "=")
		text.WriteString(Quote(value))
	}
	text.WriteString(` >/dev/null || { (exit); exit 1; }` + "\n" + `set ${1:+"-$1"} --` + "\n")
	return text.String()
}

// openingSize returns how long the opening is, or somewhat less or more.
func (s Script) openingSize() int {
	size := 256
	for _, entries := range [][]string{s.Unset, s.Set} {
		for _, entry := range entries {
			size += len(entry) + len(" ''")
		}
	}
	return size
}

// Quote returns the word of a shell that has the value.
func Quote(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }

// input opens what bash reads: the script, after the opening if there is one. It returns
// the length of the opening too.
func (s Script) input() (*os.File, int64, error) {
	script, err := os.Open(s.Path)
	opening := s.opening()
	if s.Program != nil {
		opening = s.Program.Opening
	}
	if err != nil || opening == "" {
		return script, 0, err
	}
	defer script.Close()
	joined, err := join(opening, script)
	if err != nil {
		return nil, 0, fmt.Errorf("prepare the script: %w", err)
	}
	return joined, int64(len(opening)), nil
}

// join returns a file in memory that has the opening and then the script. Only the
// driver's user can open it, as it is with the script, and nobody can change it.
func join(opening string, script *os.File) (*os.File, error) {
	f, err := newMemory()
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(f, opening)
	if err == nil {
		_, err = io.Copy(f, script)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = seal(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// newMemory returns an empty file in memory. Kernels before 6.3 do not know the flag that
// lets nobody execute it.
//
// https://docs.kernel.org/userspace-api/mfd_noexec.html
func newMemory() (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("script", flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate("script", flags)
	}
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "script"), nil
}

// seal lets nobody change a file in memory any more, and only its owner open it.
func seal(f *os.File) error {
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	_, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals)
	return err
}
