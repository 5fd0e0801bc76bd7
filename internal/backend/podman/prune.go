package podman

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
	"rolecall/internal/retention"
)

// storeTime bounds how long podman may work on one store.
const storeTime = 5 * time.Minute

// Prune removes images from the stores of a folder, as an order says, and what broken pulls
// have left there. It returns what it did in each store of which something goes, or would go.
// What jobs use stays. An error about a store does not keep others from their turn; such a
// store keeps all that is not listed.
func (b *Backend) Prune(ctx context.Context, o retention.Order) ([]retention.Store, error) {
	names, err := Stores(o.Dir)
	done := []retention.Store{}
	for _, name := range names {
		if ctx.Err() != nil {
			return done, errors.Join(err, context.Cause(ctx))
		}
		one, problem := b.pruneStore(ctx, o, name)
		if one.IsChanged() {
			done = append(done, one)
		}
		if problem != nil {
			err = errors.Join(err, fmt.Errorf("the store of images of %s: %w", name, problem))
		}
	}
	return done, err
}

// pruneStore prunes one store.
func (b *Backend) pruneStore(ctx context.Context, o retention.Order, name string) (retention.Store, error) {
	path, done := filepath.Join(o.Dir, name), retention.Store{Name: name}
	lock, err := lockToPrune(ctx, o.Wait, path)
	if errors.Is(err, unix.EWOULDBLOCK) && o.Wait == 0 {
		return done, nil
	}
	if err != nil {
		return done, err
	}
	defer lock.Close()
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return done, removeFile(path + storeLock)
	}
	has, err := readContents(path)
	if err != nil && o.Wants(name) {
		return done, fmt.Errorf("it cannot be read: %w", err)
	}
	if o.Wants(name) && o.Rule == (retention.Rule{}) && has.isClean() {
		return done, nil
	}
	sizes, err := b.measure(ctx, path, has)
	if err != nil {
		return done, fmt.Errorf("it cannot be measured: %w", err)
	}
	done.Bytes = sizes.Sum()
	if o.Wants(name) && !o.Rule.Lets(done.Bytes) && has.isClean() {
		return done, nil
	}
	s, err := b.newStore(o.Dir, name, lock)
	if err != nil {
		return done, err
	}
	s.has, s.sizes = has, sizes
	err = s.prune(ctx, o, &done)
	return done, err
}

// measure measures a store, and notes the sizes of the layers that images have. The next pull
// can make another one anew, with the same id.
func (*Backend) measure(ctx context.Context, path string, has contents) (retention.Sizes, error) {
	sizes, err := Measure(ctx, path, readSizes(path))
	if err == nil {
		replace(sizesFile(path), sizes.Without(has.layers))
	}
	return sizes, err
}

// lockToPrune locks a store for this process alone.
func lockToPrune(ctx context.Context, wait time.Duration, path string) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	lock, err := lockPatiently(ctx, path+storeLock, unix.LOCK_EX)
	if errors.Is(err, unix.EWOULDBLOCK) && wait > 0 {
		err = fault.New(fault.Engine, fmt.Errorf("jobs are still getting images from it after %s", wait), "run rolecall prune again")
	}
	return lock, err
}

// prune looks into the store, and removes what goes.
func (s store) prune(ctx context.Context, o retention.Order, done *retention.Store) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, storeTime, fmt.Errorf("podman has not ended after %s", storeTime))
	defer cancel()
	used, err := inUse(s.images, s.place.Store)
	if err != nil {
		return err
	}
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	images, err := s.list(ctx, s.has.images)
	if err != nil {
		err = s.unreadable(err)
	} else {
		err = s.addUse(images, used, !o.DryRun)
	}
	if !o.Wants(s.name) {
		return s.removeWhole(o, retention.All(images, s.sizes), used, done)
	}
	if err == nil {
		err = s.has.agree(images, used)
	}
	if err != nil {
		return err
	}
	return s.removeSome(ctx, o, images, done)
}

// removeSome removes what broken pulls have left, and then the images that go.
func (s store) removeSome(ctx context.Context, o retention.Order, images []retention.Image, done *retention.Store) (err error) {
	gone := s.has.layers
	if !o.DryRun && len(images) > 0 {
		gone, err = s.clear(ctx)
	}
	done.AddLeft(gone, s.sizes)
	going := o.Rule.Choose(images, s.sizes.Without(gone))
	done.Kept = len(images) - len(going)
	if o.DryRun {
		done.Add(going...)
		return err
	}
	return errors.Join(err, s.removeAll(ctx, going, done))
}

// removeAll removes images. If none stays, the store is emptied as a whole.
func (s store) removeAll(ctx context.Context, going []retention.Going, done *retention.Store) error {
	if done.Kept == 0 {
		done.Add(going...)
		done.Freed = done.Bytes
		return s.empty(false)
	}
	for _, g := range going {
		if err := s.remove(ctx, g.ID); err != nil {
			return fmt.Errorf("the image %s cannot be removed: %w", g.ID, err)
		}
		done.Add(g)
	}
	return nil
}

// unreadable is the error of a store that podman cannot read.
func (s store) unreadable(err error) error {
	return fault.New(fault.Engine, fmt.Errorf("podman cannot read it: %w", err),
		"if this stays so, remove the store while no job of the tenant runs\nrm -rf "+s.place.Store)
}

// removeWhole removes the store of a tenant or a trust class that no policy has any more, even
// one that podman cannot read, unless a job that began before still uses it. The tenant's folder
// stays: a job may be waiting for the lock in it.
func (s store) removeWhole(o retention.Order, images []retention.Going, used map[string]bool, done *retention.Store) error {
	if len(used) > 0 {
		return errors.New("it is not removed yet: a job uses it")
	}
	if !o.DryRun {
		if err := s.empty(true); err != nil {
			return err
		}
	}
	done.Add(images...)
	done.Whole, done.Freed = true, done.Bytes
	return nil
}

// addUse adds to images when and whether jobs use them. An image of which nobody knows stays;
// with a note it will have a known age the next time.
func (s store) addUse(images []retention.Image, used map[string]bool, note bool) error {
	for i := range images {
		one := &images[i]
		one.Live = used[one.ID]
		var err error
		if one.Used, err = lastUse(s.place.Store, one.ID); err != nil {
			return fmt.Errorf("the last use of an image is not known: %w", err)
		}
		if one.Used.IsZero() && note {
			if err := touch(s.place.Store, one.ID); err != nil {
				return fmt.Errorf("the use of an image cannot be noted: %w", err)
			}
		}
	}
	return nil
}
