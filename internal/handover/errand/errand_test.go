package errand_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/handover"
	"rolecall/internal/handover/errand"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

const secret = "hunter2hunter2"

// parcel is what the job of these tests hands over.
func parcel() handover.Parcel {
	return handover.Parcel{
		Scope: handover.Scope{Issuer: "i", Tenant: "alpha", Project: "7", Pipeline: "70", Class: "protected"}, Job: "make", JobID: 7,
		At: time.Now().UTC().Round(0), Until: time.Now().Add(time.Hour).UTC().Round(0), Values: []handover.Value{{Name: "A", Value: mask.NewSecret(secret), Secret: true}},
	}
}

// order is an order of the job. The bucket says what the program of these tests does.
func order(does string) errand.Order {
	session := creds.Credential{Provider: "aws", Env: []creds.Variable{{Name: "AWS_ACCESS_KEY_ID", Value: mask.NewSecret("ASIASECRET")}}}
	return errand.Order{
		Settings: handover.Settings{Store: "s3", Bucket: does, SealKeyFiles: []string{"/k"}}, Scope: parcel().Scope, Session: &session,
		Terms: json.RawMessage(`{"x":1}`), Token: mask.NewSecret("IDTOKEN"),
	}
}

// TestMain makes this test binary the program where it has its name, and a stage where the test asks
// for it.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == errand.Program {
		os.Exit(program())
	}
	if does := os.Getenv("ROLECALL_TEST_DOES"); does != "" {
		stage(does)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program is a program handover that does what the bucket says.
func program() int {
	var o errand.Order
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return 2
	}
	answer := errand.NewAnswer(errand.Taken{Parcels: []handover.Parcel{parcel()}, Refused: []errand.Refused{{Object: "x", Why: "y"}}, Gone: 2}, nil)
	switch o.Settings.Bucket {
	case "crash":
		_, _ = fmt.Fprintln(os.Stderr, "it is broken")
		return 3
	case "nonsense":
		_, _ = fmt.Println("nonsense")
		return 0
	case "flood":
		_, _ = io.CopyN(os.Stdout, zeros{}, 65<<20)
		return 0
	case "silent":
		time.Sleep(time.Hour)
	case "foreign":
		p := parcel()
		p.Scope.Tenant = "beta"
		answer = errand.NewAnswer(errand.Taken{Parcels: []handover.Parcel{p}}, nil)
	case "refused":
		answer = errand.NewAnswer(errand.Taken{}, fault.New(fault.StoreDenied, errors.New("no"), "ask"))
	case "environment":
		answer = errand.NewAnswer(errand.Taken{Refused: []errand.Refused{{Object: strings.Join(os.Environ(), " "), Why: strings.Join(os.Args[1:], " ")}}}, nil)
	}
	_ = json.NewEncoder(os.Stdout).Encode(answer)
	return 0
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// stage asks the program, and prints what it is told.
func stage(does string) {
	service := []string{"HTTPS_PROXY=p", "AWS_ACCESS_KEY_ID=x", "VAULT_TOKEN=x", "SSL_CERT_FILE=/c"}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o := order(does)
	if does == "canceled" {
		cancel()
	}
	if does == "silent" {
		o.Within = time.Second
	}
	if does == "give" {
		err := errand.Give(ctx, o, parcel(), service)
		fmt.Println(fault.CodeOf(err), err)
		return
	}
	taken, err := errand.Take(ctx, o, service)
	fmt.Println(fault.CodeOf(err), err, len(taken.Parcels), taken.Gone, taken.Refused)
}

// TestAsk: a stage gets what the program says, and an error whatever the program does.
func TestAsk(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	for _, name := range []string{"stage", errand.Program} {
		kit.Must(t, exec.CommandContext(t.Context(), "cp", kit.Executable(t), filepath.Join(bin, name)).Run())
	}
	for does, want := range map[string]string{
		"take":        "RC500 <nil> 1 2 [{x y}]",
		"give":        "RC500 <nil>",
		"crash":       "RC500 the program handover: exit status 3 it is broken 0",
		"nonsense":    "RC311 the program handover has not answered; install all programs of one version of rolecall 0",
		"flood":       "RC500 the program handover: ",
		"silent":      "RC551 the store of handed-over values did not answer in time",
		"foreign":     "RC500 it is of jobs of another tenant, project, pipeline or trust class 0",
		"refused":     "RC221 no; ask 0",
		"canceled":    "RC506 ",
		"environment": "RC500 <nil> 0 0 [{PATH=/usr/sbin:/usr/bin:/sbin:/bin HTTPS_PROXY=p SSL_CERT_FILE=/c }]",
	} {
		t.Run(does, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "stage"))
			cmd.Env = []string{"ROLECALL_TEST_DOES=" + does}
			out, err := cmd.CombinedOutput()
			kit.Must(t, err)
			if !strings.HasPrefix(string(out), want) || strings.Contains(string(out), secret) {
				t.Errorf("%s, want %s", out, want)
			}
		})
	}
}

// TestMissing: a program that is not there is the admin's.
func TestMissing(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(t.TempDir(), "stage")
	kit.Must(t, exec.CommandContext(t.Context(), "cp", kit.Executable(t), bin).Run())
	cmd := exec.CommandContext(t.Context(), bin)
	cmd.Env = []string{"ROLECALL_TEST_DOES=take"}
	out, err := cmd.CombinedOutput()
	kit.Must(t, err)
	if !strings.HasPrefix(string(out), "RC311 the program handover cannot be started: ") {
		t.Errorf("%s", out)
	}
}

// TestOrder: an order comes through a pipe whole, and a wrong one is an error without a secret.
func TestOrder(t *testing.T) {
	t.Parallel()
	o, p := order("x"), parcel()
	o.Parcel, o.Within = &p, time.Minute
	content, err := json.Marshal(o)
	kit.Must(t, err)
	var got errand.Order
	kit.Must(t, json.Unmarshal(content, &got))
	again, err := json.Marshal(got)
	kit.Must(t, err)
	if string(again) != string(content) || got.Parcel.Values[0].Value.Reveal() != secret || got.Token.Reveal() != "IDTOKEN" || got.Session.Env[0].Value.Reveal() != "ASIASECRET" {
		t.Errorf("%s became %s", content, again)
	}
	if shown := fmt.Sprintf("%v %+v", o, *o.Session); strings.Contains(shown, "IDTOKEN") || strings.Contains(shown, "ASIASECRET") || strings.Contains(shown, secret) {
		t.Errorf("an order shows %s", shown)
	}
	for _, bad := range []string{`{"scope":"` + secret + `"}`, `{"parcel":{"format":1,"jobs":"` + secret + `"}}`, `[]`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
