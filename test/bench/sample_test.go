package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/test/kit"
)

func millis(times ...int) sample {
	var s sample
	for _, t := range times {
		s = append(s, time.Duration(t)*time.Millisecond)
	}
	return s
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	s := millis(50, 10, 900, 30, 20)
	if got, want := s.String(), "30.0 (20.0-50.0)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := (sample{}).quantile(0.5); got != 0 {
		t.Errorf("the median of nothing is %v", got)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		result result
		want   []string
		missed bool
	}{
		{"within", result{times: millis(13), base: millis(10), limit: 1.3}, []string{"1.30x", "ok"}, false},
		{"beyond", result{times: millis(14), base: millis(10), limit: 1.3}, []string{"1.40x", "1.30x", "MISSED"}, true},
		{"fast", result{times: millis(10), base: millis(500), limit: 30, inverse: true}, []string{"50x faster", "30x faster", "ok"}, false},
		{"not fast", result{times: millis(10), base: millis(200), limit: 30, inverse: true}, []string{"20x faster", "MISSED"}, true},
		{"for information", result{times: millis(90), base: millis(10)}, []string{"9.00x", "\t-\t"}, false},
		{"not measured", result{limit: 30, inverse: true, note: "no aws"}, []string{"not measured: no aws"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.result.missed(); got != test.missed {
				t.Errorf("missed = %v", got)
			}
			for _, want := range test.want {
				if row := test.result.row(); !strings.Contains(row, want) {
					t.Errorf("no %q in %q", want, row)
				}
			}
		})
	}
}

// TestCompare has contenders that tell when it is their turn.
func TestCompare(t *testing.T) {
	t.Parallel()
	var turns []int
	turn := func(i int) contender {
		return func(context.Context) (time.Duration, error) {
			turns = append(turns, i)
			return time.Duration(len(turns)), nil
		}
	}
	samples, err := compare(t.Context(), 2, turn(0), turn(1))
	kit.Must(t, err)
	if want := []int{0, 1, 1, 0, 0, 1}; !slices.Equal(turns, want) {
		t.Errorf("turns %v, want %v", turns, want)
	}
	if !slices.Equal(samples[0], sample{4, 5}) || !slices.Equal(samples[1], sample{3, 6}) {
		t.Errorf("samples %v: the first round must not count", samples)
	}
	broken := func(context.Context) (time.Duration, error) { return 0, errors.New("broken") }
	if _, err := compare(t.Context(), 1, turn(0), broken); err == nil {
		t.Error("a contender that fails is no error")
	}
}
