package cleanup

import (
	"cmp"
	"errors"

	"rolecall/internal/metrics"
	"rolecall/internal/state"
	"rolecall/internal/suspension"
)

// counts is where the audit log of an ended job is counted. The zero counts is nowhere.
type counts struct{ log, file string }

// of takes over what the record of an ended job says.
func (c *counts) of(ended state.Ended) {
	c.log, c.file = cmp.Or(ended.Trail.Path, c.log), cmp.Or(ended.Trail.Metrics, c.file)
}

// update brings the file of metrics up to date, if it is due. These are all folders that may have
// jobs, and file says which tenants are suspended.
func (c counts) update(roots []string, file suspension.File) error {
	u := metrics.Update{Log: c.log, File: c.file}
	if !u.Due() {
		return nil
	}
	var err error
	u.Suspended, err = file.Read()
	for _, root := range roots {
		u.Sessions += state.Live(root)
	}
	return errors.Join(err, u.Do())
}
