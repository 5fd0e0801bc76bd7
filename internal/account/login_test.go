package account_test

import (
	"os"
	"path/filepath"
	"testing"

	"rolecall/internal/account"
	"rolecall/test/kit"
)

// TestLogin: the first user of a uid, root too; a broken line names nobody.
func TestLogin(t *testing.T) {
	t.Parallel()
	passwd := filepath.Join(t.TempDir(), "passwd")
	const text = "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/toor:/bin/sh\nbad:x:9:9:::\nhalf:x:8\nci:x:1001:1001::/home/ci:/usr/sbin/nologin\n"
	kit.Must(t, os.WriteFile(passwd, []byte(text), 0o600))
	for uid, want := range map[int]string{0: "root /root /bin/bash", 1001: "ci /home/ci /usr/sbin/nologin", 8: "  ", 7: "  ", -1: "  "} {
		got, ok := account.LoginIn(passwd, uid)
		if text := got.Name + " " + got.Home + " " + got.Shell; text != want || ok != (want != "  ") {
			t.Errorf("uid %d: %q, %v, want %q", uid, text, ok, want)
		}
	}
	if _, ok := account.LoginIn(passwd+"x", 0); ok {
		t.Error("a file that is not there names a user")
	}
	if _, ok := account.Login(0); !ok {
		t.Error("the host does not know root")
	}
}
