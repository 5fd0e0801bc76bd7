package mask

import (
	"errors"
	"fmt"
	"slices"
)

// MinLen is the length of the shortest secret that can be masked, in bytes. A shorter
// text occurs in a log by chance.
const MinLen = 8

const (
	blockLen  = 4   // bytes of a block, the unit of the table
	hashBits  = 14  // of a block's hash: the table fits the L1 cache, and few blocks collide
	maxStride = 255 // the table's entries are bytes
)

// Needles finds all forms of some secrets. It does not change, so any number of Writers
// can share it. A nil *Needles finds nothing.
//
// It has two parts. A table, after Wu and Manber (1994), says for four bytes how many
// bytes can be skipped before a form can begin. A trie reads the text that may be a form.
type Needles struct {
	*trie
	forms  [][]byte
	owners []int // by form: the position of its secret
	// stride is the number of blocks in a window. The window of a form is its first bytes,
	// and has the same length for all forms.
	stride int
	// near holds for the hash of a block its greatest position in a window, counted from
	// 1. 0 means that the block is in no window, and stride that it may be the last.
	near [1 << hashBits]byte
}

// NewNeedles returns Needles that find the Forms of secrets. It fails if there are no
// secrets, and as With does.
func NewNeedles(secrets ...Secret) (*Needles, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no secrets to mask")
	}
	return (*Needles)(nil).With(secrets...)
}

// With returns Needles that find the forms of n and the Forms of more. It does not change
// n, which may be nil. In Finder.Found, the secrets of more follow those of n. With fails
// if a secret is shorter than MinLen: to mask it would make the log unreadable. The error
// names the secret by its position in more.
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

// checkLen fails if a secret is too short to be masked. The error's text continues a
// sentence that begins with the secret's name.
func checkLen(secret Secret) error {
	if n := len(secret.Reveal()); n < MinLen {
		return fmt.Errorf("has %d bytes, need at least %d to mask it", n, MinLen)
	}
	return nil
}

// secrets returns the number of secrets of n.
func (n *Needles) secrets() int {
	if n == nil {
		return 0
	}
	return n.owners[len(n.owners)-1] + 1
}

// withForms returns Needles with the forms of n and with forms, which have these owners.
func (n *Needles) withForms(forms [][]byte, owners []int) *Needles {
	if n != nil {
		forms, owners = slices.Concat(n.forms, forms), slices.Concat(n.owners, owners)
	}
	return newNeedles(forms, owners)
}

// newNeedles returns Needles that find forms. Each form must have at least blockLen bytes.
// For each form, owners has the position of its secret, in ascending order.
func newNeedles(forms [][]byte, owners []int) *Needles {
	n := &Needles{trie: newTrie(forms), forms: forms, owners: owners, stride: maxStride}
	for _, form := range forms {
		n.stride = min(n.stride, len(form)-blockLen+1)
	}
	n.fillNear(forms)
	return n
}

// fillNear enters the windows of forms into the table.
func (n *Needles) fillNear(forms [][]byte) {
	for _, form := range forms {
		for i := range n.stride {
			at := &n.near[hash(form[i:])]
			*at = max(*at, byte((i+1)&0xff))
		}
	}
}

// hash returns the index of a block in the table. The block is the first 4 bytes.
func hash(block []byte) uint32 {
	_ = block[blockLen-1] // the compiler then needs only one check and one load
	bits := uint32(block[0]) | uint32(block[1])<<8 | uint32(block[2])<<16 | uint32(block[3])<<24
	return bits * 0x9E3779B1 >> (32 - hashBits)
}

// nextStart returns the first index in data, from i on, at which a form may begin. A form
// may begin anywhere in the last bytes, which are less than a window.
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

// skipFours skips blocks that are in no window; most blocks are. It checks four at a
// time: the four loads do not depend on each other, so the processor does them in
// parallel.
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
