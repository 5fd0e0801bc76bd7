package gate

import (
	"encoding/json"

	"rolecall/internal/mask"
)

// wire is an Order with unmasked secrets, for the pipe. In JSON, its Secrets replace
// those of the embedded order.
type wire struct {
	plain
	Secrets []wireSecret
}

// plain is an Order without methods: MarshalJSON would call itself.
type plain Order

// wireSecret is an unmasked mask.Named.
type wireSecret struct{ Kind, Value string }

// MarshalJSON returns the order as JSON, with unmasked secrets.
func (o Order) MarshalJSON() ([]byte, error) {
	out := wire{plain: plain(o)}
	for _, s := range o.Secrets {
		out.Secrets = append(out.Secrets, wireSecret{s.Kind, s.Value.Reveal()})
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads the JSON of MarshalJSON. Errors are those of encoding/json. They
// name fields and types, and hold no secret.
func (o *Order) UnmarshalJSON(data []byte) error {
	var in wire
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*o = Order(in.plain)
	for _, s := range in.Secrets {
		o.Secrets = append(o.Secrets, mask.Named{Kind: s.Kind, Value: mask.NewSecret(s.Value)})
	}
	return nil
}
