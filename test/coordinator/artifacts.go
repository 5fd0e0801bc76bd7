package coordinator

import (
	"cmp"
	"io"
	"net/http"
)

// storeArtifact stores a file that the runner uploads.
func (r *Run) storeArtifact(w http.ResponseWriter, request *http.Request) {
	file, header, err := request.FormFile("file")
	if err != nil {
		writeError(w, http.StatusBadRequest)
		return
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		writeError(w, http.StatusBadRequest)
		return
	}
	query := request.URL.Query()
	upload := Upload{
		Name:   header.Filename,
		Type:   cmp.Or(query.Get("artifact_type"), "archive"),
		Format: cmp.Or(query.Get("artifact_format"), "zip"),
		Data:   data,
	}
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	r.uploads = append(r.uploads, upload)
	r.server.broadcast()
	writeJSON(w, http.StatusCreated, object{})
}

// serveArchive sends this job's archive to a job that needs it.
func (r *Run) serveArchive(w http.ResponseWriter, _ *http.Request) {
	for _, upload := range r.Artifacts() {
		if upload.Type == "archive" {
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write(upload.Data) // The runner tries again.
			return
		}
	}
	writeError(w, http.StatusNotFound)
}
