package podman_test

import (
	"slices"
	"testing"

	"rolecall/internal/backend/podman"
)

// confirmed are the exit codes that podman also uses itself, and is asked about. TestExitCodes
// has them, with a real podman.
func confirmed() []int { return []int{125, 126, 127, 128, 255} }

// TestEveryExitCode: each other exit code is that of the script, if a shell has read it. If
// none has, podman is asked: TestUnfitImages and TestRuntimeDies have that.
func TestEveryExitCode(t *testing.T) {
	t.Parallel()
	for code := range 256 {
		if slices.Contains(confirmed(), code) {
			continue
		}
		if result, err := podman.Judge(code); err != nil || result.Code != code {
			t.Errorf("%d: %+v, %v", code, result, err)
		}
	}
}
