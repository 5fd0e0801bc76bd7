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

// judging is what settings of a source are whose server says whether it can serve.
type judging interface {
	// Health returns the path, below each URL, at which the server says so without a credential.
	Health() string
	// Judge returns what is wrong by the answer, in fixed words, and what to do; what is empty if
	// nothing is. It reports whether jobs fail by it.
	Judge(status int, body []byte) (what, do string, fails bool)
}

// remote is a server of sources.
type remote struct {
	server
	path  string  // that is asked
	judge judging // nil: any answer is fine
}

// checkRemote checks that the servers of sources answer, as prepare asks them, and compares their
// clocks with this host's.
func (h *host) checkRemote(ctx context.Context) []Finding {
	remotes := askedBy(h.policy)
	return gather(len(remotes), func(i int) []Finding { return remotes[i].checkAnswer(ctx) })
}

// askedBy returns the servers of all sources of a policy, each once.
func askedBy(policy *tenant.Policy) []remote {
	if policy == nil {
		return nil
	}
	var all []remote
	for _, t := range policy.Tenants() {
		for _, gift := range t.Gifts {
			all = append(all, remotesOf(gift.Settings)...)
		}
	}
	slices.SortFunc(all, remote.compare)
	return slices.CompactFunc(all, func(a, b remote) bool { return a.compare(b) == 0 })
}

// remotesOf returns the servers of the settings of a source.
func remotesOf(settings any) []remote {
	a, ok := settings.(asking)
	if !ok {
		return nil
	}
	var one remote
	if judge, ok := settings.(judging); ok {
		one.path, one.judge = judge.Health(), judge
	}
	var all []remote
	urls, bundle := a.Servers()
	for _, url := range urls {
		one.server = server{url, bundle}
		all = append(all, one)
	}
	return all
}

// compare orders servers. Of equal ones the judges say the same.
func (r remote) compare(other remote) int {
	return cmp.Or(r.server.compare(other.server), cmp.Compare(r.path, other.path))
}

// compare orders servers.
func (s server) compare(other server) int {
	return cmp.Or(cmp.Compare(s.url, other.url), cmp.Compare(s.bundle, other.bundle))
}

// sorted returns servers in order, each once.
func sorted(servers []server) []server {
	slices.SortFunc(servers, server.compare)
	return slices.Compact(servers)
}

// checkAnswer checks one server of sources.
func (r remote) checkAnswer(ctx context.Context) []Finding {
	const area = "sources"
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := r.ask(ctx)
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return []Finding{fix(idSourceServer, area, r.url+": "+known.What.Error(), cmp.Or(known.Next, "correct the source in the policy file"))}
	}
	if err != nil {
		return []Finding{fix(idSourceServer, area, err.Error(), "correct the file, or ca_bundle of the source")}
	}
	return append([]Finding{r.judged(area, answer)}, checkClock(r.url, answer.Header.Get("Date"), time.Now())...)
}

// judged returns what an answer says of a server.
func (r remote) judged(area string, answer source.Answer) Finding {
	if r.judge == nil {
		return ok(area, r.url+" answers")
	}
	what, do, fails := r.judge.Judge(answer.Status, answer.Body)
	switch {
	case fails:
		return fix(idSourceServer, area, r.url+": "+what, do)
	case what != "":
		return look(idSourceServer, area, r.url+": "+what, do)
	}
	return ok(area, r.url+" answers that it can serve")
}

// ask sends a request to a server of sources.
func (r remote) ask(ctx context.Context) (source.Answer, error) {
	bundle, err := policyfile.ReadNamed("ca_bundle", r.bundle)
	if err != nil {
		return source.Answer{}, err
	}
	at, err := source.New(r.url, bundle)
	if err != nil {
		return source.Answer{}, err
	}
	defer at.Close()
	once := func(source.Answer) bool { return false } // what it says now counts
	return at.Ask(ctx, source.Request{Method: http.MethodGet, Path: r.path, Again: once})
}
