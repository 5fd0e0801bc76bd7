// Package shelf says how what jobs hand over lies in a store: the folder of the jobs of a scope,
// and the names of the objects in it.
package shelf

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rolecall/internal/handover"
)

// MaxObject bounds an object, in bytes: the two files of a job, in JSON, sealed.
const MaxObject = 1 << 20

// Bounds of what one job looks at.
const (
	MaxListed = 5000 // objects in a folder
	MaxJobs   = 500  // jobs that have handed over something
)

// ErrThere says that there is an object of that name, and ErrGone that there is none any more.
var (
	ErrThere = errors.New("there is an object of that name")
	ErrGone  = errors.New("the object is gone")
)

// Entry is an object in a folder.
type Entry struct {
	Name string // in the folder
	Size int64  // in bytes; 0: the store has not said it
}

// Path returns the path of the folder of a scope. It fails if the scope has what no path may have:
// then jobs of two scopes could share a folder.
func Path(s handover.Scope) (string, error) {
	for _, id := range []string{s.Project, s.Pipeline} {
		if id == "" || strings.Trim(id, "0123456789") != "" {
			return "", fmt.Errorf("%.32q is no id of a project or a pipeline", id)
		}
	}
	if s.Tenant == "" || strings.ContainsAny(s.Tenant, "/\\%\x00") || strings.HasPrefix(s.Tenant, ".") {
		return "", errors.New("the tenant has no name that a path may have")
	}
	if s.Class != "protected" && s.Class != "unprotected" {
		return "", errors.New("the job has no trust class")
	}
	return strings.Join([]string{s.Tenant, s.Project, s.Pipeline, s.Class}, "/"), nil
}

// Name is the name of an object.
type Name struct {
	Job string // a hash of the issuer and the name of the job
	ID  int64  // of the job
}

// JobOf returns the first part of the names of all objects of a job.
func JobOf(issuer, job string) string {
	sum := sha256.Sum256([]byte(strconv.Itoa(len(issuer)) + " " + issuer + " " + job))
	return hex.EncodeToString(sum[:16])
}

// NameOf returns the name of the object of a parcel.
func NameOf(p handover.Parcel) Name { return Name{JobOf(p.Scope.Issuer, p.Job), p.JobID} }

// String returns the name as the store has it.
func (n Name) String() string { return n.Job + "-" + strconv.FormatInt(n.ID, 10) }

// ParseName reads a name. It reports false for one that String does not return.
func ParseName(text string) (Name, bool) {
	job, id, _ := strings.Cut(text, "-")
	number, err := strconv.ParseInt(id, 10, 64)
	n := Name{job, number}
	return n, err == nil && number > 0 && len(job) == 32 && strings.Trim(job, "0123456789abcdef") == "" && n.String() == text
}
