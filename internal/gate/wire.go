package gate

import (
	"encoding/json"

	"rolecall/internal/mask"
)

// wire is an Order on its way through the pipe, with secrets in the clear. Its
// Secrets take the place of the Order's own in JSON.
type wire struct {
	plain
	Secrets []wireSecret
}

// plain is an Order without its methods, which would call themselves.
type plain Order

// wireSecret is a mask.Named in the clear.
type wireSecret struct{ Kind, Value string }

// MarshalJSON returns the order as JSON, with the secrets in the clear.
func (o Order) MarshalJSON() ([]byte, error) {
	out := wire{plain: plain(o)}
	for _, s := range o.Secrets {
		out.Secrets = append(out.Secrets, wireSecret{s.Kind, s.Value.Reveal()})
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON has written. An error is one of
// encoding/json, which names fields and types and quotes no secret.
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
