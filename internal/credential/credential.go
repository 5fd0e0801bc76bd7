// Package credential is the program credential: it asks the endpoint of the job for a
// credential, and prints it as AWS's tools want it of a credential_process.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
package credential

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
	"rolecall/internal/process"
	"rolecall/internal/version"
)

const (
	// patience is how long the endpoint may take for each step.
	patience = 10 * time.Second
	// maxAnswer bounds the size of an answer, in bytes.
	maxAnswer = 1 << 20
)

// Main runs the program credential as the main function of the process, and exits.
func Main() { process.Exit(Serve) }

// Serve prints the credential that args name, as JSON. With --version as the only argument it
// writes its version instead. It returns the exit code: 0, or 1 with the reason on problems.
func Serve(args, environ []string, _ io.Reader, out, problems io.Writer) (code int) {
	if slices.Equal(args, []string{"--version"}) {
		_, _ = fmt.Fprintf(out, "rolecall credential %s\n", version.Long()) // there is nobody else to tell
		return 0
	}
	text, err := get(args, environ)
	if err == nil {
		_, err = out.Write(text)
	}
	if err != nil {
		_, _ = fmt.Fprintf(problems, "rolecall: %v\n", err)
		return 1
	}
	return 0
}

// get asks for the credential that args name.
func get(args, environ []string) ([]byte, error) {
	if len(args) != 1 || args[0] == "" || strings.Trim(args[0], "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return nil, errors.New("credential has one argument, the name of a credential, such as audit")
	}
	port, err := portOf(job.Get(environ, job.EndpointVariable))
	if err != nil {
		return nil, fmt.Errorf("%w; credentials are there only in script, before_script and after_script of a job with a tenant", err)
	}
	status, body, err := ask(port, "/aws/"+args[0], job.Get(environ, job.EndpointTokenVariable))
	if err != nil {
		return nil, fmt.Errorf("ask for the credentials %s: %w", args[0], err)
	}
	return answer(status, body)
}

// portOf returns the port of an endpoint at url.
func portOf(url string) (int, error) {
	text, ok := strings.CutPrefix(url, "http://127.0.0.1:")
	port, err := strconv.Atoi(text)
	if !ok || err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("the variable %s is not the URL of an endpoint", job.EndpointVariable)
	}
	return port, nil
}

// ask sends a request and returns the status and the body of the answer. It links neither net
// nor net/http, since it is started for each command of a tool.
func ask(port int, path, token string) (status int, body []byte, err error) {
	if token == "" || strings.ContainsAny(token, "\r\n") {
		return 0, nil, fmt.Errorf("the variable %s has no token", job.EndpointTokenVariable)
	}
	conn, err := connect(port)
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: 127.0.0.1:%d\r\nAuthorization: %s\r\n\r\n", path, port, token); err != nil {
		return 0, nil, err
	}
	return read(bufio.NewReader(io.LimitReader(conn, maxAnswer)))
}

// connect connects to a port of this host. Each step may take the time patience.
func connect(port int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	conn := os.NewFile(uintptr(fd), "endpoint")
	if err := errors.Join(limit(fd), unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// limit bounds how long a socket waits.
func limit(fd int) error {
	time := unix.NsecToTimeval(int64(patience))
	return errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &time),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &time),
	)
}

// read reads an answer of HTTP/1.0, whose body ends with the connection.
func read(from *bufio.Reader) (status int, body []byte, err error) {
	line, err := from.ReadString('\n')
	if err != nil {
		return 0, nil, err
	}
	fields := strings.Fields(line)
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "HTTP/1.") {
		return 0, nil, errors.New("the answer is not one of HTTP")
	}
	if status, err = strconv.Atoi(fields[1]); err == nil {
		err = skipHeaders(from)
	}
	if err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(from)
	return status, body, err
}

// skipHeaders reads up to the empty line after the headers.
func skipHeaders(from *bufio.Reader) error {
	for {
		line, err := from.ReadString('\n')
		if err != nil || strings.TrimRight(line, "\r\n") == "" {
			return err
		}
	}
}

// served is the answer of an endpoint: a credential, or why there is none.
type served struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
	Expiration      string
	Message         string `json:"message"`
}

// printed is what a tool wants of a credential_process.
type printed struct {
	Version         int
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string `json:",omitempty"`
}

// answer returns what is printed for an answer.
func answer(status int, body []byte) ([]byte, error) {
	var s served
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("the endpoint has answered %d, and no JSON", status)
	}
	if status != 200 || s.AccessKeyID == "" || s.SecretAccessKey == "" {
		return nil, fmt.Errorf("the endpoint has answered %d: %s", status, strings.TrimPrefix(s.Message, "rolecall: "))
	}
	text, err := json.Marshal(printed{1, s.AccessKeyID, s.SecretAccessKey, s.Token, s.Expiration}) //nolint:gosec // to print it is the purpose
	return append(text, '\n'), err
}
