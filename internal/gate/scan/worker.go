package scan

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"

	"rolecall/internal/mask"
)

const (
	layerLen  = 32 << 10 // bytes that are read at once from unpacked content
	maxPlaces = 10       // places of a file that are reported separately
	maxLen    = 500      // of a place's text, in bytes
	separator = " > "    // between the names of nested members
)

// worker searches one file after another.
type worker struct {
	*scan
	buffer []byte
	whole  *mask.Finder // searches the file's own bytes
	names  *mask.Finder // searches names
	view   *view        // searches the file's own bytes for what depends on the bytes around it

	name     string            // of the file
	label    string            // of the file
	path     []string          // names of the members that lead to the current place
	depth    int               // number of archives around the current place
	places   map[string]*place // what was found
	problems []Problem

	layers []*layer // readers of nested content, reused for later files
	top    int      // how many layers are in use
	window uint64   // memory that zstd may still use, in bytes
}

// layer has the readers and buffers for content on one level of nesting.
type layer struct {
	reader   *bufio.Reader
	finder   *mask.Finder
	view     *view
	gzip     gzip.Reader
	inflater io.ReadCloser
	spool    []byte
}

func newWorker(s *scan) *worker {
	w := &worker{
		scan: s, buffer: make([]byte, bufferLen), window: maxWindows,
		whole: mask.NewFinder(s.needles), names: mask.NewFinder(s.needles),
	}
	w.view = newView(w)
	return w
}

// beginFile prepares the worker for a file.
func (w *worker) beginFile(f File) {
	w.name, w.label, w.path, w.depth, w.places, w.problems = f.Name, f.Label, w.path[:0], 0, nil, nil
}

// endFile reports the results for the file.
func (w *worker) endFile() {
	if reason := w.meter.stopped(); reason != nil {
		w.addProblem(reason)
	}
	if len(w.places) == 0 && len(w.problems) == 0 {
		return
	}
	findings, foreign := w.findings()
	w.addReport(findings, foreign, w.problems)
}

// searchName searches a name, or the text of a link.
func (w *worker) searchName(name string) {
	w.names.Reset()
	if w.names.Find([]byte(name)) {
		w.addFound(w.names)
	}
}

// addProblem adds the reason why the current place cannot be searched. It adds a reason
// only once for each file.
func (w *worker) addProblem(reason error) {
	for _, known := range w.problems {
		if known.Reason.Error() == reason.Error() {
			return
		}
	}
	w.problems = append(w.problems, Problem{w.masked(w.name), w.label, w.place(), reason})
}

// place returns the current place in the file, as reports show it.
func (w *worker) place() string { return w.placeOf(len(w.path)) }

// placeOf returns the place that the first depth names of the path lead to.
func (w *worker) placeOf(depth int) string {
	text := w.masked(strings.Join(w.path[:depth], separator))
	if len(text) > maxLen {
		text = strings.ToValidUTF8(text[:maxLen], "") + "…"
	}
	return text
}

// masked returns text with its secrets masked.
func (w *worker) masked(text string) string {
	var masked bytes.Buffer
	to := mask.NewWriter(&masked, w.needles)
	_, _ = io.WriteString(to, text) // A write to a Buffer cannot fail, and so Close cannot.
	_ = to.Close()
	return masked.String()
}

// pushLayer returns a layer for the caller's use until it calls popLayer.
func (w *worker) pushLayer() *layer {
	if w.top == len(w.layers) {
		w.layers = append(w.layers, &layer{reader: bufio.NewReaderSize(nil, layerLen), finder: mask.NewFinder(w.needles), view: newView(w)})
	}
	w.top++
	return w.layers[w.top-1]
}

// popLayer frees the last layer. It drops the reader of its content, which may hold much
// memory.
func (w *worker) popLayer() {
	w.top--
	w.layers[w.top].reader.Reset(nil)
}
