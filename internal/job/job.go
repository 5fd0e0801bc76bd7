// Package job reads what a stage is told about its job.
//
// It has a type for each of two kinds of input. A [Response] is what GitLab sent: the
// runner writes it to JOB_RESPONSE_FILE, and no job can change it. A [Request] is what
// the job requests: the runner passes each variable of a job as CUSTOM_ENV_<name>, and
// an author can override almost all of them, predefined ones too. Decisions rest on
// the Response.
//
// https://docs.gitlab.com/runner/executors/custom/
package job

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"strconv"
)

// maxResponse bounds the size of a job response, in bytes. The runner passes
// the same variables in an environment, which Linux limits to less than this.
const maxResponse = 16 << 20

// ID is the id of a job, the key of everything that outlives a stage.
type ID int64

// String returns the id in decimal.
func (id ID) String() string { return strconv.FormatInt(int64(id), 10) }

// Key identifies a job on a host. Jobs of two GitLab servers may have the same id;
// the proof, a hash of the job's own token, tells those apart.
type Key struct {
	ID    ID
	Proof string // empty where the response has no token
}

// ReadKey reads the job's key from the job response at path, and as little else as
// it can: the runner writes id and token first, so a long response costs no time,
// and damage after them is no error.
func ReadKey(path string) (Key, error) {
	f, err := open(path)
	if err != nil {
		return Key{}, err
	}
	defer f.Close()
	return decodeKey(path, io.LimitReader(f, maxResponse))
}

// decodeKey reads the key from the content of the job response at path.
func decodeKey(path string, content io.Reader) (Key, error) {
	key, err := findKey(json.NewDecoder(content))
	if key.ID == 0 && err != nil {
		return Key{}, fmt.Errorf("%s %q is not the JSON of a job: %w", responseFile, path, describe(err))
	}
	if key.ID <= 0 {
		return Key{}, fmt.Errorf("%s %q: id must be a positive number", responseFile, path)
	}
	return key, nil
}

// findKey reads a JSON object until it has its members id and token, and returns
// them as a key. If it fails, it returns what it has found, with the error.
func findKey(d *json.Decoder) (key Key, err error) {
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return key, err
	}
	var token string
	for d.More() && (key.ID == 0 || token == "") {
		name, err := d.Token()
		if err != nil {
			return key, err
		}
		var member any = new(json.RawMessage)
		switch name {
		case "id":
			member = &key.ID
		case "token":
			member = &token
		}
		if err := d.Decode(member); err != nil {
			return key, err
		}
	}
	if token == "" {
		_, err = d.Token()
		return key, err
	}
	key.Proof = proofOf(token)
	return key, nil
}

// proofOf returns the Proof of a Key for the job's token.
func proofOf(token string) string {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(token))
	return strconv.FormatUint(hash.Sum64(), 16)
}

// read returns the content of the job response at path.
func read(path string) ([]byte, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxResponse+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", responseFile, err)
	}
	if len(data) > maxResponse {
		return nil, fmt.Errorf("%s %q is larger than %d MiB", responseFile, path, maxResponse>>20)
	}
	return data, nil
}

// unmarshal decodes data, the content of the job response at path, into v.
func unmarshal(path string, data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s %q is not the JSON of a job: %w", responseFile, path, describe(err))
	}
	return nil
}

// open opens the job response.
func open(path string) (*os.File, error) {
	if path == "" {
		return nil, errors.New(responseFile + " is not set: the custom executor of GitLab Runner 17.9 or later sets it")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", responseFile, err)
	}
	return f, nil
}

// describe returns a JSON error without the text that caused it: this may be the
// value of a variable.
func describe(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%q must not be a %s", cmp.Or(wrong.Field, "id"), firstWord(wrong.Value))
	}
	var file *fs.PathError
	if errors.As(err, &file) {
		return file
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("broken at byte %d", syntax.Offset)
	}
	return errors.New("cannot decode it")
}

// firstWord returns the kind of JSON value that an UnmarshalTypeError names,
// without the value that may follow.
func firstWord(value string) string {
	for i, r := range value {
		if r == ' ' {
			return value[:i]
		}
	}
	return value
}
