package gate

import (
	"encoding/json"

	"rolecall/internal/creds/clear"
)

// wire is an Order with unmasked secrets, for the pipe. In JSON, its Secrets replace
// those of the embedded order.
type wire struct {
	plain
	Secrets []clear.Secret
}

// plain is an Order without methods: MarshalJSON would call itself.
type plain Order

// MarshalJSON returns the order as JSON, with unmasked secrets.
func (o Order) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{plain(o), clear.RevealSecrets(o.Secrets)})
}

// UnmarshalJSON reads the JSON of MarshalJSON. Errors are those of encoding/json. They
// name fields and types, and hold no secret.
func (o *Order) UnmarshalJSON(data []byte) error {
	var in wire
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*o = Order(in.plain)
	o.Secrets = clear.HideSecrets(in.Secrets)
	return nil
}
