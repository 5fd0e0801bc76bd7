package sweep_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"rolecall/internal/retention"
	"rolecall/internal/sweep"
)

// pruner has removed one image and what broken pulls have left, and could not do more.
type pruner struct{ asked []retention.Order }

func (p *pruner) Prune(_ context.Context, o retention.Order) ([]retention.Store, error) {
	p.asked = append(p.asked, o)
	gone := retention.Going{Image: retention.Image{ID: "1", Names: []string{"r/a:1\n\x1b[2J"}}, Bytes: 5}
	left := retention.Left{Layers: 3, Bytes: 4096}
	return []retention.Store{{Name: "alpha/protected", Gone: []retention.Going{gone}}, {Name: "beta/protected", Left: left}}, errors.New("a store cannot be read")
}

// TestPrune: stores are kept within the size that the policy file names. If it names none, only
// what broken pulls have left goes. What was removed is named, whatever its name, and what
// failed is an error.
func TestPrune(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := &pruner{}
	parts := sweep.Parts{Pruners: []sweep.Pruner{p}}
	if err := parts.Run(sweep.Places{Images: "/i"}, &out); err == nil || len(p.asked) != 1 || p.asked[0].Dir != "/i" || p.asked[0].Rule != (retention.Rule{}) {
		t.Errorf("without a size: %v, asked %+v", err, p.asked)
	}
	out.Reset()
	p.asked = nil
	err := parts.Run(sweep.Places{Images: "/i", MaxBytes: 7}, &out)
	if err == nil || err.Error() != "a store cannot be read" {
		t.Errorf("error %v", err)
	}
	if len(p.asked) != 1 || p.asked[0].Dir != "/i" || p.asked[0].Rule != (retention.Rule{MaxBytes: 7}) || p.asked[0].Wait != 0 || p.asked[0].Wanted != nil {
		t.Errorf("asked %+v", p.asked)
	}
	if want := `removed the image "r/a:1\n\x1b[2J" of alpha/protected: 5 bytes` + "\nremoved 3 layers of broken pulls of beta/protected: 4096 bytes\n"; out.String() != want {
		t.Errorf("output %q, want %q", out.String(), want)
	}
}
