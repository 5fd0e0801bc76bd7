package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/lab"
)

const (
	warmRounds   = 20
	warmAnswers  = 2000
	warmClients  = 8
	warmLimit    = 2.0 // so half of the requests a second
	coldRounds   = 200
	coldLimit    = 1.0
	steadyTokens = 1000
	steadyRate   = 200
	steadyTime   = 30 // seconds
	steadyLimit  = 5
	moreTokens   = 4000
	settleTime   = 20      // seconds
	tokenLimit   = 4 << 10 // bytes
)

// brokered is a running broker, with a stand-in for GitLab and one for STS.
type brokered struct {
	*lab.Broker

	gitlab *coordinator.Server
	sts    *fakests.Server
}

// broker measures what it costs to get credentials from a broker.
func (b bencher) broker(ctx context.Context) (results []result, err error) {
	s, err := b.startBroker(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	tokens, err := s.tokens(steadyTokens)
	if err != nil {
		return nil, err
	}
	if err := s.warm(ctx, tokens); err != nil {
		return nil, err
	}
	text, err := answerOf(ctx, http.DefaultClient, s.URL, tokens[0])
	if err != nil {
		return nil, err
	}
	bare, stop, err := startBare(ctx, text)
	if err != nil {
		return nil, err
	}
	defer stop()
	warm, err := s.againstBare(ctx, tokens, bare)
	if err != nil {
		return nil, err
	}
	steady, err := s.steadily(ctx, tokens, bare)
	if err != nil {
		return nil, err
	}
	cold, err := s.againstCurl(ctx)
	if err != nil {
		return nil, err
	}
	memory, err := s.memory(ctx, tokens)
	return []result{warm, steady, cold, memory}, err
}

// startBroker starts a broker whose policy file allows all jobs of the bench.
func (b bencher) startBroker(ctx context.Context) (s *brokered, err error) {
	s = &brokered{}
	if s.gitlab, err = coordinator.Start(); err != nil {
		return nil, err
	}
	if s.sts, err = fakests.Start(); err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "broker")
	policy := filepath.Join(dir, "rolecall.toml")
	text := fmt.Sprintf("audit_log = %q\n[gitlab]\nissuer = %q\n[[tenant]]\nname = \"alpha\"\nrole_arn = %q\naudience = %q\nprojects = [\"acme/*\"]\nprotected = true\n",
		filepath.Join(dir, "audit.jsonl"), s.gitlab.Issuer(), role, audience)
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(policy, []byte(text), 0o600)); err != nil {
		return nil, err
	}
	s.Broker, err = lab.StartBroker(ctx, lab.BrokerOptions{Dir: dir, Policy: policy, Env: []string{"AWS_ENDPOINT_URL_STS=" + s.sts.URL(), "AWS_REGION=eu-central-1"}})
	return s, err
}

// close ends all.
func (s *brokered) close() {
	s.Close()
	s.gitlab.Close()
	s.sts.Close()
}

// tokens returns ID tokens of so many jobs.
func (s *brokered) tokens(n int) ([]string, error) {
	all := make([]string, n)
	for i := range all {
		run := s.gitlab.Enqueue("glrt-nobody0001", coordinator.Job{
			Project: coordinator.Project{ID: 42, Path: "acme/shop"}, Protected: true, Environment: "production",
			IDTokens: map[string]string{"ID_TOKEN": audience},
		})
		var err error
		if all[i], err = run.SignIDToken("ID_TOKEN"); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// warm lets the broker have a session for each token.
func (s *brokered) warm(ctx context.Context, tokens []string) error {
	before := len(s.sts.Requests())
	_, err := lab.Steadily(ctx, steadyRate, len(tokens), func(n int) error {
		var err error
		for range 100 {
			if _, err = answerOf(ctx, http.DefaultClient, s.URL, tokens[n]); err == nil {
				return nil
			}
			time.Sleep(100 * time.Millisecond)
		}
		return err
	})
	if calls := len(s.sts.Requests()) - before; err == nil && calls != len(tokens) {
		err = fmt.Errorf("%d calls of STS for %d tokens", calls, len(tokens))
	}
	return err
}

// answerOf asks a broker, and returns its answer.
func answerOf(ctx context.Context, client *http.Client, url, token string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/aws/alpha", http.NoBody)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", token)
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), errors.Join(err, response.Body.Close())
}

// againstBare compares the broker with a server of net/http that returns the same bytes.
func (s *brokered) againstBare(ctx context.Context, tokens []string, bare string) (result, error) {
	samples, err := compare(ctx, warmRounds, many(s.URL, tokens), many(bare, tokens))
	if err != nil {
		return result{}, err
	}
	return result{
		what: fmt.Sprintf("%d answers of a broker, warm", warmAnswers), times: samples[0],
		against: "net/http, the same bytes", base: samples[1], limit: warmLimit,
	}, nil
}

// many measures many answers for clients that ask at once, each for many tokens: one token may
// ask only so often.
func many(url string, tokens []string) contender {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: warmClients}}
	return func(ctx context.Context) (time.Duration, error) {
		var asking sync.WaitGroup
		errs := make([]error, warmClients)
		begin := time.Now()
		for i := range errs {
			asking.Go(func() {
				for n := range warmAnswers / warmClients {
					if _, err := answerOf(ctx, client, url, tokens[(n*warmClients+i)%len(tokens)]); err != nil {
						errs[i] = err
						return
					}
				}
			})
		}
		asking.Wait()
		return time.Since(begin), errors.Join(errs...)
	}
}
