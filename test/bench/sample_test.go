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
	}{
		{"within", result{times: millis(13), base: millis(10), limit: 1.3}, []string{"1.30x\t-\t1.30x\t1.30x\tok"}},
		{"with a floor and an aim", result{times: millis(13), base: millis(10), floor: millis(11), limit: 1.3, aim: 1.2}, []string{"1.30x\t1.10x\t1.20x\t1.30x\tok"}},
		{"beyond", result{times: millis(14), base: millis(10), limit: 1.3}, []string{"1.40x\t-\t1.30x\t1.30x\tMISSED"}},
		{"beyond, and others are busy", result{times: millis(14), base: millis(10), limit: 1.3, busy: true}, []string{"1.40x", "\tbusy"}},
		{"within, and others are busy", result{times: millis(13), base: millis(10), limit: 1.3, busy: true}, []string{"\tok"}},
		{"fast", result{times: millis(10), base: millis(500), limit: 30, inverse: true}, []string{"50x faster", "30x faster", "\tok"}},
		{"not fast", result{times: millis(10), base: millis(200), limit: 30, inverse: true}, []string{"20x faster", "\tMISSED"}},
		{"for information", result{times: millis(90), base: millis(10)}, []string{"9.00x\t-\t-\t-\tnot judged"}},
		{"not measured", result{limit: 30, inverse: true, note: "no aws"}, []string{"\tnot judged: no aws"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			row := test.result.row()
			for _, want := range test.want {
				if !strings.Contains(row, want) {
					t.Errorf("no %q in %q", want, row)
				}
			}
			if got, want := strings.Count(row, "\t"), strings.Count(header, "\t"); got != want {
				t.Errorf("%d columns, want %d: %q", got, want, row)
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
