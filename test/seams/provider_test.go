package seams_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
	"rolecall/internal/tenant/policyfile"
)

// toyProvider gives each job a word: the key toy_word of its tenant, the job's id, and
// the key ending of the table [toy].
type toyProvider struct{}

func (toyProvider) Name() string { return "toy" }
func (toyProvider) Asks() string { return "toy_word" }

func (toyProvider) Keys() policyfile.Keys { return policyfile.Keys{"toy_word": policyfile.Text} }

func (toyProvider) Tables() map[string]policyfile.Keys {
	return map[string]policyfile.Keys{"toy": {"ending": policyfile.Text}}
}

// Server returns the ending of all words.
func (toyProvider) Server(table func(name string) policyfile.Table) any {
	var ending string
	policyfile.Set(table("toy"), "ending", readWord, &ending)
	return ending
}

// Apply returns the beginning of a tenant's words.
func (toyProvider) Apply(t policyfile.Table, settings any) any {
	word, _ := settings.(string)
	policyfile.Set(t, "toy_word", readWord, &word)
	return word
}

func (toyProvider) Check(policyfile.Table, any) {}

// readWord reads a word of at least 8 letters.
func readWord(text string) (string, error) {
	if len(text) < 8 || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz") != "" {
		return "", errors.New("want 8 letters or more")
	}
	return text, nil
}

func (toyProvider) Overrides(variable string) bool { return variable == "TOY_WORD" }

// ByJob gives nothing: a job cannot ask for a word by itself.
func (toyProvider) ByJob(admission.Asker) (any, error) { return nil, nil }

func (toyProvider) Order(a admission.Asker) (creds.Order, error) {
	begin, _ := a.Settings.(string)
	end, _ := a.Server.(string)
	terms, err := json.Marshal(begin + "-" + a.Response.ID.String() + "-" + end)
	return creds.Order{Provider: "toy", Terms: terms, Facts: creds.Facts{{Name: "toy_ending", Value: end}}}, err
}

// Issue gives the word.
func (toyProvider) Issue(_ context.Context, o creds.Order, _ idtoken.Token) (creds.Credential, error) {
	var word string
	err := json.Unmarshal(o.Terms, &word)
	secret := mask.NewSecret(word)
	return creds.Credential{
		Provider: "toy",
		Env:      []creds.Variable{{Name: "TOY_WORD", Value: secret}},
		Secrets:  []mask.Named{{Kind: "toy word", Value: secret}},
		Facts:    o.Facts,
		Expires:  time.Now().Add(time.Hour),
	}, err
}

func (toyProvider) Ignores(string) bool { return false }

func (toyProvider) Report(facts creds.Facts) creds.Report {
	return creds.Report{Rows: []creds.Row{{Label: "ending", Value: facts.Get("toy_ending")}}}
}

func (toyProvider) Tells(facts creds.Facts) (who string, notes []string) {
	return "ending " + facts.Get("toy_ending"), nil
}

func (toyProvider) Settings() []string { return nil }
func (toyProvider) Hides() []string    { return []string{"TOY_SERVER"} }
func (toyProvider) ToolFiles() []creds.ToolFile {
	return []creds.ToolFile{{Variable: "TOY_FILE", Value: ".toy/file", File: ".toy/file"}}
}
func (toyProvider) Guards() []string { return []string{"TOY_SERVER=none"} }
