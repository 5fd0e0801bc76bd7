package podman_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/backend/podman"
	"rolecall/test/kit"
)

// confirmed are the exit codes that podman also uses itself, and is asked about. TestExitCodes
// has them, with a real podman.
func confirmed() []int { return []int{125, 126, 127, 128, 255} }

// TestEveryExitCode: each other exit code is that of the script, if a shell has read it, and
// else that of the entrypoint.
func TestEveryExitCode(t *testing.T) {
	t.Parallel()
	own := t.TempDir()
	for code := range 256 {
		if slices.Contains(confirmed(), code) {
			continue
		}
		kit.Must(t, os.WriteFile(filepath.Join(own, ".rolecall-began"), nil, 0o600))
		if result, err := podman.Judge(own, code); err != nil || result.Code != code {
			t.Errorf("%d: %+v, %v", code, result, err)
		}
		want := fmt.Sprintf("the container ended with %d before a shell read the script", code)
		if _, err := podman.Judge(own, code); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d, no shell has read the script: %v, want %q", code, err, want)
		}
	}
}
