package kit

import (
	"regexp"
	"strings"
)

// Flat returns a job log without colours, in which each message about an error is one
// entry: "rolecall: error [CODE]: HEAD: WHY; FIX", then a line for each other row but that
// who acts. All other lines are as they are.
func Flat(log string) string {
	log = regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(log, "")
	message := regexp.MustCompile(`(?m)^rolecall: (.*)\n  who acts   .*\n((?:  .*\n)*?)  (?:.* · )?rolecall [^ ]+ · (RC\d{3})\n`)
	return message.ReplaceAllStringFunc(log, func(text string) string {
		part := message.FindStringSubmatch(text)
		rows, fix, found := strings.Cut("\n"+part[2], "\n  fix        ")
		if found {
			fix = "; " + strings.ReplaceAll(fix, "\n               ", "\n")
		}
		if why := regexp.MustCompile(`\n  why        (.*)`).FindStringSubmatch(rows); why != nil {
			part[1] += ": " + why[1]
			rows = strings.Replace(rows, why[0], "", 1)
		}
		return "rolecall: error [" + part[3] + "]: " + part[1] + strings.TrimSuffix(fix, "\n") + strings.TrimSuffix(rows, "\n") + "\n"
	})
}
