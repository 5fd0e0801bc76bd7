package cgroup

import (
	"strconv"
	"strings"
)

// Name is the name of a job's group. No group of another name is ever opened or killed.
type Name string

// prefix is the beginning of a Name. The job's id follows.
const prefix = "rolecall-"

// NameOf returns the name of the group of a job, whose id is above 0. Two services can
// share a cgroup and each have a job of that id, so a mark of 16 hexadecimal digits tells
// these jobs apart. Groups of records without a mark have none in their names.
func NameOf(job int64, mark string) Name {
	name := prefix + strconv.FormatInt(job, 10)
	if mark != "" {
		name += "-" + mark
	}
	return Name(name)
}

// valid reports whether NameOf can have made the name.
func (n Name) valid() bool {
	id, mark, _ := strings.Cut(strings.TrimPrefix(string(n), prefix), "-")
	job, _ := strconv.ParseInt(id, 10, 64)
	return job > 0 && n == NameOf(job, mark) && (mark == "" || isMark(mark))
}

// isMark reports whether a text has the form of a mark.
func isMark(text string) bool { return len(text) == 16 && strings.Trim(text, "0123456789abcdef") == "" }
