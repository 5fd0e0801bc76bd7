package mask_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"rolecall/internal/mask"
)

const text = "wJalrXUtnFEMI/K7MDENG"

func TestSecretNeverPrintsItself(t *testing.T) {
	t.Parallel()
	secret := mask.NewSecret(text)
	type holder struct{ hidden mask.Secret }
	named := mask.Named{Kind: "access key", Value: secret}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T %v"} {
		for _, value := range []any{secret, &secret, []mask.Secret{secret}, holder{secret}, map[string]mask.Secret{"k": secret}, named, &named, []mask.Named{named}} {
			got := fmt.Sprintf(strings.Replace(verb, "%T ", "", 1), value)
			if strings.Contains(got, text) || strings.Contains(got, fmt.Sprintf("%x", text)) {
				t.Errorf("%s of %T prints the secret: %s", verb, value, got)
			}
		}
	}
}

func TestSecretInJSONAndLogrus(t *testing.T) {
	t.Parallel()
	secret := mask.NewSecret(text)
	encoded, err := json.Marshal(map[string]any{"secret": secret, "the": mask.Named{Kind: "key", Value: secret}})
	if err != nil || string(encoded) != `{"secret":"[MASKED]","the":{"Kind":"key","Value":"[MASKED]"}}` {
		t.Errorf("json.Marshal = %s, %v", encoded, err)
	}
	for _, formatter := range []logrus.Formatter{&logrus.TextFormatter{}, &logrus.JSONFormatter{}} {
		var out bytes.Buffer
		log := logrus.New()
		log.SetOutput(&out)
		log.SetFormatter(formatter)
		log.WithField("secret", secret).Info("a line with ", secret)
		if strings.Contains(out.String(), text) || !strings.Contains(out.String(), mask.Masked) {
			t.Errorf("%T: %s", formatter, &out)
		}
	}
}

func TestReveal(t *testing.T) {
	t.Parallel()
	if got := mask.NewSecret(text).Reveal(); got != text {
		t.Errorf("Reveal() = %q, want %q", got, text)
	}
	if got := (mask.Secret{}).Reveal(); got != "" {
		t.Errorf("Reveal() of the zero Secret = %q, want none", got)
	}
}
