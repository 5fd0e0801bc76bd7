package tenant

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

	"rolecall/internal/creds/aws"
)

// readPath reads the path of a file or folder; empty is none.
func readPath(text string) (string, error) {
	if text != "" && (!filepath.IsAbs(text) || filepath.Clean(text) != text || text == "/" ||
		strings.ContainsFunc(text, unicode.IsControl)) {
		return "", fmt.Errorf("%s: want an absolute path, without //, /./, /../ or a / at its end", quote(text))
	}
	return text, nil
}

// readServer reads the URL of a server, which is https, or http on this host; empty
// is none.
func readServer(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || strings.ContainsAny(text, " \\"):
		return "", errors.New("want a URL such as https://gitlab.example.com")
	case strings.ContainsAny(text, "@?#"):
		return "", errors.New("want a URL without user, query and fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return "", errors.New("want an https:// URL; http:// is for this host only")
	}
	return text, nil
}

// isLoopback reports whether host is this host, by its name or its address.
func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// readProxy reads the URL of a proxy; empty is none. Its password is in no error.
func readProxy(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) ||
		strings.Trim(u.Path, "/") != "" || strings.ContainsAny(text, " ?#\\") {
		return "", errors.New("want the URL of a proxy, such as http://proxy.example.com:3128")
	}
	return text, nil
}

// readIncomplete reads what the gate does about what it could not look at, and
// reports whether that is to warn only.
func readIncomplete(text string) (bool, error) {
	if text != "refuse" && text != "warn" {
		return false, fmt.Errorf(`%s: want "refuse" or "warn"`, quote(text))
	}
	return text == "warn", nil
}

// readGateDuration reads how long the gate may look.
func readGateDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf(`%s: want a duration above 0, such as "10m"`, quote(text))
	}
	return d, nil
}

// readUser reads the name of a unix user, as useradd takes it; empty is none. Root is
// nobody's.
func readUser(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	first := strings.Trim(text[:1], "abcdefghijklmnopqrstuvwxyz_")
	if len(text) > 32 || first != "" || !madeOf(text, "_") || text == "root" {
		return "", fmt.Errorf("%s: want the name of a unix user, 1 to 32 of a-z, 0-9, - and _, and not root", quote(text))
	}
	return text, nil
}

// readUnsafe reads whether the admin asks for what is not safe.
func readUnsafe(text string) (bool, error) {
	if text != "" && text != "unsafe" {
		return false, fmt.Errorf(`%s: want "unsafe", or no such key`, quote(text))
	}
	return text == "unsafe", nil
}

// readSession reads the length of a session; empty is as long as the job may run.
func readSession(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < aws.ShortestSession || d > aws.LongestSession || d%time.Second != 0 {
		return 0, fmt.Errorf(`%s: want a duration from "15m" to "12h", such as "1h"`, quote(text))
	}
	return d, nil
}

// readAudience reads the audience of an ID token.
func readAudience(text string) (string, error) {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s: want the aud of the ID token, without spaces", quote(text))
	}
	return text, nil
}

// readRefType reads a type of ref.
func readRefType(text string) (string, error) {
	if text != "branch" && text != "tag" {
		return "", fmt.Errorf(`%s: want "branch" or "tag"`, quote(text))
	}
	return text, nil
}

// readVariable reads the name of a variable.
func readVariable(text string) (string, error) {
	if text == "" || strings.Trim(text, lettersAndDigits+"_") != "" || text[0] >= '0' && text[0] <= '9' {
		return "", fmt.Errorf("%s: want the name of a variable, of A-Z, a-z, 0-9 and _", quote(text))
	}
	return text, nil
}

// readRegion reads an AWS region; empty is the driver's own.
func readRegion(text string) (string, error) {
	if !isRegion(text) {
		return "", fmt.Errorf("%s is no AWS region", quote(text))
	}
	return text, nil
}

// isRegion reports whether text may be an AWS region, or none.
func isRegion(text string) bool { return len(text) <= 32 && madeOf(text, "") }

// readAccount reads the id of an AWS account.
func readAccount(text string) (string, error) {
	if len(text) != 12 || strings.Trim(text, "0123456789") != "" {
		return "", fmt.Errorf("%s: want the 12 digits of an account id", quote(text))
	}
	return text, nil
}

// readPolicyARN reads the ARN of a managed policy, AWS's or an account's own.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func readPolicyARN(text string) (string, error) {
	parts := strings.Split(text, ":")
	printable := !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
	if !printable || len(text) > 2048 || len(parts) != 6 || parts[0] != "arn" || !madeOf(parts[1], "") || parts[1] == "" ||
		parts[2] != "iam" || parts[3] != "" || !strings.HasPrefix(parts[5], "policy/") || strings.HasSuffix(text, "/") {
		return "", fmt.Errorf("%s: want the ARN of a managed policy, such as arn:aws:iam::aws:policy/ReadOnlyAccess", quote(text))
	}
	if _, err := readAccount(parts[4]); err != nil && parts[4] != "aws" {
		return "", fmt.Errorf("%s: want aws or 12 digits as its account", quote(text))
	}
	return text, nil
}
