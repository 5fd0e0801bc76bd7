package state

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds"
	"rolecall/internal/ledger"
	"rolecall/internal/mask"
)

// Replace replaces the credential that has the provider and name of c by c. It does so
// by renames: a process that reads one of the files meanwhile sees the old file or the
// new one, whole. The ledger is changed first, by the function enter, as Enter does, if it
// is not nil, and then the driver's own copy: so the driver knows a secret before the job can have it.
//
// If Replace fails or is killed, the job has the old or the new credential, and Replace
// can be called again. Files that the job holds open keep their old content until
// Remove. Replace fails if no such credential was issued, if the runner has died, if the
// ledger cannot be changed, or if another Replace takes longer than lockTime.
func (f *Folder) Replace(c creds.Credential, enter func(ledger.Ledger) ledger.Ledger) error {
	if err := f.checkRunner(); err != nil {
		return err
	}
	kept, err := openDir(f.dir.fd, keptName, f.dir.join(keptName))
	if err != nil {
		return err
	}
	defer kept.close()
	if err := kept.lockFor(lockTime); err != nil {
		return err
	}
	return f.replaceIn(kept, c, enter)
}

// replaceIn is Replace, with the folder kept locked.
func (f *Folder) replaceIn(kept dir, c creds.Credential, enter func(ledger.Ledger) ledger.Ledger) error {
	before, err := f.readIssued()
	if err != nil {
		return err
	}
	after, err := before.replace(c)
	if err != nil {
		return f.dir.errorf(issuedName, err)
	}
	placed, content, err := f.encode(after)
	if err != nil {
		return err
	}
	if enter != nil {
		if err := f.Enter(enter); err != nil {
			return err
		}
	}
	if err := f.dir.exchange(issuedName, issuedNew, content); err != nil {
		return err
	}
	return f.replaceJobCopy(kept, f.jobFiles(placed))
}

// replace returns what was issued, with c in the place of the credential that has its
// provider and name. The secrets of the old credential are kept.
func (i issued) replace(c creds.Credential) (issued, error) {
	set, old, ok := i.set.Replace(c)
	if !ok {
		return issued{}, fmt.Errorf("no credential %s was issued to the job", c)
	}
	after := issued{set: set, old: slices.Clone(i.old), orders: i.orders}
	for _, secret := range old.Secrets {
		if !holds(set.Secrets(), secret) && !holds(after.old, secret) {
			after.old = append(after.old, secret)
		}
	}
	return after, nil
}

// holds reports whether a secret is among others; its kind does not matter.
func holds(secrets []mask.Named, secret mask.Named) bool {
	return slices.ContainsFunc(secrets, func(s mask.Named) bool { return s.Value.Reveal() == secret.Value.Reveal() })
}

// exchange gives the file name a new content through the file spare, and shreds the old
// content. The file name is whole at any time, and nobody needs spare: if exchange is
// killed, the next one shreds spare.
func (d dir) exchange(name, spare string, content []byte) error {
	if err := d.shred(spare); err != nil {
		return err
	}
	if err := d.create(spare, content); err != nil {
		return err
	}
	return errors.Join(d.errorf(name, d.swapNames(name, spare)), d.shred(spare))
}

// swapNames exchanges two files. On a file system that cannot exchange, such as NFS,
// spare replaces name.
func (d dir) swapNames(name, spare string) error {
	err := unix.Renameat2(d.fd, spare, d.fd, name, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = unix.Renameat(d.fd, spare, d.fd, name)
	}
	return err
}

// replaceJobCopy replaces the files that the job has. The env file is last, since it
// names the other files.
func (f *Folder) replaceJobCopy(kept dir, files []jobFile) error {
	secret, err := openAnyDir(f.dir.fd, secretName, f.dir.join(secretName))
	if err != nil {
		return err
	}
	defer secret.close()
	for _, file := range slices.Backward(files) {
		if err := f.swap(kept, secret, file); err != nil {
			return err
		}
	}
	return nil
}

// swap replaces a file that the job has. The old file keeps its name in the folder kept,
// and the new file gets another name there, so that Remove overwrites both.
func (f *Folder) swap(kept, secret dir, file jobFile) error {
	there, as, err := file.open(secret)
	if err != nil {
		return err
	}
	defer there.close()
	name := filePrefix + newName()[1:]
	if err := kept.create(name, file.content); err != nil {
		return err
	}
	if owner := f.record.Owner; owner != nil {
		err = kept.show(name, *owner)
	}
	if err == nil {
		err = there.errorf(name, unix.Linkat(kept.fd, name, there.fd, name, 0))
	}
	if err == nil {
		err = there.errorf(as, unix.Renameat(there.fd, name, there.fd, as))
	}
	if err != nil {
		return errors.Join(err, there.unlink(name), kept.shred(name))
	}
	return nil
}
