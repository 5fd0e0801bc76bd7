package coordinator

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longPoll is how long a request for a job waits if there is none. GitLab waits longer.
// A waiting request keeps one of the runner's workers from serving other runners.
const longPoll = 2 * time.Second

// routes returns the handlers of the runner API, git and OpenID Connect, by path.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", s.serveDiscovery)
	mux.HandleFunc("GET /oauth/discovery/keys", s.serveKeys)
	mux.HandleFunc("POST /api/v4/runners/verify", s.verifyRunner)
	mux.HandleFunc("POST /api/v4/jobs/request", s.requestJob)
	mux.HandleFunc("PUT /api/v4/jobs/{id}", s.ofJob((*Run).update))
	mux.HandleFunc("PATCH /api/v4/jobs/{id}/trace", s.ofJob((*Run).appendLog))
	mux.HandleFunc("POST /api/v4/jobs/{id}/artifacts", s.ofJob((*Run).storeArtifact))
	mux.HandleFunc("GET /api/v4/jobs/{id}/artifacts", s.ofJob((*Run).serveArchive))
	mux.HandleFunc("/", s.serveGit)
	return mux
}

// writeJSON answers with body as JSON.
func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // The client may be gone.
}

// writeError answers with a status, in the form of GitLab's errors.
func writeError(w http.ResponseWriter, status int) {
	message := fmt.Sprintf("%d %s", status, http.StatusText(status))
	writeJSON(w, status, map[string]string{"message": message})
}

// runnerToken returns the runner's token in a request. The body of the request is JSON.
func runnerToken(r *http.Request) string {
	var body struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return ""
	}
	return body.Token
}

// verifyRunner accepts every runner token that is not empty.
func (s *Server) verifyRunner(w http.ResponseWriter, r *http.Request) {
	token := runnerToken(r)
	if token == "" {
		writeError(w, http.StatusForbidden)
		return
	}
	writeJSON(w, http.StatusOK, object{"id": s.RunnerID(token), "token": token, "token_expires_at": nil})
}

// requestJob answers with the runner's next job, or waits for one for a while.
func (s *Server) requestJob(w http.ResponseWriter, r *http.Request) {
	token := runnerToken(r)
	if token == "" {
		writeError(w, http.StatusForbidden)
		return
	}
	timeout := time.NewTimer(longPoll)
	defer timeout.Stop()
	for r.Context().Err() == nil {
		s.mu.Lock()
		run, changed := s.take(token), s.changed
		s.mu.Unlock()
		if run != nil {
			run.send(w)
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
		case <-s.done:
		case <-timeout.C:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
}

// send sends the job to its runner.
func (r *Run) send(w http.ResponseWriter) {
	payload, err := r.render()
	if err != nil {
		r.server.mu.Lock()
		r.finish(Result{State: statusFailed, FailureReason: err.Error()})
		r.server.mu.Unlock()
		writeError(w, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(payload) // A runner that is gone loses the job, as with GitLab.
}

// ofJob returns a handler that finds the job of a request. The request must have the
// job's token.
func (s *Server) ofJob(handle func(*Run, http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
		s.mu.Lock()
		run := s.runs[id]
		s.mu.Unlock()
		token := []byte(r.Header.Get("JOB-TOKEN"))
		if run == nil || subtle.ConstantTimeCompare(token, []byte(run.token)) == 0 {
			writeError(w, http.StatusForbidden)
			return
		}
		handle(run, w, r)
	}
}

// update sets the job's state to the one that the runner reports.
func (r *Run) update(w http.ResponseWriter, request *http.Request) {
	var body struct {
		State         string `json:"state"`
		FailureReason string `json:"failure_reason"`
		ExitCode      int    `json:"exit_code"`
	}
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		writeError(w, http.StatusBadRequest)
		return
	}
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	r.writeStatus(w)
	if !r.ended && (body.State == statusSuccess || body.State == statusFailed) {
		r.finish(Result{State: body.State, FailureReason: body.FailureReason, ExitCode: body.ExitCode})
	}
	writeJSON(w, http.StatusOK, object{})
}

// writeStatus writes the state that GitLab wants for the job. The caller must hold the
// lock.
func (r *Run) writeStatus(w http.ResponseWriter) {
	w.Header().Set("Job-Status", r.status)
	w.Header().Set("X-GitLab-Trace-Update-Interval", "1")
}

// appendLog appends a piece of the log. The piece must begin where the log ends.
func (r *Run) appendLog(w http.ResponseWriter, request *http.Request) {
	piece, err := io.ReadAll(request.Body)
	if err != nil {
		return // The runner is gone, and sends the piece again.
	}
	from, _, _ := strings.Cut(request.Header.Get("Content-Range"), "-")
	start, err := strconv.Atoi(from)
	if err != nil {
		writeError(w, http.StatusBadRequest)
		return
	}
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	status := http.StatusRequestedRangeNotSatisfiable
	if start == len(r.log) {
		r.log = append(r.log, piece...)
		r.server.broadcast()
		status = http.StatusAccepted
	}
	r.writeStatus(w)
	w.Header().Set("Range", fmt.Sprintf("0-%d", len(r.log)))
	writeJSON(w, status, object{})
}
