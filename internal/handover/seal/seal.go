// Package seal seals what a job hands over, for stores that others can write to. What was sealed
// opens only for the jobs that it was handed over to, and only as that of the job that wrote it.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"rolecall/internal/handover"
)

// format is the version of the form of sealed parcels.
const format = 1

// Label is what a sealed parcel says of itself. Nothing of it is believed unless it opens.
type Label struct {
	Job   string `json:"job"`
	JobID int64  `json:"job_id"`
}

// form is a sealed parcel in JSON.
type form struct {
	Format int    `json:"format"`
	Key    string `json:"key"` // id of the key
	Label
	Sealed []byte `json:"sealed"` // the nonce, what is encrypted, and the tag
}

// bound is what a parcel is bound to: it is authenticated, and not part of what is sealed.
type bound struct {
	What   string         `json:"what"`
	Format int            `json:"format"`
	Key    string         `json:"key"`
	Scope  handover.Scope `json:"scope"`
	Label
}

// Seal seals a parcel with the newest key.
func (k Keys) Seal(p handover.Parcel) ([]byte, error) {
	if len(k) == 0 {
		return nil, errors.New("there is no key to seal with")
	}
	f := form{Format: format, Key: k[0].ID(), Label: Label{p.Job, p.JobID}}
	f.Sealed = k[0].cipher().Seal(nil, nil, handover.Encode(p), f.data(p.Scope)) //nolint:gosec // the cipher adds a random nonce
	return json.Marshal(f)
}

// Open opens what Seal has made of a parcel of the scope. The error says why it does not open, and
// has nothing of the content.
func (k Keys) Open(content []byte, scope handover.Scope) (handover.Parcel, error) {
	f, err := read(content)
	if err != nil {
		return handover.Parcel{}, err
	}
	key, err := k.find(f.Key)
	if err != nil {
		return handover.Parcel{}, err
	}
	clear, err := key.cipher().Open(nil, nil, f.Sealed, f.data(scope))
	if err != nil {
		return handover.Parcel{}, errors.New("it was changed, or was not sealed for these jobs")
	}
	p, err := handover.Decode(clear, scope)
	if err == nil && (Label{p.Job, p.JobID}) != f.Label {
		err = errors.New("it does not have what its label says")
	}
	if err != nil {
		return handover.Parcel{}, err
	}
	return p, nil
}

// read reads the form of a sealed parcel.
func read(content []byte) (form, error) {
	var f form
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&f)
	if _, more := decoder.Token(); err != nil || !errors.Is(more, io.EOF) || f.Format != format {
		return form{}, errors.New("it is cut, or is not what this version of rolecall has sealed")
	}
	return f, nil
}

// data returns what a parcel of the scope is bound to: all that says whose it is.
func (f form) data(scope handover.Scope) []byte {
	content, _ := json.Marshal(bound{"rolecall handover", f.Format, f.Key, scope, f.Label}) // cannot fail: texts and numbers can always be encoded
	return content
}

// find returns the key with an id.
func (k Keys) find(id string) (Key, error) {
	for _, key := range k {
		if key.ID() == id {
			return key, nil
		}
	}
	return Key{}, fmt.Errorf("it is sealed with the key %.16q, which is in no file of seal_key_files of this host", id)
}

// cipher returns AES-256-GCM, with a random nonce for each parcel.
//
// https://pkg.go.dev/crypto/cipher#NewGCMWithRandomNonce
func (k Key) cipher() cipher.AEAD {
	block, _ := aes.NewCipher(k.bytes[:])            // cannot fail: the key has 32 bytes
	sealer, _ := cipher.NewGCMWithRandomNonce(block) // cannot fail: the block is one of AES
	return sealer
}
