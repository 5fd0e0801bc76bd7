package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// metadataAddress is where a cloud's host finds its metadata service.
//
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
const metadataAddress = "169.254.169.254"

// ioctl is an ioctl of netdevice(7) about the loopback device.
func ioctl(t *testing.T, socket int, request uintptr, about *unix.Ifreq) {
	t.Helper()
	if _, _, code := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), request, uintptr(unsafe.Pointer(about))); code != 0 {
		t.Fatalf("ioctl %#x of %s: %v", request, about.Name(), code)
	}
}

// addMetadataAddress brings the loopback device of a new network namespace up, with the
// address of the metadata service.
func addMetadataAddress(t *testing.T) {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	kit.Must(t, err)
	defer func() { _ = unix.Close(socket) }()
	up, err := unix.NewIfreq("lo")
	kit.Must(t, err)
	up.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	ioctl(t, socket, unix.SIOCSIFFLAGS, up)
	address, err := unix.NewIfreq("lo:1")
	kit.Must(t, err)
	kit.Must(t, address.SetInet4Addr(net.ParseIP(metadataAddress).To4()))
	ioctl(t, socket, unix.SIOCSIFADDR, address)
}

// startMetadata starts a metadata service that gives no role, and returns how often it was
// asked.
func startMetadata(t *testing.T) *atomic.Int64 {
	t.Helper()
	listener, err := net.Listen("tcp", metadataAddress+":80")
	kit.Must(t, err)
	var asked atomic.Int64
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		http.Error(w, "no role", http.StatusNotFound)
	})}
	t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	return &asked
}

// TestMetadata: with a policy file no AWS SDK in a job asks the metadata service, unless
// the file allows it. The job has no tenant, so that the SDK looks for other credentials.
func TestMetadata(t *testing.T) {
	kit.NeedRoot(t, "a metadata service in a network of its own")
	const folder = "ROLECALL_TEST_FOLDER"
	here, err := os.Getwd()
	kit.Must(t, err)
	if !kit.InChild(t, &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET}, folder+"="+here) {
		return
	}
	t.Chdir(os.Getenv(folder)) // the programs are found from here
	addMetadataAddress(t)
	asked := startMetadata(t)
	w := &world{gitlab: startGitLab(t)}
	dir := t.TempDir()
	var runners []lab.Runner
	texts := map[string]string{"glrt-imdsoff001": "", "glrt-imdson0001": "metadata = \"allow\"\n"}
	for token, text := range texts {
		policy := filepath.Join(dir, token+".toml")
		text = "shared_user = \"unsafe\"\nrun_as_root = \"unsafe\"\n" + text + fmt.Sprintf("[gitlab]\nissuer = %q\n", w.gitlab.Issuer()) + `
[[tenant]]
name = "alpha"
role_arn = "arn:aws:iam::111122223333:role/alpha"
audience = "https://alpha.example"
projects = ["acme/secret"]
`
		kit.Must(t, os.WriteFile(policy, []byte(text), 0o600))
		runners = append(runners, lab.Runner{Name: token, Token: token, Args: []string{"--config", policy}})
	}
	w.start(t, "http://127.0.0.1:9", runners...)
	job := coordinator.Job{
		Project: coordinator.Project{ID: 42, Path: "acme/deploy"},
		Script:  []string{`export AWS_REGION=eu-central-1; s3job -endpoint http://127.0.0.1:9 ls bucket 2>&1 | tail -n 3 || true`},
	}
	for _, token := range []string{"glrt-imdsoff001", "glrt-imdson0001"} {
		before := asked.Load()
		log := w.succeed(t, token, job)
		contains(t, log, "\ns3job: ")
		if got := asked.Load() > before; got != (texts[token] != "") {
			t.Errorf("%s: the metadata service was asked: %v; log:\n%s", token, got, log)
		}
	}
}
