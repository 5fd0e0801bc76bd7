package listen_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"rolecall/internal/broker/listen"
	"rolecall/test/kit"
)

// TestParse: http is for addresses that no network sees.
func TestParse(t *testing.T) {
	t.Parallel()
	const form, host, plain = "is not a URL such as", "the host must be an IP address", "http is for loopback, 169.254.170.2, 169.254.170.23 and fd00:ec2::23 only"
	for text, want := range map[string]string{ // the address, or what is wrong
		"http://169.254.170.23":               "http://169.254.170.23:80",
		"http://169.254.170.23/":              "http://169.254.170.23:80",
		"http://169.254.170.2:8080":           "http://169.254.170.2:8080",
		"http://[fd00:ec2::23]":               "http://[fd00:ec2::23]:80",
		"http://127.0.0.1:0":                  "http://127.0.0.1:0",
		"http://127.8.8.8":                    "http://127.8.8.8:80",
		"http://[::1]":                        "http://[::1]:80",
		"https://0.0.0.0:8443":                "https://0.0.0.0:8443",
		"https://[::]":                        "https://[::]:443",
		"https://10.0.0.1":                    "https://10.0.0.1:443",
		"http://0.0.0.0":                      plain,
		"http://[::]":                         plain,
		"http://10.0.0.1":                     plain,
		"http://169.254.170.3":                plain,
		"http://169.254.169.254":              plain,
		"http://192.168.1.1:80":               plain,
		"http://[::ffff:10.0.0.1]":            plain,
		"http://[fd00:ec2::254]":              plain,
		"http://localhost":                    host,
		"https://rolecall.example":            host,
		"https://1.2.3.4:99999":               host,
		"https://":                            host,
		"http://127.1":                        host,
		"":                                    form,
		"127.0.0.1":                           form,
		"169.254.170.23:80":                   form,
		"ftp://127.0.0.1":                     form,
		"unix:///run/x":                       form,
		"http://127.0.0.1/v1":                 form,
		"http://127.0.0.1?x":                  form,
		"http://127.0.0.1#x":                  form,
		"http://u:p@127.0.0.1":                form,
		"http://10.0.0.1@127.0.0.1":           form,
		"http://127.0.0.1\n":                  form,
		"http://" + strings.Repeat("x", 9999): host,
	} {
		a, err := listen.Parse(text)
		got := a.String()
		if err != nil {
			got = err.Error()
		}
		if ok := got == want || err != nil && strings.Contains(got, want); !ok || len(got) > 400 {
			t.Errorf("%.40q: %s, want %s", text, got, want)
		}
	}
}

// TestListen: an address without TLS asks for no certificate, and one that cannot be had says what
// to do.
func TestListen(t *testing.T) {
	t.Parallel()
	none := func() *tls.Certificate {
		t.Error("a certificate is asked for")
		return nil
	}
	a, err := listen.Parse("http://127.0.0.1:0")
	kit.Must(t, err)
	l, err := a.Listen(none)
	kit.Must(t, err)
	defer func() { _ = l.Close() }()
	taken, err := listen.Parse("http://" + l.Addr().String())
	kit.Must(t, err)
	if _, err := taken.Listen(none); err == nil || !strings.HasPrefix(err.Error(), "listen at http://"+l.Addr().String()+": ") || !strings.HasSuffix(err.Error(), "; another program, such as an agent of AWS, has the address: choose another one") {
		t.Errorf("an address in use: %v", err)
	}
	foreign, err := listen.Parse("https://192.0.2.1:8443")
	kit.Must(t, err)
	if _, err := foreign.Listen(none); err == nil || !strings.HasSuffix(err.Error(), "; give this machine the address: ip address add 192.0.2.1/32 dev lo") {
		t.Errorf("nobody's address: %v", err)
	}
}
