package policyfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rolecall/internal/handover"
	"rolecall/internal/tenant"
)

// handoverTable is the table in which a tenant says more than [handover] does.
const handoverTable = tenantTable + ".handover"

// Bounds of how long values stay.
const (
	usualAge   = 24 * time.Hour
	longestAge = 7 * 24 * time.Hour
)

// maxSealKeys bounds the keys that open what was sealed: a rotation needs two.
const maxSealKeys = 5

// handoverKeys returns the keys of [handover].
func handoverKeys() Keys {
	keys := tenantHandoverKeys()
	keys["store"], keys["max_age"], keys["seal_key_files"], keys["ca_bundle"] = Text, Text, List, Text
	return keys
}

// tenantHandoverKeys returns the keys of [tenant.handover].
func tenantHandoverKeys() Keys {
	return Keys{"source": Text, "bucket": Text, "prefix": Text, "region": Text, "endpoint": Text, "path": Text}
}

// keysOfStore returns the keys that have an effect with a store.
func keysOfStore(store string) []string {
	switch store {
	case handover.S3:
		return []string{"store", "max_age", "seal_key_files", "source", "bucket", "prefix", "region", "endpoint", "ca_bundle"}
	case handover.Vault:
		return []string{"store", "max_age", "seal_key_files", "source", "path"}
	}
	return []string{"store", "max_age"}
}

// isSingle reports whether a table may occur several times in a file, but once in the table that
// it is a part of. It has one bracket.
func isSingle(table string) bool { return table == handoverTable }

// bracketed returns how a table begins that may occur several times in a file.
func bracketed(table string) string {
	if isSingle(table) {
		return "[" + table + "]"
	}
	return "[[" + table + "]]"
}

// setHandover compiles the table [handover].
func setHandover(t Table, out *handover.Settings) {
	if t.values == nil {
		return
	}
	s := handover.Settings{MaxAge: usualAge}
	Set(t, "store", isOneOf(handover.Local, handover.S3, handover.Vault), &s.Store)
	if t.values["store"] == nil {
		t.FailTable(errors.New(`store is missing; set it to "local", "s3" or "vault"`))
	}
	if s.Store == "" {
		return
	}
	if s.Store == handover.S3 {
		s.Prefix = "rolecall"
	}
	Set(t, "max_age", readAge, &s.MaxAge)
	SetList(t, "seal_key_files", readKeyFile, &s.SealKeyFiles)
	Set(t, "ca_bundle", ReadPath, &s.CABundle)
	t.setStore(&s)
	t.checkSeals(s)
	*out = s
}

// setStore reads the keys that [handover] and a tenant may both have, and reports those that
// have no effect with the store.
func (t Table) setStore(s *handover.Settings) {
	Set(t, "source", readSourceName, &s.Source)
	Set(t, "bucket", readBucket, &s.Bucket)
	Set(t, "prefix", readPrefix, &s.Prefix)
	Set(t, "region", readRegionName, &s.Region)
	Set(t, "endpoint", ReadServer, &s.Endpoint)
	Set(t, "path", readDataPath, &s.Path)
	for key := range t.values {
		if handoverKeys()[key] != "" && !slices.Contains(keysOfStore(s.Store), key) {
			t.Fail(key, fmt.Errorf("with the store %q it has no effect; remove it", s.Store))
		}
	}
}

// checkSeals reports how many keys there are, if that is wrong.
func (t Table) checkSeals(s handover.Settings) {
	switch n := len(s.SealKeyFiles); {
	case n > maxSealKeys:
		t.Fail("seal_key_files", fmt.Errorf("there are %d, and at most %d are tried", n, maxSealKeys))
	case n == 0 && s.Store == handover.S3 && t.values["seal_key_files"] == nil:
		t.FailTable(errors.New("seal_key_files is missing: nothing is put into a bucket in the clear; make a key by openssl rand -base64 32"))
	}
}

// setHandoverOf returns how the jobs of a tenant hand over values, which has the gifts.
func (t Table) setHandoverOf(all handover.Settings, gifts []tenant.Gift) handover.Settings {
	s, own := all.Clone(), t.Tables("handover")
	switch {
	case len(own) == 0:
		t.checkStore(&s, gifts)
	case s.Store == "":
		own[0].FailTable(errors.New("without [handover] it has no effect; add that table, or remove this one"))
	default:
		own[0].checkKeys(tenantHandoverKeys())
		own[0].setStore(&s)
		own[0].checkStore(&s, gifts)
	}
	return s
}

// checkStore reports what a tenant lacks for the store. A tenant whose credentials do not reach
// it, and that says nothing of it, hands over nothing.
func (t Table) checkStore(s *handover.Settings, gifts []tenant.Gift) {
	if s.Store == "" || s.Store == handover.Local {
		return
	}
	switch why := findSource(s, gifts); {
	case why != "" && t.at.table == handoverTable:
		t.FailTable(errors.New(why))
	case why != "":
		s.Off = why
	case len(t.compiler.problems) > 0: // what seems to be missing may be wrong
	case s.Store == handover.S3 && s.Bucket == "":
		t.FailTable(errors.New("the store s3 needs a bucket, in [handover] or in [tenant.handover]"))
	case s.Store == handover.Vault && s.Path == "":
		t.FailTable(errors.New("the store vault needs a path, in [handover] or in [tenant.handover]"))
	}
}

// findSource finds the credentials of a tenant that reach the store, and returns why there are
// none.
func findSource(s *handover.Settings, gifts []tenant.Gift) (why string) {
	provider := s.Provider()
	names := sourcesOf(gifts, provider)
	switch {
	case s.Source != "" && !slices.Contains(names, s.Source):
		return fmt.Sprintf("it has no source %s of the provider %s, which reaches the store", tenant.Quote(s.Source), provider)
	case s.Source != "" || slices.Contains(names, ""):
		return ""
	case len(names) == 1:
		s.Source = names[0]
		return ""
	case len(names) == 0:
		return fmt.Sprintf("it has no credentials of the provider %s, which reach the store", provider)
	}
	return fmt.Sprintf("it has %d sources of the provider %s, and source does not say which one reaches the store", len(names), provider)
}

// sourcesOf returns the names of the sources of a provider.
func sourcesOf(gifts []tenant.Gift, provider string) (names []string) {
	for _, g := range gifts {
		if g.Provider == provider {
			names = append(names, g.Name)
		}
	}
	return names
}

// readAge reads how long values stay.
func readAge(text string) (time.Duration, error) {
	d, err := readDuration(text)
	if err == nil && d > longestAge {
		err = fmt.Errorf("%s: want at most %v", tenant.Quote(text), longestAge)
	}
	return d, err
}

// readKeyFile reads the path of a key.
func readKeyFile(text string) (string, error) {
	if text == "" {
		return "", errors.New("want the absolute path of a file with a key")
	}
	return ReadPath(text)
}

// readSourceName reads the name of a source. An empty text is the tenant's own credentials.
func readSourceName(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return readSource(text, map[string]bool{})
}

// readBucket reads the name of a bucket.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func readBucket(text string) (string, error) {
	if len(text) < 3 || len(text) > 63 || !MadeOf(text, ".") || !MadeOf(text[:1]+text[len(text)-1:], "") || strings.Contains(text, "..") {
		return "", fmt.Errorf("%s: want the name of a bucket, 3 to 63 of a-z, 0-9, . and -", tenant.Quote(text))
	}
	return text, nil
}

// readPrefix reads how the keys of objects begin.
func readPrefix(text string) (string, error) {
	if !isSegments(text) {
		return "", fmt.Errorf("%s: want the beginning of keys, such as rolecall or ci/rolecall, without a / at its ends", tenant.Quote(text))
	}
	return text, nil
}

// readRegionName reads the name of a region. An empty text is that of the credentials.
func readRegionName(text string) (string, error) {
	if len(text) > 40 || !MadeOf(text, "") {
		return "", fmt.Errorf("%s: want a region such as eu-central-1", tenant.Quote(text))
	}
	return text, nil
}

// readDataPath reads the path of data in a KV version 2.
func readDataPath(text string) (string, error) {
	if !isSegments(text) || !strings.Contains(text, "/data/") {
		return "", fmt.Errorf("%s: want a path of a KV version 2, such as kv/data/rolecall", tenant.Quote(text))
	}
	return text, nil
}

// isSegments reports whether a text is a path of one or more segments, with nothing at its ends.
func isSegments(text string) bool {
	bad := func(s string) bool { return s == "" || s == "." || s == ".." }
	return len(text) <= 200 && MadeOf(strings.ToLower(text), "/._") && !slices.ContainsFunc(strings.Split(text, "/"), bad)
}
