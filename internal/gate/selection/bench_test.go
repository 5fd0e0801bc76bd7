package selection_test

import (
	"fmt"
	"os"
	"testing"

	"rolecall/internal/gate/selection"
	"rolecall/test/kit"
)

// BenchmarkSelect finds the files of a large tree and of a small upload in it.
func BenchmarkSelect(b *testing.B) {
	dir := plant(b, []string{"report.xml"})
	for i := range 200 {
		folder := fmt.Sprintf("%s/pkg%d/sub", dir, i)
		kit.Must(b, os.MkdirAll(folder, 0o755))
		for j := range 100 {
			kit.Must(b, os.WriteFile(fmt.Sprintf("%s/file%d.go", folder, j), nil, 0o600))
		}
	}
	for name, u := range map[string]selection.Upload{
		"20000 files by folder":  {Paths: []string{"."}},
		"20000 files by pattern": {Paths: []string{"**/*"}, Exclude: []string{"**/*.log", "pkg1/**"}},
		"one file":               {Paths: []string{"report.xml"}, Exclude: []string{"*.log"}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				project, err := selection.OpenProject(dir)
				kit.Must(b, err)
				vars, err := project.Variables(nil, nil, os.Environ())
				kit.Must(b, err)
				set, err := project.Select(b.Context(), []selection.Upload{u}, vars)
				if err != nil || set.Count == 0 {
					b.Fatal(err)
				}
				set.Close()
				project.Close()
			}
		})
	}
}
