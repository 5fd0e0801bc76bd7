package e2e_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"rolecall/internal/handover"
	"rolecall/internal/handover/seal"
	"rolecall/internal/handover/shelf"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

// sealedBy returns a parcel as a host with that key would have sealed it.
func (w *storesWorld) sealedBy(t *testing.T, key string, p handover.Parcel) []byte {
	t.Helper()
	content, err := os.ReadFile(w.sealKey(t, key))
	kit.Must(t, err)
	k, err := seal.ParseKey(content)
	kit.Must(t, err)
	sealed, err := seal.Keys{k}.Seal(p)
	kit.Must(t, err)
	return sealed
}

// parcelOf returns what a job of alpha could have handed over in a pipeline.
func (w *storesWorld) parcelOf(pipeline int64, job string, id int64, at time.Time) handover.Parcel {
	return handover.Parcel{
		Scope: handover.Scope{Issuer: w.gitlab.Issuer(), Tenant: "alpha", Project: "42", Pipeline: strconv.FormatInt(pipeline, 10), Class: "protected"},
		Job:   job, JobID: id, At: at, Until: at.Add(time.Hour),
		Values: []handover.Value{{Name: "DB_URL", Value: mask.NewSecret("hunter2-hunter2-forged"), Secret: true}, {Name: "VERSION", Value: mask.NewSecret("forged")}},
	}
}

// objectOf returns the key of the object of a parcel.
func objectOf(p handover.Parcel) string {
	return "rolecall/alpha/42/" + p.Scope.Pipeline + "/protected/" + shelf.NameOf(p).String()
}

// plant writes an object into the bucket of alpha, and removes it after the test of do.
func (w *storesWorld) plant(t *testing.T, key string, content []byte, do func()) {
	t.Helper()
	_, err := w.minio.Root().PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("alpha"), Key: &key, Body: bytes.NewReader(content)})
	kit.Must(t, err)
	do()
	_, err = w.minio.Root().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("alpha"), Key: &key})
	kit.Must(t, err)
}

// theObject returns the only object of this pipeline's jobs of alpha: its key and its content.
func (w *storesWorld) theObject(t *testing.T) (string, []byte) {
	t.Helper()
	list, err := w.minio.Root().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("alpha"), Prefix: aws.String("rolecall/alpha/42/70/protected/")})
	kit.Must(t, err)
	if len(list.Contents) != 1 {
		t.Fatalf("there are %d objects", len(list.Contents))
	}
	out, err := w.minio.Root().GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("alpha"), Key: list.Contents[0].Key})
	kit.Must(t, err)
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	kit.Must(t, err)
	return *list.Contents[0].Key, content
}

// testForged: what was copied, renamed, cut, replayed or sealed by another key is refused with a
// warning, and a job that expects its values fails before its script.
func (w *storesWorld) testForged(t *testing.T) {
	key, sealed := w.theObject(t)
	folder, name := filepath.Split(key)
	hash, _, _ := strings.Cut(name, "-")
	newer := w.parcelOf(thisPipeline, "make: [alpha]", 1<<40, time.Now())
	const refused = "what a job has handed over cannot be used: the object "
	for what, test := range map[string]struct {
		key      string
		content  []byte
		pipeline int64
		why      string
	}{
		"copied to another pipeline": {strings.Replace(key, "/70/", "/71/", 1), sealed, 71, "it was changed, or was not sealed for these jobs"},
		"renamed":                    {folder + hash + "-1099511627776", sealed, thisPipeline, "it is of another job, under a name that is not its own"},
		"cut":                        {folder + hash + "-1099511627776", sealed[:len(sealed)/2], thisPipeline, "it is cut"},
		"replayed":                   {objectOf(newer), w.sealedBy(t, "one", w.parcelOf(lastPipeline, newer.Job, newer.JobID, time.Now())), thisPipeline, "was not sealed for these jobs"},
		"of another key":             {objectOf(newer), w.sealedBy(t, "another", newer), thisPipeline, "in no file of seal_key_files of this host"},
	} {
		w.plant(t, test.key, test.content, func() {
			t.Log(what)
			job := w.reader("alpha")
			job.PipelineID = test.pipeline
			w.refuse(t, job, "script_failure", refused, test.why, "RC114", "see the warnings")
		})
	}
	w.pass(t, w.reader("alpha"))
}

// testClocks: what comes from the future, or is over, is withheld, and the job is told why.
func (w *storesWorld) testClocks(t *testing.T) {
	for why, at := range map[string]time.Time{
		"the clocks of the hosts differ": time.Now().Add(24 * time.Hour),
		"expired at":                     time.Now().Add(-24 * time.Hour),
	} {
		p := w.parcelOf(thisPipeline, "make: [alpha]", 1<<40, at)
		w.plant(t, objectOf(p), w.sealedBy(t, "one", p), func() {
			w.refuse(t, w.reader("alpha"), "script_failure", "RC114", why)
		})
	}
}

// testKeys: a new key seals, and the older one still opens until its file goes.
func (w *storesWorld) testKeys(t *testing.T) {
	w.handOver(t, "", "two", "one")
	w.pass(t, w.reader("alpha"))
	w.pass(t, w.writer("alpha"))
	w.handOver(t, "", "two")
	w.pass(t, w.reader("alpha"))
	w.refuse(t, w.reader("beta"), "script_failure", "RC114", "in no file of seal_key_files of this host")
	w.handOver(t, "", "two", "one")
}

// testAway: without the bucket a writer fails as infrastructure's and has handed over nothing, and a
// reader does not run.
func (w *storesWorld) testAway(t *testing.T) {
	signal := filepath.Join(w.started, "writer")
	job := w.writer("alpha", "touch "+signal, "until [ -e "+signal+".go ]; do sleep 0.1; done")
	job.PipelineID = 72
	w.settle(t)
	run := w.enqueue(sharedToken, job)
	until(t, time.Minute, "the script runs", func() bool { _, err := os.Stat(signal); return err == nil })
	w.store.Cut(true)
	kit.Must(t, os.WriteFile(signal+".go", nil, 0o644))
	if result := wait(t, run); result.State != "failed" || result.FailureReason != "runner_system_failure" {
		t.Errorf("a writer without the bucket: %+v\n%s", result, run.Text())
	}
	contains(t, run.Text(), "RC551", "later jobs get nothing of it")
	w.refuse(t, w.reader("alpha"), "runner_system_failure", "RC551", "the store of handed-over values does not answer")
	w.store.Cut(false)
	nothing := w.reader("alpha")
	nothing.PipelineID = 72
	w.refuse(t, nothing, "script_failure", "RC114", "no job that has ended has handed it over")
	w.pass(t, w.reader("alpha"))
}

// testEndpoint: a tenant whose scripts have no keys hands over values by the session that the
// endpoint serves.
func (w *storesWorld) testEndpoint(t *testing.T) {
	w.handOver(t, "delivery = \"endpoint\"\n", "two", "one")
	job := w.writer("alpha", `echo "keys <$AWS_ACCESS_KEY_ID>"`)
	job.PipelineID = 73
	contains(t, w.pass(t, job), "keys <>")
	job = w.reader("alpha")
	job.PipelineID = 73
	contains(t, w.pass(t, job), "has <[MASKED]> <1-alpha>")
}
