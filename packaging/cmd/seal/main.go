// Command seal makes the key of releases, and checks a release.
//
//	seal key --root .. --secret FILE
//	seal verify --root .. --dir dist [--test-key]
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rolecall/packaging/seal"
)

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// serve does what the first argument says.
func serve(args []string) error {
	if len(args) == 0 {
		return errors.New("say key or verify")
	}
	flags := flag.NewFlagSet("seal "+args[0], flag.ContinueOnError)
	root := flags.String("root", "..", "folder of the sources")
	secret := flags.String("secret", "", "file for the secret half of the key")
	dir := flags.String("dir", "dist", "folder of a release")
	test := flags.Bool("test-key", false, "it is signed by the key of tests, which everybody has")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "key":
		return makeKey(*root, *secret)
	case "verify":
		return verify(*root, *dir, *test)
	}
	return fmt.Errorf("there is no command %q", args[0])
}

// The place in SECURITY.md for the fingerprint of the key.
const (
	begin = "<!-- release key -->\n"
	end   = "<!-- /release key -->"
)

// makeKey makes the key of releases: the secret half in a file outside of the sources, the
// public half and its fingerprint among them. It replaces no key.
func makeKey(root, secret string) error {
	public := filepath.Join(root, "packaging/release.asc")
	if _, err := os.Lstat(public); err == nil {
		return errors.New(public + " exists: who replaces the key of releases must remove it by hand, and tell everybody why")
	}
	if secret == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return err
		}
		secret = filepath.Join(home, "rolecall-release-secret.asc")
	}
	key, err := seal.Make("rolecall releases", time.Now())
	if err != nil {
		return err
	}
	if err := key.Keep(secret, root); err != nil {
		return err
	}
	text, err := key.Public()
	if err != nil {
		return err
	}
	fmt.Printf("The secret half is in %s, not encrypted: keep it on a medium that is in no network.\nThe fingerprint: %s\n", secret, key.Fingerprint())
	return errors.Join(os.WriteFile(public, text, 0o644), tell(filepath.Join(root, "SECURITY.md"), key.Fingerprint()))
}

// tell writes a fingerprint into a document.
func tell(path, fingerprint string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no place for the fingerprint: %s", path, fingerprint)
	}
	now := "The key of releases is [packaging/release.asc](packaging/release.asc). Its fingerprint:\n\n```\n" + fingerprint + "\n```\n"
	return os.WriteFile(path, []byte(before+begin+now+end+after), 0o644)
}

// verify checks a release by the key of releases, or by that of tests.
func verify(root, dir string, test bool) error {
	public := filepath.Join(root, "packaging/release.asc")
	if test {
		public = filepath.Join(root, "packaging/testdata/test-key.asc")
	} else if _, err := os.Stat(public); errors.Is(err, os.ErrNotExist) {
		return errors.New("there is no key of releases yet, and so no release: SECURITY.md. TEST_KEY=1 checks a build that the key of tests has signed")
	}
	key, err := seal.Read(public)
	if err != nil {
		return err
	}
	n, err := key.Check(dir)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d files are as the key %s has signed them\n", dir, n, key.Fingerprint())
	if test {
		fmt.Println("That is the key of TESTS, whose secret half everybody has: it proves nothing about who has made these files.")
	}
	return nil
}
