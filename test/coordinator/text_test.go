package coordinator

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestText(t *testing.T) {
	log := "2026-11-23T18:43:22.638889Z 00O one\n" +
		"2026-11-23T18:43:22.638903Z 01O tw\n" +
		"2026-11-23T18:43:22.638905Z 01E error\n" +
		"2026-11-23T18:43:22.638930Z 01O+o\n" +
		"plain\n" +
		"2026-11-23T18:43:22.638930Z 00O \n"
	want := "one\ntwo\nerror\nplain\n\n"
	if diff := cmp.Diff(want, text(log)); diff != "" {
		t.Error(diff)
	}
}
