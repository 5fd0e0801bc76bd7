package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/metrics"
)

// late is how old the file of metrics may be: the timer sweeps every five minutes, and a sweep may
// take as long.
const late = 15 * time.Minute

// checkMetrics checks the file of metrics and its folder.
func (h *host) checkMetrics(context.Context) []Finding {
	const area = "metrics_file"
	file := h.settings.MetricsFile
	if file == "" {
		return nil
	}
	dir := filepath.Dir(file)
	if err := metrics.CheckFolder(dir); err != nil {
		return []Finding{fix(idMetrics, area, err.Error(), "name a folder that node_exporter reads; nothing is counted until then")}
	}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return []Finding{fix(idMetrics, area, fmt.Sprintf("%s: %v", dir, err), "let the user that runs GitLab Runner write to it, or run rolecall check as that user")}
	}
	info, err := os.Lstat(file)
	switch {
	case err != nil:
		return []Finding{look(idMetrics, area, file+" is not written yet", "let the sweep write it, and look for its errors\nsystemctl start rolecall-sweep.service\njournalctl -t rolecall")}
	case time.Since(info.ModTime()) > late:
		what := fmt.Sprintf("%s was last written %s ago", file, time.Since(info.ModTime()).Round(time.Minute))
		return []Finding{look(idMetrics, area, what, "look whether the sweep runs\nsystemctl status rolecall-sweep.timer\njournalctl -t rolecall")}
	}
	return []Finding{ok(area, file+" is up to date")}
}
