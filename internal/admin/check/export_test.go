package check

import (
	"context"
	"time"

	"rolecall/internal/account"
)

// CheckLogin is checkLogin for tests, whose users have homes of the test's.
func CheckLogin(a account.Account) []Finding {
	return checkLogin(context.Background(), "run_as", a, []home{{a.Home, a.Home}})
}

// NamesIn is namesIn.
func NamesIn(path string) string { return namesIn(path) }

// NoOverlay is noOverlay.
func NoOverlay(kind string) bool { return noOverlay(kind) }

// CheckProcesses is checkProcesses.
func CheckProcesses() []Finding { return (&host{}).checkProcesses(context.Background()) }

// CheckIDs is checkIDs.
func CheckIDs(h Host) []Finding { return (&host{Host: h}).checkIDs(context.Background()) }

// CheckClock is checkClock.
func CheckClock(date string, now time.Time) []Finding { return checkClock("server", date, now) }

// Endpoints returns the addresses of STS for the tenants of a host.
func Endpoints(h Host) []string {
	on := host{Host: h}
	on.readPolicy()
	on.readServices()
	return on.endpoints()
}

// CheckUser is checkUser.
func CheckUser(name string) []Finding { return (&host{}).checkUser(context.Background(), name) }

// Clean is clean.
func Clean(text string) string { return clean(text) }
