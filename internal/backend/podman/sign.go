package podman

import (
	"errors"
	"os"

	"rolecall/internal/script"
)

// sign is the file in the job's own folder by which a shell in the container shows that it
// reads the script: it writes to it. This process keeps the file open, so what the script does
// with it afterwards changes nothing.
type sign struct{ *os.File }

// newSign makes the file of a script. It belongs to the job's user.
func newSign(own string, as script.User) (sign, error) {
	f, err := os.CreateTemp(own, ".rolecall-began-")
	if err != nil {
		return sign{}, err
	}
	if err := f.Chown(int(as.UID), int(as.GID)); err != nil {
		return sign{}, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return sign{f}, nil
}

// given reports whether a shell has read the script, and removes the file. What the script has
// put at its path instead is the job's, and goes with its folder.
func (s sign) given() bool {
	defer s.Close()
	_ = os.Remove(s.Name())
	info, err := s.Stat()
	return err == nil && info.Size() > 0
}
