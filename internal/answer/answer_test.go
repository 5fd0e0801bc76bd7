package answer_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"rolecall/internal/answer"
)

// TestAnswers: a credential is passed on as it is, a refusal is JSON that SDKs read, and
// nobody may keep either.
func TestAnswers(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	answer.Credential(w, `{"Token":"x"}`)
	if w.Code != 200 || w.Body.String() != `{"Token":"x"}` || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	w = httptest.NewRecorder()
	answer.Refuse(w, answer.Refusal{Code: "Slow", Message: "wait", Status: 503, After: 2 * time.Second})
	if w.Code != 503 || w.Body.String() != `{"code":"Slow","message":"wait"}`+"\n" || w.Header().Get("Retry-After") != "2" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	w = httptest.NewRecorder()
	answer.Refuse(w, answer.Refusal{Status: 404})
	if _, set := w.Header()["Retry-After"]; set || w.Code != 404 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
