package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"rolecall/test/lab"
)

// steadily measures the answers for many tokens at a rate, each by a connection of its own, as
// programs of jobs ask. A bare server is asked as often at the same time, for a machine that is
// busy makes both wait.
func (s *brokered) steadily(ctx context.Context, tokens []string, bare string) (result, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	urls := []string{s.URL, bare}
	before := len(s.sts.Requests())
	took, err := lab.Steadily(ctx, 2*steadyRate, 2*steadyRate*steadyTime, func(n int) error {
		_, err := answerOf(ctx, client, urls[n%2], tokens[n/2%len(tokens)])
		return err
	})
	if more := len(s.sts.Requests()) - before; err == nil && more > 0 {
		err = fmt.Errorf("%d more calls of STS", more)
	}
	if err != nil {
		return result{}, err
	}
	var of [2]sample
	for n, t := range took {
		of[n%2] = append(of[n%2], t)
	}
	const share = 0.99
	return result{
		what: fmt.Sprintf("p99 of %d answers, %d a second, %d tokens (median %s)", len(of[0]), steadyRate, len(tokens), ms(of[0].quantile(0.5))), times: sample{of[0].quantile(share)},
		against: "net/http, the same bytes", base: sample{of[1].quantile(share)}, limit: steadyLimit,
	}, nil
}

// againstCurl compares the first answer for a token with curl that asks STS itself.
func (s *brokered) againstCurl(ctx context.Context) (result, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	first := func(ctx context.Context) (time.Duration, error) {
		tokens, err := s.tokens(1)
		if err != nil {
			return 0, err
		}
		begin := time.Now()
		_, err = answerOf(ctx, client, s.URL, tokens[0])
		return time.Since(begin), err
	}
	curl := func(ctx context.Context) (time.Duration, error) {
		requests := s.sts.Requests()
		return timed(command(ctx, nil, "curl", "--silent", "--show-error", "--fail", "--output", os.DevNull, "--data", requests[len(requests)-1].Form.Encode(), s.sts.URL()))
	}
	samples, err := compare(ctx, coldRounds, first, curl)
	if err != nil {
		return result{}, err
	}
	return result{what: "first answer of a broker", times: samples[0], against: "curl, the POST to STS", base: samples[1], limit: coldLimit}, nil
}

// memory measures how the broker grows with tokens that have a session.
func (s *brokered) memory(ctx context.Context, tokens []string) (result, error) {
	before, err := s.settled(ctx, tokens)
	if err != nil {
		return result{}, err
	}
	more, err := s.tokens(moreTokens)
	if err == nil {
		err = s.warm(ctx, more)
	}
	if err != nil {
		return result{}, err
	}
	after, err := s.settled(ctx, append(more, tokens...))
	return result{
		what: "memory of a token, in units of a KiB", times: sample{time.Duration(after-before) * time.Millisecond / moreTokens / 1024},
		against: "4 KiB", base: sample{tokenLimit * time.Millisecond / 1024}, limit: 1,
	}, err
}

// settled returns the least memory that the broker has while tokens are asked for: what a burst
// of new ones has needed goes back to the kernel.
func (s *brokered) settled(ctx context.Context, tokens []string) (int, error) {
	var mu sync.Mutex // guards least
	least := 0
	_, err := lab.Steadily(ctx, steadyRate, settleTime*steadyRate, func(n int) error {
		if _, err := answerOf(ctx, http.DefaultClient, s.URL, tokens[n%len(tokens)]); err != nil || n%steadyRate > 0 {
			return err
		}
		now, err := s.anonymous()
		mu.Lock()
		defer mu.Unlock()
		least = cmp.Or(min(least, now), now)
		return err
	})
	return least, err
}

// anonymous returns the bytes that the broker has in memory beside files.
func (s *brokered) anonymous() (int, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.PID()), "status"))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "\nRssAnon:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.Atoi(kib)
	return n << 10, err
}
