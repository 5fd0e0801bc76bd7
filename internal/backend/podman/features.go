package podman

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"

	"golang.org/x/sys/unix"

	"rolecall/internal/workdir"
)

// features are what podman has found out about this kernel and the file system of the images.
// podman tries that anew in each engine root, by mounts, and notes the answers as names of
// empty files, such as overlay-true. A later job of the store is given the answers of an earlier one.
//
// https://github.com/containers/storage/blob/v1.43.0/drivers/overlay/overlay.go (cachedFeatureCheck)
type features struct {
	Of    string   `json:"of"` // the host and the podman that they were found on
	Names []string `json:"names"`
}

const (
	featuresDir = "overlay" // of the folder of an engine root in runDir, as podman has it
	maxFeatures = 20
)

// featuresFile returns the path of the file of the features. It lies beside the store, where
// only the driver's user can write.
func (p place) featuresFile() string { return p.Store + ".features" }

// here says on which boot, file system and podman the features hold. It is empty if that is
// not known.
func (p place) here() string {
	full, err := exec.LookPath("podman")
	if err != nil || bootID() == "" {
		return ""
	}
	var of, images unix.Stat_t
	if unix.Stat(full, &of) != nil || unix.Stat(p.images(), &images) != nil {
		return ""
	}
	return fmt.Sprintf("%s %d %d:%d:%d:%d", bootID(), images.Dev, of.Dev, of.Ino, of.Size, of.Mtim.Nano())
}

// readFeatures returns the names that are known. Those of an earlier boot, or of another
// podman, are not.
func (p place) readFeatures() []string {
	var f features
	content, err := os.ReadFile(p.featuresFile())
	if err != nil || json.Unmarshal(content, &f) != nil || f.Of == "" || f.Of != p.here() {
		return nil
	}
	return slices.DeleteFunc(f.Names, func(name string) bool { return !isFeature(name) })
}

// isFeature reports whether a text is the name of an answer, and so no path.
func isFeature(name string) bool {
	return regexp.MustCompile(`^[a-z-]{1,40}(\([a-z0-9=,_-]{0,80}\))?-(true|false)$`).MatchString(name)
}

// giveFeatures writes the names that are known into runDir, which is not its user's yet. Name
// is that of the job's folder.
func (p place) giveFeatures(name string, uid, gid uint32) error {
	known := p.readFeatures()
	if len(known) == 0 {
		return nil
	}
	folder := filepath.Join(name, runDir, rootDir)
	if err := workdir.MakePassage(p.images(), filepath.Join(folder, featuresDir)); err != nil {
		return err
	}
	for _, feature := range known {
		if err := give(filepath.Join(p.images(), folder, featuresDir, feature), "", uid, gid); err != nil {
			return err
		}
	}
	for _, path := range []string{filepath.Join(folder, featuresDir), folder} {
		if err := workdir.Make(p.images(), path, uid, gid); err != nil {
			return err
		}
	}
	return nil
}

// give writes a file that belongs to a user.
func give(path, content string, uid, gid uint32) error {
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Chown(path, int(uid), int(gid))
}

// learnFeatures notes what podman has found out in the engine root of a job. No script of the
// job has run yet, but its folder belongs to the user of the store: only names are read, and
// they are given to no other store.
func (p place) learnFeatures() {
	if len(p.readFeatures()) > 0 {
		return
	}
	if f := (features{p.here(), p.foundFeatures()}); f.Of != "" && len(f.Names) > 0 {
		replace(p.featuresFile(), f)
	}
}

// foundFeatures returns the names in the engine root of the job.
func (p place) foundFeatures() []string {
	root, err := os.OpenRoot(p.run())
	if err != nil {
		return nil
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), filepath.Join(rootDir, featuresDir))
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && info.Mode().IsRegular() && info.Size() == 0 && isFeature(entry.Name()) && len(names) < maxFeatures {
			names = append(names, entry.Name())
		}
	}
	return names
}

// forgetFeatures lets the next job of the store find out anew.
func (p place) forgetFeatures() { _ = removeFile(p.featuresFile()) }
