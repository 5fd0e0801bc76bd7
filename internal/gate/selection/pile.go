package selection

import (
	"bytes"
	"cmp"
	"io/fs"
	"os"
	"slices"
)

const (
	maxHeld  = 256 << 10 // bytes of names in memory
	maxItems = 8192      // records in memory
	maxRuns  = 48        // that are read at once
)

// record is a file that a part of an upload takes.
type record struct {
	path string      // relative to the project
	part int         // of Set.parts
	mode fs.FileMode // type bits only
}

// pile holds any number of records in bounded memory, and gives them back sorted by path
// and part, each once. What is too much for memory is in a file without a name, as sorted
// runs. If such a file cannot be written, the runs stay in memory.
type pile struct {
	dir string // folder of the file

	names []byte // the paths of items
	items []item
	file  *os.File // of runs; nil: there is none
	size  int64    // of what is in file
	runs  []run
	err   error // of reading file: records are lost

	count    int // records, of which some may be the same
	distinct int // how many different ones there were when they were counted
}

// item is a record in memory.
type item struct {
	from, to, part int32 // of the path in names; of the record
	mode           fs.FileMode
}

// add adds a record.
func (p *pile) add(r record) {
	from := len(p.names)
	p.names = append(p.names, r.path...)
	p.items = append(p.items, item{int32(from), int32(len(p.names)), int32(r.part), r.mode}) //nolint:gosec // maxHeld and a path are less
	p.count++
	if len(p.names) >= maxHeld || len(p.items) >= maxItems {
		p.spill()
	}
}

// exceeds reports whether there are more than most different records. It counts them only
// when their number may have doubled.
func (p *pile) exceeds(most int) bool {
	if p.count <= max(most, 2*p.distinct) {
		return false
	}
	p.compact()
	return p.distinct > most
}

// close frees the file.
func (p *pile) close() {
	if p.file != nil {
		_ = p.file.Close()
	}
}

// each calls yield for the records until it returns false. It fails if records are lost.
func (p *pile) each(yield func(record) bool) error {
	if len(p.runs) > 0 {
		p.spill()
		p.err = cmp.Or(p.err, merge(p.runs, yield))
		return p.err
	}
	p.sort()
	for _, i := range p.items {
		if !yield(record{string(p.names[i.from:i.to]), int(i.part), i.mode}) {
			break
		}
	}
	return nil
}

// sort sorts the items, and removes those that are there twice.
func (p *pile) sort() {
	slices.SortStableFunc(p.items, p.compare)
	p.items = slices.CompactFunc(p.items, func(a, b item) bool { return p.compare(a, b) == 0 })
}

// compare orders items by path and part.
func (p *pile) compare(a, b item) int {
	return cmp.Or(bytes.Compare(p.names[a.from:a.to], p.names[b.from:b.to]), cmp.Compare(a.part, b.part))
}

// spill makes a run of the items.
func (p *pile) spill() {
	if len(p.items) == 0 {
		return
	}
	p.sort()
	if len(p.runs) == 0 {
		p.file = tempFile(p.dir)
	}
	w := runWriter{file: p.file, at: p.size}
	for _, i := range p.items {
		w.add(p.names[i.from:i.to], uint64(i.part), i.mode) //nolint:gosec // not negative
	}
	p.runs, p.size = append(p.runs, w.end()), p.size+w.size
	p.names, p.items = p.names[:0], p.items[:0]
	if len(p.runs) >= maxRuns {
		p.compact()
	}
}

// compact makes one run of all, in a new file, and counts the records.
func (p *pile) compact() {
	if p.spill(); len(p.runs) == 0 {
		return
	}
	w := runWriter{file: tempFile(p.dir)}
	p.count = 0
	p.err = cmp.Or(p.err, merge(p.runs, func(r record) bool {
		w.add([]byte(r.path), uint64(r.part), r.mode) //nolint:gosec // not negative
		p.count++
		return true
	}))
	p.close()
	p.file, p.runs = w.file, []run{w.end()}
	p.size, p.distinct = w.size, p.count
}
