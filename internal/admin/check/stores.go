package check

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"rolecall/internal/backend/podman"
)

// pruneAdvice says how to make room for images.
const pruneAdvice = "remove images that jobs do not use any more, or set images_max_bytes in [containers]\nrolecall prune --older-than 168h"

// measureTime bounds how long stores are measured.
const measureTime = 5 * time.Second

// checkStores says how big the stores of images are, and how big they may be.
func (h *host) checkStores(ctx context.Context, dir string) []Finding {
	names, _ := podman.Stores(dir) // checkWorkDir reports a folder that cannot be read
	if len(names) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, measureTime)
	defer cancel()
	bound, sum := h.settings.Containers.ImagesMaxBytes, uint64(0)
	var findings []Finding
	for _, name := range names {
		size, found := checkStore(ctx, filepath.Join(dir, name), bound)
		sum, findings = sum+size, append(findings, found...)
	}
	return append(findings, ok(imagesArea, fmt.Sprintf("%s has %d stores with %d MiB of images; %s", dir, len(names), sum/mebibyte, boundText(bound))))
}

// checkStore returns the size of a store, and reports one that is too big or that cannot be
// measured.
func checkStore(ctx context.Context, path string, bound uint64) (uint64, []Finding) {
	sizes, err := podman.Measure(ctx, path, nil)
	if err != nil {
		return 0, []Finding{look(idStores, imagesArea, fmt.Sprintf("the images cannot be measured: %v", err), "see whether the disk answers, or measure them"+run("du", "-sh", path))}
	}
	if sum := sizes.Sum(); bound > 0 && sum > bound {
		return sum, []Finding{look(idStores, imagesArea, fmt.Sprintf("%s has %d MiB, and images_max_bytes lets it have %d MiB", path, sum/mebibyte, bound/mebibyte),
			"let the sweep remove images; it keeps those of jobs that have not ended\nsystemctl enable --now rolecall-sweep.timer")}
	}
	return sizes.Sum(), nil
}

// boundText says how big a store may be.
func boundText(bound uint64) string {
	if bound == 0 {
		return "each may have any size: images_max_bytes is not set"
	}
	return fmt.Sprintf("images_max_bytes lets each have %d MiB", bound/mebibyte)
}

// withAdvice replaces what findings that are not fine say to do.
func withAdvice(findings []Finding, do string) []Finding {
	for i := range findings {
		if findings[i].State != OK {
			f := findings[i]
			findings[i] = newFinding(f.ID, f.Area, f.What, f.State, do)
		}
	}
	return findings
}
