// Package kept says when the keys of the issuers of ID tokens were fetched that package jwks
// keeps, without what reads keys.
package kept

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// Fetched returns when the newest keys in the folder of root were fetched; zero: there are none.
// A file that cannot be read has none.
func Fetched(root string) time.Time {
	var newest time.Time
	files, _ := filepath.Glob(filepath.Join(root, "keys", "keys-*.json")) // the pattern is right
	for _, file := range files {
		var c struct {
			Fetched time.Time `json:"fetched"`
		}
		content, err := os.ReadFile(file)
		if err == nil && json.Unmarshal(content, &c) == nil && c.Fetched.After(newest) {
			newest = c.Fetched
		}
	}
	return newest
}
