package podman

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
)

// namesFullDisk reports whether what a program has said names a full disk. It decides which
// disk the message names, and not whose the error is: that is the infrastructure's anyway.
func namesFullDisk(said string) bool {
	return strings.Contains(said, unix.ENOSPC.Error()) || strings.Contains(said, unix.EDQUOT.Error())
}

// isFull reports whether the cause of an error is a full disk.
func isFull(err error) bool {
	says, failed := errors.AsType[failure](err)
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || failed && says.full
}

// fullDisk returns an error whose cause is a full disk as one that says so. Another error
// stays as it is.
func (p place) fullDisk(err error) error {
	if err == nil || !isFull(err) {
		return err
	}
	full := fault.New(fault.Shortage, fmt.Errorf("the disk of the images is full: %w", causeOf(err)), makeRoom).With("images_dir", p.images())
	for _, row := range fault.Rows(err) {
		if row.Label != "folder" {
			full = full.With(row.Label, row.Text)
		}
	}
	return full
}

// makeRoom says how to make room for images.
const makeRoom = "remove images that jobs do not use any more, on the runner's host\nsudo rolecall prune --older-than 168h"

// causeOf returns what is wrong, without the advice of an error.
func causeOf(err error) error {
	if broken, ok := errors.AsType[*fault.Error](err); ok {
		return broken.What
	}
	return err
}
