package image_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/backend"
	"rolecall/internal/image"
	"rolecall/internal/mask"
)

// asked returns a request for an image and services of those names.
func asked(name string, services ...string) image.Request {
	q := image.Request{Image: backend.Image{Name: name}}
	for _, s := range services {
		q.Services = append(q.Services, backend.Service{Image: backend.Image{Name: s}})
	}
	return q
}

// TestJudge: what is not named is denied, and the first rule that denies it is told.
func TestJudge(t *testing.T) {
	t.Parallel()
	const alpine, postgres = "docker.io/library/alpine:3", "docker.io/library/postgres:16"
	all := image.Rules{Images: []image.Pattern{"docker.io/library/alpine:*"}, Services: []image.Pattern{"docker.io/library/postgres:*"}}
	with := func(change func(*image.Rules)) image.Rules {
		r := all.Clone()
		change(&r)
		return r
	}
	change := func(q image.Request, change func(*image.Request)) image.Request {
		change(&q)
		return q
	}
	for name, test := range map[string]struct {
		rules     image.Rules
		host      image.Host
		asked     image.Request
		rule, why string
	}{
		"nothing is allowed":        {image.Rules{}, image.Host{}, asked(alpine), "images", alpine},
		"allowed":                   {all, image.Host{MaxServices: 1}, asked(alpine, postgres), "", ""},
		"a service is no image":     {all, image.Host{MaxServices: 1}, asked(postgres), "images", postgres},
		"an image is no service":    {all, image.Host{MaxServices: 1}, asked(alpine, alpine), "services", alpine},
		"the second service":        {all, image.Host{MaxServices: 9}, asked(alpine, postgres, "r.example.com/x:1"), "services", "r.example.com/x:1"},
		"too many":                  {all, image.Host{MaxServices: 1}, asked(alpine, postgres, postgres), "max_services", "there are 2, and at most 1"},
		"a user":                    {all, image.Host{}, change(asked(alpine), func(q *image.Request) { q.Image.User = "0" }), "image_users", `"0" of ` + alpine},
		"a user of a service":       {all, image.Host{MaxServices: 1}, change(asked(alpine, postgres), func(q *image.Request) { q.Services[0].User = "root" }), "image_users", `"root" of ` + postgres},
		"a user that is allowed":    {with(func(r *image.Rules) { r.Users = []string{"", "1000"} }), image.Host{}, change(asked(alpine), func(q *image.Request) { q.Image.User = "1000" }), "", ""},
		"the user, with a group":    {with(func(r *image.Rules) { r.Users = []string{"", "1000"} }), image.Host{}, change(asked(alpine), func(q *image.Request) { q.Image.User = "1000:0" }), "image_users", `"1000:0"`},
		"not the image's own":       {with(func(r *image.Rules) { r.Users = []string{"1000"} }), image.Host{}, asked(alpine), "image_users", "the own user of " + alpine},
		"a policy":                  {all, image.Host{}, change(asked(alpine), func(q *image.Request) { q.Image.Policies = []backend.PullPolicy{"always", "never"} }), "pull_policies", `"never" of ` + alpine},
		"a policy that is allowed":  {with(func(r *image.Rules) { r.Policies = []backend.PullPolicy{"never"} }), image.Host{}, change(asked(alpine), func(q *image.Request) { q.Image.Policies = []backend.PullPolicy{"never"} }), "", ""},
		"no digest":                 {with(func(r *image.Rules) { r.DigestOnly = true }), image.Host{}, asked(alpine), "digest_only", alpine},
		"no digest of a service":    {image.Rules{Images: []image.Pattern{"**"}, Services: []image.Pattern{"**"}, DigestOnly: true}, image.Host{MaxServices: 1}, asked("r.example.com/a@"+digest, postgres), "digest_only", postgres},
		"a service alone, a digest": {image.Rules{Services: []image.Pattern{"**"}, DigestOnly: true}, image.Host{MaxServices: 1}, asked("", "r.example.com/a@"+digest), "", ""},
		"two services":              {all, image.Host{MaxServices: 9}, asked(alpine, "r.example.com/x:1", "r.example.com/y:1"), "services", "r.example.com/x:1"},
		"two users":                 {all, image.Host{MaxServices: 1}, change(asked(alpine, postgres), func(q *image.Request) { q.Image.User, q.Services[0].User = "0", "1" }), "image_users", `"0" of ` + alpine},
		"two policies":              {all, image.Host{}, change(asked(alpine), func(q *image.Request) { q.Image.Policies = []backend.PullPolicy{"never", "if-not-present"} }), "pull_policies", `"never" of ` + alpine},
		"a digest":                  {image.Rules{Images: []image.Pattern{"**"}, DigestOnly: true}, image.Host{}, asked("r.example.com/a@" + digest), "", ""},
		"that of the policy file":   {image.Rules{DigestOnly: true, Users: []string{"1000"}}, image.Host{}, change(asked(alpine), func(q *image.Request) { q.Default = true }), "", ""},
		"its services are not":      {image.Rules{}, image.Host{MaxServices: 1}, change(asked(alpine, postgres), func(q *image.Request) { q.Default = true }), "services", postgres},
		"no image, one is required": {all, image.Host{RequireImage: true}, asked(""), "require_image", "the scripts of each job"},
		"an image is required":      {all, image.Host{RequireImage: true}, asked(alpine), "", ""},
		"all is wrong":              {image.Rules{DigestOnly: true}, image.Host{}, change(asked(alpine, postgres), func(q *image.Request) { q.Image.User = "0" }), "images", alpine},
	} {
		checks := test.rules.Judge(test.asked, test.host)
		first := image.First(checks)
		switch {
		case test.rule == "" && first != nil:
			t.Errorf("%s: refused: %+v", name, *first)
		case test.rule != "" && (first == nil || first.Rule != test.rule || !strings.HasPrefix(first.Why, test.why) || first.Next == ""):
			t.Errorf("%s: %+v, want rule %s: %s", name, first, test.rule, test.why)
		}
		for _, c := range checks {
			if c.Want == "" || c.Got == "" {
				t.Errorf("%s: the rule %s says nothing: %+v", name, c.Rule, c)
			}
		}
	}
}

// TestManyPatterns: of a long list a rule tells the first ones, and how many more there are.
func TestManyPatterns(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{10: "**, **", 11: "** and 1 more", 12: "** and 2 more"} {
		checks := image.Rules{Images: slices.Repeat([]image.Pattern{"**"}, n)}.Judge(asked("a"), image.Host{})
		if got := checks[0].Want; !strings.HasSuffix(got, want) || strings.Count(got, "**") != 10 {
			t.Errorf("%d patterns: %s", n, got)
		}
	}
}

// TestApplying: only the logins that the images need are given, for each the one of the
// longest path, and those of the author only where they are allowed.
func TestApplying(t *testing.T) {
	t.Parallel()
	q := asked("r.example.com:5000/group/sub/a:1", "docker.io/library/postgres@"+digest, "r.example.com:5000/other/b:1")
	for _, l := range [][2]string{
		{"r.example.com:5000/group", image.AuthConfig},
		{"r.example.com:5000", image.AuthConfig},
		{"r.example.com:5000/gr", image.OfJob},
		{"r.example.com:5000", image.OfJob},
		{"r.example.com", image.OfJob},
		{"docker.io", image.OfJob},
		{"evil.org", image.OfJob},
		{"", image.OfJob},
	} {
		q.Logins = append(q.Logins, image.Login{Host: l[0], Source: l[1], Password: mask.NewSecret("p")})
	}
	for allowed, want := range map[bool]string{
		true:  "r.example.com:5000/group of DOCKER_AUTH_CONFIG, docker.io of the job, r.example.com:5000 of DOCKER_AUTH_CONFIG",
		false: "r.example.com:5000 of the job, docker.io of the job",
	} {
		var got []string
		for _, l := range q.Applying(allowed) {
			got = append(got, l.Host+" of "+l.Source)
		}
		if diff := cmp.Diff(want, strings.Join(got, ", ")); diff != "" {
			t.Errorf("allowed %v: %s", allowed, diff)
		}
	}
	if got := asked("").Applying(true); got != nil {
		t.Errorf("no image needs %+v", got)
	}
}

// TestEmpty: a job with services alone needs containers too.
func TestEmpty(t *testing.T) {
	t.Parallel()
	only := image.Request{Services: make([]backend.Service, 1)}
	if !(image.Request{}).Empty() || asked("a").Empty() || only.Empty() {
		t.Errorf("nothing is empty: %v, an image: %v, a service: %v", image.Request{}.Empty(), asked("a").Empty(), only.Empty())
	}
}

// TestIsUser: a user is numbers or names, and never looks like an option.
func TestIsUser(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"0": true, "1000": true, "1000:1000": true, "65535:0": true, "root": true, "www-data": true, "_x:y.z": true, "u:0": true,
		"": false, ":": false, "1000:": false, ":0": false, "65536": false, "100000": false, "-1": false, "--privileged": false, "a b": false, "a:b:c": false,
		"a\n": false, "1a": false, "$U": false, "a=b": false, "a,b": false, strings.Repeat("a", 33): false, "a/b": false, "keep-id": true,
	} {
		if got := image.IsUser(text); got != want {
			t.Errorf("IsUser(%q) = %v", text, got)
		}
	}
}
