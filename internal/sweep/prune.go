package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"rolecall/internal/retention"
)

// pruneTime bounds how long a sweep removes images. The unit of systemd gives a sweep five
// minutes.
const pruneTime = 3 * time.Minute

// prune removes what broken pulls have left in the stores of images, and keeps the stores
// within their size. A store that jobs are using just now is for the next sweep.
func prune(p Pruner, places Places, out io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), pruneTime, fmt.Errorf("images were not removed within %s", pruneTime))
	defer cancel()
	done, err := p.Prune(ctx, retention.Order{Dir: places.Images, Rule: retention.Rule{MaxBytes: places.MaxBytes}})
	for _, s := range done {
		if s.Left.Layers > 0 {
			_, writeErr := fmt.Fprintf(out, "removed %d layers of broken pulls of %s: %d bytes\n", s.Left.Layers, s.Name, s.Left.Bytes)
			err = errors.Join(err, writeErr)
		}
		for _, g := range s.Gone {
			_, writeErr := fmt.Fprintf(out, "removed the image %s of %s: %d bytes\n", nameOf(g.Image), s.Name, g.Bytes)
			err = errors.Join(err, writeErr)
		}
	}
	return err
}

// nameOf returns a name of an image in quotes: whoever has made the store has chosen it.
func nameOf(i retention.Image) string {
	name := i.ID
	if len(i.Names) > 0 {
		name = strings.Join(i.Names, ", ")
	}
	return fmt.Sprintf("%.200q", name)
}
