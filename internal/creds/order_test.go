package creds_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds"
)

// TestOrder: JSON keeps an order whole.
func TestOrder(t *testing.T) {
	t.Parallel()
	for want, order := range map[string]creds.Order{
		`{"provider":"aws","session":"x","terms":{"a":[1]}}`: {Provider: "aws", Session: "x", Terms: json.RawMessage(`{"a":[1]}`)},
		`{"provider":"toy","session":"GitLabRunner-1-2-3","lifetime":3600000000000,"limit":900000000000,"terms":{},"facts":[{"name":"a","value":"b"}],"notes":["n"]}`: {
			Provider: "toy", Facts: creds.Facts{{Name: "a", Value: "b"}}, Session: "GitLabRunner-1-2-3", Lifetime: time.Hour, Limit: 15 * time.Minute, Terms: json.RawMessage(`{}`), Notes: []string{"n"},
		},
	} {
		content, err := json.Marshal(order)
		if diff := cmp.Diff(want, string(content)); err != nil || diff != "" {
			t.Errorf("%v, it is written otherwise:\n%s", err, diff)
		}
		var got creds.Order
		err = json.Unmarshal(content, &got)
		if diff := cmp.Diff(order, got); err != nil || diff != "" {
			t.Errorf("%v, it reads back otherwise:\n%s", err, diff)
		}
	}
}
