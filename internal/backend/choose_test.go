package backend_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/job"
)

// kind is a backend of that name, whose Reap tells what it was asked.
type kind string

func (k kind) Name() string { return string(k) }

func (k kind) Reap(_ context.Context, data json.RawMessage, id job.ID) error {
	return errors.New(string(k) + " reaps " + string(data) + " of " + id.String())
}

func TestReap(t *testing.T) {
	t.Parallel()
	tests := []struct {
		backends []kind
		name     string
		want     string
		side     fault.Side
	}{
		{[]kind{"host", "toy"}, "host", "host reaps {} of 7", fault.Infrastructure},
		{[]kind{"host", "toy"}, "toy", "toy reaps {} of 7", fault.Infrastructure},
		{[]kind{"host"}, "toy", `this program does not know the backend "toy" that the job runs in`, fault.Admin},
		{[]kind{"host"}, "", `does not know the backend "" that`, fault.Admin},
		{nil, "host", `does not know the backend "host" that`, fault.Admin},
	}
	for _, test := range tests {
		err := backend.Reap(test.backends)(t.Context(), test.name, json.RawMessage("{}"), 7)
		if err == nil || !strings.Contains(err.Error(), test.want) || fault.SideOf(err) != test.side {
			t.Errorf("%q of %q: %v, want %q of side %s", test.name, test.backends, err, test.want, test.side)
		}
	}
}
