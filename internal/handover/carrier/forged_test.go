package carrier_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/handover"
	"rolecall/test/kit"
)

// testForged: what was copied, renamed, cut, replayed or sealed by somebody else is refused, and
// with it what the job has really handed over before.
func (w *world) testForged(t *testing.T) {
	good := parcel("make", 100, "A="+secret)
	w.give(t, good)
	sealed := w.read(t, object(good))
	before := parcel("make", 50, "A=old")
	before.Scope.Pipeline = "69"
	w.give(t, before)
	w.store.SealKeyFiles = []string{w.key(t, "of another host")}
	w.give(t, parcel("other", 1, "B=1"))
	foreign := w.read(t, object(parcel("other", 1)))
	w.store.SealKeyFiles = []string{w.key(t, "one")}
	w.remove(t, object(parcel("other", 1)))
	newer, other := parcel("make", 101), parcel("use it", 100)
	const notSealed = "it was changed, or was not sealed for these jobs"
	for name, test := range map[string]struct {
		at      handover.Parcel
		content []byte
		why     string
	}{
		"renamed to a newer job":        {newer, sealed, "it is of another job, under a name that is not its own"},
		"renamed to another job":        {other, sealed, "it is of another job, under a name that is not its own"},
		"replayed from before":          {newer, w.read(t, object(before)), notSealed},
		"sealed by another key":         {newer, foreign, "in no file of seal_key_files"},
		"cut":                           {newer, sealed[:len(sealed)/2], "it is cut, or is not what this version"},
		"empty":                         {newer, nil, "it is cut, or is not what this version"},
		"not sealed":                    {newer, handover.Encode(newer), "it is cut, or is not what this version"},
		"relabelled":                    {newer, bytes.Replace(sealed, []byte(`"job_id":100`), []byte(`"job_id":101`), 1), notSealed},
		"one megabyte and one byte":     {newer, bytes.Repeat([]byte(" "), 1<<20+1), "it is larger than what a job can hand over"},
		"good, and then something else": {newer, append(slices.Clone(sealed), sealed...), "it is cut, or is not what this version"},
	} {
		w.write(t, object(test.at), test.content)
		parcels, refused := w.take(t)
		if len(refused) != 1 || !strings.Contains(refused[0], test.why) || test.at.Job == good.Job && parcels != nil {
			t.Errorf("%s: taken are %q, refused %q", name, parcels, refused)
		}
		w.remove(t, object(test.at))
	}
	w.testCopied(t, good, sealed)
}

// testCopied: what was copied to the place of other jobs does not open there.
func (w *world) testCopied(t *testing.T, good handover.Parcel, sealed []byte) {
	for name, change := range map[string]func(*handover.Scope){
		"pipeline": func(s *handover.Scope) { s.Pipeline = "71" },
		"project":  func(s *handover.Scope) { s.Project = "8" },
		"class":    func(s *handover.Scope) { s.Class = "unprotected" },
		"tenant":   func(s *handover.Scope) { s.Tenant = "beta" },
		"issuer":   func(s *handover.Scope) { s.Issuer = "https://gitlab.example.org" },
	} {
		copied := good
		change(&copied.Scope)
		w.write(t, object(copied), sealed)
		o := w.order()
		o.Scope = copied.Scope
		taken, err := serve(t, o).Result(o.Scope)
		kit.Must(t, err)
		if len(taken.Parcels) != 0 || len(taken.Refused) == 0 || taken.Refused[0].Why != "it was changed, or was not sealed for these jobs" {
			t.Errorf("another %s: taken are %q, refused %q", name, texts(taken), refusals(taken))
		}
		w.remove(t, object(copied))
	}
	const foreign = "rolecall/alpha/7/70/protected/\x1b[31mred + %2e"
	w.write(t, foreign, []byte("x"))
	defer w.remove(t, foreign)
	parcels, refused := w.take(t)
	if !slices.Equal(parcels, []string{"make 100 A=" + secret}) || !slices.Equal(refused, []string{"it is none of rolecall's"}) {
		t.Errorf("a foreign name: taken are %q, refused %q", parcels, refused)
	}
}
