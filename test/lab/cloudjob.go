package lab

import (
	"os"
	"path/filepath"
)

// CloudJob puts the program by which jobs use the libraries of Google Cloud and Azure into the
// folder dir, through which each user must be able to pass. It returns its path.
func CloudJob(dir string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	var program string
	if err := find(&program, root, "bin/test/cloudjob", "make parts"); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "cloudjob")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, linkOrCopy(program, path)
}
