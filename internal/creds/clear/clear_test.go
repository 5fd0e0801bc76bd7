package clear_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/clear"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

// TestThereAndBack: what one program writes is what the other one reads, also of a credential
// that no endpoint serves.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	since := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	whole := creds.Credential{
		Provider: "cloud", Name: "audit", Expires: since.Add(time.Hour), Folders: []creds.Folder{{Variable: "DIR", Path: "x"}},
		Env:     []creds.Variable{{Name: "KEY", Value: mask.NewSecret("one")}},
		Files:   []creds.File{{Name: ".cloud", Variables: []string{"CLOUD_FILE"}, Content: mask.NewSecret("two\n"), Names: []string{".other"}, As: "config"}},
		Secrets: []mask.Named{{Kind: "key", Value: mask.NewSecret("three")}},
		Served:  &creds.Served{Answer: mask.NewSecret(`{"four":4}`), URL: "CLOUD_URL", Token: "CLOUD_TOKEN", Since: since},
	}
	for name, c := range map[string]creds.Credential{"whole": whole, "bare": {Provider: "cloud"}} {
		text, err := json.Marshal(clear.Reveal(c))
		kit.Must(t, err)
		var form clear.Credential
		kit.Must(t, json.Unmarshal(text, &form))
		if got := form.Hide(); !reflect.DeepEqual(got, c) {
			t.Errorf("%s: %s is read as %+v", name, text, clear.Reveal(got))
		}
	}
}
