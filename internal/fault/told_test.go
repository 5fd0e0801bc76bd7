package fault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// TestTold: an error comes through a pipe with all that is known of it.
func TestTold(t *testing.T) {
	t.Parallel()
	whole := fault.New(fault.Refused, errors.New("no"), "ask").With("role", "r").Detail("why", "w")
	whole.Trace, whole.Answer = "id 7", fault.Answer{Code: "Denied", Request: "7"}
	for _, err := range []error{nil, whole, fmt.Errorf("on the way: %w", whole), errors.New("plain")} {
		content, bad := json.Marshal(fault.Tell(err))
		kit.Must(t, bad)
		var told *fault.Told
		kit.Must(t, json.Unmarshal(content, &told))
		got := told.Err()
		if err == nil {
			if got != nil {
				t.Errorf("no error became %v", got)
			}
			continue
		}
		if fault.CodeOf(got) != fault.CodeOf(err) {
			t.Errorf("%v has the code %s, want %s", err, fault.CodeOf(got), fault.CodeOf(err))
		}
		if diff := cmp.Diff(fault.Tell(err), fault.Tell(got)); diff != "" {
			t.Errorf("%v became another error (- sent, + come):\n%s", err, diff)
		}
	}
}
