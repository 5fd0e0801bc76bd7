package scripts_test

import (
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rolecall/test/fakests"
)

// cmdSTS starts a fake STS. An answer is a word, or an error as STATUS:CODE:MESSAGE.
func cmdSTS(ts *testscript.TestScript, _ bool, args []string) {
	var answers []fakests.Answer
	for _, arg := range args {
		answers = append(answers, answer(ts, arg))
	}
	server, err := fakests.Start(answers...)
	ts.Check(err)
	ts.Defer(server.Close)
	labOf(ts).sts = server
	ts.Setenv("AWS_ENDPOINT_URL_STS", server.URL())
}

func answer(ts *testscript.TestScript, word string) fakests.Answer {
	if parts := strings.SplitN(word, ":", 3); len(parts) == 3 {
		status, err := strconv.Atoi(parts[0])
		ts.Check(err)
		return fakests.Error(status, parts[1], parts[2])
	}
	in := func(d time.Duration) fakests.Answer {
		return fakests.OK(fakests.Credentials{Expiration: fakests.Expires(time.Now().Add(d))})
	}
	answers := map[string]fakests.Answer{
		"ok":         fakests.OK(fakests.Credentials{}),
		"html":       fakests.HTML(200),
		"html403":    fakests.HTML(403),
		"truncated":  fakests.TruncatedXML(),
		"huge":       fakests.Huge(2 << 30),
		"drip":       fakests.Drip(1),
		"hang":       fakests.Hang(),
		"reset":      fakests.Reset(),
		"redirect":   fakests.Redirect("http://127.0.0.1:1/", 307),
		"other-role": fakests.OK(fakests.Credentials{AssumedRoleARN: "arn:aws:sts::111122223333:assumed-role/admin/x"}),
		"no-role":    fakests.OK(fakests.Credentials{AssumedRoleARN: " "}),
		"newline":    fakests.OK(fakests.Credentials{SecretAccessKey: "secretsecret\nLD_PRELOAD=/tmp/x"}),
		"shell":      fakests.OK(fakests.Credentials{SessionToken: "tokentokentoken$(id)"}),
		"past":       in(-time.Minute),
		"far":        in(13 * time.Hour),
	}
	found, ok := answers[word]
	if !ok {
		ts.Fatalf("no answer %q", word)
	}
	return found
}

func cmdRequests(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := len(labOf(ts).sts.Requests()); got != want {
		ts.Fatalf("STS got %d requests, want %d", got, want)
	}
}

func cmdAsked(ts *testscript.TestScript, _ bool, args []string) {
	requests := labOf(ts).sts.Requests()
	if len(requests) == 0 {
		ts.Fatalf("STS got no request")
	}
	if got := requests[len(requests)-1].Form.Get(args[0]); got != args[1] {
		ts.Fatalf("%s = %q, want %q", args[0], got, args[1])
	}
}

func cmdUnsigned(ts *testscript.TestScript, _ bool, _ []string) {
	requests := labOf(ts).sts.Requests()
	if got := requests[len(requests)-1].Header.Get("Authorization"); got != "" {
		ts.Fatalf("the request is signed: %s", got)
	}
}
