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
