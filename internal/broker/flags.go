package broker

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"rolecall/internal/broker/listen"
	"rolecall/internal/tenant/policyfile"
)

// usage is the text of --help.
const usage = `Usage: rolecall-broker [flags]

Gives the jobs of GitLab, on any executor, temporary credentials of AWS for their ID token.
The policy file is the one of the driver.

  --config FILE       the policy file (default ` + policyfile.Default + `)
  --listen URL        where to answer jobs; can be repeated (default http://169.254.170.23)
                      http is for loopback, 169.254.170.2, 169.254.170.23 and fd00:ec2::23;
                      https needs --certificate and --key
  --certificate FILE  certificate with its chain, PEM
  --key FILE          its private key, PEM
  --status ADDRESS    where /healthz, /readyz and /metrics answer (default 127.0.0.1:9464);
                      empty: nowhere
  --audit-log FILE    the audit log (default: audit_log of the policy file)
  --state FOLDER      keeps the keys of GitLab; mode 0700 (default /run/rolecall-broker)
  --reload-every TIME looks whether the policy file or the certificate has changed, such as 1m
                      (default: on SIGHUP only)
  --version           prints the version
`

// errHelp says that the flags ask for the usage.
var errHelp = flag.ErrHelp

// flags are the command line.
type flags struct {
	config, certificate, key, status, auditLog, state string

	listen  []listen.Address
	every   time.Duration
	version bool
}

// parseFlags reads the command line.
func parseFlags(args []string) (flags, error) {
	f := flags{}
	set := flag.NewFlagSet("rolecall-broker", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&f.config, "config", policyfile.Default, "")
	set.Func("listen", "", f.addListen)
	set.StringVar(&f.certificate, "certificate", "", "")
	set.StringVar(&f.key, "key", "", "")
	set.StringVar(&f.status, "status", "127.0.0.1:9464", "")
	set.StringVar(&f.auditLog, "audit-log", "", "")
	set.StringVar(&f.state, "state", "/run/rolecall-broker", "")
	set.DurationVar(&f.every, "reload-every", 0, "")
	set.BoolVar(&f.version, "version", false, "")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, fmt.Errorf("unknown argument %q", set.Arg(0))
	}
	if len(f.listen) == 0 {
		_ = f.addListen("http://169.254.170.23") // a local address, as TestFlags holds
	}
	return f, f.check()
}

// addListen adds an address of --listen.
func (f *flags) addListen(text string) error {
	a, err := listen.Parse(text)
	f.listen = append(f.listen, a)
	return err
}

// check reports flags that contradict each other.
func (f *flags) check() error {
	secure := false
	for _, a := range f.listen {
		secure = secure || a.TLS
	}
	switch {
	case secure && (f.certificate == "" || f.key == ""):
		return errors.New("https needs --certificate and --key")
	case !secure && f.certificate+f.key != "":
		return errors.New("--certificate and --key are for --listen with https")
	case f.every < 0 || f.every > 0 && f.every < time.Second:
		return errors.New("--reload-every: want 1s or more")
	}
	for name, path := range map[string]string{"config": f.config, "certificate": f.certificate, "key": f.key, "audit-log": f.auditLog, "state": f.state} {
		if path != "" && !filepath.IsAbs(path) {
			return fmt.Errorf("--%s: want an absolute path", name)
		}
	}
	return nil
}

// addresses returns where the broker answers jobs.
func (f *flags) addresses() string {
	texts := make([]string, len(f.listen))
	for i, a := range f.listen {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}
