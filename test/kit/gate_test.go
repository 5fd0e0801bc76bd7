package kit_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// ask returns the answer of a server, or an error.
func ask(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("body"))
	if err != nil {
		return "", err
	}
	answer, err := new(http.Client).Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

// TestGate: what matches waits for its release, what does not match goes on, and what has given up
// waiting never reaches the server.
func TestGate(t *testing.T) {
	t.Parallel()
	var gate kit.Gate
	reached := make(chan string, 10)
	server := httptest.NewServer(gate.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		reached <- string(body) + r.URL.Path
	})))
	defer server.Close()
	hold := gate.Hold(func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/held") })
	gone, leave := context.WithCancel(t.Context())
	if err := hold.Came(canceled()); err == nil {
		t.Error("a request has come before there was one")
	}
	errs := make(chan error)
	go func() { _, err := ask(gone, server.URL+"/held/gone"); errs <- err }()
	kit.Must(t, hold.Came(t.Context()))
	leave()
	if err := <-errs; err == nil {
		t.Error("a request was answered that is held")
	}
	go func() { _, err := ask(t.Context(), server.URL+"/held/on"); errs <- err }()
	if _, err := ask(t.Context(), server.URL+"/free"); err != nil || <-reached != "body/free" {
		t.Errorf("what does not match: %v", err)
	}
	hold.Release()
	hold.Release()
	if err := <-errs; err != nil || <-reached != "body/held/on" {
		t.Errorf("what was released: %v", err)
	}
	if _, err := ask(t.Context(), server.URL+"/held/later"); err != nil || <-reached != "body/held/later" {
		t.Errorf("after the release: %v", err)
	}
}

// canceled returns a context that has ended.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
