package vault_test

import (
	"encoding/json"
	"strings"
	"testing"

	"rolecall/internal/creds/vault"
)

// answer has one field of each kind.
func answer(t *testing.T) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(`{"text":"a b&c/é<","number":12345678901234567890,"float":1.50,"yes":true,"no":false,"none":null,"empty":"",
		"object":{"k":"<v>","n":1.0},"list":["a",1],"a.b-c":"odd","lines":"a\nb"}`))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// TestRender: places have what the answer has, as it is, for a URL, or as JSON.
func TestRender(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{text}":            "a b&c/é<",
		"x{text|url}y":      "xa%20b%26c%2F%C3%A9%3Cy",
		"{number}":          "12345678901234567890",
		"{float}":           "1.50",
		"{yes} {no}":        "true false",
		"{object|json}":     `{"k":"<v>","n":1.0}`,
		"{list|json}":       `["a",1]`,
		"{text|json}":       `"a b&c/é<"`,
		"{a.b-c}":           "odd",
		"{{{text}}}":        "{a b&c/é<}",
		"{{\"a\": {yes}}}":  `{"a": true}`,
		"{{}}":              "{}",
		"no place":          "no place",
		"{lines}":           "a\nb",
		"{number|url}{yes}": "12345678901234567890true",
	} {
		template, err := vault.ParseTemplate(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := template.Render(answer(t)); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
}

// TestMisfits: a field that cannot be in its place is named, and its value is not.
func TestMisfits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{other}":      `field "other": the answer has no such field`,
		"{Text}":       `field "Text": the answer has no such field`,
		"{empty}":      `field "empty": it is empty`,
		"{none|json}":  `field "none": it is empty`,
		"{object}":     `field "object": it is an object or a list; write {object|json} for it as JSON`,
		"{list|url}":   `field "list": it is an object or a list`,
		"{text}{nope}": `field "nope": the answer has no such field`,
	} {
		template, err := vault.ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.Render(answer(t)); err == nil || got != "" || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
}

// TestBadTemplates: what is no template is refused when the policy file is read.
func TestBadTemplates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{":                                    "a { has no }",
		"{a":                                   "a { has no }",
		"{a{b}}":                               "a { has no }",
		"a}":                                   "a } belongs to no {",
		"{}":                                   "{} is not the name of a field",
		"{|url}":                               "{|url} is not the name of a field",
		"{ a }":                                "{ a } is not the name of a field",
		"{a\nb}":                               `{a\nb} is not the name of a field`,
		"{" + strings.Repeat("a", 81) + "}":    "is not the name of a field",
		"{a|}":                                 "{a|}: after the | comes url or json",
		"{a|base64}":                           "{a|base64}: after the | comes url or json",
		"{a|url|json}":                         "{a|url|json}: after the | comes url or json",
		"{a" + strings.Repeat(" ", 90) + "|x}": "is not the name of a field",
	} {
		if got, err := vault.ParseTemplate(text); err == nil || got != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %q", text, got, err, want)
		}
	}
	if _, err := vault.ParseTemplate("{" + strings.Repeat("a", 80) + "}"); err != nil {
		t.Error(err)
	}
}
