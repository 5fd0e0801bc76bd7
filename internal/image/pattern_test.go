package image_test

import (
	"strings"
	"testing"

	"rolecall/internal/image"
)

// digest is a digest.
var digest = "sha256:" + strings.Repeat("0a", 32)

// TestMatch: a pattern matches the whole of a full name, and nothing that only looks like
// it.
func TestMatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern   string
		yes, nope []string
	}{
		{
			"registry.example.com/ci/**",
			[]string{"registry.example.com/ci/a:1", "registry.example.com/ci/a/b/c:latest", "registry.example.com/ci/a@" + digest},
			[]string{"registry.example.com/ci:1", "registry.example.com/cix/a:1", "registry.example.com.evil.org/ci/a:1", "registry.example.com:5000/ci/a:1", "evil.org/registry.example.com/ci/a:1"},
		},
		{
			"docker.io/amazon/aws-cli:*",
			[]string{"docker.io/amazon/aws-cli:2.25.2", "docker.io/amazon/aws-cli:latest"},
			[]string{"docker.io/amazon/aws-cli@" + digest, "docker.io/amazon/aws-cli2:1", "docker.io/amazon/x/aws-cli:1", "docker.io/Amazon/aws-cli:1"},
		},
		{"docker.io/amazon/aws-cli@*", []string{"docker.io/amazon/aws-cli@" + digest}, []string{"docker.io/amazon/aws-cli:1"}},
		{"docker.io/amazon/aws-cli@" + digest, []string{"docker.io/amazon/aws-cli@" + digest}, []string{"docker.io/amazon/aws-cli@" + strings.Replace(digest, "0a", "0b", 1)}},
		{"docker.io/amazon/aws-cli*", []string{"docker.io/amazon/aws-cli:1", "docker.io/amazon/aws-cli-x:1", "docker.io/amazon/aws-cli@" + digest}, []string{"docker.io/amazon/aws-cli/x:1"}},
		{"docker.io/library/postgres:16", []string{"docker.io/library/postgres:16"}, []string{"docker.io/library/postgres:16.1", "docker.io/library/postgres:latest"}},
		{"*.example.com/a:*", []string{"r.example.com/a:1"}, []string{"example.com/a:1", "r.example.com/b/a:1", "evil.org/r.example.com/a:1"}},
		{"localhost:5000/**/base:1", []string{"localhost:5000/base:1", "localhost:5000/x/y/base:1"}, []string{"localhost:5000/xbase:1"}},
		{"localhost/base:1", []string{"localhost/base:1"}, []string{"localhost:5000/base:1"}},
		{"docker.io/**", []string{"docker.io/library/alpine:3", "docker.io/a/b:1"}, []string{"r.example.com/a:1"}},
		{"**", []string{"docker.io/library/alpine:3", "r:5000/a@" + digest}, nil},
	} {
		p, err := image.ParsePattern(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
		}
		for _, name := range test.yes {
			if !p.Match(name) {
				t.Errorf("%s does not match %s", test.pattern, name)
			}
		}
		for _, name := range test.nope {
			if p.Match(name) {
				t.Errorf("%s matches %s", test.pattern, name)
			}
		}
	}
}

// TestCannotMatch: a pattern that can match no full name is an error, which says why.
func TestCannotMatch(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                           "an empty segment",
		"alpine":                                     "write the name in full",
		"alpine:*":                                   "write the name in full",
		"library/alpine:3":                           "write the name in full",
		"docker.io":                                  "write the name in full",
		"index.docker.io/library/a:1":                "begins with docker.io",
		"docker.io/alpine:3":                         "are in docker.io/library/",
		"docker.io/*":                                "are in docker.io/library/",
		"docker.io/library/alpine":                   "each name has a tag or a digest",
		"docker.io//alpine:3":                        "an empty segment",
		"docker.io/library/alpine:3/":                "an empty segment",
		"docker.io/library/Alpine:3":                 "between registry and tag",
		"docker.io/lib:rary/alpine:3":                "between registry and tag",
		"docker.io/lib@x/alpine:3":                   "between registry and tag",
		"docker.io/library/alpine:":                  "no tag looks so",
		"docker.io/library/alpine:3:4":               "no tag looks so",
		"docker.io/library/a:3@" + digest:            "judged without its tag",
		"docker.io/library/a@sha256:0":               "a digest is sha256:",
		"docker.io/library/a@md5:*":                  "a digest is sha256:",
		"docker.io/library/a@" + digest[7:]:          "a digest is sha256:",
		"docker.io/library/a@" + digest[:70] + "G":   "a digest is sha256:",
		"docker.io/library/a@":                       "a digest is sha256:",
		"docker.io/library/a@x@y":                    "a digest is sha256:",
		"registry.example.com/ci**":                  "** must be a whole segment",
		"registry.example.com/**:latest":             "** must be a whole segment",
		"r_x.example.com/a:1":                        "no registry has such a name",
		"a@b.example.com/a:1":                        "no registry has such a name",
		"r.example.com/{a,b}:1":                      "no name of an image has such characters",
		"r.example.com/a?:1":                         "no name of an image has such characters",
		"r.example.com/[ab]:1":                       "no name of an image has such characters",
		"r.example.com/a b:1":                        "no name of an image has such characters",
		"r.example.com/$A:1":                         "no name of an image has such characters",
		`r.example.com/a\*:1`:                        "no name of an image has such characters",
		"https://r.example.com/a:1":                  "an empty segment",
		"r.example.com/" + strings.Repeat("a", 1024): "more than 1024 bytes",
	} {
		if p, err := image.ParsePattern(text); err == nil || !strings.Contains(err.Error(), want) || p != "" {
			t.Errorf("%.80q: %q, %v, want an error with %q", text, p, err, want)
		}
	}
}

// TestParseName: the image of a policy file is one image.
func TestParseName(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"docker.io/library/alpine:3", "r.example.com/a@" + digest} {
		if name, err := image.ParseName(text); name != text || err != nil {
			t.Errorf("%s: %q, %v", text, name, err)
		}
	}
	for text, want := range map[string]string{"alpine": "in full", "r.example.com/**": "without *", "r.example.com/a:*": "without *", "r.example.com/a b*": "no name of an image has such characters"} {
		if _, err := image.ParseName(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", text, err, want)
		}
	}
}
