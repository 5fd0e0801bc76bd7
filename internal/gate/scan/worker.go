package scan

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"rolecall/internal/mask"
)

const (
	layerLen   = 32 << 10 // that is read at once from what is unpacked
	maxPlaces  = 10       // of a file that are told apart
	maxLen     = 500      // of a place's text
	betweenWay = " > "
)

// worker looks at one file after another.
type worker struct {
	*scan
	buffer []byte
	whole  *mask.Finder // in the file itself
	words  *mask.Finder // in names

	name     string // of the file
	way      []string
	depth    int // archives around the place
	places   map[string][]bool
	problems []Problem

	layers []*layer // of readers, one on another; kept for the next ones
	top    int      // how many are in use
	window uint64   // memory that zstd may still take
}

// layer is what reading something inside of something else needs.
type layer struct {
	reader   *bufio.Reader
	finder   *mask.Finder
	gzip     gzip.Reader
	inflater io.ReadCloser
	spool    []byte
}

func newWorker(s *scan) *worker {
	return &worker{
		scan: s, buffer: make([]byte, bufferLen), window: maxWindows,
		whole: mask.NewFinder(s.needles), words: mask.NewFinder(s.needles),
	}
}

// begin begins with a file.
func (w *worker) begin(name string) {
	w.name, w.way, w.depth, w.places, w.problems = name, w.way[:0], 0, nil, nil
}

// end reports what was found in the file.
func (w *worker) end() {
	if reason := w.meter.stopped(); reason != nil {
		w.problem(reason)
	}
	if len(w.places) == 0 && len(w.problems) == 0 {
		return
	}
	var findings []Finding
	for inside, found := range w.places {
		if w.vague(inside, found) {
			continue
		}
		finding := Finding{Name: w.masked(w.name), Inside: inside}
		for i, secret := range w.secrets {
			if found[i] && !slices.Contains(finding.Kinds, secret.Kind) {
				finding.Kinds = append(finding.Kinds, secret.Kind)
			}
		}
		slices.Sort(finding.Kinds)
		findings = append(findings, finding)
	}
	w.add(findings, w.problems)
}

// vague reports whether another place says more precisely where all that was
// found at the place inside is.
func (w *worker) vague(inside string, found []bool) bool {
	prefix := ""
	if inside != "" {
		prefix = inside + betweenWay
	}
	for other, also := range w.places {
		if other == inside || !strings.HasPrefix(other, prefix) {
			continue
		}
		missing := false
		for i := range found {
			missing = missing || found[i] && !also[i]
		}
		if !missing {
			return true
		}
	}
	return false
}

// text searches a name.
func (w *worker) text(name string) {
	w.words.Reset()
	if w.words.Find([]byte(name)) {
		w.found(w.words)
	}
}

// found notes what a finder has found at the place where the worker is.
func (w *worker) found(finder *mask.Finder) {
	inside := w.inside()
	if w.places[inside] == nil && len(w.places) >= maxPlaces {
		inside = ""
	}
	if w.places == nil {
		w.places = make(map[string][]bool)
	}
	found := w.places[inside]
	if found == nil {
		found = make([]bool, len(w.secrets))
		w.places[inside] = found
	}
	for i, also := range finder.Found() {
		found[i] = found[i] || also
	}
}

// problem notes what keeps the worker from looking at the place where it is.
func (w *worker) problem(reason error) {
	for _, known := range w.problems {
		if known.Reason.Error() == reason.Error() {
			return
		}
	}
	w.problems = append(w.problems, Problem{w.masked(w.name), w.inside(), reason})
}

// inside is the place where the worker is, as it is reported.
func (w *worker) inside() string {
	text := w.masked(strings.Join(w.way, betweenWay))
	if len(text) > maxLen {
		text = strings.ToValidUTF8(text[:maxLen], "") + "…"
	}
	return text
}

// masked returns text with its secrets masked.
func (w *worker) masked(text string) string {
	var masked bytes.Buffer
	to := mask.NewWriter(&masked, w.needles)
	_, _ = io.WriteString(to, text) // Neither fails, as a Buffer does not.
	_ = to.Close()
	return masked.String()
}

// enter returns a layer that nothing uses until leave.
func (w *worker) enter() *layer {
	if w.top == len(w.layers) {
		w.layers = append(w.layers, &layer{reader: bufio.NewReaderSize(nil, layerLen), finder: mask.NewFinder(w.needles)})
	}
	w.top++
	return w.layers[w.top-1]
}

// leave frees the layer that was entered last, and what it has read from, which
// may be large.
func (w *worker) leave() {
	w.top--
	w.layers[w.top].reader.Reset(nil)
}
