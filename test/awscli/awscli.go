// Package awscli lets the AWS CLI run commands for a server that stands in for AWS: the CLI judges their
// flags and parameters, and the server notes what AWS would have been asked.
package awscli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"rolecall/test/kit"
)

// server stands in for AWS: it has a role, an identity provider with the audience of that role, and no events.
type server struct {
	trust string // the role's trust policy
	lock  sync.Mutex
	asked []string
}

// Run runs a script of bash in a folder, in which aws asks the stand-in, where each role has this trust policy.
// It returns what the script prints, and the bodies of the requests.
func Run(t testing.TB, dir, trust, script string) (out string, asked []string) {
	t.Helper()
	kit.NeedProgram(t, "aws", "awscli")
	s := &server{trust: trust}
	stand := httptest.NewServer(s)
	defer stand.Close()
	command := exec.CommandContext(t.Context(), "bash", "-ec", `aws() { command aws --no-sign-request --endpoint-url "$STAND_IN" "$@"; }`+"\n"+script)
	command.Dir = dir
	command.Env = append(os.Environ(), "STAND_IN="+stand.URL, "AWS_REGION=eu-central-1", "AWS_DEFAULT_REGION=eu-central-1", "AWS_CONFIG_FILE=/dev/null")
	printed, err := command.CombinedOutput()
	if err != nil || len(s.asked) == 0 {
		t.Errorf("%s: %v, AWS was asked %d times\n%s", script, err, len(s.asked), printed)
	}
	return string(printed), s.asked
}

// ServeHTTP answers a request of the AWS CLI.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.asked = append(s.asked, string(body))
	form, err := url.ParseQuery(string(body))
	switch {
	case r.Header.Get("X-Amz-Target") != "":
		_, err = io.WriteString(w, `{"Events":[]}`)
	case err == nil && form.Get("Action") == "GetRole":
		_, err = fmt.Fprintf(w, "<GetRoleResponse><GetRoleResult><Role><Arn>arn:aws:iam::111122223333:role/%s</Arn><AssumeRolePolicyDocument>%s</AssumeRolePolicyDocument></Role></GetRoleResult></GetRoleResponse>",
			form.Get("RoleName"), strings.ReplaceAll(url.QueryEscape(s.trust), "+", "%20"))
	case err == nil && form.Get("Action") == "GetOpenIDConnectProvider":
		_, host, _ := strings.Cut(form.Get("OpenIDConnectProviderArn"), ":oidc-provider/")
		audience := regexp.MustCompile(`:aud":\s*\[?\s*"([^"]+)"`).FindStringSubmatch(s.trust + `:aud":""`)[1]
		_, err = fmt.Fprintf(w, "<GetOpenIDConnectProviderResponse><GetOpenIDConnectProviderResult><Url>%s</Url><ClientIDList><member>%s</member></ClientIDList></GetOpenIDConnectProviderResult></GetOpenIDConnectProviderResponse>", host, audience)
	default:
		_, err = fmt.Fprintf(w, "<%sResponse/>", form.Get("Action"))
	}
	if err != nil {
		s.asked = append(s.asked, err.Error())
	}
}
