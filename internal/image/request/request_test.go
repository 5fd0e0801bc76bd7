package request_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/image"
	"rolecall/internal/image/request"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

// digest is a digest.
var digest = "sha256:" + strings.Repeat("0a", 32)

// revealed compares secrets.
func revealed() cmp.Option { return cmp.Transformer("Reveal", mask.Secret.Reveal) }

// TestRead: what GitLab sends becomes what an engine needs.
func TestRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "response.json")
	kit.Must(t, os.WriteFile(path, []byte(`{"id": 7, "job_info": {"project_id": 42, "pipeline_id": 9},
		"variables": [{"key": "UID_OF", "value": "1000"}, {"key": "SHOWN", "value": "raw $X", "public": true}, {"key": "HIDDEN", "value": "h"},
			{"key": "KUBE", "value": "content", "public": true, "file": true}, {"key": "TWICE", "value": "1", "public": true}, {"key": "TWICE", "value": "2"}],
		"image": {"name": "amazon/aws-cli:2.25.2", "entrypoint": [""], "pull_policy": ["if-not-present", "never"],
			"executor_opts": {"docker": {"user": "$UID_OF:${UID_OF}", "platform": "linux/arm64/v8"}}},
		"services": [{"name": "r.example.com:5000/db/postgres:16", "alias": "db,db2 db", "entrypoint": ["/e", "x"], "command": ["-c", "$UID_OF"],
			"variables": [{"key": "A", "value": "$HIDDEN/$KUBE/$B/$NONE"}, {"key": "B", "value": "$HIDDEN"}, {"key": "R", "value": "$HIDDEN", "raw": true}, {"key": "SHOWN", "value": "own"}]},
			{"name": "r.example.com:5000/db/postgres:15", "alias": "db"}],
		"credentials": [{"type": "registry", "url": "https://R.example.com:5000", "username": "u", "password": "p"}]}`), 0o600))
	r, err := job.ReadResponse(path)
	kit.Must(t, err)
	// An author can override CI_JOB_IMAGE and CI_JOB_SERVICES, which then changes nothing.
	passed := job.Request{
		"UID_OF": "1000", "SHOWN": "expanded", "HIDDEN": "h", "KUBE": "content", "TWICE": "2", "RUNNER_TEMP_PROJECT_DIR": "/b/p.tmp",
		"CI_JOB_IMAGE": "evil.org/x:1", "CI_JOB_SERVICES": `[{"name":"evil.org/x:1"}]`,
	}
	got, err := request.Read(r, passed)
	kit.Must(t, err)
	aliases := []string{"r.example.com__db__postgres", "r.example.com-db-postgres", "db", "db2"}
	want := image.Request{
		Image: backend.Image{Name: "docker.io/amazon/aws-cli:2.25.2", HasEntry: true, User: "1000:1000", Platform: "linux/arm64/v8", Policies: []backend.PullPolicy{"if-not-present", "never"}},
		Services: []backend.Service{
			{
				Image:   backend.Image{Name: "r.example.com:5000/db/postgres:16", HasEntry: true, Entrypoint: []string{"/e", "x"}},
				Aliases: aliases, Command: []string{"-c", "$UID_OF"},
				Variables: []string{"SHOWN=own", "A=h//b/p.tmp/KUBE/$HIDDEN/", "B=h", "R=$HIDDEN"},
			},
			{Image: backend.Image{Name: "r.example.com:5000/db/postgres:15"}, Aliases: []string{}, Variables: []string{"SHOWN=expanded"}},
		},
		Logins: []image.Login{{Host: "r.example.com:5000", Username: "u", Password: mask.NewSecret("p"), Source: "the job"}},
		Warnings: []string{
			"service r.example.com:5000/db/postgres:15 has no alias r.example.com__db__postgres: another service has it",
			"service r.example.com:5000/db/postgres:15 has no alias r.example.com-db-postgres: another service has it",
			"service r.example.com:5000/db/postgres:15 has no alias db: another service has it",
		},
	}
	if diff := cmp.Diff(want, got, revealed()); diff != "" {
		t.Errorf("what is asked for differs (- wanted, + got):\n%s", diff)
	}
	if got, err := request.Read(job.Response{}, passed); err != nil || !got.Empty() {
		t.Errorf("a job that asks for nothing: %+v, %v", got, err)
	}
}

// TestNames: names are made full as docker does it, and what is no name never gets as far
// as an engine.
func TestNames(t *testing.T) {
	t.Parallel()
	const no = "this is not the name of an image: "
	for name, want := range map[string]string{
		"alpine": "docker.io/library/alpine:latest", "alpine:3": "docker.io/library/alpine:3", "docker.io/alpine": "docker.io/library/alpine:latest",
		"index.docker.io/a/b:1": "docker.io/a/b:1", "localhost/x": "localhost/x:latest", "localhost:5000/x": "localhost:5000/x:latest", "a@" + digest: "docker.io/library/a@" + digest,
		"a:1@" + digest: "docker.io/library/a@" + digest, "r.example.com:5000/a/b/c:v1": "r.example.com:5000/a/b/c:v1", "$REPO/x:$TAG": "r.example.com/x:2", "${REPO}/x:${TAG}": "r.example.com/x:2",
		"a b": "this is not the name of an image: \"a b\": it has not the form of a name", "UPPER": "this is not the name of an image: \"UPPER\": only a registry and a tag may have upper-case", "library/Alpine": no, "--privileged": no, "-v/:/x": no, "-v": no, "$NONE": no, "x:$NONE": no,
		"https://r.example.com/a": no, "a/../b": no, "/a": no, "a/": no, "a:b:c": no, "a@sha256:12": no, "a@md5:" + strings.Repeat("a", 32): no, strings.Repeat("a", 64): no,
		strings.Repeat("a/", 200) + "a": no, "a\nb": no, "a\x00": no, "a@sha512:" + strings.Repeat("a", 128): no, "docker://alpine": no, "dir:/etc": no, "oci-archive:/etc/x": no, "a\x1b[31mA": no, strings.Repeat("A", 1<<20): no, strings.Repeat("a", 300): no + "\"" + strings.Repeat("a", 80) + "\"…: it is too long",
	} {
		got, err := request.Read(job.Response{Image: job.Container{Name: name}}, job.Request{"REPO": "r.example.com", "TAG": "2"})
		refused := strings.HasPrefix(want, no)
		switch {
		case !refused && (err != nil || got.Image.Name != want):
			t.Errorf("%q: %q, %v, want %q", name, got.Image.Name, err, want)
		case refused && (err == nil || fault.CodeOf(err) != fault.BadImage || !strings.HasPrefix(err.Error(), "image: ") || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %q, %v, want an error with %q", name, got.Image.Name, err, want)
		}
		if err != nil && (strings.ContainsFunc(err.Error(), unicode.IsControl) || len(err.Error()) > 500) {
			t.Errorf("%q: the error has several lines, or is long: %v", name, err)
		}
	}
	_, err := request.Read(job.Response{Image: job.Container{Name: "-v/:/x"}}, nil)
	if want := `image: this is not the name of an image: "-v/:/x": it has not the form of a name; correct`; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// TestUserAndPlatform: what is well formed is taken. That the author has written the user of
// another executor too changes nothing.
func TestUserAndPlatform(t *testing.T) {
	t.Parallel()
	got, err := request.Read(job.Response{Image: job.Container{Name: "a", User: "1000", OtherUser: "5", Platform: "linux/arm64"}}, nil)
	if err != nil || got.Image.User != "1000" || got.Image.Platform != "linux/arm64" {
		t.Errorf("%+v, %v", got.Image, err)
	}
}

// TestReadRefuses: whatever else is wrong with an image or a service is its author's
// mistake, and names what is wrong.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	text := `{"job_id":"7","project_id":"42","job_project_id":"42","iss":"https://gitlab.example.com","sub":"s"}`
	token := encode(`{"alg":"RS256"}`) + "." + encode(text) + ".c2ln"
	long := strings.Repeat("x", 64<<10)
	request1 := job.Request{"LONG": strings.Repeat("x", 100<<10), "TOKEN": token, "NUL": "a\x00"}
	for want, c := range map[string]job.Container{
		`image: this is not the name of an image: ""`:       {Entrypoint: []string{"sh"}},
		`docker:user "--privileged": want UID`:              {Name: "a", User: "--privileged"},
		`docker:user "1000 -v": want UID`:                   {Name: "a", User: "1000 -v"},
		`docker:platform "linux": want such as linux/arm64`: {Name: "a", Platform: "linux"},
		`docker:platform "Linux/arm64"`:                     {Name: "a", Platform: "Linux/arm64"},
		`docker:platform "linux/arm/v7/x"`:                  {Name: "a", Platform: "linux/arm/v7/x"},
		`docker:platform "linux/--x"`:                       {Name: "a", Platform: "linux/--x"},
		`docker:platform "linux/"`:                          {Name: "a", Platform: "linux/"},
		`docker:platform "/`:                                {Name: "a", Platform: "/arm64"},
		`docker:platform "linux/aaa`:                        {Name: "a", Platform: "linux/" + strings.Repeat("a", 33)},
		`kubernetes:user is of another executor`:            {Name: "a", OtherUser: "1000"},
		`pull_policy "sometimes": want always`:              {Name: "a", PullPolicies: []string{"always", "sometimes"}},
		`pull_policy: want each of`:                         {Name: "a", PullPolicies: []string{"always", "always", "always", "always"}},
		`entrypoint: a NUL byte`:                            {Name: "a", Entrypoint: []string{"a\x00b"}},
		`entrypoint: it has more than 65536 bytes`:          {Name: "a", Entrypoint: []string{long}},
		`its variables have more than 1 MiB`:                {Name: "a", User: strings.Repeat("$LONG", 11)},
	} {
		_, err := request.Read(job.Response{Image: c}, request1)
		checkBad(t, err, want)
	}
	variable := func(name, value string) job.Container {
		return job.Container{Name: "a", Variables: []job.Variable{{Key: name, Value: value}}}
	}
	for want, c := range map[string]job.Container{
		`services: this is not the name of an image: ""`:                                      {},
		`services: alias "x#" is not the name of a host: docker.io/library/a:latest; correct`: {Name: "a", Alias: "x#"},
		`services: alias "xxx`:                      {Name: "a", Alias: strings.Repeat("x", 254)},
		`alias "-x" is not the name of a host`:      {Name: "a", Alias: "-x"},
		`it has too many aliases`:                   {Name: "a", Alias: strings.Repeat("x ", 70)},
		`command: a NUL byte`:                       {Name: "a", Command: []string{"\x00"}},
		`command: it has more than`:                 {Name: "a", Command: []string{long, ""}},
		`variables: "A=B" is no name of a variable`: variable("A=B", ""),
		`variables: "" is no name of a variable`:    variable("", "x"),
		`variables: "1A" is no name`:                variable("1A", "x"),
		`variables: "AAAA`:                          variable(strings.Repeat("A", 1<<20), "\x00"),
		`variables: A has a NUL byte`:               variable("A", "$NUL"),
		`variables: A holds an ID token of the job, which a service must not have`: variable("A", "Bearer $TOKEN"),
		`its variables have more than 1 MiB when they are expanded`:                variable("A", strings.Repeat("$LONG", 11)),
	} {
		_, err := request.Read(job.Response{Key: job.Key{ID: 7}, Project: 42, Services: []job.Container{c}}, request1)
		checkBad(t, err, want)
	}
	_, err := request.Read(job.Response{Services: make([]job.Container, 101)}, nil)
	checkBad(t, err, "the job has more than 100 services")
}

// encode returns base64url of a text.
func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// checkBad holds that an error is the author's, on one line, in those words.
func checkBad(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || fault.CodeOf(err) != fault.BadImage || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 500 {
		t.Errorf("error %v, want one line with %q", err, want)
	}
}

// FuzzRead: whatever an author writes, an image that is read has a full name that cannot be
// an option, and reading it again gives the same.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"alpine", "$A/b:1", "-v/:/x", "a@" + digest, "a:1@" + digest, "R/x", "[::1]:5000/a", "a__b.c-d/e:f", "${A", "$$", "$*", "\xff"} {
		f.Add(seed, "1000:$A", "db, x", "linux/amd64")
	}
	f.Fuzz(func(t *testing.T, name, user, alias, platform string) {
		r := job.Response{Image: job.Container{Name: name, User: user, Platform: platform}, Services: []job.Container{{Name: name, Alias: alias}}}
		got, err := request.Read(r, job.Request{"A": "0"})
		if err != nil {
			if fault.SideOf(err) != fault.Author || strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Fatalf("%v", err)
			}
			return
		}
		full := got.Image.Name
		if full == "" {
			return
		}
		if strings.HasPrefix(full, "-") || strings.ContainsAny(full, " \n\x00\\$") || !strings.Contains(full, "/") || !strings.ContainsAny(full, ":@") {
			t.Fatalf("%q has the full name %q", name, full)
		}
		again, err := request.Read(job.Response{Image: job.Container{Name: full}}, nil)
		if err != nil || again.Image.Name != full {
			t.Fatalf("%q, read again: %q, %v", full, again.Image.Name, err)
		}
		for _, alias := range got.Services[0].Aliases {
			if strings.ContainsAny(alias, " \t\r\n#/\x00") || strings.HasPrefix(alias, "-") {
				t.Fatalf("the alias %q", alias)
			}
		}
		if strings.HasPrefix(got.Image.User, "-") || strings.HasPrefix(got.Image.Platform, "-") {
			t.Fatalf("user %q, platform %q", got.Image.User, got.Image.Platform)
		}
	})
}
