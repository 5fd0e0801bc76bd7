package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
	"rolecall/internal/ledger"
)

const (
	ledgerName = "ledger"
	ledgerNew  = "ledger.new" // the next content of the ledger
	maxLedger  = 16 << 20     // in bytes; about 50,000 sessions
	ledgerWait = 10 * time.Second
	// ledgerRest is how long a ledger is left alone by those who only drop entries.
	ledgerRest = 10 * time.Minute
)

// Ledger returns what was issued to all jobs of the root and has not expired. If nothing
// was issued, the ledger is empty.
func (f *Folder) Ledger() (ledger.Ledger, error) {
	l, err := f.root.readLedger()
	return l.At(time.Now()), err
}

// Enter changes the ledger of the root by a function, which gets what has not expired. One
// process at a time does that. The new ledger is there as a whole, or the old one is as it
// was and Enter fails. A ledger that is broken stays, and is an error.
func (f *Folder) Enter(change func(ledger.Ledger) ledger.Ledger) error {
	return f.root.changeLedger(ledgerWait, change)
}

// changeLedger does what Enter says. It waits for other processes for the time patience.
func (d dir) changeLedger(patience time.Duration, change func(ledger.Ledger) ledger.Ledger) error {
	own, err := openDir(d.fd, ".", d.path) // a lock is of the descriptor, and ends when it is closed
	if err != nil {
		return err
	}
	defer own.close()
	if err := own.lockFor(patience); err != nil {
		return err
	}
	l, err := d.readLedger()
	if err != nil {
		return err
	}
	changed := change(l.At(time.Now()))
	if err := sameKey(l, changed); err != nil {
		return d.errorf(ledgerName, err)
	}
	return d.writeLedger(changed)
}

// sameKey fails unless a ledger has still its key after a change: nobody could find the
// secrets of entries by another one, and none can read a ledger without a key.
func sameKey(before, after ledger.Ledger) error {
	switch {
	case len(after.Entries) > 0 && len(after.Key) == 0:
		return errors.New("the list of what was issued has no key")
	case len(before.Key) > 0 && !bytes.Equal(before.Key, after.Key):
		return errors.New("the list of what was issued was replaced by another one while the job ran")
	}
	return nil
}

// readLedger reads the ledger in d.
func (d dir) readLedger() (ledger.Ledger, error) {
	text, err := d.read(ledgerName, maxLedger)
	if errors.Is(err, fs.ErrNotExist) {
		return ledger.Ledger{}, nil
	}
	if err != nil {
		return ledger.Ledger{}, err
	}
	l, err := ledger.Parse(text)
	if err != nil {
		return ledger.Ledger{}, fault.New(fault.BadLedger, fmt.Errorf("%s, the list of what was issued: %w", d.join(ledgerName), err),
			"find out who has changed it and remove it; uploads are then not searched for what was issued before")
	}
	return l, nil
}

// writeLedger replaces the ledger in d. An empty ledger is removed.
func (d dir) writeLedger(l ledger.Ledger) error {
	if len(l.Entries) == 0 {
		return errors.Join(d.unlink(ledgerNew), d.unlink(ledgerName))
	}
	text := l.Encode()
	if len(text) > maxLedger {
		return d.errorf(ledgerName, fmt.Errorf("the list of what was issued has no room: %d entries have not expired", len(l.Entries)))
	}
	if err := d.replace(ledgerName, ledgerNew, text); err != nil {
		return err
	}
	return d.errorf(ledgerName, unix.Fsync(d.fd))
}

// replace gives the file name a new content through the file spare. The file is there as a
// whole with the new content, or as it was.
func (d dir) replace(name, spare string, content []byte) error {
	if err := d.unlink(spare); err != nil {
		return err
	}
	if err := d.create(spare, content); err != nil {
		return err
	}
	if err := unix.Renameat(d.fd, spare, d.fd, name); err != nil {
		return errors.Join(d.errorf(name, err), d.unlink(spare))
	}
	return nil
}

// sweepLedger drops what has expired from a ledger that nobody has written for a while. If
// another process is writing it, that one does so.
func (d dir) sweepLedger(h host) error {
	var stat unix.Stat_t
	err := unix.Fstatat(d.fd, ledgerName, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || err == nil && h.now.Sub(time.Unix(stat.Mtim.Unix())) < ledgerRest {
		return nil
	}
	err = d.changeLedger(0, func(l ledger.Ledger) ledger.Ledger { return l })
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	return err
}
