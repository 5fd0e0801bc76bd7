package mask

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// MinLen is the length of the shortest secret that can be masked, in bytes. A shorter
// text occurs in a log by chance.
const MinLen = 8

const maxStride = 64 // keeps the table sparse

// Needles finds all forms of some secrets. It does not change, so any number of Writers
// can share it. A nil *Needles finds nothing.
//
// A form is found in two readings of a text. One is the text as it is. The other is the
// text as somebody sees it who looks at it:
//
//   - without escape sequences (ECMA-48, 5.4; ECMA-35, 13.2) and line breaks (\n or \r\n).
//     Between two characters of a form there may be one line break, and 128 bytes in all;
//   - with the characters that tokens of JSON (\u002B and \/, RFC 8259, 7), HTML and XML
//     (&plus;, &#43; and &#x2B;, HTML, 13.1.4) stand for, if these are " & ' + / < = > or `.
//     A token has up to 64 bytes.
//
// It has two parts. A table, after Wu and Manber (1994), has the blocks of four bytes near
// the beginning of a form, so most of a text can be skipped. A trie reads the text that may
// be a form.
type Needles struct {
	*trie
	owners []int // by form: the position of its secret
	// stride is the number of blocks in a window. The window of a form is its first bytes,
	// and has the same length for all forms.
	stride int
	blocks blockSet
}

// NewNeedles returns Needles that find the Forms of secrets. It fails if there are no
// secrets, and as With does.
func NewNeedles(secrets ...Secret) (*Needles, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no secrets to mask")
	}
	return (*Needles)(nil).With(secrets...)
}

// NewFileNeedles is NewNeedles for files: it finds the FileForms of secrets. Without secrets it
// returns nil.
func NewFileNeedles(secrets ...Secret) (*Needles, error) {
	return (*Needles)(nil).with(secrets, FileForms)
}

// With returns Needles that find the forms of n and the Forms of more. It does not change
// n, which may be nil. In Finder.Found, the secrets of more follow those of n. With fails
// if a secret is shorter than MinLen: to mask it would make the log unreadable. The error
// names the secret by its position in more.
func (n *Needles) With(more ...Secret) (*Needles, error) { return n.with(more, Forms) }

// with is With for what formsOf returns for a secret.
func (n *Needles) with(more []Secret, formsOf func(Secret) [][]byte) (*Needles, error) {
	if len(more) == 0 {
		return n, nil
	}
	var forms [][]byte
	var owners []int
	for i, secret := range more {
		if err := checkLen(secret); err != nil {
			return nil, fmt.Errorf("secret %d of %d %w", i+1, len(more), err)
		}
		for _, form := range formsOf(secret) {
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
	n := &Needles{trie: newTrie(forms), owners: owners, stride: maxStride}
	for _, form := range forms {
		n.stride = min(n.stride, len(form)-blockLen+1)
	}
	n.blocks = newBlockSet(windowsOf(forms, n.stride+blockLen-1))
	return n
}

// windowsOf returns the first bytes of forms, of a length, each once and sorted.
func windowsOf(forms [][]byte, length int) [][]byte {
	windows := make([][]byte, len(forms))
	for i, form := range forms {
		windows[i] = form[:length]
	}
	slices.SortFunc(windows, bytes.Compare)
	return slices.CompactFunc(windows, bytes.Equal)
}

// nextStart returns the first index in data, from i on, at which a form may begin, and
// len(data) if none may.
func (n *Needles) nextStart(data []byte, i int) int {
	stride, ahead := n.stride, n.stride-1
	at := i + ahead // of the last block of a window
	for last := len(data) - blockLen; at <= last; {
		if !n.blocks.has(data[at:]) {
			at += stride
			continue
		}
		foreign := n.foreign(data[at-ahead : at])
		if foreign < 0 {
			return at - ahead
		}
		at += foreign + 1
	}
	// The last bytes are less than a window.
	if at -= ahead; n.ending(data[at:]) != 0 {
		return at + n.native(data[at:])
	}
	return len(data)
}

// native returns the index in text, which is less than a window, behind the last block of no window:
// no form begins in front of it.
func (n *Needles) native(text []byte) int {
	i := len(text) - blockLen
	for i >= 0 && n.blocks.has(text[i:]) {
		i--
	}
	return max(i+1, 0)
}

// foreign returns -1 if text may be a window without its last block. Otherwise no window
// begins in text up to the index that it returns: it is that of a block of no window.
func (n *Needles) foreign(text []byte) int {
	for i := len(text) - blockLen; i >= 0; i -= blockLen {
		if !n.blocks.has(text[i:]) {
			return i
		}
	}
	if len(text) == 0 || n.first[text[0]] != root || n.blocks.begins(text[0]) {
		return -1
	}
	return 0
}
