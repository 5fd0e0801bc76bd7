package selection_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/gate/selection"
	"rolecall/test/kit"
)

// TestMaxFiles: more files than the bound are a problem, whichever way they are found,
// and no more are taken. As many as the bound are none.
func TestMaxFiles(t *testing.T) {
	t.Parallel()
	files := []string{}
	for i := range 20 {
		files = append(files, fmt.Sprintf("wide/%02d", i))
	}
	dir := plant(t, append(files, "a/b/c/d/e/f", "one"))
	git(t, dir, "init", "-q")
	paths := func(patterns ...string) []selection.Upload { return []selection.Upload{{Paths: patterns}} }
	for name, test := range map[string]struct {
		uploads  []selection.Upload
		most     int64
		exceeded bool
	}{
		"no bound":                      {paths("wide", "a"), 0, false},
		"a wide folder":                 {paths("wide"), 20, true},
		"just as wide":                  {paths("wide"), 21, false},
		"a deep folder":                 {paths("a"), 5, true},
		"just as deep":                  {paths("a"), 6, false},
		"a pattern":                     {paths("wide/*"), 19, true},
		"a pattern just as wide":        {paths("wide/*"), 20, false},
		"a pattern that matches few":    {paths("wide/*7"), 19, true},
		"patterns one after another":    {paths("wide/0*", "wide/1*"), 20, false},
		"too much of several":           {paths("wide/0*", "wide/1*", "one"), 20, true},
		"several uploads":               {append(paths("wide/0*"), paths("wide/1*", "one")...), 20, true},
		"untracked":                     {[]selection.Upload{{Untracked: true}}, 21, true},
		"untracked, just as many":       {[]selection.Upload{{Untracked: true}}, 22, false},
		"untracked, of a second upload": {append(paths("one"), selection.Upload{Untracked: true}), 22, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := selection.OpenProject(dir)
			kit.Must(t, err)
			defer p.Close()
			p.MaxFiles = test.most
			vars, err := p.Variables(nil, nil, os.Environ())
			kit.Must(t, err)
			set, err := p.Select(t.Context(), test.uploads, vars)
			kit.Must(t, err)
			defer set.Close()
			if files := slices.Collect(set.Files()); test.most > 0 && int64(len(files)) > test.most {
				t.Errorf("%d files", len(files))
			}
			if !test.exceeded && len(set.Problems) == 0 {
				return
			}
			for _, problem := range set.Problems {
				if !errors.Is(problem.Err, selection.ErrFiles) || !problem.Missed || !test.exceeded {
					t.Errorf("problem %s, missed: %v", problem, problem.Missed)
				}
			}
			if len(set.Problems) == 0 {
				t.Errorf("no problem, and %d files", set.Count)
			}
		})
	}
}

// TestNames: each name that git writes is taken, however it is cut, until there are too
// many.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		most   int
		writes []string
		want   string
		fails  int // the write that fails; -1: none
	}{
		{2, []string{"a\x00b\x00"}, "a b", -1},
		{2, []string{"a\x00b\x00c\x00"}, "a b", 0},
		{2, []string{"a", "a\x00", "b", "", "\x00", "c", "\x00"}, "aa b", 6},
		{9, []string{"a\x00b\x00c", "d\x00e"}, "a b cd", -1},
	} {
		var got []string
		names := selection.Names(func(name string) error {
			if len(got) == test.most {
				return selection.ErrFiles
			}
			got = append(got, name)
			return nil
		})
		for i, text := range test.writes {
			if n, err := names.Write([]byte(text)); (err != nil) != (i == test.fails) || err == nil && n != len(text) || err != nil && !errors.Is(err, selection.ErrFiles) {
				t.Errorf("%q: write %d: %d, %v", test.writes, i, n, err)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%q: took %q, want %q", test.writes, got, test.want)
		}
	}
}
