package job_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/job"
)

func TestReadUploads(t *testing.T) {
	t.Parallel()
	path := write(t, `{
	  "id": 1, "variables": [
	    {"key": "KUBECONFIG", "value": "x", "file": true}, {"key": "A", "value": "x", "file": false},
	    {"key": "OVER", "value": "x", "file": true}, {"key": "OVER", "value": "x"},
	    {"key": "TWICE", "value": "x"}, {"key": "TWICE", "value": "x", "file": true}, {"key": "TWICE", "value": "y", "file": true}],
	  "artifacts": [
	    {"name": "n", "untracked": true, "paths": ["a", "b/**"], "exclude": ["c"], "when": "always",
	     "artifact_type": "archive", "artifact_format": "zip", "expire_in": "1d"},
	    {"paths": null, "exclude": null, "artifact_type": "dotenv", "artifact_format": "gzip", "when": "on_failure"}],
	  "cache": [{"key": "k-$X", "untracked": true, "policy": "pull", "paths": ["p"], "when": "on_success", "fallback_keys": ["f"]}]
	}`)
	want := job.Uploads{
		Artifacts: []job.Artifact{
			{Type: "archive", Format: "zip", When: "always", Paths: []string{"a", "b/**"}, Exclude: []string{"c"}, Untracked: true},
			{Type: "dotenv", Format: "gzip", When: "on_failure"},
		},
		Caches: []job.Cache{{Key: "k-$X", Policy: "pull", When: "on_success", Paths: []string{"p"}, Untracked: true}},
		Files:  []string{"KUBECONFIG", "TWICE"},
	}
	got, err := job.ReadUploads(path)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, uploads differ:\n%s", err, diff)
	}
}

func TestReadUploadsOfNone(t *testing.T) {
	t.Parallel()
	for _, content := range []string{`{}`, whole, `{"artifacts":null,"cache":null,"variables":null}`} {
		got, err := job.ReadUploads(write(t, content))
		if diff := cmp.Diff(job.Uploads{}, got); err != nil || diff != "" {
			t.Errorf("%s: error %v, uploads:\n%s", content, err, diff)
		}
	}
}

// TestReadUploadsRefuses: a broken response is an error, and not a job without uploads.
func TestReadUploadsRefuses(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		``:                                     "broken at byte 0",
		`{"artifacts":{"paths":["a"]}}`:        `"artifacts" must not be a object`,
		`{"artifacts":[{"paths":"a"}]}`:        `must not be a string`,
		`{"artifacts":[{"untracked":"true"}]}`: `must not be a string`,
		`{"cache":[{"paths":[1]}]}`:            `must not be a number`,
		`{"cache":{}}`:                         `"cache" must not be a object`,
		`{"variables":[{"file":"glcbt-x"}]}`:   `must not be a string`,
	} {
		got, err := job.ReadUploads(write(t, content))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "glcbt-x") {
			t.Errorf("%s: error %v, want one with %q", content, err, want)
		}
		if diff := cmp.Diff(job.Uploads{}, got); diff != "" {
			t.Errorf("%s: uploads beside the error:\n%s", content, diff)
		}
	}
}
