package policyfile_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/backend"
	"rolecall/internal/image"
	"rolecall/internal/tenant"
)

// podman is a policy file with containers.
const podman = minimal + "[containers]\nengine = \"podman\"\n"

// TestContainers: what a policy file says of containers, and what it says if it says
// nothing.
func TestContainers(t *testing.T) {
	t.Parallel()
	if got := compile(t, minimal); !cmp.Equal(got.Settings().Containers, tenant.Containers{}) || !cmp.Equal(got.Tenants()[0].Images, image.Rules{}) {
		t.Errorf("without containers: %+v, %+v", got.Settings().Containers, got.Tenants()[0].Images)
	}
	for name, text := range map[string]string{"defaults": podman, "the defaults, written": podman + `images_dir = "/var/lib/rolecall/images"
network = "host"
pull_time = "10m"
max_services = 5
wait_for_services = "30s"
default_image = ""
require_image = false
images_max_bytes = 0
`} {
		want := tenant.Containers{
			Engine:      backend.Engine{Name: "podman", ImagesDir: "/var/lib/rolecall/images", Network: "host", PullTime: 10 * time.Minute, WaitForServices: 30 * time.Second},
			MaxServices: 5,
		}
		if diff := cmp.Diff(want, compile(t, text).Settings().Containers); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestImages: a tenant has the rules of [defaults], which are also those of jobs without a
// tenant, but for those that it says itself.
func TestImages(t *testing.T) {
	t.Parallel()
	got := compile(t, "shared_user = \"unsafe\"\n"+strings.Replace(minimal, "[[tenant]]", `[containers]
engine = "podman"
images_dir = "/i"
network = "none"
default_image = "r.example.com/base:1"
pull_time = "90s"
max_services = 7
wait_for_services = "5s"
images_max_bytes = 21474836480
[defaults]
images = ["r.example.com/**"]
services = ["docker.io/library/postgres:*"]
image_users = ["", "1000"]
pull_policies = ["if-not-present", "always"]
digest_only = true
docker_auth_config = true
[[tenant]]
name = "beta"
role_arn = "arn:aws:iam::111122223333:role/b"
audience = "aud"
projects = ["acme/y"]
images = []
services = ["docker.io/library/redis:7"]
image_users = ["0:0"]
pull_policies = ["never"]
digest_only = false
docker_auth_config = false
[[tenant]]`, 1))
	want := tenant.Containers{
		Engine:       backend.Engine{Name: "podman", ImagesDir: "/i", Network: "none", PullTime: 90 * time.Second, WaitForServices: 5 * time.Second},
		DefaultImage: "r.example.com/base:1", MaxServices: 7, ImagesMaxBytes: 20 << 30,
	}
	if diff := cmp.Diff(want, got.Settings().Containers); diff != "" {
		t.Error(diff)
	}
	defaults := image.Rules{
		Images: []image.Pattern{"r.example.com/**"}, Services: []image.Pattern{"docker.io/library/postgres:*"}, Users: []string{"", "1000"},
		Policies: []backend.PullPolicy{"if-not-present", "always"}, DigestOnly: true, AuthConfig: true,
	}
	own := image.Rules{
		Images: []image.Pattern{}, Services: []image.Pattern{"docker.io/library/redis:7"}, Users: []string{"0:0"}, Policies: []backend.PullPolicy{"never"},
	}
	tenants := got.Tenants()
	if diff := cmp.Diff([]image.Rules{own, defaults, defaults}, []image.Rules{tenants[0].Images, tenants[1].Images, got.Settings().Images}); diff != "" {
		t.Errorf("the rules of a tenant, of one that has the defaults, and of jobs without a tenant differ:\n%s", diff)
	}
}

// TestExampleContainers: with an engine, the keys that the example shows in comments compile.
func TestExampleContainers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../rolecall.toml.example")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^# (images|services|image_users|pull_policies|digest_only|docker_auth_config|images_dir|network|default_image|pull_time|max_services|wait_for_services|images_max_bytes) = `)
	content := strings.NewReplacer(`engine = "none"`, `engine = "podman"`, "unused_services = \"warn\"\n", "").Replace(shown.ReplaceAllString(string(text), "$1 = "))
	got := compile(t, content)
	want := image.Rules{
		Images: []image.Pattern{"registry.example.com/ci/**", "docker.io/amazon/aws-cli:*"}, Services: []image.Pattern{"docker.io/library/postgres:*"},
		Users: []string{"", "1000"}, Policies: []backend.PullPolicy{"always", "if-not-present"}, DigestOnly: true, AuthConfig: true,
	}
	if diff := cmp.Diff(want, got.Settings().Images); diff != "" || got.Settings().Containers.DefaultImage == "" || got.Settings().Containers.ImagesMaxBytes == 0 {
		t.Errorf("%+v\n%s", got.Settings().Containers, diff)
	}
	compile(t, strings.NewReplacer(`default_image = `, `# `, "# require_image", "require_image").Replace(content))
}

// TestContainersRefused: what is unknown, cannot match or has no effect is an error with
// its line.
func TestContainersRefused(t *testing.T) {
	t.Parallel()
	const idle = `without containers it has no effect; set engine = "podman" in [containers], or remove it`
	for text, want := range map[string]string{
		podman + "engine2 = \"x\"":                                             `10: unknown key "engine2" in [containers]`,
		minimal + "[containers]\nengine = \"docker\"":                          `9: [containers] engine: "docker": want "none" or "podman"`,
		minimal + "[containers]\nengine = \"none\"\nimages_dir = \"/i\"":       `10: [containers] images_dir: ` + idle,
		minimal + "[containers]\nmax_services = 3":                             `9: [containers] max_services: ` + idle,
		minimal + "images = [\"r.example.com/**\"]":                            `8: tenant "alpha": images: ` + idle,
		minimal + "[defaults]\ndocker_auth_config = true":                      `9: [defaults] docker_auth_config: ` + idle,
		minimal + "[defaults]\ndigest_only = false":                            `9: [defaults] digest_only: ` + idle,
		"unused_services = \"warn\"\n" + podman:                                `1: unused_services: services are used, by the engine of [containers]; remove it`,
		podman + "images_dir = \"i\"":                                          `10: [containers] images_dir: "i": want an absolute path`,
		podman + "images_dir = \"/i:/etc\"":                                    `10: [containers] images_dir: "/i:/etc": want a path without : , " \, since containers see it`,
		podman + "images_dir = '/i\\j'":                                        `10: [containers] images_dir: "/i\\j": want a path without`,
		"builds_dir = \"/b,rw\"\n" + podman:                                    `1: builds_dir: "/b,rw": want a path without`,
		"credentials_dir = \"/run/c:exec\"\n" + podman:                         `1: credentials_dir: "/run/c:exec": want a path without`,
		podman + "images_dir = \"\"":                                           `10: [containers] images_dir: want the absolute path`,
		podman + "network = \"bridge\"":                                        `10: [containers] network: "bridge": want one of host, none, slirp4netns, pasta`,
		podman + "pull_time = \"0s\"":                                          `10: [containers] pull_time: "0s": want a duration above 0`,
		podman + "wait_for_services = \"\"":                                    `10: [containers] wait_for_services: "": want a duration above 0`,
		podman + "max_services = 0":                                            `10: [containers] max_services: want a number above 0`,
		podman + "max_services = \"5\"":                                        `10: max_services: want a whole number`,
		podman + "images_max_bytes = -1":                                       `10: [containers] images_max_bytes: want a number, or 0 for no limit`,
		podman + "images_max_bytes = \"20GiB\"":                                `10: images_max_bytes: want a whole number`,
		podman + "default_image = \"alpine\"":                                  `10: [containers] default_image: "alpine": it cannot match: write the name in full`,
		podman + "default_image = \"r.example.com/**\"":                        `10: [containers] default_image: "r.example.com/**": want the name of one image`,
		podman + "default_image = \"r.example.com/a:1\"\nrequire_image = true": `11: [containers] require_image: with a default_image it has no effect`,
		podman + "[defaults]\nimages = [\"r.example.com/**\",\n\"alpine:3\"]":  `12: [defaults] images: "alpine:3": it cannot match: write the name in full`,
		podman + "[defaults]\nservices = [\"r.example.com/{a,b}:1\"]":          `11: [defaults] services: "r.example.com/{a,b}:1": it cannot match`,
		podman + "[defaults]\nimage_users = [\"-1\"]":                          `11: [defaults] image_users: "-1": want UID, UID:GID or the name of a user`,
		podman + "[defaults]\nimage_users = []":                                `11: [defaults] image_users: the list is empty`,
		podman + "[defaults]\npull_policies = [\"missing\"]":                   `11: [defaults] pull_policies: "missing": want one of always, if-not-present, never`,
		podman + "[defaults]\npull_policies = []":                              `11: [defaults] pull_policies: the list is empty`,
		podman + "[defaults]\ndigest_only = \"true\"":                          `11: digest_only: want true or false`,
		podman + "[defaults]\nimages = \"**\"":                                 `11: images: want a list of texts`,
		"[[containers]]\n" + minimal:                                           `1: write [containers] with one bracket`,
	} {
		if got := refused(t, text); !strings.HasPrefix(got[0], "/etc/p.toml:"+want) || len(got) != 1 {
			t.Errorf("%s:\n got %q\nwant %q", text, got, want)
		}
	}
}
