package client_test

import (
	"net/http/httptest"
	"testing"

	"rolecall/internal/creds/vault"
)

// TestVersions: what looks like version 2 of the store of keys and values only in part is read as it is.
func TestVersions(t *testing.T) {
	t.Parallel()
	const inner = `"data":{"key":"INNERSECRET"}`
	for fields, want := range map[string]string{
		inner + `,"metadata":{"version":1}`:                          "INNERSECRET",
		`"key":"OUTERSECRET",` + inner + `,"metadata":{"version":1}`: "OUTERSECRET",
		`"key":"OUTERSECRET",` + inner:                               "OUTERSECRET",
		inner + `,"metadata":{"created_time":"x"}`:                   "",
		inner + `,"metadata":"version"`:                              "",
		inner + `,"key":"OUTERSECRET"`:                               "OUTERSECRET",
		inner:                                                        "",
		`"data":"INNERSECRET","metadata":{"version":1}`:              "",
	} {
		s := start(t, answers{"kv/app": said(200, `{"data":{`+fields+`}}`)}, httptest.NewServer)
		c, err := from(s.URL, vault.Read{Path: "kv/app", Env: []vault.Pair{{Name: "A", Template: "{key}"}}}).issue(t)
		env, _, _ := environ(c)
		if env["A"] != want || (err == nil) != (want != "") {
			t.Errorf("%s: %v, %v", fields, env, err)
		}
	}
}
