package carrier_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/handover"
	"rolecall/internal/handover/errand"
	"rolecall/internal/mask"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// TestVault: jobs hand over values by a real Vault, sealed and not; no token stays.
func TestVault(t *testing.T) {
	t.Parallel()
	w := newVaultWorld(t)
	for _, sealed := range []bool{false, true} {
		if sealed {
			w.store.SealKeyFiles = []string{w.key(t, "one")}
		}
		w.testHandover(t, sealed)
	}
	var tokens struct {
		Data struct{ Keys []string }
	}
	kit.Must(t, w.Ask(t.Context(), lab.VaultRequest{Method: "LIST", Path: "auth/token/accessors", Token: w.Root()}, &tokens))
	if len(tokens.Data.Keys) != 1 {
		t.Errorf("%d tokens are left beside root's", len(tokens.Data.Keys)-1)
	}
	w.testErrors(t)
}

// testHandover hands over, takes, replaces, forges and loses.
func (w *vaultWorld) testHandover(t *testing.T, sealed bool) {
	t.Helper()
	if taken := w.take(t); taken.Parcels != nil || taken.Gone != 0 {
		t.Errorf("an empty store has %q", texts(taken))
	}
	good := parcel("make", 100, "A="+secret)
	kit.Must(t, w.try(t, good))
	kit.Must(t, w.try(t, good)) // again
	if err := w.try(t, parcel("make", 100, "A=2")); fault.CodeOf(err) != fault.StoreDenied {
		t.Errorf("another parcel of the name: %v", err)
	}
	read, err := w.Read(t.Context(), w.Root(), path("data", good))
	kit.Must(t, err)
	if plain := strings.Contains(fmt.Sprint(read.Data), "hunter2"); plain == sealed {
		t.Errorf("sealed %v, and Vault has %v", sealed, read.Data)
	}
	if end, _ := read.Data["metadata"].(map[string]any)["deletion_time"].(string); end == "" {
		t.Error("Vault does not delete it")
	}
	kit.Must(t, w.try(t, parcel("make", 101, "A=new")))
	kit.Must(t, w.try(t, parcel("other", 5, "B=1")))
	if taken := w.take(t); !slices.Equal(texts(taken), []string{"make 101 A=new", "other 5 B=1"}) || taken.Refused != nil {
		t.Errorf("taken are %q, refused %q", texts(taken), refusals(taken))
	}
	w.testForged(t, good, read.Data["data"])
	w.testDeleted(t)
	for _, p := range []handover.Parcel{good, parcel("make", 101), parcel("other", 5)} {
		w.remove(t, p)
	}
}

// testForged: what somebody else has written is refused.
func (w *vaultWorld) testForged(t *testing.T, good handover.Parcel, data any) {
	t.Helper()
	fields, newer := map[string]string{}, parcel("make", 102)
	for name, value := range data.(map[string]any) {
		fields[name] = value.(string)
	}
	older := parcel("make", 102, "A=1")
	older.Scope.Pipeline = "69"
	for name, forged := range map[string]map[string]string{
		"renamed": fields, "another form": {"x": "y"}, "empty": {"parcel": ""}, "a field more": {"parcel": fields["parcel"], "x": "y"},
		"another pipeline": {"parcel": string(handover.Encode(older))}, "cut": {"parcel": fields["parcel"][:len(fields["parcel"])/2]},
	} {
		w.put(t, newer, forged)
		if taken := w.take(t); !slices.Equal(texts(taken), []string{"other 5 B=1"}) || len(taken.Refused) != 1 {
			t.Errorf("%s: taken are %q, refused %q", name, texts(taken), refusals(taken))
		}
		w.remove(t, newer)
	}
	if len(w.store.SealKeyFiles) == 0 {
		return
	}
	w.put(t, newer, map[string]string{"parcel": string(handover.Encode(parcel("make", 102, "A=1")))})
	if taken := w.take(t); len(taken.Refused) != 1 {
		t.Errorf("what is not sealed is taken: %q", texts(taken))
	}
	w.remove(t, newer)
	_ = good
}

// testDeleted: what Vault has deleted is counted, and is no error.
func (w *vaultWorld) testDeleted(t *testing.T) {
	t.Helper()
	gone := parcel("gone", 7, "C=1")
	kit.Must(t, w.try(t, gone))
	kit.Must(t, w.Ask(t.Context(), lab.VaultRequest{Method: http.MethodDelete, Path: path("data", gone), Token: w.Root()}, nil))
	if taken := w.take(t); taken.Gone != 1 || len(taken.Parcels) != 2 || taken.Refused != nil {
		t.Errorf("taken are %q, refused %q, %d are gone", texts(taken), refusals(taken), taken.Gone)
	}
	w.remove(t, gone)
}

// testErrors: each error says whose it is.
func (w *vaultWorld) testErrors(t *testing.T) {
	t.Helper()
	p := parcel("make", 100, "A="+secret)
	for name, test := range map[string]struct {
		change func(*errand.Order)
		code   fault.Code
		want   string
	}{
		"no token":       {func(o *errand.Order) { o.Token = mask.NewSecret("") }, fault.NoToken, "no ID token for the store"},
		"another tenant": {func(o *errand.Order) { o.Scope.Tenant = "beta" }, fault.StoreDenied, `path "secret/data/rolecall/beta/7/70/protected/*"`},
		"no mount":       {func(o *errand.Order) { o.Settings.Path = "none/data/rolecall" }, fault.StoreDenied, "a policy of the role must have"},
		"no data":        {func(o *errand.Order) { o.Settings.Path = "secret/rolecall" }, fault.BadStore, "no data/ after the mount"},
		"bad terms":      {func(o *errand.Order) { o.Terms = json.RawMessage(`{"x":1}`) }, fault.Unexpected, "not those of Vault"},
		"no role":        {func(o *errand.Order) { o.Terms = bytes.Replace(o.Terms, []byte(`"alpha"`), []byte(`"none"`), 1) }, fault.BadSource, "the role of the source does not fit"},
	} {
		for _, writes := range []bool{true, false} {
			o := w.order(t)
			if writes {
				q := p
				o.Parcel = &q
			}
			test.change(&o)
			if writes {
				o.Parcel.Scope = o.Scope
			}
			err := serve(t, o).Fault.Err()
			if fault.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s, %v: %s %v, want %s %q", name, writes, fault.CodeOf(err), err, test.code, test.want)
			}
		}
	}
	kit.Must(t, w.Seal(t.Context()))
	if err := w.try(t, p); fault.CodeOf(err) != fault.NoStore || !strings.Contains(err.Error(), "the store of handed-over values does not answer") {
		t.Errorf("sealed: %s %v", fault.CodeOf(err), err)
	}
	w.Stop()
	if err := w.try(t, p); fault.CodeOf(err) != fault.NoStore || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("away: %s %v", fault.CodeOf(err), err)
	}
}

// TestVaultAtOnce: eight jobs that write at once lose nothing.
func TestVaultAtOnce(t *testing.T) {
	t.Parallel()
	w := newVaultWorld(t)
	var group sync.WaitGroup
	for i := range int64(8) {
		group.Go(func() {
			if err := w.try(t, parcel(fmt.Sprint("make ", i), 100+i, "A=1")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if taken := w.take(t); len(taken.Parcels) != 8 || taken.Refused != nil {
		t.Errorf("taken are %q, refused %q", texts(taken), refusals(taken))
	}
}
