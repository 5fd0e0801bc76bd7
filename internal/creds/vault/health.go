package vault

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Health returns the path at which a server says, without a token, whether it can serve.
//
// https://developer.hashicorp.com/vault/api-docs/system/health
func (s Settings) Health() string { return "v1/sys/health" }

// Statuses of Health. They are numbers, since package net/http is not for all programs.
const (
	active      = 200
	standby     = 429 // which asks the active one
	disaster    = 472 // a standby that serves nobody until it is promoted
	performance = 473 // a standby that serves by itself what it can
	broken      = 500 // the least that means that something does not work
)

// Judge returns what is wrong by an answer to Health, and what to do; what is empty if nothing is. It
// reports whether jobs fail by it.
func (s Settings) Judge(status int, body []byte) (what, do string, fails bool) {
	var said struct{ Initialized, Sealed *bool }
	known := json.Unmarshal(body, &said) == nil && said.Initialized != nil && said.Sealed != nil
	switch {
	case !known:
		return fmt.Sprintf("it does not answer as Vault does: HTTP status %d", status),
			"address of the source must be that of Vault itself; look by: curl " + word(strings.TrimSuffix(s.Address, "/")+"/"+s.Health()), status >= broken
	case !*said.Initialized:
		return "Vault is not initialised", "initialise it: " + s.operator("init"), true
	case *said.Sealed:
		return "Vault is sealed", "unseal it: " + s.operator("unseal") + "; where it unseals itself, its log says why it does not", true
	case status == disaster:
		return "it is a standby for disasters, which serves no job", "correct address of the source, or promote it", true
	case !slices.Contains([]int{active, standby, performance}, status):
		return fmt.Sprintf("it answers with HTTP status %d", status), "look at the log of Vault", true
	}
	return "", "", false
}

// operator returns a command by which an operator changes the server.
func (s Settings) operator(verb string) string {
	command := "vault operator " + verb + " -address=" + word(s.Address)
	if s.CABundle != "" {
		command += " -ca-cert=" + word(s.CABundle)
	}
	return command
}

// word returns a text as a word of a shell.
func word(text string) string {
	if strings.Trim(text, letters+".:/-") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
