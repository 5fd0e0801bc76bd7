package check

import (
	"context"

	"rolecall/internal/account"
)

// CheckLogin is checkLogin for tests, whose users have homes of the test's.
func CheckLogin(a account.Account) []Finding {
	return checkLogin(context.Background(), "run_as", a, []home{{a.Home, a.Home}})
}

// NamesIn is namesIn.
func NamesIn(path string) string { return namesIn(path) }

// CheckProcesses is checkProcesses.
func CheckProcesses() []Finding { return (&host{}).checkProcesses(context.Background()) }

// CheckIDs is checkIDs.
func CheckIDs(h Host) []Finding { return (&host{Host: h}).checkIDs(context.Background()) }

// CheckUser is checkUser.
func CheckUser(name string) []Finding { return (&host{}).checkUser(context.Background(), name) }
