package seal

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// MaxFile bounds a file with a key, in bytes.
const MaxFile = 1 << 10

// size is the size of a key, in bytes.
const size = 32

// fewest is how many different bytes a key must have. A random one has less in one of 10^20 cases.
const fewest = 16

// Key is a key that parcels are sealed with. It is never printed.
type Key struct{ bytes [size]byte }

// Keys are the keys of a host. The first seals, and each opens.
type Keys []Key

// Format prints the id of the key under every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("key " + k.ID())) }

// ID names the key: it says nothing about what the key is.
func (k Key) ID() string {
	sum := sha256.Sum256(k.bytes[:])
	return hex.EncodeToString(sum[:8])
}

// ParseKey reads the content of a file with a key: 32 random bytes in base64, such as
// "openssl rand -base64 32" prints. The error has nothing of the content.
func ParseKey(content []byte) (Key, error) {
	var k Key
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(string(content)))
	if err != nil || copy(k.bytes[:], raw) != size || len(raw) != size {
		return Key{}, errors.New("it is not one key: 32 bytes in base64, as openssl rand -base64 32 prints")
	}
	seen := map[byte]bool{}
	for _, b := range raw {
		seen[b] = true
	}
	if len(seen) < fewest {
		return Key{}, errors.New("its key is not random; make one by openssl rand -base64 32")
	}
	return k, nil
}
