package podman

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"rolecall/internal/script"
)

// Ranges of ids for user namespaces. systemd's list of uids gives this part of the range
// below 2^31 to nobody.
//
// https://systemd.io/UIDS-GIDS/
const (
	firstRange = 0x70000000
	ranges     = 4096
	rangeSize  = 65535 // ids 1 to 65535 of a container; 0 is the user
)

// reserve returns the range of ids of a user. It is noted in the folder dir, which is the
// driver's user's: for each range, a link of its number to the uid. The first user of a
// range keeps it for ever, since files may have ids of it. If no range is free, reserve
// returns an error.
func reserve(dir string, uid uint32) (script.Namespace, error) {
	return search(dir, uid, func(path string) (uint32, error) { return take(path, uid) })
}

// Ranges returns all ids that the containers of a host can have: no user of the host may have
// one of them.
func Ranges() script.Namespace {
	return script.Namespace{First: firstRange, Count: ranges * (rangeSize + 1)}
}

// RangeOf returns the range of ids that a user has below the folder of the image stores, or
// would get. It reserves nothing.
func RangeOf(images string, uid uint32) (script.Namespace, error) {
	return search(filepath.Join(images, idsDir), uid, func(path string) (uint32, error) {
		owner, err := readOwner(path)
		if errors.Is(err, fs.ErrNotExist) {
			return uid, nil
		}
		return owner, err
	})
}

// search returns the first range that a user owns, as ownerOf says of the link of a range.
func search(dir string, uid uint32, ownerOf func(path string) (uint32, error)) (script.Namespace, error) {
	for i := range uint32(ranges) {
		slot := (uid + i) % ranges
		owner, err := ownerOf(filepath.Join(dir, strconv.Itoa(int(slot))))
		if err != nil {
			return script.Namespace{}, err
		}
		if owner == uid {
			return script.Namespace{First: firstRange + slot*(rangeSize+1), Count: rangeSize}, nil
		}
	}
	return script.Namespace{}, fmt.Errorf("%s: all %d ranges of ids are taken; remove the links of uids that no user has any more", dir, ranges)
}

// take returns the uid that a link at path names, and makes the link if there is none.
func take(path string, uid uint32) (uint32, error) {
	err := os.Symlink(strconv.FormatUint(uint64(uid), 10), path)
	if err == nil {
		return uid, nil
	}
	if !errors.Is(err, unix.EEXIST) {
		return 0, err
	}
	return readOwner(path)
}

// readOwner returns the uid that a link at path names.
func readOwner(path string) (uint32, error) {
	text, err := os.Readlink(path)
	if err != nil {
		return 0, err
	}
	owner, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s is a link to %q, which is no uid; remove it", path, text)
	}
	return uint32(owner), nil
}
