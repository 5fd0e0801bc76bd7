package seal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// The files that a release is checked by.
const (
	Sums      = "SHA256SUMS"
	Signature = "SHA256SUMS.asc"
)

// Write writes the sums of all files in a folder, in the form of sha256sum(1), and their
// signature. The same key, files and time give the same bytes.
func (k Key) Write(dir string, when time.Time) error {
	names, err := files(dir)
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, name := range names {
		sum, err := sumOf(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, name)
	}
	signature, err := k.sign(sums.Bytes(), when)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, Sums), sums.Bytes(), 0o644), os.WriteFile(filepath.Join(dir, Signature), signature, 0o644))
}

// sign returns the signature of a text. It says that it was made at the time when, but not
// before the key: nobody would accept that.
func (k Key) sign(text []byte, when time.Time) ([]byte, error) {
	if k.entity.PrivateKey == nil || k.entity.PrivateKey.Encrypted {
		return nil, errors.New("the key has no secret half, or it is encrypted: export it without a passphrase")
	}
	if made := k.entity.PrimaryKey.CreationTime; when.Before(made) {
		when = made
	}
	random := false
	var signature bytes.Buffer
	err := openpgp.ArmoredDetachSign(&signature, k.entity, bytes.NewReader(text), &packet.Config{
		Time: func() time.Time { return when }, NonDeterministicSignaturesViaNotation: &random,
	})
	return append(signature.Bytes(), '\n'), err
}

// sumLine is a line of sums. A name leads to no other folder.
var sumLine = regexp.MustCompile(`^([0-9a-f]{64})  ([A-Za-z0-9_+~][A-Za-z0-9._+~-]*)$`)

// Check reports an error unless the sums in a folder are signed by the key, each file of them
// is there as it was, and there is no other file. It returns how many files there are.
func (k Key) Check(dir string) (int, error) {
	sums, err := os.ReadFile(filepath.Join(dir, Sums))
	if err != nil {
		return 0, err
	}
	signature, err := os.Open(filepath.Join(dir, Signature))
	if err != nil {
		return 0, err
	}
	defer signature.Close()
	if _, err := openpgp.CheckArmoredDetachedSignature(openpgp.EntityList{k.entity}, bytes.NewReader(sums), signature, nil); err != nil {
		return 0, fmt.Errorf("%s is not the signature of %s by the key %s: %w", Signature, Sums, k.Fingerprint(), err)
	}
	named := map[string]bool{}
	for line := range strings.Lines(string(sums)) {
		match := sumLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if match == nil {
			return 0, fmt.Errorf("%s has a line that is no sum: %.80q", Sums, line)
		}
		if err := checkSum(filepath.Join(dir, match[2]), match[1]); err != nil {
			return 0, err
		}
		named[match[2]] = true
	}
	return len(named), others(dir, named)
}

// checkSum reports an error unless a file has a sum.
func checkSum(path, want string) error {
	got, err := sumOf(path)
	if err == nil && got != want {
		err = fmt.Errorf("%s is not the file that was signed", path)
	}
	return err
}

// others reports the files of a folder that are not named.
func others(dir string, named map[string]bool) error {
	names, err := files(dir)
	for _, name := range names {
		if !named[name] {
			err = errors.Join(err, fmt.Errorf("%s is not signed", filepath.Join(dir, name)))
		}
	}
	return err
}

// files returns the names of what is in a folder, without the sums and their signature.
func files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if name := entry.Name(); name != Sums && name != Signature {
			names = append(names, name)
		}
	}
	return names, nil
}

// sumOf returns the SHA-256 of a file.
func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	_, err = io.Copy(hash, f)
	return fmt.Sprintf("%x", hash.Sum(nil)), err
}
