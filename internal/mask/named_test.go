package mask_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"rolecall/internal/mask"
)

func TestNamedShowsItsKind(t *testing.T) {
	t.Parallel()
	named := mask.Named{Kind: "session token", Value: mask.NewSecret(text)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{named, &named} {
			if got := fmt.Sprintf(verb, value); got != "session token" {
				t.Errorf("%s of %T = %q, want the kind", verb, value, got)
			}
		}
	}
	if got := fmt.Sprint([]mask.Named{named}); got != "[session token]" || named.String() != "session token" {
		t.Errorf("a list prints %q, String %q", got, named)
	}
	if got, err := json.Marshal(named); err != nil || string(got) != `{"Kind":"session token","Value":"[MASKED]"}` {
		t.Errorf("json.Marshal = %s, %v", got, err)
	}
}
