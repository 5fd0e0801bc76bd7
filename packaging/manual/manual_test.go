package manual

import (
	"strings"
	"testing"
	"time"
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
