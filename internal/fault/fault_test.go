package fault_test

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"rolecall/internal/fault"
)

var errWhat = errors.New("the door is locked")

func TestSideOf(t *testing.T) {
	t.Parallel()
	author := fault.New(fault.Refused, errWhat, "")
	admin := fault.New(fault.BadPolicy, errWhat, "")
	for name, test := range map[string]struct {
		err  error
		want fault.Side
	}{
		"none":                    {nil, fault.Infrastructure},
		"plain":                   {errWhat, fault.Infrastructure},
		"author":                  {author, fault.Author},
		"admin":                   {admin, fault.Admin},
		"infrastructure":          {fault.New(fault.NoKeys, errWhat, ""), fault.Infrastructure},
		"admin, no room":          {fault.New(fault.BadPolicy, syscall.ENOSPC, ""), fault.Infrastructure},
		"wrapped":                 {fmt.Errorf("tenant %q: %w", "a", author), fault.Author},
		"wrapped twice":           {fmt.Errorf("b: %w", fmt.Errorf("a: %w", admin)), fault.Admin},
		"joined after a plain":    {errors.Join(errWhat, author), fault.Author},
		"joined: the first wins":  {errors.Join(admin, author), fault.Admin},
		"aws":                     {fault.New(fault.RegionOff, errWhat, ""), fault.Account},
		"no room":                 {syscall.ENOSPC, fault.Infrastructure},
		"outermost wins":          {fault.New(fault.BadPolicy, author, ""), fault.Admin},
		"outermost infrastruture": {fault.New(fault.NoKeys, author, ""), fault.Infrastructure},
	} {
		if got := fault.SideOf(test.err); got != test.want {
			t.Errorf("%s: SideOf(%v) = %q, want %q", name, test.err, got, test.want)
		}
	}
}

// TestSidesAsPrinted pins the words that people see and search logs for.
func TestSidesAsPrinted(t *testing.T) {
	t.Parallel()
	got := fmt.Sprintf("%s %s %s %s", fault.Author, fault.Account, fault.Admin, fault.Infrastructure)
	if want := "author aws-account runner-admin infrastructure"; got != want {
		t.Errorf("sides print as %q, want %q", got, want)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"":                     "the door is locked",
		"ring the bell":        "the door is locked; ring the bell",
		"ring\n  then\n  wait": "the door is locked; ring\n  then\n  wait",
	} {
		if got := fault.New(fault.Refused, errWhat, next).Error(); got != want {
			t.Errorf("with next step %q the text is %q, want %q", next, got, want)
		}
	}
}

func TestUnwrap(t *testing.T) {
	t.Parallel()
	err := fault.New(fault.BadPolicy, fmt.Errorf("state: %w", fs.ErrNotExist), "")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v hides what is wrong from errors.Is", err)
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want fault.Code
	}{
		"none":           {nil, fault.Unexpected},
		"plain":          {errWhat, fault.Unexpected},
		"plain, no room": {fmt.Errorf("x: %w", syscall.ENOSPC), fault.Shortage},
		"admin, no room": {fault.New(fault.BadAuditLog, syscall.EDQUOT, ""), fault.Shortage},
		"author's":       {fault.New(fault.Refused, syscall.ENOSPC, ""), fault.Refused},
		"wrapped":        {fmt.Errorf("x: %w", fault.New(fault.NoToken, errWhat, "")), fault.NoToken},
	} {
		if got := fault.CodeOf(test.err); got != test.want {
			t.Errorf("%s: CodeOf(%v) = %q, want %q", name, test.err, got, test.want)
		}
	}
}

// TestDetail: a row that is a part of what is wrong stands in the text.
func TestDetail(t *testing.T) {
	t.Parallel()
	err := fault.New(fault.Refused, errWhat, "ring").Detail("door", "").Detail("door", "the left one").With("ref", "main").Detail("lock", "new")
	if got := err.Error(); got != "the door is locked: the left one: new; ring" || len(err.Rows) != 3 {
		t.Errorf("%q, rows %v", got, err.Rows)
	}
}

// TestWith: a row without a text is not added.
func TestWith(t *testing.T) {
	t.Parallel()
	err := fault.New(fault.Refused, errWhat, "").With("role", "").With("ref", "main")
	if len(err.Rows) != 1 || err.Rows[0] != (fault.Row{Label: "ref", Text: "main"}) {
		t.Errorf("rows %v", err.Rows)
	}
}
