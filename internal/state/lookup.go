package state

import (
	"cmp"
	"encoding/json"
	"io/fs"

	"rolecall/internal/job"
)

// DataOf returns the Data in the record of a job, whatever its lease and its phase say. It
// is nil if there is something of the job that has none or cannot be read. If there is
// nothing, the error is an fs.ErrNotExist.
func DataOf(root string, id job.ID) (json.RawMessage, error) {
	top, err := openOwn(root)
	if top == nil {
		return nil, cmp.Or(err, error(fs.ErrNotExist))
	}
	defer top.close()
	d, err := find(*top, id)
	if err != nil {
		return nil, err
	}
	defer d.close()
	f := &Folder{id: id, root: *top, dir: d}
	_ = f.load() // the fields that can be read suffice
	return f.record.Data, nil
}
