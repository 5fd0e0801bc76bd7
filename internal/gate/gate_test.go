package gate_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/gate"
)

// report returns a report with a value in each field.
func report() gate.Report {
	place := func(says string) []gate.Place {
		return []gate.Place{{Upload: "cache k", Name: "a\nb", Inside: "b.tar.gz > c", Says: says}}
	}
	return gate.Report{Found: place("ID token"), Foreign: place("key"), More: 2, Refused: place("closed"), Noted: place("damaged"), Files: 3}
}

// overWire checks that a value is received as it was sent, and that the test sets each
// of its fields.
func overWire[T any](t *testing.T, sent T) {
	t.Helper()
	fields := reflect.ValueOf(sent)
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			t.Errorf("the test sends no %s: fill it in", fields.Type().Field(i).Name)
		}
	}
	text, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	var got T
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Errorf("sent (-) and received (+) differ:\n%s", diff)
	}
}

func TestOverWire(t *testing.T) {
	t.Parallel()
	overWire(t, report())
}

func TestIsEnvFile(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		".aws.alpha.env": true, "a/b/.aws.alpha.env": true, ".aws..env": true, ".aws.a.b.env": true,
		".aws.env": false, "aws.alpha.env": false, ".aws.alpha.env.gz": false, ".aws.alpha.env/x": false, ".aws.alpha": false, "": false, ".env": false,
	} {
		if got := gate.IsEnvFile(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
