package prepare

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/ledger"
	"rolecall/internal/ledger/seal"
	"rolecall/internal/mask"
	"rolecall/internal/program"
	"rolecall/internal/state"
)

// tokenKind names an ID token in the job log and in the ledger.
const tokenKind = "ID token"

// Bounds of the ID tokens that a job enters into the ledger: only prepare's own is verified,
// and an author can make up others, which would fill the ledger of all jobs.
const (
	maxTokens  = 10
	tokenTime  = time.Hour           // that a token may be valid after the timeout of its job
	longestJob = 31 * 24 * time.Hour // the longest timeout that GitLab allows
)

// keeper keeps what a job has.
type keeper struct {
	folder *state.Folder
	id     job.ID
	tokens creds.Set     // the ID tokens of the job
	orders []creds.Order // that later stages need
}

// newKeeper returns the keeper of a job. The token that was verified comes first.
func newKeeper(c *program.Call, verified idtoken.Token, orders []creds.Order, folder *state.Folder, response job.Response) keeper {
	found := tokensOf(c, response)
	if raw := verified.Raw.Reveal(); raw != "" {
		found = slices.DeleteFunc(found, func(t idtoken.Token) bool { return t.Raw.Reveal() == raw })
		found = slices.Insert(found, 0, verified)
	}
	return keeper{folder, response.ID, asCredentials(found, response.Timeout, time.Now()), lasting(orders, folder.Record().Handover)}
}

// lasting returns the orders of what an endpoint renews, and of the way to the store of values.
func lasting(orders []creds.Order, h *state.Handover) []creds.Order {
	kept := servedOf(orders)
	if h == nil {
		return kept
	}
	if way := h.Settings.OrderOf(orders); way != nil && !way.Served {
		kept = append(kept, *way)
	}
	return kept
}

// servedOf returns the orders of what an endpoint renews.
func servedOf(orders []creds.Order) []creds.Order {
	return slices.DeleteFunc(slices.Clone(orders), func(o creds.Order) bool { return !o.Served })
}

// keep writes all that the job has to its folder. The ledger has what was issued first, so that the
// uploads of other jobs can be searched for all that any job may have.
func (k keeper) keep(issued, all creds.Set) error {
	if err := k.enter(issued); err != nil {
		return err
	}
	return k.folder.Write(all, k.orders...)
}

// enter writes what was issued, and the ID tokens of the job, into the ledger.
func (k keeper) enter(set creds.Set) error {
	all := slices.Concat(k.tokens, set)
	if len(all) == 0 {
		return nil
	}
	return k.folder.Enter(func(l ledger.Ledger) ledger.Ledger { return seal.Add(l, int64(k.id), all, time.Now()) })
}

// tokensOf returns the ID tokens of the job. Nobody has verified them.
func tokensOf(c *program.Call, response job.Response) []idtoken.Token {
	return idtoken.OfJob(maps.Values(c.Env.Request), int64(response.ID), response.Project)
}

// asCredentials returns ID tokens in the form of credentials. GitLab's tokens expire with the
// timeout of their job; what a job has made up does not stay longer.
func asCredentials(found []idtoken.Token, timeout time.Duration, now time.Time) creds.Set {
	latest := now.Add(cmp.Or(timeout, longestJob) + tokenTime)
	var set creds.Set
	for _, token := range found[:min(len(found), maxTokens)] {
		expires := time.Unix(token.Claims.Expiry, 0)
		if expires.After(latest) || token.Claims.Expiry == 0 {
			expires = latest
		}
		set = append(set, creds.Credential{
			Provider: "gitlab", Secrets: []mask.Named{{Kind: tokenKind, Value: token.Raw}}, Expires: expires,
		})
	}
	return set
}
