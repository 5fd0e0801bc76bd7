package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
)

const (
	pullTries = 3                // of one image
	saysEvery = 10 * time.Second // while an image is pulled
)

// image is an image in the store.
type image struct {
	id     string
	digest string // of its manifest
	user   string // in which its containers run; empty: root
	ports  []int  // TCP ports that it exposes
}

// fetchAll returns the images of the job and of its services, in this order.
func (e engine) fetchAll(ctx context.Context, o backend.Order) ([]image, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Containers.Engine.PullTime)
	defer cancel()
	asked := []backend.Image{o.Containers.Image}
	for _, s := range o.Containers.Services {
		asked = append(asked, s.Image)
	}
	var images []image
	for _, one := range asked {
		found, err := e.fetch(ctx, one, o)
		if err != nil {
			return nil, err
		}
		images = append(images, found)
		o.Say(fmt.Sprintf("image %s is %s", one.Name, found.digest))
	}
	return images, nil
}

// fetch returns an image that the job may use: the one in the store of its tenant, or the one
// that it pulls there, as the pull policies say.
func (e engine) fetch(ctx context.Context, asked backend.Image, o backend.Order) (image, error) {
	var problem error
	for _, policy := range asked.Policies {
		found, err := e.fetchBy(ctx, policy, asked, o)
		if err == nil {
			return found, nil
		}
		problem = errors.Join(problem, err)
	}
	return image{}, problem
}

// fetchBy is fetch for one pull policy. What is pulled is what the registry has said that the
// name stands for.
func (e engine) fetchBy(ctx context.Context, policy backend.PullPolicy, asked backend.Image, o backend.Order) (image, error) {
	if policy != backend.Always {
		found, err := e.present(ctx, asked)
		if err != nil || found.id != "" {
			return found, err
		}
	}
	if policy == backend.Never {
		return image{}, fault.New(fault.ImageAbsent, fmt.Errorf("the image is not on this host, and pull_policy %q pulls none", policy),
			"set pull_policy: if-not-present of the image in .gitlab-ci.yml, if the runner's admin allows it").With("image", asked.Name)
	}
	digest, err := o.Resolve(ctx, asked)
	if err != nil {
		return image{}, err
	}
	name := byDigest(asked.Name, digest)
	found, ok := e.place.recall(name)
	if same, known := e.place.recall(keyOf(asked)); ok && known && same.id == found.id {
		return found, nil
	}
	if !ok {
		found, err = e.look(ctx, name)
	}
	if err == nil && found.id == "" {
		found, err = e.pullPatiently(ctx, asked, name, o)
	}
	if err == nil {
		e.place.remember(found, name, keyOf(asked))
	}
	return found, err
}

// present returns the image that the store has for what a job has asked for, or one without
// an id. Podman does not say for which platform a name stands.
func (e engine) present(ctx context.Context, asked backend.Image) (image, error) {
	if found, ok := e.place.recall(keyOf(asked)); ok || asked.Platform != "" {
		return found, nil
	}
	found, err := e.look(ctx, asked.Name)
	if err == nil && found.id != "" {
		e.place.remember(found, asked.Name)
	}
	return found, err
}

// look returns the image of that name in the store, or one without an id.
func (e engine) look(ctx context.Context, name string) (image, error) {
	answer, err := e.do(ctx, e.place.onStore("image", "inspect", "--format", "{{.Id}} {{.Digest}} {{json .User}} {{json .Config.ExposedPorts}}", name))
	if errors.As(err, new(failure)) {
		return image{}, e.absent(ctx, name)
	}
	if err != nil {
		return image{}, err
	}
	fields := append(strings.SplitN(answer, " ", 3), "", "")
	found := image{id: fields[0], digest: fields[1]}
	rest := json.NewDecoder(strings.NewReader(fields[2]))
	if err := rest.Decode(&found.user); err != nil {
		return image{}, engineFault("tell the user of the image", err)
	}
	var ports map[string]any
	if rest.Decode(&ports) == nil { // more than podman's answer may have are none
		found.ports = tcpPorts(ports)
	}
	return found, nil
}

// absent returns an error unless podman says that the store does not have the image. A store
// that podman cannot read must not look like an empty one.
func (e engine) absent(ctx context.Context, name string) error {
	_, err := e.do(ctx, e.place.onStore("image", "exists", name))
	if says, ok := errors.AsType[failure](err); ok && says.code == 1 || err == nil {
		return nil
	}
	return engineFault("look for the image", err)
}

// maxPorts bounds how many ports of an image are tried.
const maxPorts = 20

// tcpPorts returns the first TCP ports among those of an image, such as 5432/tcp.
func tcpPorts(exposed map[string]any) []int {
	var ports []int
	for text := range exposed {
		number, protocol, _ := strings.Cut(text, "/")
		if port, err := strconv.Atoi(number); err == nil && port > 0 && port < 1<<16 && protocol != "udp" {
			ports = append(ports, port)
		}
	}
	slices.Sort(ports)
	return ports[:min(len(ports), maxPorts)]
}

// byDigest returns the name of an image with the digest, and without its tag.
func byDigest(name, digest string) string {
	return backend.Repository(name) + "@" + digest
}

// pullPatiently pulls an image and returns it. It tries up to three times: what could be the
// author's mistake was found out before, by asking the registry.
func (e engine) pullPatiently(ctx context.Context, asked backend.Image, name string, o backend.Order) (image, error) {
	for try := 1; ; try++ {
		err := e.pull(ctx, asked, name, o)
		if err == nil {
			return e.pulled(ctx, name)
		}
		if ctx.Err() != nil {
			return image{}, pullFault(asked, fmt.Errorf("not done after %s: %w", o.Containers.Engine.PullTime, err))
		}
		if try == pullTries || isFull(err) {
			return image{}, pullFault(asked, err)
		}
		o.Say(fmt.Sprintf("try %d of %d to pull the image has failed: %v", try, pullTries, err))
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(try) * time.Second):
		}
	}
}

// pulled returns an image that was pulled.
func (e engine) pulled(ctx context.Context, name string) (image, error) {
	found, err := e.look(ctx, name)
	if err == nil && found.id == "" {
		err = fault.New(fault.Engine, errors.New("podman has pulled the image and does not find it"), "").With("image", name)
	}
	return found, err
}

// pullFault returns the error of a pull.
func pullFault(asked backend.Image, err error) error {
	return fault.New(fault.Engine, short{"the image cannot be pulled", err}, "look at the registry, and at the network of the runner's host; podman refuses layers that are broken").
		With("image", asked.Name).Detail("why", err.Error())
}

// pull pulls an image by its name with the digest, and gives it the name that the job has
// asked for. A pull that outlives its stage keeps the store locked.
func (e engine) pull(ctx context.Context, asked backend.Image, name string, o backend.Order) error {
	args := []string{"pull", "--quiet", "--tls-verify=" + verify(asked.Name)}
	if asked.Platform != "" {
		args = append(args, "--platform="+asked.Platform)
	}
	logins, err := newLogins(o.Logins)
	if err != nil {
		return err
	}
	defer logins.Close()
	e.more = append(slices.Clip(e.more), "GOGC=100") // a pull needs much memory
	defer sayWhile(o.Say, "still pulling "+asked.Name)()
	id, err := e.do(ctx, e.place.onStore(append(args, "--authfile=/proc/self/fd/3", "--", name)...), logins, e.lock)
	if err != nil || strings.Contains(asked.Name, "@") {
		return err
	}
	_, err = e.do(ctx, e.place.onStore("tag", id, asked.Name))
	return err
}

// sayWhile says a text every ten seconds, with how long it has taken, until stop is called.
func sayWhile(say func(string), text string) (stop func()) {
	begin, ticker, done := time.Now(), time.NewTicker(saysEvery), make(chan struct{})
	said := make(chan struct{})
	go func() {
		defer close(said)
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				say(fmt.Sprintf("%s (%s)", text, time.Since(begin).Round(time.Second)))
			}
		}
	}()
	return func() { ticker.Stop(); close(done); <-said }
}
