package host

import "rolecall/internal/script"

// Startup is what Run reports of a script that ended so, in a login shell of that
// user, empty for the service's, with that home.
func Startup(name, home string, ended script.Result) error {
	if name == "" {
		return place{}.startup(ended, home)
	}
	return place{User: &user{Name: name, Home: home}}.startup(ended, "/service")
}
