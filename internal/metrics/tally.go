package metrics

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/fnv"
	"io/fs"
	"path/filepath"

	"rolecall/internal/adminfile"
	"rolecall/internal/audit/reading"
)

// maxState bounds the size of the file of counts: it has at most maxSeries series.
const maxState = 4 << 20

// tally is what was counted, and up to where.
type tally struct {
	Place  reading.Place `json:"place"`
	Swept  int64         `json:"swept,omitempty"` // when the last sweep has ended, in unix time
	Keys   int64         `json:"keys,omitempty"`  // when keys of the issuer were fetched
	Counts counts        `json:"counts"`
}

// sealed is a tally as it is kept: a file that a crash has cut has another sum.
type sealed struct {
	Sum   string          `json:"sum"`
	Tally json.RawMessage `json:"tally"`
}

// errBroken says that the file of counts cannot be used.
var errBroken = errors.New("broken")

// load reads a tally. One that is not there is new, and counts from the beginning of the log.
func load(path string) (tally, error) {
	var s sealed
	t := tally{Counts: counts{}}
	content, err := adminfile.Read(path, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil || json.Unmarshal(content, &s) != nil || s.Sum != sumOf(s.Tally) {
		return t, errors.Join(errBroken, err)
	}
	if err := json.Unmarshal(s.Tally, &t); err != nil || t.Counts == nil {
		return t, errBroken
	}
	return t, nil
}

// keep writes a tally.
func (t tally) keep(path string) error {
	content, err := json.Marshal(t)
	if err != nil {
		return err
	}
	content, err = json.Marshal(sealed{sumOf(content), content})
	if err != nil {
		return err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path)) // package adminfile has judged the links on the way to the log
	if err != nil {
		return err
	}
	return replace(filepath.Join(dir, filepath.Base(path)), content, 0o600)
}

// sumOf returns the sum of a text.
func sumOf(text []byte) string {
	hash := fnv.New128a()
	_, _ = hash.Write(text) // it takes all
	return hex.EncodeToString(hash.Sum(nil))
}
