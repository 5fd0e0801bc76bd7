// Package retention decides which images of a store go: by their age, and by how big the
// store may be, those that were used least recently first. An image that a job uses stays,
// and so does one of which nobody knows when it was used.
package retention

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Image is an image of a store.
type Image struct {
	ID     string    `json:"id"`
	Names  []string  `json:"names"`
	Digest string    `json:"digest"` // of its manifest
	Used   time.Time `json:"used"`   // when a job has used it last; zero: not known
	Layers []string  `json:"-"`      // of the store; several images can have the same
	Live   bool      `json:"-"`      // a job uses it
}

// Sizes are the sizes of the layers of a store, in bytes.
type Sizes map[string]uint64

// Sum returns the size of all layers.
func (s Sizes) Sum() uint64 {
	var sum uint64
	for _, size := range s {
		sum += size
	}
	return sum
}

// Without returns the sizes of the other layers.
func (s Sizes) Without(layers []string) Sizes {
	others := maps.Clone(s)
	for _, layer := range layers {
		delete(others, layer)
	}
	return others
}

// Rule says which images go from a store. The zero Rule lets none go.
type Rule struct {
	Before   time.Time // those that were not used since; zero: none by their age
	MaxBytes uint64    // and those that are too much for a store of that size; 0: none by their size
}

// Lets reports whether the rule lets images go from a store of that size.
func (r Rule) Lets(size uint64) bool {
	return !r.Before.IsZero() || r.isOver(size)
}

// isOver reports whether a store of that size is too big.
func (r Rule) isOver(size uint64) bool { return r.MaxBytes > 0 && size > r.MaxBytes }

// Going is an image that goes.
type Going struct {
	Image

	Bytes uint64 `json:"bytes"` // of the layers that go with it, since no other image has them
}

// Choose returns the images that go, in the order in which they go.
func (r Rule) Choose(images []Image, sizes Sizes) []Going {
	left, uses := sizes.Sum(), usesOf(images)
	var going []Going
	for _, i := range byUse(images) {
		if i.Used.Before(r.Before) || r.isOver(left) {
			g := uses.take(i, sizes)
			left -= g.Bytes
			going = append(going, g)
		}
	}
	return going
}

// All returns all images as going, whoever uses them.
func All(images []Image, sizes Sizes) []Going {
	uses := usesOf(images)
	var going []Going
	for _, i := range images {
		going = append(going, uses.take(i, sizes))
	}
	return going
}

// uses says how many images have a layer.
type uses map[string]int

// usesOf counts who has the layers of images.
func usesOf(images []Image) uses {
	all := uses{}
	for _, i := range images {
		all.add(i.Layers)
	}
	return all
}

// add counts layers once more.
func (u uses) add(layers []string) {
	for _, layer := range layers {
		u[layer]++
	}
}

// drop takes a layer of that size from an image, and returns how much goes with it.
func (u uses) drop(layer string, size uint64) uint64 {
	if u[layer]--; u[layer] > 0 {
		return 0
	}
	return size
}

// take takes an image away.
func (u uses) take(i Image, sizes Sizes) Going {
	g := Going{Image: i}
	for _, layer := range i.Layers {
		g.Bytes += u.drop(layer, sizes[layer])
	}
	return g
}

// byUse returns the images that may go, those that were used least recently first.
func byUse(images []Image) []Image {
	var may []Image
	for _, i := range images {
		if !i.Live && !i.Used.IsZero() {
			may = append(may, i)
		}
	}
	slices.SortFunc(may, func(a, b Image) int {
		return cmp.Or(a.Used.Compare(b.Used), cmp.Compare(a.ID, b.ID))
	})
	return may
}
