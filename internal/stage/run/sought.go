package run

import (
	"cmp"
	"slices"

	"rolecall/internal/gate"
	"rolecall/internal/ledger"
	"rolecall/internal/mask"
)

// maxForms bounds how many texts of other jobs are looked for in all forms, the newest
// first. All others are looked for as they are, which takes no more time for many.
const maxForms = 500

// sought returns an order with all that the gate must look for: the secrets of the job,
// and what was issued to other jobs.
func (r running) sought(g given) (gate.Order, error) {
	l, err := r.folder.Ledger()
	return gate.Order{
		Secrets: slices.Concat(g.secrets, inAllForms(l.Entries, g.secrets)),
		Issued:  l,
		Foreign: cmp.Or(r.folder.Record().Gate.ForeignKeys, gate.Warn),
	}, err
}

// inAllForms returns the texts of a ledger that are in the clear, except those of own.
func inAllForms(entries []ledger.Entry, own []mask.Named) []mask.Named {
	clear := slices.DeleteFunc(slices.Clone(entries), func(e ledger.Entry) bool {
		return e.Alphabet != ledger.Clear || slices.ContainsFunc(own, func(s mask.Named) bool { return s.Value.Reveal() == e.Text })
	})
	slices.SortStableFunc(clear, func(a, b ledger.Entry) int { return b.Expires.Compare(a.Expires) })
	var named []mask.Named
	for _, e := range clear[:min(len(clear), maxForms)] {
		named = append(named, mask.Named{Kind: e.Says(), Value: mask.NewSecret(e.Text)})
	}
	return named
}

// hasSecrets reports whether an upload could hold what is refused anywhere.
func hasSecrets(order gate.Order) bool { return len(order.Secrets)+len(order.Issued.Entries) > 0 }

// needed reports whether there is anything to look for.
func needed(order gate.Order) bool { return hasSecrets(order) || order.Foreign != gate.Off }

// mayWarn reports whether files that could not be searched are uploaded with a warning:
// if the admin has chosen that, and where a finding would be no more than a warning.
func mayWarn(order gate.Order, chosen bool) bool {
	return chosen || !hasSecrets(order) && order.Foreign != gate.Refuse
}
