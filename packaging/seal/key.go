// Package seal makes and checks the signature of what is released.
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Key is a key of OpenPGP, perhaps with its secret half.
type Key struct{ entity *openpgp.Entity }

// Make makes a key for signatures alone, which does not expire: a release is checked for years.
func Make(name string, now time.Time) (Key, error) {
	entity, err := openpgp.NewEntity(name, "", "", &packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519, Time: func() time.Time { return now },
	})
	if err != nil {
		return Key{}, err
	}
	entity.Subkeys = nil // of encryption
	return Key{entity}, nil
}

// Read reads a key, armored.
func Read(path string) (Key, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Key{}, err
	}
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(content))
	if err != nil || len(ring) != 1 {
		return Key{}, fmt.Errorf("%s has %d keys of OpenPGP, want one: %w", path, len(ring), errors.Join(err))
	}
	return Key{ring[0]}, nil
}

// Fingerprint returns the fingerprint, in groups of four as gpg prints it.
func (k Key) Fingerprint() string {
	text := strings.ToUpper(fmt.Sprintf("%x", k.entity.PrimaryKey.Fingerprint))
	var groups []string
	for ; len(text) > 4; text = text[4:] {
		groups = append(groups, text[:4])
	}
	return strings.Join(append(groups, text), " ")
}

// Public returns the public half, armored.
func (k Key) Public() ([]byte, error) {
	return armored(openpgp.PublicKeyType, func(w *bytes.Buffer) error { return k.entity.Serialize(w) })
}

// Secret returns both halves, armored. They are not encrypted.
func (k Key) Secret() ([]byte, error) {
	return armored(openpgp.PrivateKeyType, func(w *bytes.Buffer) error { return k.entity.SerializePrivate(w, nil) })
}

// armored returns as text what write writes.
func armored(kind string, write func(*bytes.Buffer) error) ([]byte, error) {
	var raw, text bytes.Buffer
	if err := write(&raw); err != nil {
		return nil, err
	}
	w, err := armor.Encode(&text, kind, nil)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(raw.Bytes()); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return append(text.Bytes(), '\n'), nil
}

// Keep writes the secret half to a new file that only this user can read. The file may not lie
// in the folder project: what lies there is published.
func (k Key) Keep(path, project string) error {
	inside, err := within(path, project)
	if err != nil {
		return err
	}
	if inside {
		return fmt.Errorf("%s is in %s: a secret key does not belong among the sources", path, project)
	}
	secret, err := k.Secret()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(secret)
	return errors.Join(err, f.Sync(), f.Close())
}

// within reports whether a path is in a folder, whatever links lead there.
func within(path, folder string) (bool, error) {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return false, err
	}
	root, err := filepath.Abs(folder)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	return err == nil && (dir+"/" == root+"/" || strings.HasPrefix(dir, root+"/")), err
}
