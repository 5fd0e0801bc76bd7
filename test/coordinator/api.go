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

// longPoll is how long a request for a job is held while there is none. GitLab does the same,
// for longer; a held request keeps one of the runner's workers from serving other runners.
const longPoll = 2 * time.Second

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

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // The client may be gone.
}

func writeError(w http.ResponseWriter, status int) {
	message := fmt.Sprintf("%d %s", status, http.StatusText(status))
	writeJSON(w, status, map[string]string{"message": message})
}

// runnerToken reads the token of a runner's request, whose body is JSON.
func runnerToken(r *http.Request) string {
	var body struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return ""
	}
	return body.Token
}

func (s *Server) verifyRunner(w http.ResponseWriter, r *http.Request) {
	token := runnerToken(r)
	if token == "" {
		writeError(w, http.StatusForbidden)
		return
	}
	writeJSON(w, http.StatusOK, object{"id": s.RunnerID(token), "token": token, "token_expires_at": nil})
}

// requestJob hands the next job to a runner, or holds the request for a while.
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

// ofJob finds the job of a request, which must carry the job's token.
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

// update takes the runner's word on the job's state.
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

// writeStatus tells the runner what GitLab wants of the job. It needs the lock.
func (r *Run) writeStatus(w http.ResponseWriter) {
	w.Header().Set("Job-Status", r.status)
	w.Header().Set("X-GitLab-Trace-Update-Interval", "1")
}

// appendLog takes a piece of the log, if it begins where the log ends.
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
