package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/creds/clear"
	"rolecall/internal/endpoint"
	"rolecall/internal/endpoint/serve"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

// cloud issues words that have a number.
type cloud struct {
	mu     sync.Mutex
	issued int
	life   time.Duration
	broken error
}

func (*cloud) Name() string { return "cloud" }

// Issue gives the next word.
func (c *cloud) Issue(_ context.Context, o creds.Order, _ idtoken.Token) (creds.Credential, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return creds.Credential{}, c.broken
	}
	c.issued++
	if o.Name == "unserved" {
		return creds.Credential{Provider: "cloud"}, nil
	}
	return credential(o.Name, c.issued, time.Now().Add(c.life)), nil
}

// count returns how many credentials were asked for.
func (c *cloud) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.issued
}

// errAway says that the cloud is away.
var errAway = errors.New("STS does not answer")

// fail lets Issue fail from now on; nil: no more.
func (c *cloud) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = err
}

// credential returns the word with a number.
func credential(name string, number int, expires time.Time) creds.Credential {
	word := mask.NewSecret(fmt.Sprintf("secret-word-%04d-%s", number, name))
	return creds.Credential{
		Provider: "cloud", Name: name, Expires: expires, Secrets: []mask.Named{{Kind: "word", Value: word}},
		Served: &creds.Served{Answer: mask.NewSecret(`{"word":"` + word.Reveal() + `"}`)},
	}
}

// world is an endpoint with its run stage, which is the test.
type world struct {
	t        *testing.T
	url      string
	cloud    *cloud
	messages chan endpoint.Message
	answers  *io.PipeWriter
	ended    chan error
}

// token is the token of the endpoint, and idToken that of the job.
const token = "0123456789abcdefghijklmnopqrstuv"

// newWorld starts an endpoint of the sources. The order may be changed before.
func newWorld(t *testing.T, change func(*endpoint.Order), sources ...endpoint.Source) *world {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	kit.Must(t, err)
	w := &world{t: t, url: "http://" + listener.Addr().String(), cloud: &cloud{life: time.Hour}, messages: make(chan endpoint.Message, 100), ended: make(chan error, 1)}
	order := endpoint.Order{
		Token: token, Users: []backend.Users{{First: uint32(os.Geteuid()), Count: 1}}, IDToken: idToken, Job: 7, Key: make([]byte, 32),
		Ends: time.Now().Add(time.Hour), Sources: sources,
	}
	if change != nil {
		change(&order)
	}
	in, answers := io.Pipe()
	out, to := io.Pipe()
	w.answers = answers
	go w.read(out)
	go func() {
		w.ended <- serve.Run(order, in, to, listener, w.cloud)
		_ = to.Close()
	}()
	t.Cleanup(func() {
		_ = answers.Close()
		kit.Must(t, <-w.ended)
	})
	return w
}

// idToken has the form of an ID token.
const idToken = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2dpdGxhYi5leGFtcGxlLmNvbSIsInN1YiI6InMiLCJhdWQiOiJhIiwiZXhwIjo0MTAyNDQ0ODAwfQ.c2ln"

// read passes on the messages of the endpoint.
func (w *world) read(from io.Reader) {
	defer close(w.messages)
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var m endpoint.Message
		if json.Unmarshal(lines.Bytes(), &m) == nil {
			w.messages <- m
		}
	}
}

// next returns the next message.
func (w *world) next() endpoint.Message {
	w.t.Helper()
	select {
	case m := <-w.messages:
		return m
	case <-time.After(time.Minute):
		w.t.Fatal("no message")
		return endpoint.Message{}
	}
}

// tell answers the endpoint.
func (w *world) tell(a endpoint.Answer) {
	line, _ := endpoint.Encode(a)
	_, _ = w.answers.Write(line)
}

// get asks for a path, with the token.
func (w *world) get(path string) (int, string) {
	w.t.Helper()
	return w.ask("GET", path, token)
}

// ask sends a request with tokens.
func (w *world) ask(method, path string, tokens ...string) (int, string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, http.NoBody)
	kit.Must(w.t, err)
	request.Header["Authorization"] = tokens
	answer, err := http.DefaultClient.Do(request)
	kit.Must(w.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	kit.Must(w.t, err)
	return answer.StatusCode, string(body)
}

// issued returns a source whose credential was issued ago, and lives so long from now on.
func issued(name string, ago, left, renew time.Duration) endpoint.Source {
	c := credential(name, 0, time.Now().Add(left))
	c.Served.Since = time.Now().Add(-ago)
	return endpoint.Source{Order: creds.Order{Provider: "cloud", Name: name, Renew: renew}, Credential: clear.Reveal(c)}
}
