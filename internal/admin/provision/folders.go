package provision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"rolecall/internal/adminfile"
	"rolecall/internal/tenant"
)

// mode is the mode of a folder that is made: the users of jobs pass through it, and see no
// names in it. The driver makes folders of this kind with it, too.
const mode = "0711"

// addFolders adds the folders that the settings name, and those above them.
func (p *Plan) addFolders(s tenant.Settings) error {
	var broken []error
	for _, f := range []struct{ key, dir string }{
		{"builds_dir", s.BuildsDir},
		{"cache_dir", s.CacheDir},
		{"audit_log", above(s.AuditLog)},
		{"images_dir", s.Containers.Engine.ImagesDir},
	} {
		if err := p.addFolder(f.dir); err != nil {
			broken = append(broken, fmt.Errorf("%s: %w", f.key, err))
		}
	}
	if dir := above(s.CredentialsDir); dir != "" && !isFolder(dir) { // gone after each boot
		p.Warnings = append(p.Warnings, fmt.Sprintf("credentials_dir: there is no folder %s: make it at each boot, by a line in /etc/tmpfiles.d/rolecall.conf: d %s %s root root", dir, dir, mode))
	}
	if dir := s.HomeSkeleton; dir != "" && !isFolder(dir) {
		p.Warnings = append(p.Warnings, fmt.Sprintf("home_skeleton: there is no folder %s: copy it to this host, or the first job of each tenant fails", dir))
	}
	return errors.Join(broken...)
}

// above returns the folder of a file, or an empty text for an empty path.
func above(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Dir(path)
}

// addFolder adds a folder, unless it exists, and the folders above it that are missing. The
// first one that exists must be one that only root can change.
func (p *Plan) addFolder(dir string) error {
	if dir == "" {
		return nil
	}
	exists, err := p.has(dir)
	if exists || err != nil {
		return err
	}
	if err := p.addFolder(filepath.Dir(dir)); err != nil {
		return err
	}
	p.Steps = append(p.Steps, Step{"folder " + dir, []string{"mkdir", "-m", mode, "--", dir}})
	return nil
}

// has reports whether a folder exists, or is one of those that are made.
func (p *Plan) has(dir string) (bool, error) {
	if slices.ContainsFunc(p.Steps, func(s Step) bool { return s.What == "folder "+dir }) {
		return true, nil
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, linkToNothing(dir)
	case err != nil:
		return false, err
	case !info.IsDir():
		return false, fmt.Errorf("%s is no folder: move it away", dir)
	}
	return true, adminfile.Check(dir)
}

// linkToNothing returns an error if path is a symbolic link, whose target is missing.
func linkToNothing(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is a link to nothing: make what it leads to, or remove it", path)
	}
	return nil
}
