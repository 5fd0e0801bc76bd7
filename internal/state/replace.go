package state

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

// Replace puts c in the place of the credential of its provider and name, by renames:
// whoever reads one of the files meanwhile sees the old one or the new one, whole. The
// driver's copy comes first, so that a secret is known before the job can have it.
//
// Where it fails or is killed, the job has the old or the new credential, and another
// Replace is free to try. Files that the job holds open keep their old content until
// Remove. It is an error where no such credential was issued, where the runner has
// died, and where another Replace is at work for longer than lockTime.
func (f *Folder) Replace(c creds.Credential) error {
	if err := f.checkRunner(); err != nil {
		return err
	}
	kept, err := openDir(f.dir.fd, keptName, f.dir.join(keptName))
	if err != nil {
		return err
	}
	defer kept.close()
	if err := kept.lockFor(unix.LOCK_EX, lockTime); err != nil {
		return err
	}
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
	if err := f.dir.exchange(issuedName, issuedNew, content); err != nil {
		return err
	}
	return f.giveAgain(kept, f.jobFiles(placed))
}

// replace returns what was issued with c in the place of the credential of its
// provider and name, the secrets of which are kept.
func (i issued) replace(c creds.Credential) (issued, error) {
	set, old, ok := i.set.Replace(c)
	if !ok {
		return issued{}, fmt.Errorf("no credential %s was issued to the job", c)
	}
	after := issued{set: set, old: slices.Clone(i.old)}
	for _, secret := range old.Secrets {
		if !holds(set.Secrets(), secret) && !holds(after.old, secret) {
			after.old = append(after.old, secret)
		}
	}
	return after, nil
}

// holds reports whether a secret is among others, whatever its kind.
func holds(secrets []mask.Named, secret mask.Named) bool {
	return slices.ContainsFunc(secrets, func(s mask.Named) bool { return s.Value.Reveal() == secret.Value.Reveal() })
}

// exchange gives the file name a new content, by way of the name spare, and shreds the
// old one. At any time name is whole, and spare is what nobody needs: what a killed
// exchange left there is shredded by the next.
func (d dir) exchange(name, spare string, content []byte) error {
	if err := d.shred(spare); err != nil {
		return err
	}
	if err := d.create(spare, content); err != nil {
		return err
	}
	err := unix.Renameat2(d.fd, spare, d.fd, name, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a file system such as NFS
		err = unix.Renameat(d.fd, spare, d.fd, name)
	}
	return errors.Join(d.errorf(name, err), d.shred(spare))
}

// giveAgain puts files in the place of those that the job has, the env file last: it
// names the others.
func (f *Folder) giveAgain(kept dir, files []jobFile) error {
	own, err := openAnyDir(f.dir.fd, jobName, f.dir.join(jobName))
	if err != nil {
		return err
	}
	defer own.close()
	for _, file := range slices.Backward(files) {
		if err := f.swap(kept, own, file); err != nil {
			return err
		}
	}
	return nil
}

// swap puts a file in the place of the one that the job has. The old one keeps its
// name in kept, and the new one gets another there, so that Remove overwrites both.
func (f *Folder) swap(kept, own dir, file jobFile) error {
	name := filePrefix + newName()[1:]
	if err := kept.create(name, file.content); err != nil {
		return err
	}
	var err error
	if owner := f.record.Owner; owner != nil {
		err = kept.errorf(name, unix.Fchownat(kept.fd, name, int(owner.UID), int(owner.GID), unix.AT_SYMLINK_NOFOLLOW))
	}
	if err == nil {
		err = own.errorf(name, unix.Linkat(kept.fd, name, own.fd, name, 0))
	}
	if err == nil {
		err = own.errorf(file.name, unix.Renameat(own.fd, name, own.fd, file.name))
	}
	if err != nil {
		return errors.Join(err, own.unlink(name), kept.shred(name))
	}
	return nil
}
