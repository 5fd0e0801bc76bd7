package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/test/coordinator"
	"rolecall/test/fakecloud"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// What Google knows.
const (
	googlePool     = "projects/123456/locations/global/workloadIdentityPools/gitlab/providers/gitlab-com"
	googleAudience = "https://iam.googleapis.com/" + googlePool
	googleAccount  = "deploy@my-project.iam.gserviceaccount.com"
	googleProgram  = "/usr/bin/gcloud"
)

// cloudWorld is a world whose tenant alpha has a source in a cloud.
type cloudWorld struct {
	*policyWorld
	cloud *fakecloud.Server
	job   string // path of the program by which jobs use the cloud's libraries
}

// newCloudWorld starts a cloud that takes the ID tokens of a world.
func newCloudWorld(t *testing.T, p *policyWorld, rules fakecloud.Rules) *cloudWorld {
	t.Helper()
	rules.Issuer = p.gitlab.Issuer()
	cloud := fakecloud.Start(rules)
	t.Cleanup(cloud.Close)
	program, err := lab.CloudJob(p.dir)
	kit.Must(t, err)
	return &cloudWorld{p, cloud, program}
}

// ask is a line of a script that gets an access token of a cloud by its library, and asks whose it is.
func (c *cloudWorld) ask(cloud string) string {
	return c.job + " " + cloud + " " + c.cloud.URL + "/whoami"
}

// of is a job of alpha with an ID token for a cloud.
func (c *cloudWorld) of(variable, audience string, script ...string) coordinator.Job {
	job := c.alpha(script...)
	job.IDTokens[variable] = audience
	return job
}

// checkCloud fails the test where an ID token of a cloud, or an access token, is left anywhere.
func (c *cloudWorld) checkCloud(t *testing.T, variable string) {
	t.Helper()
	c.checkNothingLeft(t)
	secrets := c.cloud.Tokens()
	for _, run := range c.runs {
		if token := run.IDToken(variable); token != "" {
			secrets = append(secrets, token)
			checkUploads(t, run, []string{token})
		}
	}
	dirs := append([]string{c.runner.BuildsDir, c.runner.HomeDir, c.runner.TempDir, c.audit()}, c.places...)
	if files, found, err := lab.Search(secrets, dirs...); err != nil || files == 0 || len(found) > 0 {
		t.Errorf("a search for %d secrets in %d files: found in %v, %v", len(secrets), files, found, err)
	}
}

// google is the source of alpha in Google Cloud.
func (c *cloudWorld) google(keys string) string {
	return fmt.Sprintf("[[tenant.source]]\nname = \"google\"\nprovider = \"gcp\"\nid_token = \"GCP_ID_TOKEN\"\naudience = %q\nworkload_identity_provider = %q\ntoken_url = %q\n%s",
		googleAudience, googlePool, c.cloud.URL+"/v1/token", keys)
}

// seen are lines of a script that tell how a file of a source lies, and print it.
func seen(path string) []string {
	return []string{
		`file=` + path,
		`! [ -w "$file" ] && ! [ -w "$(dirname "$file")" ] && stat -c 'file %n of %U, others have %A' "$file" | sed 's#/.*/##; s/have -....../have /'`,
		`df --output=fstype "$file" | tail -1`,
		`cat "$file"`,
	}
}

// tokenOfGoogle is the file of the ID token, beside the credential file.
const tokenOfGoogle = `"${GOOGLE_APPLICATION_CREDENTIALS%.json}.token"`

// TestGoogle: a job gets an access token by Google's own library and by gcloud, as the pool's
// principal and as a service account. Its files are its own, on a tmpfs, and are gone afterwards.
func TestGoogle(t *testing.T) {
	t.Parallel()
	c := newCloudWorld(t, newIsolatedWorld(t), fakecloud.Rules{Audience: googleAudience, Pool: googlePool, Accounts: []string{googleAccount}, Becomes: []string{googleAccount}})
	c.serveAs(t, "", c.google("project = \"my-project\"\n"))
	script := append([]string{c.ask("gcp"), `echo "project $GOOGLE_CLOUD_PROJECT, check $NO_GCE_CHECK, config ${CLOUDSDK_CONFIG##*/}"`}, seen(tokenOfGoogle)...)
	want := []string{
		"\nyou are subject/project_path:acme/deploy:ref_type:branch:ref:main", "project my-project, check true, config gcloud",
		"\nfile .rolecall.gcp-google.token of root, others have ---\n", "\ntmpfs\n", "\n[MASKED]",
		"GCP credentials of tenant alpha, valid until", "provider: " + googlePool, "GCP: tenant alpha, credentials google, pool gitlab, provider gitlab-com, project my-project, until",
	}
	if _, err := exec.LookPath(googleProgram); err == nil {
		script = append(script, `export CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=1 CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK=1`,
			`echo "gcloud: $(curl -s -H "Authorization: Bearer $(`+googleProgram+` auth print-access-token)" `+c.cloud.URL+`/whoami)"`,
			`[ -e "$CLOUDSDK_CONFIG/access_tokens.db" ] && ! [ -e ~/.config/gcloud ] && echo "its own folder"`)
		want = append(want, "\ngcloud: you are subject/project_path:", "\nits own folder\n")
	} else {
		t.Log("no " + googleProgram + " here: the library alone was tried")
	}
	contains(t, c.succeed(t, sharedToken, c.of("GCP_ID_TOKEN", googleAudience, script...)), want...)
	c.rewrite(t, c.policy, c.google("project = \"my-project\"\n"), c.google(fmt.Sprintf("service_account = %q\nlifetime = \"30m\"\niam_url = %q\n", googleAccount, c.cloud.URL)))
	c.settle(t)
	contains(t, c.succeed(t, sharedToken, c.of("GCP_ID_TOKEN", googleAudience, c.ask("gcp"))), "\nyou are "+googleAccount, "account:  "+googleAccount)
	c.checkCloud(t, "GCP_ID_TOKEN")
}

// TestCloudsOfImages: a job in a container gets access tokens by the libraries too, of two clouds at
// once, as whatever user it is.
func TestCloudsOfImages(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	c := newCloudWorld(t, w.policyWorld, fakecloud.Rules{Audience: googleAudience, Pool: googlePool})
	program, err := os.ReadFile(c.job)
	kit.Must(t, err)
	c.job = "/usr/local/bin/cloudjob"
	w.push(t, "ci/cloud:1", v1.Config{}, lab.ImageFile{Path: c.job[1:], Content: string(program)})
	c.serveAs(t, "", c.google("")+fmt.Sprintf("[[tenant.source]]\nname = \"ms\"\nprovider = \"azure\"\nprobe = false\ntenant_id = %q\nclient_id = %q\n", azureTenant, azureClient))
	script := []string{c.ask("gcp"), `mkdir -p "$CLOUDSDK_CONFIG" "$AZURE_CONFIG_DIR" && echo made`, `cat "$AZURE_FEDERATED_TOKEN_FILE"`}
	for _, user := range []string{"", "1000"} {
		job := w.in("ci/cloud:1", c.of("GCP_ID_TOKEN", googleAudience, script...), func(image map[string]any) {
			if user != "" {
				image["executor_opts"] = map[string]any{"docker": map[string]any{"user": user}}
			}
		})
		contains(t, c.succeed(t, sharedToken, job), "\nyou are subject/project_path:", "\nmade\n", "\n[MASKED]")
		c.settle(t)
	}
	c.checkCloud(t, "GCP_ID_TOKEN")
}

// TestGoogleRefused: what Google would refuse, and what would win over the source, fails before the
// script, as the error of who must act; the token is in no upload.
func TestGoogleRefused(t *testing.T) {
	t.Parallel()
	c := newCloudWorld(t, newIsolatedWorld(t), fakecloud.Rules{Audience: googleAudience, Pool: googlePool})
	good := c.google("")
	c.serveAs(t, "", good)
	job := c.of("GCP_ID_TOKEN", googleAudience, "echo never")
	job.Variables = append(job.Variables, coordinator.Variable{Key: "GOOGLE_APPLICATION_CREDENTIALS", Value: "/tmp/mine.json"})
	contains(t, c.fail(t, sharedToken, job), "RC106", "GOOGLE_APPLICATION_CREDENTIALS")
	leaky := c.of("GCP_ID_TOKEN", googleAudience, "cp "+tokenOfGoogle+" out.txt", `base64 -w0 out.txt > b64.txt`)
	leaky.Artifacts = []coordinator.Artifact{{Name: "out", Paths: []string{"out.txt", "b64.txt"}}}
	c.settle(t)
	contains(t, c.fail(t, sharedToken, leaky), "RC108", `"out.txt": ID token`, `"b64.txt": ID token`)
	c.settle(t)
	plain := c.of("GCP_ID_TOKEN", "https://gitlab.example.com", "echo never")
	contains(t, c.fail(t, sharedToken, plain), "RC103", `the ID token of source "google" is for another audience`, "set aud: of GCP_ID_TOKEN under id_tokens: to "+googleAudience)
	c.settle(t)
	c.rewrite(t, c.policy, googlePool+"\"\ntoken_url", strings.Replace(googlePool, "gitlab-com", "gitlab-org", 1)+"\"\ntoken_url")
	log := c.fail(t, sharedToken, c.of("GCP_ID_TOKEN", googleAudience, "echo never"))
	contains(t, log, `source "google": Google refuses the request for the provider of the pool ("invalid_target")`, "RC341", "who acts   the runner's admin (not the pipeline)", "gitlab-org")
	if strings.Contains(log, "\nnever\n") {
		t.Errorf("the script has run:\n%s", log)
	}
	c.checkCloud(t, "GCP_ID_TOKEN")
}

// TestGoogleOfHost: a job without a source has nothing of the identity that the runner's service, or
// a profile, has in Google Cloud; a job with one has its own.
func TestGoogleOfHost(t *testing.T) {
	t.Parallel()
	const token = "glrt-hosts00001"
	c := newCloudWorld(t, newIsolatedWorld(t), fakecloud.Rules{Audience: googleAudience, Pool: googlePool})
	c.serveAs(t, "", c.google("probe = false\n"))
	startRunner(t, lab.RunnerOptions{
		Dir: filepath.Join(c.dir, "second"), Coordinator: c.gitlab.URL(),
		Env:     append(c.env, "GOOGLE_APPLICATION_CREDENTIALS=/etc/host.json", "GOOGLE_CREDENTIALS=host", "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE=/etc/host", "GOOGLE_CLOUD_PROJECT=host"),
		Runners: []lab.Runner{{Name: "hosts", Token: token, Args: c.args}},
	})
	show := `echo "has <${GOOGLE_APPLICATION_CREDENTIALS##*/.rolecall.}> <$GOOGLE_CREDENTIALS> <$CLOUDSDK_AUTH_ACCESS_TOKEN_FILE> <$GOOGLE_CLOUD_PROJECT> <$METADATA_SERVER_DETECTION>"`
	contains(t, c.succeed(t, token, c.of("GCP_ID_TOKEN", googleAudience, show, c.ask("gcp"))), "has <gcp-google.json> <> <> <> <none>", "you are subject/")
	contains(t, c.succeed(t, token, coordinator.Job{Project: coordinator.Project{ID: 43, Path: "acme/other"}, Script: []string{show}}), "has <> <> <> <> <none>")
	if len(c.cloud.Requests()) != 2 {
		t.Errorf("%d requests, want two of the library", len(c.cloud.Requests()))
	}
}
