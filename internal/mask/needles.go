package mask

import (
	"errors"
	"fmt"
	"slices"
)

// MinLen is the length in bytes of the shortest secret that can be masked:
// anything shorter turns up in a log by chance.
const MinLen = 8

const (
	blockLen  = 4   // bytes that the table looks at
	hashBits  = 14  // of a block; the table fits the L1 cache, few blocks collide
	maxStride = 255 // so that the table can hold bytes
)

// Needles finds all forms of some secrets. It never changes, so that any number
// of Writers can share it. A nil *Needles finds nothing.
//
// Two things work together. A table (after Wu and Manber, 1994) tells from four
// bytes how many bytes further the next form can begin at the earliest: it passes
// over what is no secret. The trie follows what may be one.
type Needles struct {
	*trie
	forms  [][]byte
	owners []int // by form: the position of its secret
	// stride is how many blocks a window has. The window of a form is its first
	// bytes, as many for all forms.
	stride int
	// near holds, by the hash of a block, its number in the windows, counted from
	// 1, and the greatest if it has several; 0 means that it is in none, stride
	// that it may end one.
	near [1 << hashBits]byte
}

// NewNeedles returns what finds the Forms of secrets. It refuses to find
// nothing, and else what With refuses.
func NewNeedles(secrets ...Secret) (*Needles, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no secrets to mask")
	}
	return (*Needles)(nil).With(secrets...)
}

// With returns what finds all that n finds, which is nothing if n is nil, and the
// Forms of more. n stays as it is. To a Finder, more have the positions after those
// of n. With refuses a secret shorter than 8 bytes: masking that would shred the
// log. The error names a secret by its position in more only.
func (n *Needles) With(more ...Secret) (*Needles, error) {
	if len(more) == 0 {
		return n, nil
	}
	var forms [][]byte
	var owners []int
	for i, secret := range more {
		if err := checkLen(secret); err != nil {
			return nil, fmt.Errorf("secret %d of %d %w", i+1, len(more), err)
		}
		for _, form := range Forms(secret) {
			forms = append(forms, form)
			owners = append(owners, n.secrets()+i)
		}
	}
	return n.withForms(forms, owners), nil
}

// checkLen returns an error, which goes on after the name of a secret, if the secret
// is too short to be masked.
func checkLen(secret Secret) error {
	if n := len(secret.Reveal()); n < MinLen {
		return fmt.Errorf("has %d bytes, need at least %d to mask it", n, MinLen)
	}
	return nil
}

// secrets returns how many secrets n finds.
func (n *Needles) secrets() int {
	if n == nil {
		return 0
	}
	return n.owners[len(n.owners)-1] + 1
}

// withForms returns what finds all that n finds, and forms, with their owners.
func (n *Needles) withForms(forms [][]byte, owners []int) *Needles {
	if n != nil {
		forms, owners = slices.Concat(n.forms, forms), slices.Concat(n.owners, owners)
	}
	return newNeedles(forms, owners)
}

// newNeedles returns what finds forms, which are at least blockLen bytes long.
// The position of each one's secret is in owners, in ascending order.
func newNeedles(forms [][]byte, owners []int) *Needles {
	n := &Needles{trie: newTrie(forms), forms: forms, owners: owners, stride: maxStride}
	for _, form := range forms {
		n.stride = min(n.stride, len(form)-blockLen+1)
	}
	n.fillNear(forms)
	return n
}

// fillNear enters the windows of forms in the table.
func (n *Needles) fillNear(forms [][]byte) {
	for _, form := range forms {
		for i := range n.stride {
			at := &n.near[hash(form[i:])]
			*at = max(*at, byte((i+1)&0xff))
		}
	}
}

// hash returns the place of a block, the first bytes of data, in the table.
func hash(block []byte) uint32 {
	_ = block[blockLen-1] // so that one check and one load are enough
	bits := uint32(block[0]) | uint32(block[1])<<8 | uint32(block[2])<<16 | uint32(block[3])<<24
	return bits * 0x9E3779B1 >> (32 - hashBits)
}

// nextStart returns the least index, from i on, at which a form may begin in data. At
// the end of data, where less than a window is left, a form may begin anywhere.
func (n *Needles) nextStart(data []byte, i int) int {
	ahead := n.stride - 1
	at := i + ahead
	for last := len(data) - blockLen; at <= last; {
		at = n.skipFours(data, at)
		if at > last {
			break
		}
		near := int(n.near[hash(data[at:])])
		if near == n.stride {
			return at - ahead
		}
		at += n.stride - near
	}
	return at - ahead
}

// skipFours skips blocks that are in no window, most of what there is. It looks at
// four of them at a time, which the processor does at once since none waits for
// the answer about another.
func (n *Needles) skipFours(data []byte, at int) int {
	stride := n.stride
	for end := len(data) - 3*stride - blockLen; at <= end; at += 4 * stride {
		near := n.near[hash(data[at:])] | n.near[hash(data[at+stride:])] |
			n.near[hash(data[at+2*stride:])] | n.near[hash(data[at+3*stride:])]
		if near != 0 {
			break
		}
	}
	return at
}
