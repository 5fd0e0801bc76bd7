package scan_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/gate/scan"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

// TestLikeGrep finds the files that grep finds, among many sizes and forms.
func TestLikeGrep(t *testing.T) {
	t.Parallel()
	dir, random := t.TempDir(), rand.New(rand.NewPCG(7, 9))
	var forms [][]byte
	for _, s := range issued() {
		forms = append(forms, mask.Forms(s.Value)...)
	}
	needles := filepath.Join(t.TempDir(), "needles")
	write(t, filepath.Dir(needles), "needles", append(bytes.Join(forms, []byte("\n")), '\n'))
	var names []string
	for i := range 400 {
		content := noise(random.IntN(20_000) + i%20/19*600_000)
		if i%3 > 0 {
			form := forms[i/3%len(forms)]
			cut := random.IntN(4) / 3 // of one in four, the last byte is missing
			content = slices.Insert(content, random.IntN(len(content)+1), form[:len(form)-cut]...)
		}
		names = append(names, fmt.Sprintf("folder%d/file%d", i%7, i))
		write(t, dir, names[i], content)
	}
	grep := exec.Command("grep", "-rlaF", "-f", needles, ".")
	grep.Dir, grep.Env = dir, []string{"LC_ALL=C"}
	out, err := grep.Output()
	kit.Must(t, err)
	theirs := strings.Fields(strings.ReplaceAll(string(out), "./", ""))
	var ours []string
	for _, f := range scanned(t, scan.Options{Dir: dir}, names...).Findings {
		ours = append(ours, f.Name)
	}
	slices.Sort(theirs)
	if !slices.Equal(ours, theirs) || len(ours) < 100 || len(ours) > 300 {
		t.Errorf("found %d files %q, grep %d %q", len(ours), ours, len(theirs), theirs)
	}
}
