package check

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	source "rolecall/internal/creds/server"
	"rolecall/internal/fault"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// asking is what settings of a source are whose credentials come from servers.
type asking interface {
	// Servers returns the URLs of the servers, and the path of the file with the authorities that
	// sign their certificates; if it is empty, those of the host do.
	Servers() (urls []string, caBundle string)
}

// checkRemote checks that the servers of sources answer, as prepare asks them, and compares their
// clocks with this host's. Any answer is fine.
func (h *host) checkRemote(ctx context.Context) []Finding {
	servers := askedBy(h.policy)
	return gather(len(servers), func(i int) []Finding { return servers[i].checkAnswer(ctx) })
}

// askedBy returns the servers of all sources of a policy, each once.
func askedBy(policy *tenant.Policy) []server {
	if policy == nil {
		return nil
	}
	var all []server
	for _, t := range policy.Tenants() {
		for _, gift := range t.Gifts {
			if a, ok := gift.Settings.(asking); ok {
				urls, bundle := a.Servers()
				for _, url := range urls {
					all = append(all, server{url, bundle})
				}
			}
		}
	}
	return sorted(all)
}

// sorted returns servers in order, each once.
func sorted(servers []server) []server {
	slices.SortFunc(servers, func(a, b server) int { return cmp.Or(cmp.Compare(a.url, b.url), cmp.Compare(a.bundle, b.bundle)) })
	return slices.Compact(servers)
}

// checkAnswer checks one server of sources.
func (s server) checkAnswer(ctx context.Context) []Finding {
	const area = "sources"
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := s.ask(ctx)
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return []Finding{fix(area, s.url+": "+known.What.Error(), cmp.Or(known.Next, "correct the source in the policy file"))}
	}
	if err != nil {
		return []Finding{fix(area, err.Error(), "correct the file, or ca_bundle of the source")}
	}
	return append([]Finding{ok(area, s.url+" answers")}, checkClock(s.url, answer.Header.Get("Date"), time.Now())...)
}

// ask sends a request to a server of sources.
func (s server) ask(ctx context.Context) (source.Answer, error) {
	bundle, err := policyfile.ReadNamed("ca_bundle", s.bundle)
	if err != nil {
		return source.Answer{}, err
	}
	at, err := source.New(s.url, bundle)
	if err != nil {
		return source.Answer{}, err
	}
	defer at.Close()
	once := func(source.Answer) bool { return false } // any answer is fine
	return at.Ask(ctx, source.Request{Method: http.MethodGet, Again: once})
}
