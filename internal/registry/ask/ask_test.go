package ask_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/registry/ask"
	"rolecall/internal/registry/question"
	"rolecall/test/kit"
)

// TestWithin: a registry that does not answer in the time that the question allows is named in
// an answer, at that time.
func TestWithin(t *testing.T) {
	t.Parallel()
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	address := silent.Listener.Addr().String()
	asked, err := json.Marshal(question.Question{Name: address + "/tool:1", Within: 500 * time.Millisecond})
	kit.Must(t, err)
	var out, progress bytes.Buffer
	begin := time.Now()
	if code := ask.Serve(nil, nil, bytes.NewReader(asked), &out, &progress); code != 0 || progress.Len() > 0 {
		t.Errorf("code %d, and it says %q", code, &progress)
	}
	if took := time.Since(begin); took < 500*time.Millisecond || took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	var answer question.Answer
	kit.Must(t, json.Unmarshal(out.Bytes(), &answer))
	_, err = answer.Result()
	if want := "the registry " + address + " does not answer: no answer in time"; fault.CodeOf(err) != fault.NoRegistry || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}
