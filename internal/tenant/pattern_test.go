package tenant_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"rolecall/internal/tenant"
)

func TestPatternMatch(t *testing.T) {
	t.Parallel()
	for text, values := range map[string]struct{ yes, no string }{
		"main":         {"main", "Main MAIN main/x x/main xmain mainx mai refs/heads/main /main main/ ma*n"},
		"release/*":    {"release/1 release/a-b release/*", "release release/ release/1/2 release/../main release/.. release/. release//1 Release/1 x/release/1 /release/1"},
		"*":            {"main x *", "a/b / "},
		"*a*b":         {"ab xaxb aab abab aabb", "a b ba abx a/b"},
		"v*.*":         {"v1.2 v. v..x", "v1 v1/2.3"},
		"**":           {"a a/b a/b/c", "/ a/ /a a//b a/../b . .. a/."},
		"a/**":         {"a/b a/b/c", "a a/ ab/c x/a/b"},
		"**/a":         {"x/a x/y/a a/a", "a a/b xa"},
		"a/**/b":       {"a/x/b a/x/y/b a/b/b a/b/x/b", "a/b a/x a/x/bb"},
		"a/**/**/b":    {"a/x/y/b a/x/y/z/b", "a/x/b a/b"},
		"**/x*/**":     {"a/x/b a/xy/b a/b/x/c x/x/x a/b/xc/d/e", "x/b a/x a/b/c"},
		"a/*/**/c*":    {"a/b/c/c a/b/x/y/cc", "a/b/c a/c"},
		"ä/*":          {"ä/ö", "a/ö Ä/ö"},
		"feature-*/*b": {"feature-/b feature-1/ab", "feature-1/ba feature/b"},
	} {
		p := parseRef(t, text)
		if p.String() != text {
			t.Errorf("the pattern %q says that it is %q", text, p)
		}
		for _, value := range strings.Fields(values.yes) {
			if !p.Match(value) {
				t.Errorf("%q does not match %q", text, value)
			}
		}
		for _, value := range append(strings.Fields(values.no), "", "main\n", "a/\x00", "a/b\x7f", "x/\xff", strings.Repeat("a", 1025)) {
			if p.Match(value) {
				t.Errorf("%q matches %q", text, value)
			}
		}
	}
	if !parseRef(t, "**").Match(strings.Repeat("a", 1024)) {
		t.Error("a value of 1024 bytes does not match **")
	}
	if (tenant.Pattern{}).Match("") || (tenant.Pattern{}).Match("a") {
		t.Error("the zero pattern matches")
	}
}

// parser returns what reads the patterns of a key.
func parser(key string) func(text string) (tenant.Pattern, error) {
	switch key {
	case "projects":
		return tenant.ParseProject
	case "refs":
		return tenant.ParseRef
	}
	return tenant.ParseEnvironment
}

func TestParsePatternRefuses(t *testing.T) {
	t.Parallel()
	for key, patterns := range map[string]map[string]string{
		"projects": {
			"": "empty segment", "acme": "a group and a name", "*": "a group and a name", "/acme/x": "empty segment", "acme/x/": "empty segment",
			"acme//x": "empty segment", "acme/../x": ". or ..", "acme/.": ". or ..", "acme/x|acme/y": "write two patterns", "acme/x**": "** must be a whole segment",
			"acme/***": "** must be a whole segment", "acme/?": `'?'`, "acme/[ab]": `'['`, "acme/{a,b}": `'{'`, `acme/\*`: `'\\'`, "acme/x$": `'$'`, "^acme/x": `'^'`,
			"acme/a b": `' '`, "acme/x ": `' '`, "acme/ä": `'ä'`, "acme/(a)": `'('`, "acme/a+": `'+'`, "acme/a,b": `','`, "!acme/x": `'!'`, "https://a.example/b": `empty segment`,
			"acme/-x": "starts with -", "-acme/x": "starts with -", "acme/x.git": ".git or .atom", "acme/*.git": ".git or .atom", "acme/x.atom": ".git or .atom",
			"acme.git/x": ".git or .atom", "acme/\n": "control character", "acme/x\x00": "control character", "acme/x%2f": `'%'`, "acme/@x": `'@'`,
		},
		"refs": {
			"": "empty segment", "a|b": "write two patterns", "main|": "write two patterns", "/main": "empty segment", "main/": "empty segment", "a//b": "empty segment",
			"release/../main": ". or ..", "..": ". or ..", ".": ". or ..", "a..b": "has .. in it", "refs/heads/main": "short name", "refs/tags/v1": "short name", "refs/heads/*": "short name",
			"ma in": `' '`, "~x": `'~'`, "^main": `'^'`, "a:b": `':'`, "v?": `'?'`, "v[0-9]": `'['`, `a\b`: `'\\'`, "a@{1}": `'{' is not a wildcard`, "(main)": `'(' is not a wildcard`,
			"main$": `'$' is not a wildcard`, "a\"b": `'"' is not a wildcard`, "x.lock": ".lock", "x.lock/y": ".lock", "a/.b": "starts with .", ".b": "starts with .", "a.": "ends in .",
			"@": "no ref is @", "-x": "starts with -", "v**": "** must be a whole segment", "**v/x": "** must be a whole segment", "a\tb": "control character", "a\x7f": "control character", "a\u0085": "control character",
		},
		"environments": {
			"": "empty segment", "prod|dev": "write two patterns", "/prod": "empty segment", "prod/": "empty segment", "a//b": "empty segment", "a/../b": ". or ..",
			"prod?": `'?'`, "[ab]": `'['`, "^prod": `'^'`, "pröd": `'ö'`, "prod**": "** must be a whole segment", "a:b": `':'`, "a\\b": `'\\'`, "a\nb": "control character",
		},
	} {
		patterns[strings.Repeat("a/", 600)+"b"] = "more than 1024 bytes"
		for text, want := range patterns {
			p, err := parser(key)(text)
			if err == nil || p.String() != "" || !strings.HasPrefix(err.Error(), tenant.Quote(text)+": ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %.50q: got %q and error %v, want %q", key, text, p, err, want)
			}
		}
	}
}

func TestParsePattern(t *testing.T) {
	t.Parallel()
	for key, patterns := range map[string][]string{
		"projects":     {"acme/x", "**", "*/*", "acme/**", "**/x", "acme/.github", "_a/0_-.x", "acme/*x*", "acme/x.git*", "ACME/X", "acme/x."},
		"refs":         {"main", "**", "*", "release/*", "v1.*", "a@b", "100%", "ä", "a-b_c+d#e!f,g;h'i&j=k<l>m", "refs/*/x", "heads/main", "x.lock*"},
		"environments": {"prod", "**", "review/*", "a b", "x-${y}_z.1", "*"},
	} {
		for _, text := range patterns {
			if p, err := parser(key)(text); err != nil || p.String() != text {
				t.Errorf("%s %q: got %q and error %v", key, text, p, err)
			}
		}
	}
}

// TestPatternTime holds that no pattern takes long, whatever it is held against.
func TestPatternTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ pattern, value string }{
		{strings.Repeat("*a", 500) + "*b", strings.Repeat("a", 1024)},
		{strings.Repeat("**/a/", 170) + "b", strings.Repeat("a/", 511) + "a"},
		{strings.Repeat("**/*a*a/", 120) + "b", strings.Repeat("aaa/", 255) + "a"},
		{strings.Repeat("**/", 300) + "b", strings.Repeat("a/", 511) + "a"},
	} {
		p, start := parseRef(t, test.pattern), time.Now()
		for range 10 {
			if p.Match(test.value) {
				t.Errorf("%.20s... matches", test.pattern)
			}
		}
		if took := time.Since(start); took > 10*200*time.Millisecond { // about 5 ms each, unless the machine is busy
			t.Errorf("%.20s... took %v", test.pattern, took/10)
		}
	}
}

// FuzzPattern holds patterns against regular expressions of the same meaning.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{
		{"main", "main"},
		{"release/*", "release/1"},
		{"a/**/b", "a/b/b"},
		{"**/*a*/**", "x/a/y"},
		{"*a*a*b", "aaab"},
		{"**/a/**/a/**", "a/a/a/a/a"},
		{"a/**", "a/../b"},
		{"x", "x\x00"},
		{"**", "a//b"},
		{"*", "\xff"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		p, err := tenant.ParseRef(text)
		if err != nil {
			return
		}
		if got, want := p.Match(value), oracleMatch(p.String(), value); got != want {
			t.Errorf("%q matches %q: %v, the regular expression says %v", p, value, got, want)
		}
	})
}

// oracleMatch matches by a regular expression.
func oracleMatch(pattern, value string) bool {
	names := regexp.MustCompile(`\A[^\p{Cc}/]+(/[^\p{Cc}/]+)*\z`)
	dots := regexp.MustCompile(`(\A|/)\.\.?(/|\z)`)
	if !names.MatchString(value) || dots.MatchString(value) || len(value) > 1024 || strings.ToValidUTF8(value, "") != value {
		return false
	}
	expression := regexp.QuoteMeta(pattern)
	expression = strings.ReplaceAll(expression, `\*\*`, `[^/]+(?:/[^/]+)(STAR)`)
	expression = strings.ReplaceAll(expression, `\*`, `[^/]*`)
	expression = strings.ReplaceAll(expression, `(STAR)`, `*`)
	return regexp.MustCompile(`\A(?s:` + expression + `)\z`).MatchString(value)
}
