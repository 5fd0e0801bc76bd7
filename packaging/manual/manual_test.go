package manual

import (
	"bytes"
	"compress/gzip"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"rolecall/internal/admin"
)

func TestPage(t *testing.T) {
	t.Parallel()
	const help = `usage: config [FLAGS]

config tells a path, such as \n.
'quoted' and .dotted lines stay.

  --config FILE   the policy file
                  of the host
  --help          print this text

    a = ["--x"]
`
	want := strings.Join([]string{
		`.TH ROLECALL-CONFIG 8 2026-02-03 "rolecall 1" rolecall`,
		`.SH NAME`, `rolecall-config \- tells a path, such as \en`,
		`.SH SYNOPSIS`, `.B /usr/libexec/rolecall/config [FLAGS]`,
		`.SH DESCRIPTION`, `.PP`, `config tells a path, such as \en.`, `\&'quoted' and .dotted lines stay.`, `.PP`,
		`.TP`, `.B \-\-config FILE`, `the policy file`, `of the host`, `.TP`, `.B \-\-help`, `print this text`, `.PP`,
		`.nf`, `    a = ["\-\-x"]`, `.fi`,
		`.SH SEE ALSO`, `.BR rolecall (1),`, `.I https://docs.gitlab.com/runner/executors/custom/`, ``,
	}, "\n")
	if got := (Program{Name: "config"}).page(help, "rolecall 1", time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)); got != want {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
}

// TestReferences: each page that a page of the admins' program refers to is there.
func TestReferences(t *testing.T) {
	t.Parallel()
	pages := Pages{}
	if err := pages.Admin(admin.Program{}.Command(), "rolecall 1", time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	found := 0
	for path, page := range pages {
		if !strings.HasSuffix(path, ".gz") {
			continue
		}
		unpacked, err := gzip.NewReader(bytes.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unpacked)
		if err != nil {
			t.Fatal(err)
		}
		for _, named := range regexp.MustCompile(`\\fB(rolecall[a-z-]*)\(1\)`).FindAllSubmatch(text, -1) {
			if found++; pages["/usr/share/man/man1/"+string(named[1])+".1.gz"] == nil {
				t.Errorf("%s refers to %s(1), which is no page", path, named[1])
			}
		}
	}
	const fewest = 20
	if found < fewest {
		t.Errorf("only %d references were found", found)
	}
}
