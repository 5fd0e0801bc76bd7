package gate_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/gate"
	"rolecall/internal/job"
	"rolecall/internal/ledger"
	"rolecall/internal/mask"
)

const key = "wJalrXUtnFEMI/K7MDENG"

// order returns an order in which no field is empty.
func order() gate.Order {
	return gate.Order{
		Stage:       "upload_artifacts_on_success",
		Project:     "/builds/group/project",
		Uploads:     job.Uploads{Artifacts: []job.Artifact{{Type: "archive", Format: "zip", Paths: []string{"dist/"}}}},
		Request:     job.Request{"CI_JOB_ID": "7"},
		Service:     []string{"PATH=/bin"},
		Secrets:     []mask.Named{{Kind: "secret access key", Value: mask.NewSecret(key)}, {Kind: "ID token", Value: mask.NewSecret("eyJhbGciOi")}},
		Issued:      ledger.Ledger{Key: []byte("key"), Entries: []ledger.Entry{{Expires: time.Unix(7, 0).UTC(), Job: 8, Kind: "session token", Alphabet: ledger.Base64, Length: 9, Text: "hash"}}},
		Foreign:     gate.Warn,
		Leavings:    gate.Leavings{Dirs: []string{"/tmp"}, Since: time.Unix(9, 0).UTC()},
		MaxFiles:    1000,
		MaxBytes:    10 << 30,
		MaxDuration: 10 * time.Minute,
		Limits:      backend.Limits{OpenFiles: 777},
	}
}

func TestOrderComesThroughThePipe(t *testing.T) {
	t.Parallel()
	want := order()
	for field := range reflect.TypeFor[gate.Order]().NumField() {
		if reflect.ValueOf(want).Field(field).IsZero() {
			t.Errorf("the field %s of the order is not tested", reflect.TypeFor[gate.Order]().Field(field).Name)
		}
	}
	encoded, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got gate.Order
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("came through as %+v, want %+v", got, want)
	}
}

func TestOrderPrintsNoSecret(t *testing.T) {
	t.Parallel()
	o := order()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, value := range []any{o, &o, []gate.Order{o}, o.Secrets} {
			got := fmt.Sprintf(verb, value)
			if strings.Contains(got, key) {
				t.Errorf("%s of %T prints the secret: %s", verb, value, got)
			}
		}
	}
}

// TestOrderIsRefused: an error about an order must not quote its secrets.
func TestOrderIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"Secrets": "` + key + `"}`:                           "cannot unmarshal string into Go struct field",
		`{"Secrets": [{"Kind": ["` + key + `"]}]}`:             "cannot unmarshal array into Go struct field",
		`{"Secrets": [{"Kind": "key", "Value": "` + key + `"}`: "unexpected end of JSON input",
	} {
		var got gate.Order
		if err := json.Unmarshal([]byte(text), &got); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), key) {
			t.Errorf("%s: error %v, want %q and not the secret", text, err, want)
		}
	}
}
