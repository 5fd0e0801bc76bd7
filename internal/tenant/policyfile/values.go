package policyfile

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"rolecall/internal/tenant"
)

// ReadPath reads the absolute path of a file or folder. An empty text means no path.
func ReadPath(text string) (string, error) {
	if text != "" && (!filepath.IsAbs(text) || filepath.Clean(text) != text || text == "/" ||
		strings.ContainsFunc(text, unicode.IsControl)) {
		return "", fmt.Errorf("%s: want an absolute path, without //, /./, /../ or a / at its end", tenant.Quote(text))
	}
	return text, nil
}

// ReadServer reads the URL of a server: https, or http on this host. An empty text means
// no server.
func ReadServer(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return text, checkServer(text)
}

// checkServer returns an error if a text is not the URL of a server.
func checkServer(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || strings.ContainsAny(text, " \\"):
		return errors.New("want a URL such as https://gitlab.example.com")
	case strings.ContainsAny(text, "@?#"):
		return errors.New("want a URL without user, query and fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return errors.New("want an https:// URL; http:// is for this host only")
	}
	return nil
}

// isLoopback reports whether host is this host, by its name or its address.
func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// ReadProxy reads the URL of a proxy. An empty text means no proxy. No error shows the
// proxy's password.
func ReadProxy(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || !isProxy(u) || strings.ContainsAny(text, " ?#\\") {
		return "", errors.New("want the URL of a proxy, such as http://proxy.example.com:3128")
	}
	return text, nil
}

// isProxy reports whether a URL names a server and a protocol that proxies speak.
func isProxy(u *url.URL) bool {
	return u.Hostname() != "" && strings.Trim(u.Path, "/") == "" &&
		slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme)
}

// isOther returns a function that reports whether a text is other, and not usual. Any
// third text is an error.
func isOther(usual, other string) func(text string) (bool, error) {
	return func(text string) (bool, error) {
		if text != usual && text != other {
			return false, fmt.Errorf("%s: want %q or %q", tenant.Quote(text), usual, other)
		}
		return text == other, nil
	}
}

// readForeignKeys reads what the gate does about keys that rolecall has not issued.
func readForeignKeys(text string) (string, error) {
	if !slices.Contains([]string{"refuse", "warn", "off"}, text) {
		return "", fmt.Errorf(`%s: want "refuse", "warn" or "off"`, tenant.Quote(text))
	}
	return text, nil
}

// readDuration reads how long something may take.
func readDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf(`%s: want a duration above 0, such as "10m"`, tenant.Quote(text))
	}
	return d, nil
}

// readContact reads whom people can ask, as job logs print it.
func readContact(text string) (string, error) {
	if len(text) > 80 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", errors.New("want at most 80 bytes of text on one line, such as #ci-help or ci@example.com")
	}
	return text, nil
}

// readUser reads the name of a unix user in the form that useradd takes, except root. An
// empty text means no user.
func readUser(text string) (string, error) {
	if text != "" && !isUser(text) {
		return "", fmt.Errorf("%s: want the name of a unix user, 1 to 32 of a-z, 0-9, - and _, and not root", tenant.Quote(text))
	}
	return text, nil
}

// isUser reports whether a text that is not empty may name a unix user.
func isUser(text string) bool {
	first := strings.Trim(text[:1], "abcdefghijklmnopqrstuvwxyz_")
	return len(text) <= 32 && first == "" && MadeOf(text, "_") && text != "root"
}

// isWord returns a function that reports whether a text is the word. An empty text is as
// good as no key, and any other text is an error.
func isWord(word string) func(text string) (bool, error) {
	return func(text string) (bool, error) {
		if text != "" && text != word {
			return false, fmt.Errorf("%s: want %q, or no such key", tenant.Quote(text), word)
		}
		return text == word, nil
	}
}

// readAudience reads the audience of an ID token.
func readAudience(text string) (string, error) {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s: want the aud of the ID token, without spaces", tenant.Quote(text))
	}
	return text, nil
}

// readRefType reads a type of ref.
func readRefType(text string) (string, error) {
	if text != "branch" && text != "tag" {
		return "", fmt.Errorf(`%s: want "branch" or "tag"`, tenant.Quote(text))
	}
	return text, nil
}

// readVariable reads the name of a variable.
func readVariable(text string) (string, error) {
	if text == "" || strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || text[0] >= '0' && text[0] <= '9' {
		return "", fmt.Errorf("%s: want the name of a variable, of A-Z, a-z, 0-9 and _", tenant.Quote(text))
	}
	return text, nil
}
